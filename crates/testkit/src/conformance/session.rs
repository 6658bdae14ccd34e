//! What a session carries: settings, temporary tables, locks, a role, and how it is put back for the next borrower.

use super::open;
use super::product::{Product, make_table};
use dbkeep_engine::{Condition, ConnectOptions, ErrorKind, Role, TransactionState, Unit};
use std::time::Duration;

/// After a reset nothing of the last borrower is left: no transaction, no temporary table, no lock, no setting.
pub async fn reset_forgets_the_session(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let mut other = open(options).await;
    let product = Product::of(connection.server());
    make_table(&mut connection, "conf_reset", "n INTEGER NOT NULL").await;
    connection.reset().await.expect("a clean connection is reset, too");

    let setting = match product {
        Product::MySql | Product::MariaDb => "SET SESSION sql_mode = '', time_zone = '+05:00', @leftover = 7",
        Product::Postgres => "SET TIME ZONE '+05:00'; SET search_path TO pg_catalog",
        Product::Sqlite => "PRAGMA foreign_keys = OFF; PRAGMA query_only = OFF; PRAGMA recursive_triggers = ON",
    };
    let read = match product {
        Product::MySql | Product::MariaDb => {
            "SELECT CONCAT(@@SESSION.sql_mode, '|', @@SESSION.time_zone, '|', COALESCE(CAST(@leftover AS CHAR), 'none')) AS settings"
        }
        Product::Postgres => "SELECT current_setting('TimeZone') || '|' || current_setting('search_path') AS settings",
        Product::Sqlite => {
            "SELECT (SELECT foreign_keys FROM pragma_foreign_keys) || '|' || (SELECT recursive_triggers FROM pragma_recursive_triggers) AS settings"
        }
    };
    let before: String = connection.query_one(read, &[]).await.expect("settings").get("settings").expect("text");
    connection.script(setting).await.expect("other settings");
    let changed: String = connection.query_one(read, &[]).await.expect("settings").get("settings").expect("text");
    assert_ne!(changed, before);
    connection.reset().await.expect("a reset");
    let after: String = connection.query_one(read, &[]).await.expect("settings").get("settings").expect("text");
    assert_eq!(after, before);

    connection
        .script("CREATE TEMPORARY TABLE conf_temporary (id INTEGER); INSERT INTO conf_temporary VALUES (1);")
        .await
        .expect("a table");
    assert!(connection.lock("conf_reset", Duration::ZERO).await.expect("an answer"));
    let begin = if product == Product::Postgres { "BEGIN; INSERT INTO conf_reset VALUES (1)" } else { "BEGIN;" };
    connection.script(begin).await.expect("a transaction of its own");
    connection.execute("INSERT INTO conf_reset VALUES (2)", &[]).await.expect("an insert");
    assert_eq!(connection.condition(), Condition::Dirty);
    connection.reset().await.expect("a reset");
    assert_eq!(connection.condition(), Condition::Clean);
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    let row = connection.query_one("SELECT COUNT(*) AS n FROM conf_reset", &[]).await.expect("a count");
    assert_eq!(row.get::<i64>("n").expect("a number"), 0, "the open transaction was rolled back");
    let error = connection.query("SELECT * FROM conf_temporary", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "the temporary table is gone: {error}");
    assert!(other.lock("conf_reset", Duration::ZERO).await.expect("an answer"), "the lock was given back");
    other.unlock("conf_reset").await.expect("it is ours");

    // An interrupted statement does not stand in the way.
    let slow = product.slow_query();
    let dropped = tokio::time::timeout(Duration::from_millis(20), connection.query(slow, &[])).await;
    assert!(dropped.is_err());
    assert_eq!(connection.condition(), Condition::Dirty);
    match connection.reset().await {
        Ok(()) => assert_eq!(connection.condition(), Condition::Clean),
        Err(error) => {
            assert!(error.is_connection_lost(), "{error}");
            assert_eq!(connection.condition(), Condition::Broken);
            assert!(!connection.server().capabilities.survives_cancellation);
        }
    }
}

