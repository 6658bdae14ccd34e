//! The server dies in the middle of a backup or a restore.

use crate::killed::fill;
use crate::support::{Project, Run, wait_until};
use dbkeep_testkit::{Kind, private_server};

const ROWS: u32 = 300_000;

fn dies_during_a_backup(kind: Kind) {
    let Some(server) = private_server(kind, &[]) else { return };
    let database = server.fresh_database();
    fill(&database, ROWS);
    let project = Project::on(&(database.url() + "?connect_attempts=1"));
    project.write("first.sql", "");
    let child = project.command(&["backup", "--json"]).spawn().unwrap();
    let reading = match kind {
        Kind::Postgres => "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%big%'",
        _ => {
            "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT%`big`%' AND id <> connection_id()"
        }
    };
    wait_until("the table is being read", || database.sql(reading).trim() != "0");
    server.kill9();
    let run = Run::of(child.wait_with_output().unwrap(), &["backup"]).expect(1);
    let error = &run.json()["error"];
    assert_eq!(error["code"], "failed", "{error}");
    assert!(error["message"].as_str().unwrap().contains("cannot back up data/"), "{error}");
    assert!(error["hint"].is_string(), "{error}");
    assert!(!run.stdout.contains(server.password()) && run.stderr.is_empty(), "{run:?}");
    assert!(project.backups().is_empty());
    // While it is down, there is no connection.
    let down = project.run(&["backup"]).expect(4);
    assert!(down.stderr.contains("help: "), "{}", down.stderr);
    server.start();
    project.run(&["backup"]).expect(0);
    assert_eq!(project.backups().len(), 1);
    project.run(&["backup", "verify"]).expect(0);
    let copy = server.fresh_database();
    let restored = project.run(&["restore", "--into", &copy.url(), "--json"]).expect(0).json();
    assert_eq!((restored["rows"].as_u64(), restored["digests_match"].as_bool()), (Some(ROWS.into()), Some(true)));
    assert_eq!(copy.sql("SELECT count(*) FROM big").trim(), ROWS.to_string());

    // And during a restore.
    let target = server.fresh_database();
    let child = project.command(&["restore", "--into", &target.url(), "--json"]).spawn().unwrap();
    let loading = match kind {
        Kind::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%big%FROM STDIN%'"
        }
        _ => {
            "SELECT count(*) FROM information_schema.processlist WHERE (info LIKE 'LOAD DATA%' OR info LIKE 'INSERT%') AND id <> connection_id()"
        }
    };
    wait_until("the table is being filled", || target.sql(loading).trim() != "0");
    server.kill9();
    let run = Run::of(child.wait_with_output().unwrap(), &["restore"]).expect(1);
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("cannot restore data/"), "{message}");
    // It could not be emptied any more, and that is said.
    assert!(message.contains(target.name()), "{message}");
    server.start();
    let again = project.run(&["restore", "--into", &target.url()]);
    assert!(again.code == 5 || again.code == 0, "{again:?}");
}

#[test]
fn mariadb_dies() {
    dies_during_a_backup(Kind::Mariadb);
}

#[test]
fn mysql_dies() {
    dies_during_a_backup(Kind::Mysql);
}

#[test]
fn postgres_dies() {
    dies_during_a_backup(Kind::Postgres);
}
