//! Transactions and savepoints: committed, rolled back, dropped, panicked, failed, undone by the server.

use super::open;
use super::product::{Product, count, make_table, numbered};
use dbkeep_engine::sql::params;
use dbkeep_engine::{ConnectOptions, Connection, ErrorKind, Isolation, TransactionOptions, TransactionState};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

const TABLE: &str = "conf_transactions";

async fn table(options: &ConnectOptions) -> Connection {
    let mut connection = open(options).await;
    make_table(&mut connection, TABLE, "id INTEGER NOT NULL PRIMARY KEY, note VARCHAR(50)").await;
    connection
}

async fn insert(connection: &mut Connection, id: i64) {
    let sql = numbered(connection, "INSERT INTO conf_transactions (id, note) VALUES (?, ?)");
    let done = connection.execute(&sql, &params![id, format!("row {id}")]).await.expect("an insert");
    assert_eq!(done.rows_affected, 1);
}

async fn ids(connection: &mut Connection) -> Vec<i64> {
    connection.query_as("SELECT id FROM conf_transactions ORDER BY id", &[]).await.expect("the ids")
}

/// What is committed stays, what is rolled back goes, and the server says which is open.
pub async fn transactions_commit_and_roll_back(options: &ConnectOptions) {
    let mut connection = table(options).await;
    let mut other = open(options).await;

    let mut transaction = connection.transaction().await.unwrap();
    insert(&mut transaction, 1).await;
    assert_eq!(transaction.transaction_state(), TransactionState::Open);
    assert_eq!(ids(&mut transaction).await, [1]);
    assert_eq!(ids(&mut other).await, [] as [i64; 0], "nobody else sees what is not committed");
    transaction.commit().await.unwrap();
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    assert_eq!(ids(&mut other).await, [1]);

    let mut transaction = connection.transaction().await.unwrap();
    insert(&mut transaction, 2).await;
    transaction.rollback().await.unwrap();
    assert_eq!(connection.transaction_state(), TransactionState::Idle);
    assert_eq!(ids(&mut connection).await, [1]);

    let empty = connection.transaction().await.unwrap();
    empty.commit().await.unwrap();
    let empty = connection.transaction().await.unwrap();
    empty.rollback().await.unwrap();
    assert_eq!(ids(&mut connection).await, [1]);
}

/// Each level of savepoints ends on its own.
pub async fn savepoints_nest(options: &ConnectOptions) {
    let mut connection = table(options).await;
    let mut first = connection.transaction().await.unwrap();
    insert(&mut first, 1).await;
    let mut second = first.transaction().await.unwrap();
    insert(&mut second, 2).await;
    let mut third = second.transaction().await.unwrap();
    insert(&mut third, 3).await;
    third.rollback().await.unwrap();
    let mut third = second.transaction().await.unwrap();
    insert(&mut third, 4).await;
    third.commit().await.unwrap();
    second.commit().await.unwrap();
    let mut second = first.transaction().await.unwrap();
    insert(&mut second, 5).await;
    drop(second);
    insert(&mut first, 6).await;
    first.commit().await.unwrap();
    assert_eq!(ids(&mut connection).await, [1, 2, 4, 6]);

    let error = {
        let mut first = connection.transaction().await.unwrap();
        first.transaction_with(&TransactionOptions::default().isolation(Isolation::Serializable)).await.unwrap_err()
    };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

/// A transaction that is dropped is rolled back before the connection does anything else, however deep it was.
pub async fn dropped_transactions_roll_back(options: &ConnectOptions) {
    let mut connection = table(options).await;
    {
        let mut transaction = connection.transaction().await.unwrap();
        insert(&mut transaction, 1).await;
        let mut nested = transaction.transaction().await.unwrap();
        insert(&mut nested, 2).await;
    }
    assert_eq!(ids(&mut connection).await, [] as [i64; 0]);
    assert_eq!(connection.transaction_state(), TransactionState::Idle);

    let panicked = AssertUnwindSafe(async {
        let mut transaction = connection.transaction().await.unwrap();
        insert(&mut transaction, 3).await;
        panic!("on purpose");
    })
    .catch_unwind()
    .await;
    assert!(panicked.is_err());
    insert(&mut connection, 4).await;
    assert_eq!(ids(&mut connection).await, [4]);
}

/// After a failed statement the transaction can be rolled back; a savepoint around the statement saves the rest.
pub async fn an_error_in_a_transaction_leaves_it_to_be_rolled_back(options: &ConnectOptions) {
    let mut connection = table(options).await;
    insert(&mut connection, 1).await;
    let duplicate = "INSERT INTO conf_transactions (id, note) VALUES (1, 'again')";

    let mut transaction = connection.transaction().await.unwrap();
    insert(&mut transaction, 2).await;
    let error = transaction.execute(duplicate, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolation);
    transaction.rollback().await.unwrap();
    assert_eq!(ids(&mut connection).await, [1]);

    let mut transaction = connection.transaction().await.unwrap();
    insert(&mut transaction, 3).await;
    let mut nested = transaction.transaction().await.unwrap();
    nested.execute(duplicate, &[]).await.unwrap_err();
    nested.rollback().await.unwrap();
    insert(&mut transaction, 4).await;
    transaction.commit().await.unwrap();
    assert_eq!(ids(&mut connection).await, [1, 3, 4]);

    // A failed transaction may go on where the server lets it; what it must not do is claim a commit that did not happen.
    let mut transaction = connection.transaction().await.unwrap();
    insert(&mut transaction, 5).await;
    transaction.execute(duplicate, &[]).await.unwrap_err();
    let failed = transaction.transaction_state() == TransactionState::Failed;
    let committed = transaction.commit().await.is_ok();
    assert_eq!(committed, !failed);
    assert_eq!(ids(&mut connection).await.contains(&5), committed);
}

/// A transaction that the server rolled back refuses further statements: they would run outside of it.
pub async fn a_transaction_undone_by_the_server_refuses_further_statements(options: &ConnectOptions) {
    let mut connection = table(options).await;
    let product = Product::of(connection.server());
    insert(&mut connection, 1).await;
    insert(&mut connection, 2).await;
    if product == Product::Sqlite {
        let mut transaction = connection.transaction().await.unwrap();
        insert(&mut transaction, 3).await;
        transaction.execute("INSERT OR ROLLBACK INTO conf_transactions (id) VALUES (1)", &[]).await.unwrap_err();
        let error = transaction.execute("INSERT INTO conf_transactions (id) VALUES (9)", &[]).await.unwrap_err();
        assert_eq!(error.to_string(), "the server rolled this transaction back after an earlier error");
        let error = transaction.commit().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "nothing was committed: the server had rolled this transaction back after an earlier error"
        );
        assert_eq!(ids(&mut connection).await, [1, 2]);
        return;
    }

    // Two transactions lock a row each and then want the other's: the server undoes one of them.
    let mut other = open(options).await;
    let update = |id: i64| format!("UPDATE conf_transactions SET note = 'mine' WHERE id = {id}");
    let mut first = connection.transaction().await.unwrap();
    let mut second = other.transaction().await.unwrap();
    first.execute(&update(1), &[]).await.unwrap();
    second.execute(&update(2), &[]).await.unwrap();
    let (sql_2, sql_1) = (update(2), update(1));
    let (one, two) = futures_util::future::join(first.execute(&sql_2, &[]), second.execute(&sql_1, &[])).await;
    let (victim, survivor, error) = match (one, two) {
        (Err(error), Ok(_)) => (first, second, error),
        (Ok(_), Err(error)) => (second, first, error),
        both => panic!("one of two transactions is undone in a deadlock, not {both:?}"),
    };
    let mut victim = victim;
    assert_eq!(error.kind(), ErrorKind::Deadlock);
    assert!(error.is_retryable());
    victim.execute("INSERT INTO conf_transactions (id) VALUES (9)", &[]).await.unwrap_err();
    victim.commit().await.unwrap_err();
    survivor.commit().await.unwrap();
    assert_eq!(ids(&mut connection).await, [1, 2]);
    assert_eq!(ids(&mut other).await, [1, 2]);
}

