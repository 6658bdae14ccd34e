//! sea-query, built as its guide does: names as enumerations, values kept apart from the text.

use super::Engine;
use super::given::{Given, NewUser};
use sea_query::{Expr, ExprTrait, Func, Iden, MysqlQueryBuilder, Order, PostgresQueryBuilder, Query, Values};

pub type Built = (String, Values);

#[derive(Iden)]
enum Users {
    Table,
    Id,
    Name,
    Email,
    Age,
    Role,
    Active,
    CreatedAt,
    DeletedAt,
}

#[derive(Iden)]
enum Orders {
    Table,
    UserId,
    Total,
}

macro_rules! build {
    ($engine:expr, $statement:expr) => {
        match $engine {
            Engine::Postgres => $statement.build(PostgresQueryBuilder),
            Engine::MySql => $statement.build(MysqlQueryBuilder),
        }
    };
}

pub fn select(engine: Engine, given: Given) -> Built {
    let mut query = Query::select();
    query
        .columns([Users::Id, Users::Name, Users::Email])
        .from(Users::Table)
        .and_where(Expr::col(Users::Age).gte(given.age))
        .and_where(Expr::col(Users::Role).eq(given.role))
        .and_where(Expr::col(Users::DeletedAt).is_null())
        .order_by(Users::CreatedAt, Order::Desc)
        .limit(given.most as u64);
    build!(engine, query)
}

pub fn join(engine: Engine, given: Given) -> Built {
    let mut query = Query::select();
    query
        .column((Users::Table, Users::Role))
        .expr(Expr::col(sea_query::Asterisk).count())
        .expr(Func::sum(Expr::col((Orders::Table, Orders::Total))))
        .from(Users::Table)
        .inner_join(Orders::Table, Expr::col((Orders::Table, Orders::UserId)).equals((Users::Table, Users::Id)))
        .and_where(Expr::col((Orders::Table, Orders::Total)).gte(given.age))
        .group_by_col((Users::Table, Users::Role))
        .and_having(Expr::col(sea_query::Asterisk).count().gt(given.most))
        .order_by((Users::Table, Users::Role), Order::Asc);
    build!(engine, query)
}

pub fn insert(engine: Engine, rows: &[NewUser]) -> Built {
    let mut insert = Query::insert();
    insert.into_table(Users::Table).columns([Users::Name, Users::Email, Users::Age, Users::Role, Users::Active]);
    for row in rows {
        insert.values_panic([
            row.name.as_str().into(),
            row.email.as_str().into(),
            row.age.into(),
            row.role.as_str().into(),
            row.active.into(),
        ]);
    }
    build!(engine, insert)
}

pub fn insert_one(engine: Engine, row: &NewUser) -> Built {
    insert(engine, std::slice::from_ref(row))
}
