//! Connecting, encryption, session settings, streams, cancellation, reset, locks, role and probes on PostgreSQL.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::sql::params;
use dbkeep_engine::{
    Condition, ConnectOptions, Connection, ErrorKind, Role, TlsMode, TransactionState, connect, connect_once,
};
use dbkeep_testkit::{Kind, TestDatabase, private_server, server};
use std::time::Duration;
use tokio::time::timeout;

fn fresh() -> Option<TestDatabase> {
    Some(server(Kind::Postgres)?.fresh_database())
}

fn options(database: &TestDatabase) -> ConnectOptions {
    database.url().parse().unwrap()
}

async fn show(connection: &mut Connection, setting: &str) -> String {
    connection.query_one(&format!("SHOW {setting}"), &[]).await.unwrap().get(0).unwrap()
}

/// Waits until a question has the wanted answer, by asking again: what the server does is not ours to time.
async fn until(connection: &mut Connection, sql: &str, wanted: i64) {
    for _ in 0..1000 {
        if connection.query_one(sql, &[]).await.unwrap().get::<i64>(0).unwrap() == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{sql} never came to {wanted}");
}

const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

#[tokio::test]
async fn every_tls_mode_does_what_it_says() {
    let Some(server) = private_server(Kind::Postgres, &[]) else { return };
    let with = |mode, host: &str, ca: Option<&std::path::Path>| {
        let mut options: ConnectOptions = server.url("postgres").parse().unwrap();
        options.tls = mode;
        options.host = host.to_owned();
        options.tls_ca = ca.map(Into::into);
        options.connect_attempts = 1;
        options
    };
    let (own, other) = (Some(server.ca_file()), Some(server.other_ca_file()));
    for (mode, host, ca, encrypted) in [
        (TlsMode::Disable, "127.0.0.1", None, false),
        (TlsMode::Prefer, "127.0.0.1", None, true),
        (TlsMode::Require, "127.0.0.1", None, true),
        (TlsMode::VerifyCa, "127.0.0.1", own, true),
        (TlsMode::VerifyCa, "127.0.0.2", own, true),
        (TlsMode::VerifyFull, "127.0.0.1", own, true),
        (TlsMode::VerifyFull, "localhost", own, true),
    ] {
        let mut connection =
            connect(&with(mode, host, ca)).await.unwrap_or_else(|error| panic!("{mode:?} {host}: {error:?}"));
        assert_eq!(connection.query_one(ENCRYPTED, &[]).await.unwrap().get::<bool>(0).unwrap(), encrypted, "{mode:?}");
        // The state is read above TLS.
        let transaction = connection.transaction().await.unwrap();
        assert_eq!(transaction.transaction_state(), TransactionState::Open);
        transaction.rollback().await.unwrap();
        // A cancel request goes the same way as the connection did.
        timeout(Duration::from_millis(200), connection.query("SELECT pg_sleep(600)", &[])).await.unwrap_err();
        assert_eq!(connection.query_one("SELECT 7", &[]).await.unwrap().get::<i64>(0).unwrap(), 7);
        connection.close().await.unwrap();
    }
    for (mode, host, ca) in [
        (TlsMode::VerifyCa, "127.0.0.1", other),
        (TlsMode::VerifyFull, "127.0.0.1", other),
        (TlsMode::VerifyFull, "127.0.0.2", own),
        (TlsMode::VerifyFull, "127.0.0.1", None),
    ] {
        let error = connect(&with(mode, host, ca)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{mode:?} {host}: {error:?}");
        assert!(error.message().starts_with(&format!("the certificate of {host} does not hold")), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let Some(server) = private_server(Kind::Postgres, &["ssl=off"]) else { return };
    let mut options: ConnectOptions = server.url("postgres").parse().unwrap();
    options.connect_attempts = 1;
    options.tls = TlsMode::Prefer;
    let mut connection = connect(&options).await.unwrap();
    assert!(!connection.query_one(ENCRYPTED, &[]).await.unwrap().get::<bool>(0).unwrap());
    options.tls = TlsMode::Require;
    let error = connect(&options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.message().contains("does not offer TLS"), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_socket_is_reached_by_its_directory_and_by_its_path() {
    let Some(database) = fresh() else { return };
    let Some(directory) = database.server().socket() else { return };
    let mut options: ConnectOptions = database.socket_url().parse().unwrap();
    // Encryption is not for sockets, however much of it is asked for.
    options.tls = TlsMode::VerifyFull;
    connect(&options).await.unwrap().ping().await.unwrap();
    options.socket = Some(directory.join(format!(".s.PGSQL.{}", database.server().port())));
    options.port = None;
    connect(&options).await.unwrap().ping().await.unwrap();
    options.socket = Some("/nowhere".into());
    let error = connect_once(&options).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Refused, "nothing listens at the socket /nowhere/.s.PGSQL.5432")
    );
}

#[tokio::test]
async fn refusals_are_told_apart_and_name_no_password() {
    let Some(database) = fresh() else { return };
    let server = database.server();
    let url = |text: String| text.parse::<ConnectOptions>().unwrap();
    let cases = [
        (url(server.url_as(server.user(), "wr0ng-secret", server.host(), database.name())), ErrorKind::Authentication),
        (url(server.url_as("nobody", "wr0ng-secret", server.host(), database.name())), ErrorKind::Authentication),
        (url(server.url("no_such_database")), ErrorKind::UnknownDatabase),
        (url(format!("postgres://u:wr0ng-secret@{}:1/x", server.host())), ErrorKind::Refused),
        (url("postgres://u:wr0ng-secret@no-such-host.invalid/x".to_owned()), ErrorKind::Refused),
    ];
    for (options, kind) in cases {
        let error = connect_once(&options).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.hint().is_some(), "{error:?}");
        let said = format!("{error} {error:?} {:?} {options:?}", error.hint());
        assert!(!said.contains("wr0ng-secret") && !said.contains(server.password()), "{said}");
    }
    let mut without = options(&database);
    without.password = None;
    let error = connect_once(&without).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.hint()),
        (ErrorKind::Authentication, Some("the server wants a password, and none was given"))
    );
}

#[tokio::test]
async fn a_full_server_says_so() {
    let Some(server) =
        private_server(Kind::Postgres, &["max_connections=4", "superuser_reserved_connections=0", "max_wal_senders=0"])
    else {
        return;
    };
    let mut options: ConnectOptions = server.url("postgres").parse().unwrap();
    options.connect_attempts = 1;
    let mut held = Vec::new();
    let error = loop {
        match connect(&options).await {
            Ok(connection) => held.push(connection),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.code()), (ErrorKind::TooManyConnections, Some("53300")));
    assert!(error.is_transient() && held.len() == 4, "{error:?}");
}

#[tokio::test]
async fn the_session_is_set_up_as_asked_and_stays_so() {
    let Some(database) = fresh() else { return };
    let mut options = options(&database);
    options.session.time_zone = Some("+05:30".into());
    options.session.statement_timeout = Some(Duration::from_millis(1500));
    options.session.lock_timeout = Some(Duration::from_millis(700));
    options.session.wait_timeout = Some(Duration::from_secs(3600));
    options.session.application_name = Some("shop".into());
    let mut connection = connect(&options).await.unwrap();
    for _ in 0..2 {
        assert_eq!(show(&mut connection, "statement_timeout").await, "1500ms");
        assert_eq!(show(&mut connection, "lock_timeout").await, "700ms");
        assert_eq!(show(&mut connection, "idle_session_timeout").await, "1h");
        assert_eq!(show(&mut connection, "application_name").await, "shop");
        let moment: String = connection
            .query_one("SELECT '2024-01-01 00:00:00+00'::timestamptz::text", &[])
            .await
            .unwrap()
            .get(0)
            .unwrap();
        assert_eq!(moment, "2024-01-01 05:30:00+05:30", "offsets count east of Greenwich");
        connection.script("SET statement_timeout = 0; SET lock_timeout = 1; SET TimeZone = 'UTC'").await.unwrap();
        connection.reset().await.unwrap();
    }
    let error = connection.query("SELECT pg_sleep(60)", &[]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, Some("57014")));
    assert_eq!(connection.condition(), Condition::Clean);
}

