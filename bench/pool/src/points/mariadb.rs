//! MariaDB: mysql_async under every pool, its own among them; `Database` and sqlx as they come.

use super::round::{Answers, Borrowing};
use super::{SIZE, Subject, subject, whole};
use crate::pools::{self, Open, Trouble};
use bench_measure::points::Answer;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use url::Url;

pub const QUERY: &str = "SELECT id, name FROM points WHERE id = ?";

pub fn subjects() -> Vec<Subject> {
    vec![
        subject("Database", |url| async move { whole::Ours::open(&url, QUERY).await }),
        subject("dbkeep-pool", |url| async move { Borrowing(pools::dbkeep::pool(MariaDb::at(&url), SIZE)) }),
        subject("deadpool", |url| async move { Borrowing(pools::deadpool::pool(MariaDb::at(&url), SIZE)) }),
        subject("bb8", |url| async move { Borrowing(pools::bb8::pool(MariaDb::at(&url), SIZE).await) }),
        subject("mobc", |url| async move { Borrowing(pools::mobc::pool(MariaDb::at(&url), SIZE)) }),
        subject("mysql_async", |url| async move { whole::mysql_async(&url) }),
        subject("sqlx", |url| async move { whole::sqlx_mysql(&url).await }),
    ]
}

struct MariaDb(Opts);

impl MariaDb {
    fn at(url: &Url) -> Self {
        Self(options(url).into())
    }
}

/// The driver's, but over TCP: by itself it changes to the server's socket, which is quicker and passes the relay by.
pub fn options(url: &Url) -> OptsBuilder {
    let options = Opts::from_url(url.as_str()).expect("a URL that others understood");
    OptsBuilder::from_opts(options).prefer_socket(false)
}

impl Open for MariaDb {
    type Line = Conn;

    async fn open(&self) -> Result<Conn, Trouble> {
        Conn::new(self.0.clone()).await.map_err(Trouble::new)
    }
    async fn ping(&self, line: &mut Conn) -> Result<(), Trouble> {
        line.ping().await.map_err(Trouble::new)
    }
    fn is_gone(&self, line: &Conn) -> bool {
        line.is_disconnected()
    }
}

impl Answers for Conn {
    /// The driver prepares the text once for each connection and knows it afterwards.
    async fn answer(&mut self, id: i64) -> Answer {
        self.exec_first(QUERY, (id,)).await.expect("an answer").expect("a row")
    }
}
