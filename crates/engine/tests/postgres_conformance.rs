//! PostgreSQL passes the suite, over TCP and, on a runtime of a single thread, over its Unix socket.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used)]

use dbkeep_engine::ConnectOptions;
use dbkeep_testkit::{Kind, TestDatabase, server};

fn over_tcp() -> Option<(ConnectOptions, TestDatabase)> {
    let database = server(Kind::Postgres)?.fresh_database();
    Some((database.url().parse().unwrap(), database))
}

fn over_the_socket() -> Option<(ConnectOptions, TestDatabase)> {
    let server = server(Kind::Postgres)?;
    server.socket()?;
    let database = server.fresh_database();
    Some((database.socket_url().parse().unwrap(), database))
}

mod tcp {
    dbkeep_testkit::conformance_tests!(super::over_tcp);
}

mod socket {
    dbkeep_testkit::conformance_tests!(super::over_the_socket, flavor = "current_thread");
}
