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
