//! Text and parameters written by hand with `write!`, every name in quotes: what somebody does who is given names and values.

use super::Engine;
use super::by_constant_text::Built;
use super::given::{Given, NewUser};
use dbkeep_sql::Value;
use std::fmt::{self, Write};
use std::hint::black_box;

/// A name in the engine's quotes.
struct Quoted(Engine, &'static str);

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Engine::Postgres => write!(f, "\"{}\"", self.1),
            Engine::MySql => write!(f, "`{}`", self.1),
        }
    }
}

/// The place of a parameter, counted from one.
struct Place(Engine, usize);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Engine::Postgres => write!(f, "${}", self.1),
            Engine::MySql => f.write_str("?"),
        }
    }
}

const ROOM: &str = "a text that grows";

pub fn select(engine: Engine, given: Given) -> Built {
    let [id, name, email, users, age, role, deleted_at, created_at] =
        black_box(["id", "name", "email", "users", "age", "role", "deleted_at", "created_at"])
            .map(|it| Quoted(engine, it));
    let params: Vec<Value> = vec![given.age.into(), given.role.into(), given.most.into()];
    let [first, second, third] = [1, 2, 3].map(|number| Place(engine, number));
    let mut sql = String::with_capacity(256);
    write!(sql, "SELECT {id}, {name}, {email} FROM {users} WHERE {age} >= {first} AND {role} = {second} AND ")
        .expect(ROOM);
    write!(sql, "{deleted_at} IS NULL ORDER BY {created_at} DESC LIMIT {third}").expect(ROOM);
    (sql, params)
}

pub fn join(engine: Engine, given: Given) -> Built {
    let [users, orders, id, role, user_id, total] =
        black_box(["users", "orders", "id", "role", "user_id", "total"]).map(|it| Quoted(engine, it));
    let params: Vec<Value> = vec![given.age.into(), given.most.into()];
    let [first, second] = [1, 2].map(|number| Place(engine, number));
    let mut sql = String::with_capacity(512);
    write!(sql, "SELECT {users}.{role}, COUNT(*), SUM({orders}.{total}) FROM {users} ").expect(ROOM);
    write!(sql, "INNER JOIN {orders} ON {orders}.{user_id} = {users}.{id} WHERE {orders}.{total} >= {first} ")
        .expect(ROOM);
    write!(sql, "GROUP BY {users}.{role} HAVING COUNT(*) > {second} ORDER BY {users}.{role}").expect(ROOM);
    (sql, params)
}

pub fn insert(engine: Engine, rows: &[NewUser]) -> Built {
    let names = black_box(["users", "name", "email", "age", "role", "active"]).map(|it| Quoted(engine, it));
    let [users, name, email, age, role, active] = names;
    let mut params: Vec<Value> = Vec::with_capacity(5 * rows.len());
    let mut sql = String::with_capacity(64 + 32 * rows.len());
    write!(sql, "INSERT INTO {users} ({name}, {email}, {age}, {role}, {active}) VALUES ").expect(ROOM);
    for (at, row) in rows.iter().enumerate() {
        let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(|number| Place(engine, 5 * at + number));
        let comma = if at > 0 { ", " } else { "" };
        write!(sql, "{comma}({a}, {b}, {c}, {d}, {e})").expect(ROOM);
        params.extend([(&row.name).into(), (&row.email).into(), row.age.into(), (&row.role).into(), row.active.into()]);
    }
    (sql, params)
}

pub fn insert_one(engine: Engine, row: &NewUser) -> Built {
    insert(engine, std::slice::from_ref(row))
}
