//! A text whose names are all known when the program is compiled, and a list of values: as fast as it can be while there are both.

use super::Engine;
use super::given::{Given, NewUser};
use dbkeep_sql::Value;
use std::fmt::Write;

pub type Built = (String, Vec<Value>);

struct Hand {
    engine: Engine,
    sql: String,
    params: Vec<Value>,
}

impl Hand {
    fn new(engine: Engine, bytes: usize, params: usize) -> Self {
        Self { engine, sql: String::with_capacity(bytes), params: Vec::with_capacity(params) }
    }

    fn sql(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    fn value(&mut self, value: impl Into<Value>) {
        self.params.push(value.into());
        match self.engine {
            Engine::Postgres => write!(self.sql, "${}", self.params.len()).expect("a text that grows"),
            Engine::MySql => self.sql.push('?'),
        }
    }

    fn done(self) -> Built {
        (self.sql, self.params)
    }
}

pub fn select(engine: Engine, given: Given) -> Built {
    let mut hand = Hand::new(engine, 160, 3);
    hand.sql("SELECT id, name, email FROM users WHERE age >= ");
    hand.value(given.age);
    hand.sql(" AND role = ");
    hand.value(given.role);
    hand.sql(" AND deleted_at IS NULL ORDER BY created_at DESC LIMIT ");
    hand.value(given.most);
    hand.done()
}

pub fn join(engine: Engine, given: Given) -> Built {
    let mut hand = Hand::new(engine, 320, 2);
    hand.sql(
        "SELECT users.role, COUNT(*), SUM(orders.total) FROM users INNER JOIN orders ON orders.user_id = users.id",
    );
    hand.sql(" WHERE orders.total >= ");
    hand.value(given.age);
    hand.sql(" GROUP BY users.role HAVING COUNT(*) > ");
    hand.value(given.most);
    hand.sql(" ORDER BY users.role");
    hand.done()
}

pub fn insert(engine: Engine, rows: &[NewUser]) -> Built {
    let mut hand = Hand::new(engine, 64 + 32 * rows.len(), 5 * rows.len());
    hand.sql("INSERT INTO users (name, email, age, role, active) VALUES ");
    for (at, row) in rows.iter().enumerate() {
        hand.sql(if at > 0 { ", (" } else { "(" });
        hand.value(&row.name);
        hand.sql(", ");
        hand.value(&row.email);
        hand.sql(", ");
        hand.value(row.age);
        hand.sql(", ");
        hand.value(&row.role);
        hand.sql(", ");
        hand.value(row.active);
        hand.sql(")");
    }
    hand.done()
}

pub fn insert_one(engine: Engine, row: &NewUser) -> Built {
    insert(engine, std::slice::from_ref(row))
}
