//! diesel-async in its pool for deadpool, with its defaults but for the number of connections.

use super::SIZE;
use bench_measure::points::{Answer, Ask};
use diesel::SqliteConnection;
use diesel::prelude::*;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl};
use url::Url;

diesel::table! {
    points (id) {
        id -> BigInt,
        name -> Text,
    }
}

#[derive(Clone)]
pub struct Diesel<P>(P);

macro_rules! pools {
    ($($name:ident($url:ident) = $connection:ty, $place:expr;)*) => {$(
        pub fn $name($url: &Url) -> Diesel<Pool<$connection>> {
            let manager = AsyncDieselConnectionManager::<$connection>::new($place);
            Diesel(Pool::builder(manager).max_size(SIZE).build().expect("a pool"))
        }

        impl Ask for Diesel<Pool<$connection>> {
            async fn ask(&self, id: i64) -> Answer {
                let mut connection = self.0.get().await.expect("a connection");
                points::table.find(id).first(&mut connection).await.expect("a row")
            }
        }
    )*};
}

pools! {
    // Over TCP as everybody else; by itself the driver would change to the server's socket.
    mariadb(url) = AsyncMysqlConnection, format!("{url}?prefer_socket=false");
    postgres(url) = AsyncPgConnection, url.as_str();
    sqlite(url) = SyncConnectionWrapper<SqliteConnection>, url.path();
}
