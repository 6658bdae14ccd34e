//! Point queries: a table, who answers which row of it is asked for, and tasks that ask.

use crate::{Waits, runtime, together};
use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::time::Instant;

/// Rows in the table.
pub const ROWS: i64 = 10_000;
/// The length of every name in the table.
pub const NAME: usize = 20;

/// An id and the name that goes with it.
pub type Answer = (i64, String);

/// What answers point queries.
pub trait Ask: Clone + Send + Sync + 'static {
    /// Borrows a connection, asks for the row of this id and gives the connection back.
    fn ask(&self, id: i64) -> impl Future<Output = Answer> + Send;
}

/// The statements that make the table.
pub fn table() -> [String; 2] {
    let rows: Vec<String> = (0..ROWS).map(|id| format!("({id}, '{id:0NAME$}')")).collect();
    [
        "CREATE TABLE points (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL)".to_owned(),
        format!("INSERT INTO points (id, name) VALUES {}", rows.join(", ")),
    ]
}

/// So many tasks at once, each asking for so many rows, one after the other. Gives how long each operation of each task took,
/// and the seconds in which all were done.
pub async fn work<A: Ask>(pool: &A, tasks: usize, operations: u32) -> (Vec<Waits>, f64) {
    together(tasks, |task| {
        let pool = pool.clone();
        async move {
            let mut waits = Waits::exact();
            let mut id = task as i64;
            for _ in 0..operations {
                // All over the table: this way comes by every row before it comes by one again.
                id = (id * 7921 + 1) % ROWS;
                let asked = Instant::now();
                let (answered, name) = pool.ask(id).await;
                waits.record_since(asked);
                assert!(answered == id && name.len() == NAME, "asked for row {id}, got row {answered} ({name:?})");
            }
            waits
        }
    })
    .await
}

/// What came out of a round of point queries.
#[derive(Clone, Copy)]
pub struct Round {
    pub per_second: f64,
    /// Micros that half of the operations took at most.
    pub p50: f64,
    /// Micros that all but a hundredth of them took at most.
    pub p99: f64,
}

/// Operations of all tasks together before the round, in which every connection is opened and prepares its statement, and in
/// it. They are fewer where one task waits for every answer.
const OPERATIONS: [(usize, u32, u32); 2] = [(1, 500, 3_000), (usize::MAX, 6_400, 9_600)];

/// One round with this many tasks, on a runtime and a pool of its own.
pub fn round<A: Ask, F: Future<Output = A>>(tasks: usize, make: impl FnOnce() -> F) -> Round {
    let (_, before, during) =
        OPERATIONS.into_iter().find(|(most, ..)| tasks <= *most).expect("a number for every number");
    let each = |operations: u32| operations / tasks as u32;
    let runtime = runtime();
    let pool = runtime.block_on(make());
    runtime.block_on(async {
        work(&pool, tasks, each(before)).await;
        let (waits, seconds) = work(&pool, tasks, each(during)).await;
        let waits = Waits::sum(&waits);
        let operations = f64::from(each(during)) * tasks as f64;
        Round { per_second: operations / seconds, p50: waits.micros(0.5), p99: waits.micros(0.99) }
    })
}

/// For a program that measures for another.
impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.per_second, self.p50, self.p99)
    }
}

impl FromStr for Round {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[per_second, p50, p99]) => Ok(Self { per_second, p50, p99 }),
            _ => Err(format!("{text:?} are not the three numbers of a round")),
        }
    }
}
