//! Vaults that are damaged, foreign, locked away or full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{PROGRAM, Project, Run, fields};

fn saved() -> Project {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE clubs (code TEXT PRIMARY KEY, body BLOB)");
    project.write_query("INSERT INTO clubs VALUES ('R', randomblob(300000)), ('S', randomblob(300000))");
    project.run(&["backup"]).expect(0);
    project
}

/// The largest file below a folder: a pack with the database's pages.
fn largest(folder: &Path) -> PathBuf {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap()
}

fn writable(path: &Path) {
    let mut permissions = path.metadata().unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false, reason = "in a temporary folder")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
}

/// In the middle of the largest pack.
fn flip_a_bit(project: &Project) {
    let pack = largest(&project.path("storage/backups/data"));
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    writable(&pack);
    fs::write(&pack, bytes).unwrap();
}

#[test]
fn a_flipped_bit_is_found_and_nothing_is_restored_from_it() {
    let project = saved();
    flip_a_bit(&project);
    let run = project.run(&["backup", "verify"]).expect(7);
    assert!(run.stdout.starts_with("✗ "), "{}", run.stdout);
    let json = project.run(&["backup", "verify", "--json"]).expect(7).json();
    assert_eq!(fields(&json), ["ok", "checked_bytes", "errors"]);
    assert_eq!(json["ok"], false);
    assert!(!json["errors"].as_array().unwrap().is_empty());
    let listed = project.run(&["backup", "list", "--json"]).expect(0).json();
    assert!(listed[0]["verified_at"].is_null());
    let run = project.run(&["restore", "--into", "sqlite:copy.db"]).expect(7);
    assert!(run.stderr.contains("help: run `dbkeep backup verify`"), "{}", run.stderr);
    let left: Vec<_> = fs::read_dir(project.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("copy")), "{left:?}");
}

#[test]
fn what_verify_advises_after_a_flipped_bit_makes_new_backups_sound() {
    let project = saved();
    flip_a_bit(&project);
    // A new backup alone does not help: it relies on what is there.
    project.run(&["backup"]).expect(0);
    project.run(&["restore", "latest", "--into", "sqlite:copy.db"]).expect(7);
    let run = project.run(&["backup", "verify"]).expect(7);
    assert!(run.stderr.contains("run dbkeep backup verify --repair, and then make a new backup"), "{}", run.stderr);
    let run = project.run(&["backup", "verify", "--repair"]).expect(7);
    assert!(run.stdout.contains("repaired: no new backup relies on 1 pack any more; "), "{}", run.stdout);
    assert!(run.stderr.contains("next: dbkeep backup, which stores what the database still has"), "{}", run.stderr);
    let json = project.run(&["backup", "verify", "--repair", "--json"]).expect(7).json();
    assert_eq!(json["repaired"]["packs"], 0, "{json}");
    project.run(&["restore", "latest", "--into", "sqlite:copy.db"]).expect(7);
    project.run(&["backup"]).expect(0);
    let json = project.run(&["backup", "verify", "--repair", "--json"]).expect(0).json();
    assert_eq!(fields(&json), ["ok", "checked_bytes", "errors"]);
    // The earlier ones are whole again, too.
    let ids = project.run(&["backup", "list", "--json"]).expect(0).json();
    for (number, backup) in ids.as_array().unwrap().iter().enumerate() {
        let copy = format!("sqlite:copy-{number}.db");
        project.run(&["restore", backup["id"].as_str().unwrap(), "--into", &copy]).expect(0);
    }
    project.run(&["backup", "verify", "latest"]).expect(0);
    project.run(&["restore", "latest", "--into", "sqlite:copy.db"]).expect(0);
}

#[test]
fn a_vault_whose_backups_are_gone_is_not_called_intact_without_a_word() {
    let project = saved();
    fs::remove_dir_all(project.path("storage/backups/snapshots")).unwrap();
    let run = project.run(&["backup", "verify"]).expect(0);
    assert!(run.stderr.contains("warning: there are no backups in this vault"), "{}", run.stderr);
}

#[test]
fn a_missing_pack_is_found_and_the_next_backup_stores_it_anew() {
    let project = saved();
    fs::remove_file(largest(&project.path("storage/backups/data"))).unwrap();
    project.run(&["backup", "verify"]).expect(7);
    project.run(&["restore", "--into", "sqlite:copy.db"]).expect(7);
    project.run(&["backup"]).expect(0);
    project.run(&["backup", "verify", "latest"]).expect(0);
    project.run(&["restore", "latest", "--into", "sqlite:copy.db"]).expect(0);
}

