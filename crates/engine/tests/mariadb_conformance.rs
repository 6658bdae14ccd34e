//! The conformance suite on MariaDB.
#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::ConnectOptions;
use dbkeep_testkit::{Kind, TestDatabase, server};

fn database() -> Option<(ConnectOptions, TestDatabase)> {
    let database = server(Kind::Mariadb)?.fresh_database();
    Some((database.url().parse().unwrap(), database))
}

dbkeep_testkit::conformance_tests!(database);
