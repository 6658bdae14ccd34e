//! Every error a caller may want to tell apart, provoked.

use super::open;
use super::product::{Product, make_table, numbered};
use dbkeep_engine::sql::params;
use dbkeep_engine::{ConnectOptions, Connection, ErrorKind, Secret, TransactionState, connect_once, engine_for};
use std::time::Duration;

async fn tables(connection: &mut Connection) {
    let options = Product::of(connection.server()).table_options();
    let script = format!(
        "DROP TABLE IF EXISTS conf_child; DROP TABLE IF EXISTS conf_parent;
         CREATE TABLE conf_parent (id INTEGER NOT NULL PRIMARY KEY, email VARCHAR(60) NOT NULL UNIQUE){options};
         CREATE TABLE conf_child (
             id INTEGER NOT NULL PRIMARY KEY,
             parent_id INTEGER NOT NULL,
             amount INTEGER NOT NULL,
             CONSTRAINT conf_child_parent FOREIGN KEY (parent_id) REFERENCES conf_parent (id),
             CONSTRAINT conf_child_amount CHECK (amount > 0)
         ){options};
         INSERT INTO conf_parent (id, email) VALUES (1, 'a@b');
         INSERT INTO conf_child (id, parent_id, amount) VALUES (1, 1, 1);"
    );
    connection.script(&script).await.expect("tables");
}

/// Violations, unknown names, bad text and the rest come as their kinds, with the server's code and, where it tells, the
/// constraint and the position; after each the connection goes on.
pub async fn errors_have_kinds(options: &ConnectOptions) {
    let mut connection = open(options).await;
    tables(&mut connection).await;
    let cases = [
        ("INSERT INTO conf_parent (id, email) VALUES (1, 'c@d')", ErrorKind::UniqueViolation),
        ("INSERT INTO conf_parent (id, email) VALUES (2, 'a@b')", ErrorKind::UniqueViolation),
        ("INSERT INTO conf_child (id, parent_id, amount) VALUES (2, 9, 1)", ErrorKind::ForeignKeyViolation),
        ("DELETE FROM conf_parent", ErrorKind::ForeignKeyViolation),
        ("INSERT INTO conf_parent (id, email) VALUES (2, NULL)", ErrorKind::NotNullViolation),
        ("INSERT INTO conf_child (id, parent_id, amount) VALUES (2, 1, -1)", ErrorKind::CheckViolation),
        ("SELECT * FROM conf_missing", ErrorKind::NotFound),
        ("SELECT missing FROM conf_parent", ErrorKind::NotFound),
        ("SELECT conf_no_such_function(1)", ErrorKind::NotFound),
        ("CREATE TABLE conf_parent (id INTEGER)", ErrorKind::AlreadyExists),
        ("SELEKT 1", ErrorKind::Syntax),
        ("SELECT FROM WHERE", ErrorKind::Syntax),
        ("SELECT 'open", ErrorKind::Syntax),
    ];
    for (sql, kind) in cases {
        let error = connection.execute(sql, &[]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error:?}");
        assert!(error.code().is_some(), "{sql}: the server's code is kept");
        assert!(!error.is_retryable() && !error.is_transient() && !error.is_connection_lost(), "{sql}");
        let error = connection.query(sql, &[]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql} as a query: {error:?}");
        let error = match connection.stream(sql, &[]).await {
            Err(error) => error,
            Ok(mut stream) => stream.next().await.expect("an error").unwrap_err(),
        };
        assert_eq!(error.kind(), kind, "{sql} as a stream: {error:?}");
        let error = connection.script(sql).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql} as a script: {error:?}");
        assert_eq!(connection.transaction_state(), TransactionState::Idle);
    }

    let error = connection.execute("INSERT INTO conf_parent (id, email) VALUES (3, 'a@b')", &[]).await.unwrap_err();
    assert!(error.constraint().is_some_and(|name| name.contains("email")), "{:?}", error.constraint());
    let error = connection.execute("INSERT INTO conf_parent (id, email) VALUES (2, NULL)", &[]).await.unwrap_err();
    assert!(error.constraint().is_some_and(|name| name.contains("email")), "{:?}", error.constraint());
    let sql = "INSERT INTO conf_child (id, parent_id, amount) VALUES (2, 1, -1)";
    let error = connection.execute(sql, &[]).await.unwrap_err();
    assert!(error.constraint().is_some_and(|name| name.contains("amount")), "{:?}", error.constraint());

    let error = connection.execute("SELECT 'é🦀', 1 FRM conf_parent WHERE", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Syntax);
    if let Some(position) = error.position() {
        assert!((15..29).contains(&position), "{position} is not near the error: characters count, not bytes");
    }

    // A parameter is the user's data: it is not in the text of the error, whatever the server says.
    let insert = numbered(&connection, "INSERT INTO conf_child (id, parent_id, amount) VALUES (?, ?, ?)");
    let error = connection.execute(&insert, &params![7_777_777, 8_888_888, 1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignKeyViolation);
}

