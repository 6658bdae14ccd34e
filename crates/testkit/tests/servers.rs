//! The servers tests rely on: each starts, is killed, comes back, and leaves nothing behind.

#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use dbkeep_testkit::{Kind, Proxy, Server, data_file, private_server, restic, server, sqlite3};

/// Waits for something that happens in another process.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn fill(server: &Server) {
    let sql = match server.kind() {
        Kind::Mariadb | Kind::Mysql => {
            "CREATE DATABASE keep; CREATE TABLE keep.t (a int); INSERT INTO keep.t VALUES (1), (2);"
        }
        Kind::Postgres => {
            "CREATE SCHEMA keep; CREATE TABLE keep.t (a int); INSERT INTO keep.t VALUES (1), (2); CHECKPOINT;"
        }
    };
    server.client().run("", sql);
}

fn count(server: &Server) -> String {
    server.client().run("", "SELECT count(*) FROM keep.t")
}

fn a_private_server_survives_what_is_done_to_it(kind: Kind) {
    let Some(server) = private_server(kind, &[]) else { return };
    fill(&server);
    assert_eq!(count(&server), "2\n");

    server.kill9();
    assert!(!server.is_running());
    assert!(TcpStream::connect((server.host(), server.port())).is_err());

    server.start();
    assert_eq!(count(&server), "2\n");

    server.restart();
    assert_eq!(count(&server), "2\n");

    server.sigstop();
    assert!(server.is_running());
    server.sigcont();
    assert_eq!(count(&server), "2\n");

    server.stop();
    assert!(!server.is_running());
    let home = server.ca_file().parent().and_then(Path::parent).unwrap().to_owned();
    assert!(home.exists());
    drop(server);
    assert!(!home.exists(), "{} is left behind", home.display());
}

#[test]
fn a_private_mariadb_survives_what_is_done_to_it() {
    a_private_server_survives_what_is_done_to_it(Kind::Mariadb);
}

#[test]
fn a_private_mysql_survives_what_is_done_to_it() {
    a_private_server_survives_what_is_done_to_it(Kind::Mysql);
}

#[test]
fn a_private_postgres_survives_what_is_done_to_it() {
    a_private_server_survives_what_is_done_to_it(Kind::Postgres);
}

#[test]
fn a_private_server_takes_settings() {
    for (kind, setting, question, answer) in [
        (Kind::Mariadb, "max-connections=17", "SELECT @@max_connections", "17\n"),
        (Kind::Postgres, "max_connections=17", "SHOW max_connections", "17\n"),
    ] {
        let Some(server) = private_server(kind, &[setting]) else { continue };
        assert_eq!(server.client().run("", question), answer);
    }
}

#[test]
fn a_setting_the_server_does_not_know_fails_with_its_log() {
    if private_server(Kind::Postgres, &[]).is_none() {
        return;
    }
    let panic = std::panic::catch_unwind(|| private_server(Kind::Postgres, &["no_such_setting=1"])).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("postgres did not start:"), "{message}");
    assert!(message.contains("unrecognized configuration parameter \"no_such_setting\""), "{message}");
}

#[test]
fn two_databases_with_the_same_rows_dump_to_the_same_text() {
    for kind in Kind::ALL {
        let Some(server) = server(kind) else { continue };
        let (one, two, three) = (server.fresh_database(), server.fresh_database(), server.fresh_database());
        let table = "CREATE TABLE t (a int PRIMARY KEY, b varchar(20)); CREATE INDEX by_b ON t (b);";
        one.sql(&format!("{table} INSERT INTO t VALUES (1, 'x'), (2, NULL), (3, 'ß');"));
        two.sql(&format!("{table} INSERT INTO t VALUES (3, 'ß'), (1, 'x'); INSERT INTO t VALUES (2, NULL);"));
        three.sql(&format!("{table} INSERT INTO t VALUES (3, 'ß'), (1, 'x');"));
        assert_eq!(one.sql("SELECT * FROM t ORDER BY a"), "1\tx\n2\tNULL\n3\tß\n", "{kind}");
        assert_eq!(one.dump(), two.dump(), "{kind}");
        assert_ne!(one.dump(), three.dump(), "{kind}");
    }
}

#[test]
fn a_fresh_database_is_gone_with_its_handle() {
    for kind in Kind::ALL {
        let Some(server) = server(kind) else { continue };
        let database = server.fresh_database();
        let name = database.name().to_owned();
        assert_eq!(server.client().run(&name, "SELECT 1"), "1\n");
        drop(database);
        // On a server of this process's own the database goes with the server.
        if std::env::var_os(format!("DBKEEP_TEST_{}_URL", kind.name().to_uppercase())).is_some() {
            server.client().try_run(&name, "SELECT 1").unwrap_err();
        }
    }
}

