//! Prepared statements, scripts, and what statements say of themselves.

use super::open;
use super::product::{Product, count, make_table, numbered};
use dbkeep_engine::sql::params;
use dbkeep_engine::{ConnectOptions, ErrorKind, TransactionState};

/// More distinct statements than the cache holds run, again and again, with a cache of every size.
pub async fn more_statements_than_the_cache_holds(options: &ConnectOptions) {
    for size in [0, 1, 8] {
        let mut small = options.clone();
        small.statement_cache = size;
        let mut connection = open(&small).await;
        make_table(&mut connection, "conf_statements", "n INTEGER NOT NULL").await;
        let insert = numbered(&connection, "INSERT INTO conf_statements (n) VALUES (?)");
        for n in 0..30i64 {
            connection.execute(&insert, &params![n]).await.expect("an insert");
        }
        for round in 0..3 {
            for n in 0..30i64 {
                let sql = numbered(&connection, &format!("SELECT n + {n} AS n FROM conf_statements WHERE n = ?"));
                let row = connection.query_one(&sql, &params![round]).await.expect("a row");
                assert_eq!(row.get::<i64>("n").expect("a number"), n + round);
            }
        }
    }
}

/// A statement that was prepared before its table changed gives the table's new columns, and new rows fit.
pub async fn statements_survive_a_changed_table(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let mut other = open(options).await;
    make_table(&mut connection, "conf_statements", "n INTEGER NOT NULL").await;
    let all = numbered(&connection, "SELECT * FROM conf_statements WHERE n >= ?");
    let insert = numbered(&connection, "INSERT INTO conf_statements (n) VALUES (?)");
    for n in 0..3i64 {
        connection.execute(&insert, &params![n]).await.expect("an insert");
        assert_eq!(connection.query(&all, &params![0]).await.expect("rows").len(), 1 + n as usize);
    }
    // By another connection, and by this one.
    other.script("ALTER TABLE conf_statements ADD COLUMN a VARCHAR(20) DEFAULT 'new'").await.expect("a column");
    let rows = connection.query(&all, &params![0]).await.expect("the statement is prepared anew");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].get::<String>("a").expect("the new column"), "new");
    connection.script("ALTER TABLE conf_statements ADD COLUMN b INTEGER").await.expect("a column");
    let rows = connection.query(&all, &params![1]).await.expect("the statement is prepared anew");
    assert_eq!(rows[0].columns().len(), 3);
    assert_eq!(rows[0].get::<Option<i64>>("b").expect("the newest column"), None);
    let mut stream = connection.stream(&all, &params![0]).await.expect("a stream");
    let mut streamed = 0;
    while let Some(row) = stream.next().await {
        assert_eq!(row.expect("a row").columns().len(), 3);
        streamed += 1;
    }
    drop(stream);
    assert_eq!(streamed, 3);
    connection.execute(&insert, &params![3]).await.expect("an insert");

    // Dropped and made again with another type.
    let wide = "n BIGINT NOT NULL, c VARCHAR(10)";
    make_table(&mut other, "conf_statements", wide).await;
    connection.execute(&insert, &params![1i64 << 40]).await.expect("the parameter has the new type");
    let row = connection.query_one(&all, &params![0]).await.expect("a row");
    assert_eq!(row.get::<i64>("n").expect("a number"), 1 << 40);
}