/// A row that another transaction holds is waited for as long as `lock_timeout` says, and the error names it.
pub async fn locked_rows_time_out(options: &ConnectOptions) {
    let mut impatient = options.clone();
    impatient.session.lock_timeout = Some(Duration::from_secs(1));
    let mut holder = open(options).await;
    let mut waiter = open(&impatient).await;
    make_table(&mut holder, "conf_locked", "id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL").await;
    holder.execute("INSERT INTO conf_locked VALUES (1, 0)", &[]).await.expect("a row");

    let mut holding = holder.transaction().await.expect("a transaction");
    holding.execute("UPDATE conf_locked SET n = 1 WHERE id = 1", &[]).await.expect("a lock");
    let error = waiter.execute("UPDATE conf_locked SET n = 2 WHERE id = 1", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockTimeout, "{error:?}");
    assert!(error.is_timeout() && !error.is_connection_lost());
    // The waiter is not hurt, and gets the lock when it is free.
    let row = waiter.query_one("SELECT n FROM conf_locked", &[]).await.expect("a row");
    assert_eq!(row.get::<i64>("n").expect("a number"), 0);
    holding.rollback().await.expect("a rollback");
    waiter.execute("UPDATE conf_locked SET n = 3 WHERE id = 1", &[]).await.expect("the lock is free");
}

/// Wrong database, user, password, host and port fail at once as what they are, and no error shows the password.
pub async fn wrong_addresses_are_told_apart(options: &ConnectOptions) {
    let connection = open(options).await;
    let is_server = connection.server().capabilities.is_server;
    let suffix = if is_server { "" } else { "/nowhere/shop.db" };
    let mut wrong = options.with_database(format!("{}_missing{suffix}", options.database));
    wrong.create = false;
    let error = connect_once(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownDatabase, "{error:?}");
    assert!(!error.is_transient());
    assert!(error.hint().is_some(), "what to do next: {error}");
    if !is_server {
        return;
    }

    const WRONG: &str = "wr0ng-pässword";
    let mut wrong = options.clone();
    wrong.password = Some(Secret::new(WRONG));
    let error = connect_once(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error:?}");
    assert!(!error.is_transient());
    assert!(!format!("{error} {error:?} {:?}", error.hint()).contains(WRONG));
    wrong.user = Some("conf_nobody".to_owned());
    let error = connect_once(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error:?}");

    let mut wrong = options.clone();
    wrong.socket = None;
    // Port 1 of this host: nobody listens there.
    wrong.port = Some(1);
    let error = connect_once(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.is_transient());
    wrong.host = "no-such-host.invalid".to_owned();
    let error = connect_once(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(!format!("{error} {error:?}").contains(options.password.as_ref().map_or("\0", |secret| secret.expose())));
}

/// A database is created once, is there, and goes with everything in it.
pub async fn databases_are_created_and_dropped(options: &ConnectOptions) {
    let engine = options.engine;
    open(options).await.close().await.expect("a farewell");
    assert_eq!(engine_for(engine.schemes()[0]).map(|found| found.name()), Some(engine.name()));
    let other = options.with_database(format!("{}_other", options.database));
    engine.drop_database(&other).await.expect("no error when there is none");
    assert!(!engine.database_exists(&other).await.expect("an answer"));
    engine.create_database(&other).await.expect("a new database");
    assert!(engine.database_exists(&other).await.expect("an answer"));
    let error = engine.create_database(&other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
    let mut connection = open(&other).await;
    connection
        .script("CREATE TABLE conf_there (id INTEGER); INSERT INTO conf_there VALUES (1);")
        .await
        .expect("a table");
    connection.close().await.expect("a farewell");
    assert!(engine.database_exists(options).await.expect("an answer"));
    engine.drop_database(&other).await.expect("it goes");
    assert!(!engine.database_exists(&other).await.expect("an answer"));
    engine.create_database(&other).await.expect("a new database");
    let mut connection = open(&other).await;
    connection.query("SELECT * FROM conf_there", &[]).await.expect_err("it went with everything in it");
    connection.close().await.expect("a farewell");
    engine.drop_database(&other).await.expect("it goes");
}