#[test]
fn a_refused_statement_says_why() {
    for kind in Kind::ALL {
        let Some(server) = server(kind) else { continue };
        let error = server.client().try_run("", "SELECT * FROM nowhere.nothing").unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}

#[test]
fn a_proxy_passes_on_what_is_said_until_it_resets_its_links() {
    for kind in [Kind::Mariadb, Kind::Mysql] {
        let Some(server) = server(kind) else { continue };
        let proxy = Proxy::before(&server);
        let port = url::Url::parse(&proxy.url(&server.admin_url())).unwrap().port().unwrap();
        for _ in 0..2 {
            let mut link = TcpStream::connect(("127.0.0.1", port)).unwrap();
            // These servers speak first.
            assert_eq!(link.read(&mut [0; 1]).unwrap(), 1);
            proxy.reset_all();
            let mut rest = Vec::new();
            assert_eq!(link.read_to_end(&mut rest).unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
        drop(proxy);
        eventually("nobody listens any more", || TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}

#[test]
fn the_certificate_is_for_localhost_and_signed_by_the_named_authority() {
    for kind in Kind::ALL {
        let Some(server) = server(kind) else { continue };
        assert!(fs::read_to_string(server.ca_file()).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(fs::read_to_string(server.other_ca_file()).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        assert_ne!(fs::read(server.ca_file()).unwrap(), fs::read(server.other_ca_file()).unwrap());
        for host in ["127.0.0.1", "127.0.0.2"] {
            TcpStream::connect((host, server.port())).unwrap();
        }
    }
}

#[test]
fn the_password_in_a_url_is_percent_encoded() {
    for kind in Kind::ALL {
        let Some(server) = server(kind) else { continue };
        let url = url::Url::parse(&server.url("a b")).unwrap();
        assert_eq!(url.username(), server.user());
        assert_ne!(url.password().unwrap(), server.password());
        assert_eq!(url.path(), "/a%20b");
        assert_eq!(url.port(), Some(server.port()));
    }
}

#[test]
fn the_sample_database_loads_through_the_stock_client() {
    for (kind, files) in [
        (Kind::Mariadb, ["sakila/mysql-schema.sql.gz", "sakila/mysql-data.sql.gz"]),
        (Kind::Mysql, ["sakila/mysql-schema.sql.gz", "sakila/mysql-data.sql.gz"]),
        (Kind::Postgres, ["sakila/postgres-schema.sql.gz", "sakila/postgres-data.sql.gz"]),
    ] {
        // The scripts for the MySQL family create the database `sakila` themselves: a server where nobody minds.
        let Some(server) = private_server(kind, &[]) else { continue };
        let database = server.fresh_database();
        for file in files {
            let Some(file) = data_file(file) else { return };
            database.load(&file);
        }
        let table = if kind == Kind::Postgres { "film" } else { "sakila.film" };
        assert_eq!(database.sql(&format!("SELECT count(*) FROM {table}")), "1000\n", "{kind}");
    }
}

#[test]
fn stock_restic_and_sqlite3_look_at_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    if let Some(output) = sqlite3(&file, "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, NULL); SELECT * FROM t;") {
        assert_eq!(output, "1\tNULL\n");
    }
    let repository = folder.path().join("vault");
    if let Some(restic) = restic(&repository, "pass word") {
        restic.run(&["init"]);
        assert!(restic.run(&["check", "--read-data"]).contains("no errors were found"));
        assert!(!restic.output(&["dump", "latest", "/a"]).status.success());
    }
}

/// A process that is killed runs no destructor. This test runs itself again as a child, in which it starts a server, and kills
/// the child.
#[test]
fn a_server_ends_with_the_process_that_started_it() {
    const CHILD: &str = "DBKEEP_TESTKIT_CHILD";
    if let Some(report) = std::env::var_os(CHILD) {
        let Some(server) = private_server(Kind::Postgres, &[]) else { return };
        let home = server.ca_file().parent().and_then(Path::parent).unwrap();
        let written = Path::new(&report).with_extension("new");
        fs::write(&written, format!("{} {}", server.port(), home.display())).unwrap();
        fs::rename(written, report).unwrap();
        loop {
            thread::park();
        }
    }
    if private_server(Kind::Postgres, &[]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_server_ends_with_the_process_that_started_it", "--nocapture"])
        .env(CHILD, &report)
        .spawn()
        .unwrap();
    eventually("the child has a server", || report.exists());
    let text = fs::read_to_string(&report).unwrap();
    let (port, home) = text.split_once(' ').unwrap();
    let port: u16 = port.parse().unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the server is gone", || TcpStream::connect(("127.0.0.1", port)).is_err());
    eventually("its data is gone", || !Path::new(home).exists());
}
