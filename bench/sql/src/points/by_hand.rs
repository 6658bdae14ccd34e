//! The drivers by hand: a connection has its statement prepared once, and who has none waits for one that is given back.

use super::SIZE;
use bench_measure::points::{Answer, Ask};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tokio_postgres::{Client, NoTls};
use url::Url;

pub const MARIADB: &str = "SELECT id, name FROM points WHERE id = ?";
pub const POSTGRES: &str = "SELECT id, name FROM points WHERE id = $1";

/// A connection with its statement.
pub trait Line: Send + 'static {
    fn answer(&mut self, id: i64) -> impl Future<Output = Answer> + Send;
}

/// The least that lends connections: no limit of time, no statistics, and no look at what comes back.
pub struct Lines<L>(Arc<Free<L>>);

struct Free<L> {
    lines: Mutex<Vec<L>>,
    permits: Semaphore,
}

impl<L> Lines<L> {
    fn new(lines: Vec<L>) -> Self {
        Self(Arc::new(Free { permits: Semaphore::new(lines.len()), lines: Mutex::new(lines) }))
    }
}

impl<L> Clone for Lines<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: Line> Ask for Lines<L> {
    async fn ask(&self, id: i64) -> Answer {
        let _permit = self.0.permits.acquire().await.expect("nobody closes it");
        let mut line = self.0.lines.lock().expect("nobody panics with it").pop().expect("as many as permits");
        let answer = line.answer(id).await;
        self.0.lines.lock().expect("nobody panics with it").push(line);
        answer
    }
}

pub struct MariaDb {
    connection: Conn,
    query: mysql_async::Statement,
}

pub async fn mariadb(url: &Url) -> Lines<MariaDb> {
    // Over TCP as everybody else; by itself the driver would change to the server's socket.
    let options = OptsBuilder::from_opts(Opts::from_url(url.as_str()).expect("a URL that others understood"));
    let options: Opts = options.prefer_socket(false).into();
    let mut lines = Vec::new();
    for _ in 0..SIZE {
        let mut connection = Conn::new(options.clone()).await.expect("a connection");
        let query = connection.prep(MARIADB).await.expect("a statement");
        lines.push(MariaDb { connection, query });
    }
    Lines::new(lines)
}

impl Line for MariaDb {
    async fn answer(&mut self, id: i64) -> Answer {
        self.connection.exec_first(&self.query, (id,)).await.expect("an answer").expect("a row")
    }
}

pub struct Postgres {
    client: Client,
    query: tokio_postgres::Statement,
}

pub async fn postgres(url: &Url) -> Lines<Postgres> {
    let mut lines = Vec::new();
    for _ in 0..SIZE {
        let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await.expect("a connection");
        // It ends when the client is dropped; if it ends before, the client hears why with its next query.
        tokio::spawn(connection);
        let query = client.prepare(POSTGRES).await.expect("a statement");
        lines.push(Postgres { client, query });
    }
    Lines::new(lines)
}

impl Line for Postgres {
    async fn answer(&mut self, id: i64) -> Answer {
        let row = self.client.query_one(&self.query, &[&id]).await.expect("a row");
        (row.get(0), row.get(1))
    }
}
