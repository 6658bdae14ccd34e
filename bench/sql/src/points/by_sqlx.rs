//! sqlx, with its defaults but for the number of connections: it asks each connection whether it lives before it lends it.

use super::{SIZE, by_hand};
use bench_measure::points::{Answer, Ask};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{MySqlPool, PgPool, SqlitePool};
use url::Url;

#[derive(Clone)]
pub struct Sqlx<P>(pub P);

pub async fn mariadb(url: &Url) -> Sqlx<MySqlPool> {
    let options: MySqlConnectOptions = url.as_str().parse().expect("a URL that others understood");
    let pool = MySqlPoolOptions::new().max_connections(SIZE as u32);
    Sqlx(pool.connect_with(options.ssl_mode(MySqlSslMode::Disabled)).await.expect("a pool"))
}

impl Ask for Sqlx<MySqlPool> {
    async fn ask(&self, id: i64) -> Answer {
        sqlx::query_as(by_hand::MARIADB).bind(id).fetch_one(&self.0).await.expect("a row")
    }
}

pub async fn postgres(url: &Url) -> Sqlx<PgPool> {
    let options: PgConnectOptions = url.as_str().parse().expect("a URL that others understood");
    let pool = PgPoolOptions::new().max_connections(SIZE as u32);
    Sqlx(pool.connect_with(options.ssl_mode(PgSslMode::Disable)).await.expect("a pool"))
}

impl Ask for Sqlx<PgPool> {
    async fn ask(&self, id: i64) -> Answer {
        sqlx::query_as(by_hand::POSTGRES).bind(id).fetch_one(&self.0).await.expect("a row")
    }
}

pub async fn sqlite(url: &Url) -> Sqlx<SqlitePool> {
    let pool = SqlitePoolOptions::new().max_connections(SIZE as u32);
    Sqlx(pool.connect(url.as_str()).await.expect("a pool"))
}

impl Ask for Sqlx<SqlitePool> {
    async fn ask(&self, id: i64) -> Answer {
        sqlx::query_as(by_hand::MARIADB).bind(id).fetch_one(&self.0).await.expect("a row")
    }
}