/// A future of begin, of a statement or of commit that is dropped never leaves a transaction open behind it.
pub async fn interrupted_transactions_leave_nothing_open(options: &ConnectOptions) {
    let mut connection = table(options).await;
    for round in 0..60u64 {
        let id = i64::try_from(round).expect("small");
        let pause = Duration::from_micros(fastrand::u64(..1_500));
        let committed = async {
            let mut transaction = connection.transaction().await?;
            let sql = format!("INSERT INTO conf_transactions (id, note) VALUES ({id}, 'x')");
            transaction.execute(&sql, &[]).await?;
            transaction.commit().await
        };
        let outcome = tokio::time::timeout(pause, committed).await;
        let there = match count_of(&mut connection, id).await {
            Some(there) => there,
            None => {
                connection = open(options).await;
                count_of(&mut connection, id).await.expect("a new connection works")
            }
        };
        if let Ok(Ok(())) = outcome {
            assert_eq!(there, 1, "what was committed is there");
        }
        assert_eq!(connection.transaction_state(), TransactionState::Idle);
    }
    let mut other = open(options).await;
    assert_eq!(count(&mut connection, TABLE).await, count(&mut other, TABLE).await);
}

async fn count_of(connection: &mut Connection, id: i64) -> Option<i64> {
    let sql = format!("SELECT COUNT(*) AS n FROM conf_transactions WHERE id = {id}");
    match connection.query_one(&sql, &[]).await {
        Ok(row) => Some(row.get("n").expect("a number")),
        Err(error) => {
            assert!(error.is_connection_lost(), "an interrupted connection works or is lost: {error}");
            None
        }
    }
}

/// A read-only transaction refuses writes, and the next one takes them again.
pub async fn read_only_transactions_refuse_writes(options: &ConnectOptions) {
    let mut connection = table(options).await;
    insert(&mut connection, 1).await;
    for isolation in [None, Some(Isolation::RepeatableRead), Some(Isolation::Serializable)] {
        let mut wanted = TransactionOptions::default().read_only();
        wanted.isolation = isolation;
        let mut transaction = connection.transaction_with(&wanted).await.unwrap();
        assert_eq!(ids(&mut transaction).await, [1]);
        let error = transaction.execute("DELETE FROM conf_transactions", &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        transaction.rollback().await.unwrap();
    }
    insert(&mut connection, 2).await;
    assert_eq!(ids(&mut connection).await, [1, 2]);
}
