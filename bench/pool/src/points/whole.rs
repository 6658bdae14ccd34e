//! What brings its pool with it, used as its users do, with its defaults but for the number of connections.

use super::round::Answers;
use super::{SIZE, mariadb, postgres};
use bench_measure::points::{Answer, Ask};
use dbkeep::{Database, Settings, params};
use mysql_async::{PoolConstraints, PoolOpts};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{MySqlPool, PgPool};
use url::Url;

/// dbkeep's own `Database`.
#[derive(Clone)]
pub struct Ours {
    database: Database,
    query: &'static str,
}

impl Ours {
    pub async fn open(url: &Url, query: &'static str) -> Self {
        let options = bench_measure::options(url).expect("a URL that was understood before");
        let settings = Settings::new(options).pool_size(SIZE, SIZE);
        Self { database: Database::open(settings).await.expect("a database"), query }
    }
}

impl Ask for Ours {
    async fn ask(&self, id: i64) -> Answer {
        let row = self.database.query_one(self.query, params![id]).await.expect("a row");
        (row.get(0).expect("an id"), row.get(1).expect("a name"))
    }
}

/// A peer's pool.
#[derive(Clone)]
pub struct Whole<P>(P);

/// The driver's own pool. When a connection comes back it resets it, with which its prepared statements are gone.
pub fn mysql_async(url: &Url) -> Whole<mysql_async::Pool> {
    let constraints = PoolConstraints::new(SIZE, SIZE).expect("as few as many");
    let pool = PoolOpts::default().with_constraints(constraints);
    Whole(mysql_async::Pool::new(mariadb::options(url).pool_opts(pool)))
}

impl Ask for Whole<mysql_async::Pool> {
    async fn ask(&self, id: i64) -> Answer {
        self.0.get_conn().await.expect("a connection").answer(id).await
    }
}

pub async fn sqlx_mysql(url: &Url) -> Whole<MySqlPool> {
    let options: MySqlConnectOptions = url.as_str().parse().expect("a URL that others understood");
    let pool = MySqlPoolOptions::new().max_connections(SIZE as u32);
    Whole(pool.connect_with(options.ssl_mode(MySqlSslMode::Disabled)).await.expect("a pool"))
}

impl Ask for Whole<MySqlPool> {
    async fn ask(&self, id: i64) -> Answer {
        sqlx::query_as(mariadb::QUERY).bind(id).fetch_one(&self.0).await.expect("a row")
    }
}

pub async fn sqlx_postgres(url: &Url) -> Whole<PgPool> {
    let options: PgConnectOptions = url.as_str().parse().expect("a URL that others understood");
    let pool = PgPoolOptions::new().max_connections(SIZE as u32);
    Whole(pool.connect_with(options.ssl_mode(PgSslMode::Disable)).await.expect("a pool"))
}

impl Ask for Whole<PgPool> {
    async fn ask(&self, id: i64) -> Answer {
        sqlx::query_as(postgres::QUERY).bind(id).fetch_one(&self.0).await.expect("a row")
    }
}
