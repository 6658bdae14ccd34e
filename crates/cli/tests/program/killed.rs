//! The program is killed or stopped, at one moment after the other: nothing half-done counts as done.

use std::time::{Duration, Instant};

use crate::support::{Project, Run, interrupt, on_every_server};
use dbkeep_testkit::{Kind, TestDatabase};

/// A table of rows that do not compress, on SQLite.
fn large() -> Project {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE big (id INTEGER PRIMARY KEY, body BLOB)");
    project.write_query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO big SELECT i, randomblob(5000) FROM n");
    project
}

/// The same on a server: some ten megabytes.
pub(crate) fn fill(database: &TestDatabase, rows: u32) {
    let sql = match database.server().kind() {
        Kind::Postgres => format!(
            "CREATE TABLE big (id int PRIMARY KEY, body text); \
             INSERT INTO big SELECT i, md5(i::text) || md5((i + 1)::text) || md5((-i)::text) FROM generate_series(1, {rows}) AS n (i)"
        ),
        Kind::Mariadb => format!(
            "CREATE TABLE big (id INT PRIMARY KEY, body TEXT); \
             INSERT INTO big SELECT seq, CONCAT(md5(seq), md5(seq + 1), md5(-seq)) FROM seq_1_to_{rows}"
        ),
        Kind::Mysql => format!(
            "CREATE TABLE big (id INT PRIMARY KEY, body TEXT); SET cte_max_recursion_depth = {rows}; \
             INSERT INTO big WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
             SELECT i, CONCAT(SHA2(i, 256), SHA2(-i, 256)) FROM n"
        ),
    };
    database.sql(&sql);
}

/// How long a whole run takes.
fn whole(project: &Project, arguments: &[&str]) -> Duration {
    let since = Instant::now();
    project.run(arguments).expect(0);
    since.elapsed()
}

/// Starts a run and kills it after a part of its time. Whatever moment it hits, what must hold holds.
fn killed_after(project: &Project, arguments: &[&str], moment: Duration) -> bool {
    let mut child = project.command(arguments).spawn().unwrap();
    std::thread::sleep(moment);
    // It may have ended by itself.
    let _ = child.kill();
    Run::of(child.wait_with_output().unwrap(), arguments).code == 128 + 9
}

/// Backups that are listed are whole; and as many are listed as ended, give or take the one that was killed.
fn backups_are_whole(project: &Project, ended: usize, killed: bool) {
    let listed = project.backups().len();
    assert!(listed == ended || (killed && listed == ended + 1), "{listed} backups, {ended} ended, killed: {killed}");
    project.run(&["backup", "verify"]).expect(0);
}

#[test]
fn a_killed_backup_is_none_and_the_next_succeeds_on_sqlite() {
    let project = large();
    let time = whole(&project, &["backup"]);
    let mut ended = project.backups().len();
    let mut was_killed = 0;
    for part in [0, 1, 3, 4, 6, 7] {
        if project.path("storage").exists() {
            std::fs::remove_dir_all(project.path("storage")).unwrap();
        }
        let killed = killed_after(&project, &["backup"], time * part / 8);
        was_killed += u32::from(killed);
        ended = usize::from(!killed);
        if project.path("storage/backups/config").exists() {
            backups_are_whole(&project, ended, killed);
        }
        if part == 4 {
            // Another one, into a vault that holds what the killed one stored.
            project.run(&["backup"]).expect(0);
            project.run(&["restore", "latest", "--into", "sqlite:copy.db"]).expect(0);
        }
    }
    assert!(was_killed >= 3, "{was_killed}, {ended}");
}

