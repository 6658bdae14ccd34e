//! dbkeep-sql.

use super::Engine;
use super::given::{Given, NewUser};
use dbkeep_engine::dialects::{Flavor, MySqlDialect, PostgresDialect};
use dbkeep_sql::{Compile, Compiled, Dialect, col, count_all, insert_into, params, select as query, sum};

const POSTGRES: PostgresDialect = PostgresDialect::new((18, 0, 0));
const MYSQL: MySqlDialect = MySqlDialect::new(Flavor::MySql, (8, 4, 0));

fn dialect(engine: Engine) -> &'static dyn Dialect {
    match engine {
        Engine::Postgres => &POSTGRES,
        Engine::MySql => &MYSQL,
    }
}

pub fn select(engine: Engine, given: Given) -> Compiled {
    query()
        .columns(["id", "name", "email"])
        .from("users")
        .filter(col("age").ge(given.age))
        .filter(col("role").eq(given.role))
        .filter(col("deleted_at").is_null())
        .order_by(col("created_at").desc())
        .limit(given.most as u64)
        .compile(dialect(engine))
        .expect("a statement")
}

pub fn join(engine: Engine, given: Given) -> Compiled {
    query()
        .column("users.role")
        .column(count_all())
        .column(sum(col("orders.total")))
        .from("users")
        .join("orders", col("orders.user_id").eq(col("users.id")))
        .filter(col("orders.total").ge(given.age))
        .group_by("users.role")
        .having(count_all().gt(given.most))
        .order_by("users.role")
        .compile(dialect(engine))
        .expect("a statement")
}

pub fn insert_one(engine: Engine, row: &NewUser) -> Compiled {
    insert_into("users")
        .set("name", &row.name)
        .set("email", &row.email)
        .set("age", row.age)
        .set("role", &row.role)
        .set("active", row.active)
        .into_compiled(dialect(engine))
        .expect("a statement")
}

pub fn insert(engine: Engine, rows: &[NewUser]) -> Compiled {
    insert_into("users")
        .columns(["name", "email", "age", "role", "active"])
        .rows(rows.iter().map(|row| params![&row.name, &row.email, row.age, &row.role, row.active]))
        .into_compiled(dialect(engine))
        .expect("a statement")
}
