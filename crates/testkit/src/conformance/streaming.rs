//! Rows as they come.

use super::open;
use super::product::{make_digits, numbers};
use dbkeep_engine::{ConnectOptions, Connection};

async fn answers_for_itself(connection: &mut Connection, number: i64) {
    let row = connection.query_one(&format!("SELECT {number} AS marker"), &[]).await.expect("the next query works");
    assert_eq!(row.get::<i64>("marker").expect("its own row"), number);
}

/// A hundred thousand rows arrive, each once.
pub async fn streams_give_every_row(options: &ConnectOptions) {
    let mut connection = open(options).await;
    make_digits(&mut connection).await;
    let mut seen = vec![false; 100_000];
    let mut stream = connection.stream(&numbers(5), &[]).await.expect("a stream");
    assert_eq!(stream.columns()[0].name, "n");
    while let Some(row) = stream.next().await {
        let n = row.expect("a row").get::<usize>("n").expect("a number");
        assert!(!std::mem::replace(&mut seen[n], true), "row {n} came twice");
    }
    drop(stream);
    assert!(seen.iter().all(|seen| *seen));
    answers_for_itself(&mut connection, 7).await;

    let mut stream = connection.stream("SELECT d FROM conf_digits WHERE d > 10", &[]).await.expect("a stream");
    assert_eq!(stream.columns()[0].name, "d", "columns are known without a row");
    assert!(stream.next().await.is_none());
    assert!(stream.next().await.is_none(), "the end stays the end");
    drop(stream);
    answers_for_itself(&mut connection, 8).await;
}

/// A result of 100 MB passes through a few MB of memory, also when the reader pauses.
pub async fn streams_hold_little_memory(options: &ConnectOptions) {
    read_in_little_memory(options, 5, 1_000).await;
}

/// Ten million rows pass through a few MB of memory. It takes a minute or more, so it is not among
/// [`conformance_tests!`](crate::conformance_tests).
pub async fn ten_million_rows_hold_little_memory(options: &ConnectOptions) {
    read_in_little_memory(options, 7, 100).await;
}

async fn read_in_little_memory(options: &ConnectOptions, power: u32, filling_bytes: usize) {
    let mut connection = open(options).await;
    make_digits(&mut connection).await;
    let sql = format!("SELECT '{}' AS filling, n FROM ({}) AS numbers", "x".repeat(filling_bytes), numbers(power));
    let mut stream = connection.stream(&sql, &[]).await.expect("a stream");
    let before = resident_bytes();
    let (mut rows, mut most) = (0u64, None);
    while let Some(row) = stream.next().await {
        assert_eq!(row.expect("a row").get::<String>("filling").expect("text").len(), filling_bytes);
        rows += 1;
        if rows % 20_000 == 0 {
            // Room for a producer without bounds to run ahead; nothing is asserted about time.
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            most = most.max(resident_bytes());
        }
    }
    assert_eq!(rows, 10u64.pow(power));
    if let (Some(before), Some(most)) = (before, most) {
        let grown = most.saturating_sub(before);
        assert!(grown < 48 << 20, "{rows} rows of {filling_bytes} bytes took {} MB of memory", grown >> 20);
    }
}

/// The memory this process has in use, where the system tells.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|kilobytes| kilobytes << 10)
}

/// A stream that is dropped early leaves none of its rows to the next query.
pub async fn dropped_streams_leave_no_rows_behind(options: &ConnectOptions) {
    let mut connection = open(options).await;
    make_digits(&mut connection).await;
    for read in [0, 1, 2, 255, 256, 257, 3_000] {
        for _ in 0..3 {
            let mut stream = connection.stream(&numbers(6), &[]).await.expect("a stream");
            for _ in 0..read {
                stream.next().await.expect("a row").expect("no error");
            }
            drop(stream);
            let marker = -1 - i64::from(read);
            match connection.query_one(&format!("SELECT {marker} AS marker"), &[]).await {
                Ok(row) => assert_eq!(row.get::<i64>("marker").expect("its own row"), marker),
                Err(error) => {
                    assert!(error.is_connection_lost(), "{error}");
                    assert!(!connection.server().capabilities.survives_cancellation, "{error}");
                    connection = open(options).await;
                }
            }
        }
    }
}

/// An error that shows only at a later row ends the stream, and the connection goes on.
pub async fn streams_report_errors_in_the_middle(options: &ConnectOptions) {
    use super::product::{Product, make_table};
    let mut connection = open(options).await;
    make_table(&mut connection, "conf_stream", "n INTEGER NOT NULL, v VARCHAR(20) NOT NULL").await;
    for n in 0..50 {
        let text = if n == 40 { "no json".to_owned() } else { format!("{{\"n\": {n}}}") };
        connection.execute(&format!("INSERT INTO conf_stream VALUES ({n}, '{text}')"), &[]).await.expect("a row");
    }
    let sql = match Product::of(connection.server()) {
        Product::Postgres => "SELECT n, v::json FROM conf_stream ORDER BY n",
        Product::Sqlite => "SELECT n, json(v) FROM conf_stream ORDER BY n",
        Product::MySql => "SELECT n, CAST(v AS JSON) FROM conf_stream ORDER BY n",
        // MariaDB's functions give NULL and a warning; a subquery with two rows is an error.
        Product::MariaDb => {
            "SELECT n, CASE WHEN n = 40 THEN (SELECT o.n FROM conf_stream o WHERE o.n >= s.n) ELSE 1 END FROM conf_stream s ORDER BY n"
        }
    };
    let failed = match connection.stream(sql, &[]).await {
        Err(_) => true,
        Ok(mut stream) => {
            let mut failed = false;
            while let Some(row) = stream.next().await {
                assert!(!failed, "nothing comes after an error");
                failed = row.is_err();
            }
            failed
        }
    };
    assert!(failed, "the 41st row is an error");
    answers_for_itself(&mut connection, 9).await;
}
