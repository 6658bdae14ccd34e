//! PostgreSQL: tokio-postgres under every pool; `Database` and sqlx as they come.

use super::round::{Answers, Borrowing};
use super::{SIZE, Subject, subject, whole};
use crate::pools::{self, Open, Trouble};
use bench_measure::points::Answer;
use tokio_postgres::{Client, NoTls, Statement};
use url::Url;

pub const QUERY: &str = "SELECT id, name FROM points WHERE id = $1";

pub fn subjects() -> Vec<Subject> {
    vec![
        subject("Database", |url| async move { whole::Ours::open(&url, QUERY).await }),
        subject("dbkeep-pool", |url| async { Borrowing(pools::dbkeep::pool(Postgres(url), SIZE)) }),
        subject("deadpool", |url| async { Borrowing(pools::deadpool::pool(Postgres(url), SIZE)) }),
        subject("bb8", |url| async { Borrowing(pools::bb8::pool(Postgres(url), SIZE).await) }),
        subject("mobc", |url| async { Borrowing(pools::mobc::pool(Postgres(url), SIZE)) }),
        subject("sqlx", |url| async move { whole::sqlx_postgres(&url).await }),
    ]
}

struct Postgres(Url);

struct Line {
    client: Client,
    /// Prepared once for each connection, as every pool's users would.
    query: Statement,
}

impl Open for Postgres {
    type Line = Line;

    async fn open(&self) -> Result<Line, Trouble> {
        let (client, connection) = tokio_postgres::connect(self.0.as_str(), NoTls).await.map_err(Trouble::new)?;
        // It ends when the client is dropped; if it ends before, the client hears why with its next query.
        tokio::spawn(connection);
        let query = client.prepare(QUERY).await.map_err(Trouble::new)?;
        Ok(Line { client, query })
    }
    async fn ping(&self, line: &mut Line) -> Result<(), Trouble> {
        line.client.check_connection().await.map_err(Trouble::new)
    }
    fn is_gone(&self, line: &Line) -> bool {
        line.client.is_closed()
    }
}

impl Answers for Line {
    async fn answer(&mut self, id: i64) -> Answer {
        let row = self.client.query_one(&self.query, &[&id]).await.expect("a row");
        (row.get(0), row.get(1))
    }
}
