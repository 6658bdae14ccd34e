//! `backup`, `backup list`, `backup verify` and `restore`.

use crate::support::{Project, Unmade, fields, on_every_server};
use dbkeep_testkit::Kind;

fn club() -> Project {
    let project = Project::sqlite();
    project.write_query("CREATE TABLE clubs (code TEXT PRIMARY KEY, name TEXT NOT NULL)");
    project.write_query("INSERT INTO clubs VALUES ('R', 'Rockets'), ('S', 'Stars')");
    project
}

#[test]
fn a_backup_is_made_listed_verified_and_restored() {
    let project = club();
    let mut all = project.run(&["backup", "list"]).told(&project);
    all.push_str(&project.run(&["backup", "--tag", "first"]).told(&project));
    all.push_str(&project.run(&["backup", "create", "--type", "incremental"]).told(&project));
    all.push_str(&project.run(&["backup", "list"]).told(&project));
    all.push_str(&project.run(&["backup", "verify"]).told(&project));
    all.push_str(&project.run(&["backup", "verify", "latest"]).told(&project));
    all.push_str(&project.run(&["restore", "--dry-run", "--into", "sqlite:copy.db"]).told(&project));
    assert!(!project.path("copy.db").exists());
    all.push_str(&project.run(&["restore", "--into", "sqlite:copy.db"]).told(&project));
    all.push_str(&project.run(&["restore", "latest", "--into", "sqlite:unproven.db", "--no-verify"]).told(&project));
    all.push_str(&project.run(&["restore", "--into", "sqlite:copy.db"]).told(&project));
    all.push_str(&project.run(&["restore"]).told(&project));
    all.push_str(&project.run(&["restore", "--yes"]).told(&project));
    insta::assert_snapshot!(all);
    assert_eq!(
        project.run(&["--url", "sqlite:copy.db", "query", "--csv", "SELECT * FROM clubs"]).stdout,
        "code,name\nR,Rockets\nS,Stars\n"
    );
}

