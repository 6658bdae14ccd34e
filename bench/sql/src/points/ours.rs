//! dbkeep's `Database`: a statement built for each query, and one whose text is written by hand.

use super::SIZE;
use bench_measure::points::{Answer, Ask};
use dbkeep::{Database, Row, Settings, col, params};
use url::Url;

async fn open(url: &Url) -> Database {
    let options = bench_measure::options(url).expect("a URL that was understood before");
    Database::open(Settings::new(options).pool_size(SIZE, SIZE)).await.expect("a database")
}

fn answer(row: &Row) -> Answer {
    (row.get(0).expect("an id"), row.get(1).expect("a name"))
}

#[derive(Clone)]
pub struct Built(Database);

impl Built {
    pub async fn open(url: &Url) -> Self {
        Self(open(url).await)
    }
}

impl Ask for Built {
    async fn ask(&self, id: i64) -> Answer {
        let row = self.0.table("points").filter(col("id").eq(id)).first().await.expect("an answer");
        answer(&row.expect("a row"))
    }
}

#[derive(Clone)]
pub struct Text(Database, &'static str);

impl Text {
    pub async fn open(url: &Url, query: &'static str) -> Self {
        Self(open(url).await, query)
    }
}

impl Ask for Text {
    async fn ask(&self, id: i64) -> Answer {
        answer(&self.0.query_one(self.1, params![id]).await.expect("a row"))
    }
}