#[test]
fn a_record_that_cannot_be_read_is_named_and_the_others_are_listed() {
    let project = saved();
    let first = project.backups().remove(0);
    project.run(&["backup"]).expect(0);
    let record = project.path("storage/backups/snapshots").join(&first);
    writable(&record);
    fs::write(&record, "nonsense").unwrap();
    let run = project.run(&["backup", "list", "--json"]).expect(7);
    assert_eq!(run.json().as_array().unwrap().len(), 1);
    assert!(run.stderr.contains(&format!("backup {} cannot be read", &first[..8])), "{}", run.stderr);
    project.run(&["backup", "verify"]).expect(7);
    project.run(&["restore", "latest", "--into", "sqlite:copy.db"]).expect(0);
}

#[test]
fn a_folder_that_holds_something_else_is_refused_and_left_alone() {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE clubs (code TEXT PRIMARY KEY)");
    project.write("storage/backups/holiday.jpg", "not ours");
    let mut all = String::new();
    for arguments in
        [&["backup"][..], &["backup", "list"], &["backup", "verify"], &["restore", "--into", "sqlite:x.db"]]
    {
        all.push_str(&project.run(arguments).expect(3).told(&project));
    }
    assert_eq!(
        all,
        "--- stderr\n  x `<folder>/storage/backups` holds other files and is no vault\n  help: point [backup] path at an empty directory\n-> 3\n"
            .repeat(4)
    );
    let left: Vec<_> = fs::read_dir(project.path("storage/backups")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn a_passphrase_that_is_wrong_missing_or_empty_is_said() {
    let project =
        Project::sqlite().with("DB_BACKUP_ENCRYPTION", "true").with("DBKEEP_BACKUP_PASSPHRASE", "correct horse");
    project.write_query("CREATE TABLE clubs (code TEXT PRIMARY KEY)");
    project.run(&["backup"]).expect(0);
    let with = |name: &str, value: &str, code: i32| {
        let output = project
            .command(&["backup", "list"])
            .env_remove("DBKEEP_BACKUP_PASSPHRASE")
            .env(name, value)
            .output()
            .unwrap();
        let run = Run::of(output, &["backup", "list"]).expect(code);
        assert!(!run.stderr.contains("battery"), "{}", run.stderr);
        run
    };
    let run = with("DBKEEP_BACKUP_PASSPHRASE", "battery staple", 3);
    assert!(run.stderr.contains("passphrase") && run.stderr.contains("help: "), "{}", run.stderr);
    assert!(with("NOTHING", "", 3).stderr.contains("there is no passphrase"));
    assert!(with("DBKEEP_BACKUP_PASSPHRASE_FILE", "nowhere", 3).stderr.contains("nowhere cannot be read"));
    project.write("passphrase", "correct horse\n").write("empty", "\n");
    with("DBKEEP_BACKUP_PASSPHRASE_FILE", "passphrase", 0);
    assert!(with("DBKEEP_BACKUP_PASSPHRASE_FILE", "empty", 3).stderr.contains("the backup passphrase is empty"));
    with("DBKEEP_BACKUP_PASSPHRASE_COMMAND", "printf 'correct %s' horse", 0);
    assert!(
        with("DBKEEP_BACKUP_PASSPHRASE_COMMAND", "exit 9", 3)
            .stderr
            .contains("DBKEEP_BACKUP_PASSPHRASE_COMMAND failed")
    );
    // The vault asks for its passphrase also where the configuration forgot that it has one.
    let output = project.command(&["backup", "list"]).env("DB_BACKUP_ENCRYPTION", "false").output().unwrap();
    Run::of(output, &["backup", "list"]).expect(3);
    // Nor is another backup put there under no passphrase.
    let output = project.command(&["backup"]).env("DB_BACKUP_ENCRYPTION", "false").output().unwrap();
    Run::of(output, &["backup"]).expect(3);
}

#[test]
fn a_passphrase_without_encryption_is_warned_of() {
    let project = Project::sqlite().with("DBKEEP_BACKUP_PASSPHRASE", "correct horse");
    project.write_query("CREATE TABLE clubs (code TEXT)");
    let run = project.run(&["backup"]).expect(0);
    assert!(
        run.stderr.contains("warning: a backup passphrase is set, but backup.encryption is false"),
        "{}",
        run.stderr
    );
}

/// Runs a script as root of a namespace of its own, where it may mount what it likes and leaves nothing behind. Nothing
/// where the system does not allow that.
#[allow(clippy::print_stderr, reason = "the notice of a skipped test")]
fn in_own_namespace(project: &Project, script: &str) -> Option<Run> {
    let unshared = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-ec"]);
        command
    };
    let allowed = unshared().arg("mount -t tmpfs none /mnt").output().is_ok_and(|output| output.status.success());
    if !allowed {
        eprintln!("skipped: needs a user namespace with mounts of its own");
        return None;
    }
    let mut command = unshared();
    command
        .arg(script)
        .current_dir(project.folder())
        .env_clear()
        .env("HOME", project.folder())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("DBKEEP", PROGRAM);
    Some(Run::of(command.output().unwrap(), &["in a namespace"]))
}

#[test]
fn a_full_disk_fails_the_backup_and_leaves_none() {
    let project = saved();
    project.write_query("CREATE TABLE more AS SELECT randomblob(6000000) AS body");
    let script = "
        mkdir -p disk && mount -t tmpfs -o size=3m none disk
        export DB_BACKUP_PATH=disk/backups
        code=0; $DBKEEP backup || code=$?; echo \"backup: $code\"
        code=0; $DBKEEP backup list || code=$?; echo \"list: $code\"
        $DBKEEP query --quiet --write 'DROP TABLE more'; $DBKEEP query --quiet --write VACUUM
        rm -rf disk/backups/data/*
        code=0; $DBKEEP backup --quiet || code=$?; echo \"again: $code\"
        $DBKEEP backup verify";
    let Some(run) = in_own_namespace(&project, script) else { return };
    assert!(run.stdout.starts_with("backup: 1\nno backups yet\nlist: 0\n"), "{run:?}");
    assert!(
        run.stderr.contains("No space left on device") && run.stderr.contains("help: free some space"),
        "{}",
        run.stderr
    );
    assert!(run.stdout.contains("again: 0\n") && run.stdout.contains("1 backup intact"), "{run:?}");
}

#[test]
fn a_full_disk_fails_the_restore_and_leaves_no_file() {
    let project = saved();
    let script = "
        mkdir -p disk && mount -t tmpfs -o size=300k none disk
        code=0; $DBKEEP restore --into sqlite:disk/copy.db || code=$?; echo \"restore: $code\"
        ls -A disk | wc -l";
    let Some(run) = in_own_namespace(&project, script) else { return };
    assert_eq!(run.stdout, "restore: 1\n0\n", "{run:?}");
    assert!(run.stderr.contains("help: "), "{}", run.stderr);
}

#[test]
fn a_read_only_folder_is_said_and_backups_in_it_can_still_be_read() {
    let project = saved();
    let script = "
        mount --bind storage storage && mount -o remount,bind,ro storage
        code=0; $DBKEEP backup || code=$?; echo \"backup: $code\"
        $DBKEEP -q backup verify --json >/dev/null
        $DBKEEP restore --into sqlite:copy.db
        code=0; $DBKEEP restore --into sqlite:storage/copy.db || code=$?; echo \"restore: $code\"";
    let Some(run) = in_own_namespace(&project, script) else { return };
    run.expect(0);
    assert!(project.path("copy.db").is_file());
}

#[test]
fn a_read_only_project_can_be_looked_at() {
    let project = saved();
    let script = "
        mount --bind . . && mount -o remount,bind,ro . && cd .
        $DBKEEP backup list --json >/dev/null
        $DBKEEP backup verify >/dev/null
        code=0; $DBKEEP query --write 'DELETE FROM clubs' || code=$?; echo \"write: $code\"
        code=0; $DBKEEP init sub || code=$?; echo \"init: $code\"
        code=0; $DBKEEP migrate create add_x || code=$?; echo \"create: $code\"";
    let Some(run) = in_own_namespace(&project, &script.replace("cd .", "cd \"$PWD\"")) else { return };
    let run = run.expect(0);
    assert_eq!(run.stdout, "write: 4\ninit: 1\ncreate: 1\n", "{}", run.stderr);
}

#[test]
fn backups_are_listed_also_where_the_state_cannot_be_read() {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE clubs (code TEXT PRIMARY KEY)");
    project.run(&["backup"]).expect(0);
    project.run(&["backup", "verify"]).expect(0);
    project.write(".dbkeep/state.db", "no database, however long it may be, and it is long enough for a page of one");
    let run = project.run(&["backup", "list", "--json"]).expect(0);
    assert_eq!(run.json().as_array().unwrap().len(), 1);
    assert!(run.stderr.contains("when backups were verified is not known"), "{}", run.stderr);
}