#[tokio::test]
async fn a_stream_waits_for_its_taker_and_holds_little() {
    let Some(database) = fresh() else { return };
    let mut connection = connect(&options(&database)).await.unwrap();
    let mut other = connect(&options(&database)).await.unwrap();
    let mut stream = connection.stream("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)", &[]).await.unwrap();
    stream.next().await.unwrap().unwrap();
    // A gigabyte is to come. The server cannot go on before it is taken.
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND datname = current_database()";
    until(&mut other, waiting, 1).await;
    let mut rows = 1;
    while rows < 1000 {
        stream.next().await.unwrap().unwrap();
        rows += 1;
    }
    until(&mut other, waiting, 1).await;
    drop(stream);
    assert_eq!(connection.query_one("SELECT 42", &[]).await.unwrap().get::<i64>(0).unwrap(), 42);
    assert_eq!(connection.condition(), Condition::Clean);
}

#[tokio::test]
async fn a_dropped_statement_in_a_transaction_fails_the_transaction() {
    let Some(database) = fresh() else { return };
    let mut connection = connect(&options(&database)).await.unwrap();
    connection.script("CREATE TABLE t (n integer)").await.unwrap();
    let mut transaction = connection.transaction().await.unwrap();
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    timeout(Duration::from_millis(200), transaction.query("SELECT pg_sleep(600)", &[])).await.unwrap_err();
    let error = transaction.execute("INSERT INTO t VALUES (2)", &[]).await.unwrap_err();
    assert_eq!(error.code(), Some("25P02"));
    transaction.rollback().await.unwrap();
    assert_eq!(connection.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<i64>(0).unwrap(), 0);
}