#[test]
fn a_killed_restore_into_a_file_leaves_no_database_and_the_next_succeeds() {
    let project = large();
    project.run(&["backup"]).expect(0);
    let time = whole(&project, &["restore", "--into", "sqlite:whole.db"]);
    for part in [0, 2, 4, 6, 7] {
        let name = format!("copy{part}.db");
        let url = format!("sqlite:{name}");
        let killed = killed_after(&project, &["restore", "--into", &url], time * part / 8);
        // A file of that name is the whole database: it gets its name last.
        if project.path(&name).exists() {
            project.run(&["restore", "--into", &url]).expect(5);
        } else {
            assert!(killed);
            project.run(&["restore", "--into", &url]).expect(0);
        }
        let count =
            project.run(&["query", "--url", &url, "--csv", "SELECT count(*), sum(length(body)) FROM big"]).expect(0);
        assert_eq!(count.stdout, "count(*),sum(length(body))\n3000,15000000\n");
        // What the killed one had begun is not left behind.
        let left = std::fs::read_dir(project.folder())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("dbkeep-restore"));
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn a_killed_backup_of_a_server_is_none_and_the_next_succeeds() {
    for database in on_every_server() {
        fill(&database, 60_000);
        let project = Project::on(&database.url());
        let time = whole(&project, &["backup"]);
        let mut ended = 1;
        for part in [1, 4, 7] {
            let killed = killed_after(&project, &["backup"], time * part / 8);
            let before = ended;
            ended = project.backups().len();
            assert!(ended == before || ended == before + 1, "{before} {ended}");
            assert!(killed || ended == before + 1);
        }
        project.run(&["backup"]).expect(0);
        project.run(&["backup", "verify"]).expect(0);
        // The server waits for nobody: what the killed ones held is free again.
        database.sql("ALTER TABLE big ADD COLUMN more INT");
        let copy = database.server().fresh_database();
        project.run(&["restore", "latest", "--into", &copy.url()]).expect(0);
        assert_eq!(copy.sql("SELECT count(*) FROM big").trim(), "60000");
    }
}

#[test]
fn a_killed_restore_into_a_server_is_not_taken_for_a_database_by_the_next() {
    for database in on_every_server() {
        let kind = database.server().kind();
        fill(&database, 60_000);
        let project = Project::on(&database.url());
        project.run(&["backup"]).expect(0);
        let time = {
            let whole_one = database.server().fresh_database();
            whole(&project, &["restore", "--into", &whole_one.url()])
        };
        let mut refused = 0;
        for part in [1, 3, 5, 7] {
            let target = database.server().fresh_database();
            let killed = killed_after(&project, &["restore", "--into", &target.url()], time * part / 8);
            // The server may take a moment to notice, and its session holds locks until then.
            let sessions = match kind {
                Kind::Postgres => {
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                }
                _ => {
                    "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
                }
            };
            crate::support::wait_until("the killed session ends", || target.sql(sessions).trim() == "0");
            let again = project.run(&["restore", "--into", &target.url()]);
            match again.code {
                // Killed before it put anything there.
                0 => assert!(killed),
                5 => {
                    refused += 1;
                    assert!(again.stderr.contains("is not empty: it holds "), "{}", again.stderr);
                    assert!(again.stderr.contains("help: restore into a new database, or drop "), "{}", again.stderr);
                }
                _ => panic!("{kind}: {again:?}"),
            }
        }
        assert!(refused > 0, "{kind}: no moment was in the middle");
    }
}

#[test]
fn ctrl_c_ends_a_backup_with_130_and_without_a_backup() {
    let project = large();
    let time = whole(&project, &["backup"]);
    std::fs::remove_dir_all(project.path("storage")).unwrap();
    let mut stopped = 0;
    for part in [3, 5, 7] {
        let before = if project.path("storage").exists() { project.backups().len() } else { 0 };
        let child = project.command(&["backup", "--json"]).spawn().unwrap();
        std::thread::sleep(time * part / 8);
        interrupt(&child);
        let run = Run::of(child.wait_with_output().unwrap(), &["backup"]);
        if run.code == 0 {
            continue;
        }
        // Too early to have a say in how it ends.
        if run.code == 128 + 2 && run.stdout.is_empty() {
            continue;
        }
        stopped += 1;
        let error = &run.expect(130).json()["error"];
        assert_eq!(error["code"], "interrupted");
        assert_eq!(error["message"], "stopped by Ctrl-C");
        assert_eq!(project.backups().len(), before);
    }
    assert!(stopped > 0);
    project.run(&["backup"]).expect(0);
    project.run(&["backup", "verify"]).expect(0);
}

#[test]
fn ctrl_c_ends_a_restore_and_the_target_is_as_empty_as_before() {
    for database in on_every_server() {
        let kind = database.server().kind();
        fill(&database, 60_000);
        let project = Project::on(&database.url());
        project.run(&["backup"]).expect(0);
        let target = database.server().fresh_database();
        let child = project.command(&["restore", "--into", &target.url()]).spawn().unwrap();
        let tables = match kind {
            Kind::Postgres => "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
            _ => "SELECT count(*) FROM information_schema.tables WHERE table_schema = database()",
        };
        crate::support::wait_until("its table is there", || target.sql(tables).trim() == "1");
        interrupt(&child);
        let run = Run::of(child.wait_with_output().unwrap(), &["restore"]).expect(130);
        assert!(run.stderr.contains("stopped by Ctrl-C"), "{kind}: {}", run.stderr);
        assert_eq!(target.sql(tables).trim(), "0", "{kind}: {}", run.stderr);
        // So that the same can be done again, as the message says.
        project.run(&["restore", "--into", &target.url()]).expect(0);
    }
}