#[test]
fn the_fields_of_json_are_the_documented_ones() {
    let project = club();
    assert_eq!(project.run(&["backup", "list", "--json"]).expect(0).json(), serde_json::json!([]));
    let made = project.run(&["backup", "--json", "--tag", "first"]).expect(0);
    assert_eq!(made.stderr, "");
    let made = made.json();
    assert_eq!(
        fields(&made),
        [
            "id",
            "type",
            "engine",
            "database",
            "started_at",
            "duration_ms",
            "tables",
            "rows",
            "bytes_read",
            "bytes_stored",
            "position",
            "warnings",
            "tag"
        ]
    );
    assert_eq!((made["type"].as_str(), made["engine"].as_str()), (Some("full"), Some("sqlite")));
    assert_eq!((made["tables"].as_u64(), made["rows"].as_u64()), (Some(1), Some(2)));
    let listed = project.run(&["backup", "list", "--json"]).expect(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"], made["id"]);
    assert_eq!(listed[0]["tag"], "first");
    assert!(listed[0]["verified_at"].is_null() && listed[0]["tested_at"].is_null());
    let verified = project.run(&["backup", "verify", "--json"]).expect(0).json();
    assert_eq!(fields(&verified), ["ok", "checked_bytes", "errors"]);
    assert_eq!(verified["ok"], true);
    assert!(verified["checked_bytes"].as_u64().unwrap() > 0);
    let listed = project.run(&["backup", "list", "--json"]).expect(0).json();
    assert!(listed[0]["verified_at"].as_str().unwrap().ends_with('Z'));
    let plan = project.run(&["restore", "--dry-run", "--json", "--into", "sqlite:copy.db"]).expect(0).json();
    assert_eq!(
        fields(&plan),
        ["id", "target", "database", "product", "version", "started_at", "tables", "rows", "bytes"]
    );
    let restored = project.run(&["restore", "--json", "--into", "sqlite:copy.db"]).expect(0);
    assert_eq!(restored.stderr, "");
    let restored = restored.json();
    assert_eq!(fields(&restored), ["id", "target", "tables", "rows", "duration_ms", "digests_match"]);
    assert_eq!((restored["rows"].as_u64(), restored["digests_match"].as_bool()), (Some(2), Some(true)));
    let unproven = project.run(&["restore", "--json", "--into", "sqlite:two.db", "--no-verify"]).expect(0).json();
    assert!(unproven["digests_match"].is_null());
}

#[test]
fn a_backup_is_named_by_the_beginning_of_its_id() {
    let project = club();
    let first = project.run(&["backup", "--json"]).expect(0).json()["id"].as_str().unwrap().to_owned();
    project.write_query("DELETE FROM clubs");
    project.run(&["backup"]).expect(0);
    project.run(&["restore", &first[..8], "--into", "sqlite:copy.db"]).expect(0);
    assert_eq!(
        project.run(&["--url", "sqlite:copy.db", "query", "--csv", "SELECT count(*) FROM clubs"]).stdout,
        "count(*)\n2\n"
    );
    let run = project.run(&["restore", "ffffffff", "--into", "sqlite:other.db"]).expect(2);
    assert!(run.stderr.contains("ffffffff"), "{}", run.stderr);
    assert!(!project.path("other.db").exists());
    let run = project.run(&["backup", "verify", "not-an-id"]).expect(2);
    assert!(run.stderr.contains("not-an-id"), "{}", run.stderr);
}

#[test]
fn without_a_vault_nothing_is_listed_and_nothing_restored() {
    let project = club();
    assert_eq!(
        project.run(&["backup", "list"]).told(&project),
        "no backups yet\n--- stderr\nnext: dbkeep backup\n-> 0\n"
    );
    let run = project.run(&["restore", "--into", "sqlite:copy.db"]).expect(3);
    assert!(run.stderr.contains("help: make a first one with `dbkeep backup`"), "{}", run.stderr);
    let run = project.run(&["backup", "verify"]).expect(3);
    assert!(run.stderr.contains("help: "), "{}", run.stderr);
    // Looking makes no vault.
    assert!(!project.path("storage").exists());
}

#[test]
fn a_restore_into_a_database_with_anything_in_it_is_refused_on_every_engine() {
    for database in on_every_server() {
        let kind = database.server().kind();
        let project = Project::on(&database.url());
        database.sql("CREATE TABLE clubs (code CHAR(1) PRIMARY KEY); INSERT INTO clubs VALUES ('R')");
        project.run(&["backup"]).expect(0);
        // The configured database, as it is.
        let run = project.run(&["restore", "--yes"]).expect(5);
        assert!(run.stderr.contains("help: "), "{}", run.stderr);
        // One with a view, or a routine, and nothing else.
        let other = database.server().fresh_database();
        other.sql("CREATE VIEW one AS SELECT 1 AS one");
        let error = &project.run(&["restore", "--into", &other.url(), "--json"]).expect(5).json()["error"];
        assert_eq!(error["code"], "refused", "{kind}: {error}");
        assert!(error["message"].as_str().unwrap().contains(other.name()), "{kind}: {error}");
        assert_eq!(other.sql("SELECT * FROM one").trim(), "1");
        // One that is empty.
        let empty = database.server().fresh_database();
        project.run(&["restore", "--into", &empty.url()]).expect(0);
        assert_eq!(empty.sql("SELECT code FROM clubs").trim(), "R");
        // One that does not exist, by name on the connection's own server, which is made.
        let unmade = Unmade::beside(&database);
        let json = project.run(&["restore", "--database", &unmade.name, "--json"]).expect(0).json();
        assert!(json["target"].as_str().unwrap().contains(&unmade.name), "{json}");
        assert_eq!(database.server().client().run(&unmade.name, "SELECT code FROM clubs").trim(), "R");
        // And now it holds something.
        project.run(&["restore", "--database", &unmade.name]).expect(5);
    }
}

#[test]
fn a_backup_of_another_engine_is_refused() {
    let project = club();
    project.run(&["backup"]).expect(0);
    for database in on_every_server() {
        let run = project.run(&["restore", "--into", &database.url()]).expect(5);
        let engine = if database.server().kind() == Kind::Mariadb { "mysql" } else { database.server().kind().name() };
        assert!(run.stderr.contains(&format!("is of a sqlite database and the target is {engine}")), "{}", run.stderr);
        assert!(run.stderr.contains("help: restore it into the same engine"), "{}", run.stderr);
    }
}

#[test]
fn a_second_backup_stores_only_what_changed() {
    let project = club();
    project.write_query("CREATE TABLE photos (id INTEGER PRIMARY KEY, photo BLOB)");
    project.write_query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO photos SELECT i, randomblob(10000) FROM n");
    let stored =
        |project: &Project| project.run(&["backup", "--json"]).expect(0).json()["bytes_stored"].as_u64().unwrap();
    let first = stored(&project);
    let again = stored(&project);
    project.write_query("UPDATE photos SET photo = randomblob(10000) WHERE id = 200");
    let changed = stored(&project);
    assert!(first > 4_000_000, "{first}");
    assert!(again < first / 100, "{again} of {first}");
    assert!(changed < first * 3 / 4, "{changed} of {first}");
}

#[test]
fn backups_run_at_the_same_time_without_harm() {
    let project = club();
    project.run(&["backup"]).expect(0);
    let runs: Vec<_> = (0..4).map(|_| project.command(&["backup", "--json"]).spawn().unwrap()).collect();
    for run in runs {
        let run = crate::support::Run::of(run.wait_with_output().unwrap(), &["backup"]);
        run.expect(0);
    }
    assert_eq!(project.backups().len(), 5);
    project.run(&["backup", "verify"]).expect(0);
}

#[test]
fn the_latest_backup_is_the_latest_of_the_database_that_is_meant() {
    let project = club();
    let url = |name: &str| format!("sqlite:{name}.db");
    let (own, other, third) = (url("dbkeep"), url("other"), url("third"));
    let back_up = |url: &str| project.run(&["--url", url, "backup", "--json"]).expect(0).json()["id"].clone();
    let planned = |url: &str| {
        let plan = project.run(&["--url", url, "restore", "--dry-run", "--into", "sqlite:copy.db", "--json"]).expect(0);
        plan.json()["id"].clone()
    };
    let first = back_up(&own);
    // The only database there is a backup of is meant, whatever it is to be called now.
    assert_eq!(planned(&own), first);
    assert_eq!(planned(&other), first);

    project.run(&["--url", &other, "query", "--write", "CREATE TABLE others (id INTEGER PRIMARY KEY)"]).expect(0);
    let newest = back_up(&other);
    assert_eq!(planned(&own), first, "not the newest of all");
    assert_eq!(planned(&other), newest);
    for command in [&["restore", "--into", "sqlite:copy.db"][..], &["backup", "verify", "latest"]] {
        let run = project.run(&[&["--url", &third][..], command].concat()).expect(5);
        assert!(run.stderr.contains("the latest may be one of several databases'"), "{}", run.stderr);
        assert!(run.stderr.contains("help: name the backup by its id"), "{}", run.stderr);
    }
    assert!(!project.path("copy.db").exists());
    let id = first.as_str().unwrap();
    project.run(&["--url", &third, "restore", id, "--into", "sqlite:copy.db"]).expect(0);
}

#[test]
fn in_the_wrong_folder_nothing_is_backed_up_and_no_empty_database_is_made() {
    let project = Project::new();
    let run = project.run(&["backup"]).expect(4);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("there is no database"), "{}", run.stderr);
    assert!(run.stderr.contains("no dbkeep.toml lies here or above"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(project.folder()).unwrap().count(), 0);

    let project = Project::sqlite();
    let run = project.run(&["backup"]).expect(4);
    assert!(run.stderr.contains("`dbkeep migrate` makes a new one"), "{}", run.stderr);
    assert!(!project.path("dbkeep.db").exists() && !project.path("storage").exists());
}

#[test]
fn a_backup_without_any_table_is_made_and_asked_about() {
    let project = Project::sqlite();
    project.run(&["query", "SELECT 1"]).expect(0);
    let run = project.run(&["backup"]).expect(0);
    assert!(run.stderr.contains("the database has no tables: is it the one that is meant?"), "{}", run.stderr);
}

#[test]
fn databases_of_one_name_on_two_servers_are_told_apart() {
    let (Some(first), Some(second)) = (dbkeep_testkit::server(Kind::Mariadb), dbkeep_testkit::server(Kind::Mysql))
    else {
        return;
    };
    let project = Project::new();
    let name = first.fresh_database();
    let other = Unmade { name: name.name().to_owned(), server: second };
    let urls = [name.url(), other.server.url(&other.name)];
    other.server.client().run("", &format!("CREATE DATABASE {}", other.name));
    for url in &urls {
        project.run(&["--url", url, "query", "--write", "CREATE TABLE clubs (id INT PRIMARY KEY)"]).expect(0);
    }
    let ids =
        urls.each_ref().map(|url| project.run(&["--url", url, "backup", "--json"]).expect(0).json()["id"].clone());
    for (url, id) in urls.iter().zip(&ids) {
        let plan = ["--url", url, "restore", "--dry-run", "--database", "nowhere", "--json"];
        assert_eq!(project.run(&plan).expect(0).json()["id"], *id);
    }
    let list = project.run(&["--url", &urls[0], "backup", "list"]).expect(0).stdout;
    assert_eq!(list.matches(&format!("{} on 127.0.0.1:", other.name)).count(), 2, "{list}");
    // Of one product into the other is no copy.
    let id = ids[1].as_str().unwrap();
    let run = project.run(&["--url", &urls[0], "restore", id, "--database", &format!("{}_new", other.name)]).expect(1);
    assert!(run.stderr.contains("the backup is of MySQL and this server is MariaDB"), "{}", run.stderr);
    assert_eq!(name.server().client().run("", &format!("SHOW DATABASES LIKE '{}_new'", other.name)), "");
}