#[tokio::test]
async fn futures_dropped_at_any_moment_leave_the_connection_usable() {
    let Some(database) = fresh() else { return };
    let mut connection = connect(&options(&database)).await.unwrap();
    for polls in 0..60 {
        {
            let sql = format!("SELECT n, repeat('x', 500), {polls} FROM generate_series(1, 2000) n WHERE n > $1");
            let given = params![0];
            let mut query = std::pin::pin!(connection.query(&sql, &given));
            for _ in 0..polls {
                let done =
                    std::future::poll_fn(|context| std::task::Poll::Ready(query.as_mut().poll(context).is_ready()))
                        .await;
                if done {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let row = connection.query_one("SELECT $1::integer AS n", &params![polls]).await.unwrap();
        assert_eq!(row.get::<i64>("n").unwrap(), polls, "after {polls} polls");
        assert_eq!(connection.transaction_state(), TransactionState::Idle);
    }
}

#[tokio::test]
async fn a_killed_session_is_lost_with_the_servers_reason() {
    let Some(database) = fresh() else { return };
    let mut connection = connect(&options(&database)).await.unwrap();
    let mut other = connect(&options(&database)).await.unwrap();
    let pid: i64 = connection.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0).unwrap();
    other.query("SELECT pg_terminate_backend($1)", &params![pid]).await.unwrap();
    let error = connection.query("SELECT 1", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error:?}");
    assert_eq!(error.to_string(), "terminating connection due to administrator command (57P01)");
    assert_eq!(connection.condition(), Condition::Broken);
    connection.query("SELECT 1", &[]).await.unwrap_err();
}

#[tokio::test]
async fn a_killed_server_is_noticed_at_once() {
    let Some(server) = private_server(Kind::Postgres, &[]) else { return };
    let options: ConnectOptions = server.url("postgres").parse().unwrap();
    let mut connection = connect(&options).await.unwrap();
    let mut stream =
        connection.stream("SELECT n, pg_sleep(0.001) FROM generate_series(1, 1000000) n", &[]).await.unwrap();
    stream.next().await.unwrap().unwrap();
    server.kill9();
    let error = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("the stream must not end as if it were whole"),
        }
    };
    assert!(error.is_connection_lost(), "{error:?}");
    drop(stream);
    assert_eq!(connection.condition(), Condition::Broken);
    let error = connect_once(&options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    server.start();
    connect(&options).await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_frozen_server_does_not_hold_the_caller() {
    let Some(server) = private_server(Kind::Postgres, &[]) else { return };
    let mut options: ConnectOptions = server.url("postgres").parse().unwrap();
    options.connect_timeout = Duration::from_millis(500);
    options.connect_attempts = 1;
    server.sigstop();
    let error = connect(&options).await.unwrap_err();
    server.sigcont();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
}

#[tokio::test]
async fn the_holder_of_a_lock_is_named() {
    let Some(database) = fresh() else { return };
    let mut first_options = options(&database);
    first_options.session.application_name = Some("dbkeep migrate".into());
    let mut first = connect(&first_options).await.unwrap();
    let mut second = connect(&options(&database)).await.unwrap();
    assert_eq!(second.lock_holder("migrations").await.unwrap(), None);
    assert!(first.lock("migrations", Duration::ZERO).await.unwrap());
    assert!(!second.lock("migrations", Duration::ZERO).await.unwrap());
    let holder = second.lock_holder("migrations").await.unwrap().unwrap();
    assert!(holder.starts_with(&format!("dbkeep migrate of {} from ", database.server().user())), "{holder}");
    assert!(holder.contains("(pid "), "{holder}");
    assert_eq!(second.unlock("migrations").await.unwrap_err().kind(), ErrorKind::NotFound);
    first.reset().await.unwrap();
    assert!(second.lock("migrations", Duration::ZERO).await.unwrap());
}

#[tokio::test]
async fn reset_keeps_prepared_statements_and_forgets_the_rest() {
    let Some(database) = fresh() else { return };
    let mut connection = connect(&options(&database)).await.unwrap();
    let prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 12345'";
    connection.query("SELECT 12345", &[]).await.unwrap();
    connection.execute("BEGIN", &[]).await.unwrap();
    connection.execute("CREATE TEMPORARY TABLE passing (n integer)", &[]).await.unwrap();
    connection.query("SELECT 12345", &[]).await.unwrap();
    connection.execute("LISTEN something", &[]).await.unwrap();
    connection.reset().await.unwrap();
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    assert_eq!(connection.query_one(prepared, &[]).await.unwrap().get::<i64>(0).unwrap(), 1);
    assert_eq!(connection.query("SELECT * FROM passing", &[]).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Someone else's DEALLOCATE takes them away; the statement is prepared anew.
    connection.script("DEALLOCATE ALL").await.unwrap();
    connection.query("SELECT 12345", &[]).await.unwrap();
}

#[tokio::test]
async fn the_cache_is_bounded_and_may_be_off() {
    let Some(database) = fresh() else { return };
    for capacity in [0, 3] {
        let mut options = options(&database);
        options.statement_cache = capacity;
        let mut connection = connect(&options).await.unwrap();
        for n in 0..20 {
            connection.query(&format!("SELECT {n} AS mine"), &[]).await.unwrap();
        }
        assert_eq!(connection.condition(), Condition::Clean);
        let sql = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%mine' AND statement NOT LIKE '%pg_prepared%'";
        let kept: i64 = connection.query_one(sql, &[]).await.unwrap().get(0).unwrap();
        assert!(kept <= capacity as i64, "{kept} of {capacity}");
    }
}

#[tokio::test]
async fn roles_and_probes_say_how_the_server_is() {
    let Some(database) = fresh() else { return };
    let mut connection = connect(&options(&database)).await.unwrap();
    assert_eq!(connection.role().await.unwrap(), Role::Primary);
    let measured = connection.probe().await.unwrap();
    let number = |name: &str| measured.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name}")).value;
    assert!(number("database_size") > 1e6);
    assert!(number("connections_used") >= 1.0 && number("connections_used") <= number("connections_max"));
    assert!(number("uptime") > 0.0 && number("transaction_id_age") > 0.0);
    assert!(measured.iter().all(|one| one.name != "replication_lag"), "a primary has no lag");

    let mut only_reading = options(&database);
    only_reading.read_only = true;
    let mut connection = connect(&only_reading).await.unwrap();
    assert_eq!(connection.role().await.unwrap(), Role::ReadOnly);
    let error = connection.execute("CREATE TABLE t ()", &[]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::ReadOnly, Some("25006")));
}

#[tokio::test]
async fn schema_changes_of_others_are_survived_outside_of_transactions_and_explained_inside() {
    let Some(database) = fresh() else { return };
    let mut connection = connect(&options(&database)).await.unwrap();
    let mut other = connect(&options(&database)).await.unwrap();
    connection.script("CREATE TABLE t (n real)").await.unwrap();
    connection.query("SELECT * FROM t", &[]).await.unwrap();
    connection.execute("INSERT INTO t VALUES ($1)", &params![0.5]).await.unwrap();
    other.script("ALTER TABLE t ALTER n TYPE double precision, ADD m text").await.unwrap();
    // The parameter's old type would have rounded this without a word.
    connection.execute("INSERT INTO t VALUES ($1)", &params![0.1]).await.unwrap();
    let rows: Vec<(f64, Option<String>)> = connection.query_as("SELECT * FROM t ORDER BY n", &[]).await.unwrap();
    assert_eq!(rows, [(0.1, None), (0.5, None)]);

    let mut transaction = connection.transaction().await.unwrap();
    other.script("ALTER TABLE t DROP m").await.unwrap();
    let error = transaction.query("SELECT * FROM t ORDER BY n", &[]).await.unwrap_err();
    assert_eq!(error.hint(), Some("the schema changed under a prepared statement: run the whole transaction again"));
    transaction.rollback().await.unwrap();
    assert_eq!(connection.query("SELECT * FROM t ORDER BY n", &[]).await.unwrap().len(), 2);

    // One's own change, in the transaction that goes on with it.
    let mut transaction = connection.transaction().await.unwrap();
    transaction.query("SELECT * FROM t ORDER BY n", &[]).await.unwrap();
    transaction.execute("ALTER TABLE t ADD k integer", &[]).await.unwrap();
    assert_eq!(transaction.query("SELECT * FROM t ORDER BY n", &[]).await.unwrap()[0].columns().len(), 2);
    transaction.commit().await.unwrap();
}
