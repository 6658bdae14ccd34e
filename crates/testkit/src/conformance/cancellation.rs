//! Futures dropped at any point: the next query gets its own rows or the connection says that it is lost.

use super::open;
use super::product::{Product, make_digits, make_table, numbers};
use dbkeep_engine::sql::params;
use dbkeep_engine::{ConnectOptions, Connection};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Polls the future at most `polls` times, and not after `pause`; then drops it.
pub(super) async fn interrupt<F: Future>(future: F, polls: u32, pause: Duration) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    let polled = std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    });
    tokio::time::timeout(pause, polled).await.ok().flatten()
}

/// A query for one's own marker: its own row, or a lost connection, which is then opened anew. Gives whether it survived.
async fn asks_for_itself(connection: &mut Connection, options: &ConnectOptions, marker: i64) -> bool {
    let sql = super::product::numbered(connection, "SELECT n FROM conf_marker WHERE n = ?");
    match connection.query(&sql, &params![marker]).await {
        Ok(rows) => {
            let found: Vec<i64> = rows.iter().map(|row| row.get("n").expect("its own column")).collect();
            assert_eq!(found, [marker], "the rows of another query");
            true
        }
        Err(error) => {
            assert!(error.is_connection_lost(), "an interrupted connection works or is lost: {error}");
            *connection = open(options).await;
            false
        }
    }
}

async fn markers(connection: &mut Connection) {
    make_digits(connection).await;
    make_table(connection, "conf_marker", "n INTEGER NOT NULL PRIMARY KEY").await;
    connection.execute(&format!("INSERT INTO conf_marker (n) {}", numbers(3)), &[]).await.expect("a thousand markers");
    make_table(connection, "conf_noise", "id INTEGER, note VARCHAR(100)").await;
}

/// Two hundred statements of every kind are dropped at random polls; each time the next query gets its own row.
pub async fn dropped_queries_never_mix_with_the_next(options: &ConnectOptions) {
    let mut connection = open(options).await;
    markers(&mut connection).await;
    let slow = Product::of(connection.server()).slow_query();
    let many = numbers(4);
    let survives = connection.server().capabilities.survives_cancellation;
    for round in 0..200i64 {
        let polls = fastrand::u32(1..6);
        let pause = Duration::from_micros(fastrand::u64(..4_000));
        match round % 8 {
            0 | 1 => drop(interrupt(connection.query(slow, &[]), polls, pause).await),
            2 => drop(interrupt(connection.query(&many, &[]), polls, pause).await),
            3 => drop(interrupt(connection.execute("INSERT INTO conf_noise (id) VALUES (1)", &[]), polls, pause).await),
            4 => drop(
                interrupt(
                    connection.script("SELECT 1; INSERT INTO conf_noise (id) VALUES (2); SELECT 3;"),
                    polls,
                    pause,
                )
                .await,
            ),
            5 => {
                let read = async {
                    let mut stream = connection.stream(&many, &[]).await?;
                    while let Some(row) = stream.next().await {
                        row?;
                    }
                    Ok::<(), dbkeep_engine::Error>(())
                };
                drop(interrupt(read, polls * 10, pause).await);
            }
            6 => {
                let work = async {
                    let mut transaction = connection.transaction().await?;
                    transaction.execute("INSERT INTO conf_noise (id) VALUES (3)", &[]).await?;
                    transaction.query(&many, &[]).await?;
                    transaction.rollback().await
                };
                drop(interrupt(work, polls, pause).await);
            }
            _ => drop(interrupt(connection.ping(), polls, pause).await),
        }
        let survived = asks_for_itself(&mut connection, options, round).await;
        assert!(survived || !survives, "round {round}: the connection was lost, and the engine says that it survives");
    }
    let row = connection.query_one("SELECT COUNT(*) AS n FROM conf_noise WHERE id = 3", &[]).await.expect("a count");
    assert_eq!(row.get::<i64>("n").expect("a number"), 0, "an interrupted transaction was committed");
}

/// A dropped query stops rather than being waited for: this ends, though each of its queries would run for ever.
pub async fn dropped_queries_stop(options: &ConnectOptions) {
    let mut connection = open(options).await;
    markers(&mut connection).await;
    let slow = Product::of(connection.server()).slow_query();
    for round in 0..10i64 {
        let outcome = tokio::time::timeout(Duration::from_millis(30), connection.query(slow, &[])).await;
        assert!(outcome.is_err(), "the query is slow");
        asks_for_itself(&mut connection, options, round).await;
    }
}