/// A named lock has one holder, is waited for, is told of, and ends with the connection.
pub async fn locks_exclude_each_other(options: &ConnectOptions) {
    let mut first = open(options).await;
    let mut second = open(options).await;
    if !first.server().capabilities.advisory_locks {
        return;
    }
    const NAME: &str = "conf/lock é with an awkward and rather long name, longer than sixty-four characters in all";
    assert!(first.lock(NAME, Duration::ZERO).await.expect("an answer"));
    assert!(!second.lock(NAME, Duration::ZERO).await.expect("an answer"));
    assert!(!second.lock(NAME, Duration::from_millis(150)).await.expect("an answer"));
    assert!(second.lock("conf_other", Duration::ZERO).await.expect("an answer"), "another name is another lock");
    let holder = second.lock_holder(NAME).await.expect("an answer");
    assert!(holder.is_none_or(|text| !text.is_empty()));
    assert_eq!(second.lock_holder("conf_never").await.expect("an answer"), None);

    first.unlock(NAME).await.expect("it is ours");
    assert!(second.lock(NAME, Duration::ZERO).await.expect("an answer"));
    assert_eq!(first.lock_holder("conf_never").await.expect("an answer"), None);
    second.unlock(NAME).await.expect("it is ours");

    // A waiting one gets it when it comes free.
    assert!(first.lock(NAME, Duration::ZERO).await.expect("an answer"));
    let (taken, ()) = futures_util::future::join(second.lock(NAME, Duration::from_secs(20)), async {
        tokio::task::yield_now().await;
        first.unlock(NAME).await.expect("it is ours");
    })
    .await;
    assert!(taken.expect("an answer"));

    // It ends with the connection, in good order or not; a server may need a moment to notice.
    second.close().await.expect("a farewell");
    assert!(first.lock(NAME, Duration::from_secs(20)).await.expect("an answer"));
    drop(first);
    let mut third = open(options).await;
    assert!(third.lock(NAME, Duration::from_secs(20)).await.expect("an answer"));

    // A lock outlives a transaction that is rolled back, and the statements of one.
    third.unlock(NAME).await.expect("it is ours");
    let mut transaction = third.transaction().await.expect("a transaction");
    assert!(transaction.lock(NAME, Duration::ZERO).await.expect("an answer"));
    transaction.rollback().await.expect("a rollback");
    let mut fourth = open(options).await;
    assert!(!fourth.lock(NAME, Duration::ZERO).await.expect("an answer"));
}

/// A connection opened read-only reads and refuses every write.
pub async fn a_read_only_connection_refuses_writes(options: &ConnectOptions) {
    let mut connection = open(options).await;
    make_table(&mut connection, "conf_read_only", "n INTEGER NOT NULL").await;
    connection.execute("INSERT INTO conf_read_only VALUES (1)", &[]).await.expect("a row");
    let mut read_only = options.clone();
    read_only.read_only = true;
    let mut reader = open(&read_only).await;
    for sql in [
        "INSERT INTO conf_read_only VALUES (2)",
        "DELETE FROM conf_read_only",
        "CREATE TABLE conf_read_only_2 (n INTEGER)",
    ] {
        let error = reader.execute(sql, &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{sql}: {error:?}");
    }
    let mut transaction = reader.transaction().await.expect("a transaction that reads");
    let row = transaction.query_one("SELECT n FROM conf_read_only", &[]).await.expect("the row");
    assert_eq!(row.get::<i64>("n").expect("a number"), 1);
    transaction.commit().await.expect("nothing to commit");
    reader.reset().await.expect("a reset");
    reader.execute("DELETE FROM conf_read_only", &[]).await.expect_err("a reset does not make it writable");
}

/// Ping, version, role, numbers.
pub async fn the_session_answers_for_itself(options: &ConnectOptions) {
    let mut connection = open(options).await;
    connection.ping().await.expect("a sign of life");
    assert_eq!(connection.role().await.expect("a role"), Role::Primary);
    let server = connection.server().clone();
    assert!(server.version.major > 0, "{:?}", server.version);
    assert_eq!(server.engine, options.engine.name());
    let numbers = connection.probe().await.expect("numbers");
    let named = |name: &str| numbers.iter().find(|number| number.name == name);
    let size = named("database_size").expect("a size");
    assert_eq!(size.unit, Unit::Bytes);
    assert!(size.value >= 0.0);
    if server.capabilities.is_server {
        let used = named("connections_used").expect("connections").value;
        let most = named("connections_max").expect("connections").value;
        assert!(used >= 1.0 && used <= most, "{used} of {most}");
        assert!(named("uptime").expect("an uptime").value >= 0.0);
    }
    for number in &numbers {
        assert!(number.value.is_finite(), "{number:?}");
    }
    connection.close().await.expect("a farewell");
}
