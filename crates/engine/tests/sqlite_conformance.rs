//! SQLite passes the suite, on a runtime of several threads and on one of a single thread.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::ConnectOptions;

fn database() -> Option<(ConnectOptions, tempfile::TempDir)> {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/conformance.db", directory.path().display());
    Some((url.parse().unwrap(), directory))
}

mod on_several_threads {
    dbkeep_testkit::conformance_tests!(super::database);
}

mod on_one_thread {
    dbkeep_testkit::conformance_tests!(super::database, flavor = "current_thread");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten million rows take a minute; streams_hold_little_memory asks the same of a hundred megabytes, and the program's own tests stream ten million"]
async fn ten_million_rows_hold_little_memory() {
    let (options, _directory) = database().unwrap();
    dbkeep_testkit::conformance::ten_million_rows_hold_little_memory(&options).await;
}
