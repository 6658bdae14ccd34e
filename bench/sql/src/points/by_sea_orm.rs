//! sea-orm, over the same pools as sqlx.

use super::by_sqlx;
use bench_measure::points::{Answer, Ask};
use sea_orm::entity::prelude::*;
use sea_orm::{SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector};
use url::Url;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "points")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone)]
pub struct SeaOrm(DatabaseConnection);

impl Ask for SeaOrm {
    async fn ask(&self, id: i64) -> Answer {
        let point = Entity::find_by_id(id).one(&self.0).await.expect("an answer").expect("a row");
        (point.id, point.name)
    }
}

pub async fn mariadb(url: &Url) -> SeaOrm {
    SeaOrm(SqlxMySqlConnector::from_sqlx_mysql_pool(by_sqlx::mariadb(url).await.0))
}

pub async fn postgres(url: &Url) -> SeaOrm {
    SeaOrm(SqlxPostgresConnector::from_sqlx_postgres_pool(by_sqlx::postgres(url).await.0))
}

pub async fn sqlite(url: &Url) -> SeaOrm {
    SeaOrm(SqlxSqliteConnector::from_sqlx_sqlite_pool(by_sqlx::sqlite(url).await.0))
}
