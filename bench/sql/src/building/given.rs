//! What is known only when the program runs.

use super::by_diesel::users;
use std::hint::black_box;

/// What the SELECTs compare with.
#[derive(Clone, Copy)]
pub struct Given {
    pub age: i32,
    pub role: &'static str,
    pub most: i64,
}

/// Values that the compiler cannot see through.
pub fn given() -> Given {
    Given { age: black_box(18), role: black_box("admin"), most: black_box(20) }
}

/// A row to insert.
#[derive(diesel::Insertable)]
#[diesel(table_name = users)]
pub struct NewUser {
    pub name: String,
    pub email: String,
    pub age: i32,
    pub role: String,
    pub active: bool,
}

/// So many rows.
pub fn new_users(count: usize) -> Vec<NewUser> {
    (0..count)
        .map(|at| NewUser {
            name: format!("Ada Lovelace {at}"),
            email: format!("ada{at}@example.org"),
            age: 18 + at as i32 % 60,
            role: "member".to_owned(),
            active: at % 3 > 0,
        })
        .collect()
}