/// A script runs statement by statement: what ran before the error stays, what stands behind it does not run.
pub async fn scripts_run_until_the_first_error(options: &ConnectOptions) {
    let mut connection = open(options).await;
    make_table(&mut connection, "conf_script", "n INTEGER NOT NULL PRIMARY KEY, note VARCHAR(100)").await;
    connection
        .script(
            "-- a comment; with a semicolon
             INSERT INTO conf_script (n, note) VALUES (1, 'a;b');
             SELECT * FROM conf_script; /* another; */
             INSERT INTO conf_script (n, note) VALUES (2, 'it''s -- no comment')",
        )
        .await
        .expect("a script, its last statement without a semicolon");
    assert_eq!(count(&mut connection, "conf_script").await, 2);
    connection.script("").await.expect("an empty script does nothing");
    connection.script(" ; -- nothing\n").await.expect("a script of nothing does nothing");

    let error = connection
        .script("INSERT INTO conf_script (n) VALUES (3); INSERT INTO conf_script (n) VALUES (1); INSERT INTO conf_script (n) VALUES (4);")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolation, "{error}");
    let there: Vec<i64> = connection.query_as("SELECT n FROM conf_script ORDER BY n", &[]).await.expect("the rows");
    assert!(!there.contains(&4), "nothing runs behind an error: {there:?}");
    assert_eq!(connection.transaction_state(), TransactionState::Idle);

    let mut transaction = connection.transaction().await.expect("a transaction");
    transaction.script("DELETE FROM conf_script; INSERT INTO conf_script (n) VALUES (9);").await.expect("a script");
    transaction.rollback().await.expect("a rollback");
    let again: Vec<i64> = connection.query_as("SELECT n FROM conf_script ORDER BY n", &[]).await.expect("the rows");
    assert_eq!(again, there, "a script in a transaction is rolled back with it");

    // One statement is one statement.
    let error = connection.execute("DELETE FROM conf_script; DELETE FROM conf_script", &[]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Syntax | ErrorKind::Statement), "{error}");
    connection.execute("", &[]).await.unwrap_err();
    assert_eq!(count(&mut connection, "conf_script").await, i64::try_from(there.len()).expect("few"));
}

/// Rows affected are rows that matched, and the last key made by the server is told where the engine tells it.
pub async fn executed_statements_say_what_they_did(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let product = Product::of(connection.server());
    make_table(&mut connection, "conf_executed", &format!("id {}, n INTEGER", product.counted_key())).await;
    let done = connection.execute("INSERT INTO conf_executed (n) VALUES (5), (6), (7)", &[]).await.expect("an insert");
    assert_eq!(done.rows_affected, 3);
    let ids: Vec<u64> = connection.query_as("SELECT id FROM conf_executed ORDER BY id", &[]).await.expect("ids");
    if let Some(id) = done.last_insert_id {
        assert!(ids.contains(&id), "{id} is one of {ids:?}");
    }
    let done = connection.execute("UPDATE conf_executed SET n = 6 WHERE n >= 6", &[]).await.expect("an update");
    assert_eq!((done.rows_affected, done.last_insert_id), (2, None), "a matched row counts, changed or not");
    let done = connection.execute("DELETE FROM conf_executed WHERE n = 100", &[]).await.expect("a delete");
    assert_eq!(done.rows_affected, 0);
    let done = connection.execute("CREATE TABLE conf_executed_2 (n INTEGER)", &[]).await.expect("a table");
    assert_eq!((done.rows_affected, done.last_insert_id), (0, None));
    for (sql, affected) in [
        ("INSERT INTO conf_executed (n) VALUES (8), (9)", 2),
        ("UPDATE conf_executed SET n = 9 WHERE n >= 8", 2),
        ("SELECT n FROM conf_executed", 0),
        ("DELETE FROM conf_executed WHERE n = 9", 2),
        ("DELETE FROM conf_executed WHERE n = 9", 0),
    ] {
        let mut rows = connection.stream(sql, &[]).await.expect("a stream");
        assert_eq!(rows.executed(), None, "not before the end");
        while let Some(row) = rows.next().await {
            row.expect("a row");
        }
        assert_eq!(rows.executed().map(|done| done.rows_affected), Some(affected), "{sql}");
    }
    connection.execute("DROP TABLE conf_executed_2", &[]).await.expect("no table");
    if connection.server().capabilities.insert_returning {
        let rows =
            connection.query("INSERT INTO conf_executed (n) VALUES (8) RETURNING id, n", &[]).await.expect("a row");
        assert_eq!(rows[0].get::<i64>("n").expect("a number"), 8);
    }
}
