//! Point queries on a SQLite file, by dbkeep and by the driver under it. It measures one round for bench-sql, which asks for it:
//! `bench-sqlite NAME FILE TASKS`, after `bench-sqlite make FILE`.

use bench_measure::points::{Answer, Ask, Round, round, table};
use dbkeep::{Database, Row, Settings, col, params};
use rusqlite::Connection;
use std::cell::OnceCell;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::Semaphore;

const SIZE: usize = 16;
const QUERY: &str = "SELECT id, name FROM points WHERE id = ?";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["make", file] => make(file),
        [name, file, tasks] => match tasks.parse().ok().and_then(|tasks| ask(name, file, tasks)) {
            Some(round) => print!("{round}"),
            None => {
                eprintln!("there is nobody called {name:?} here, or {tasks:?} is no number of tasks");
                return ExitCode::from(2);
            }
        },
        _ => {
            eprintln!("bench/run sql asks what this program measures");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn make(file: &str) {
    bench_measure::runtime().block_on(async {
        let database = open(file, 1).await;
        for statement in table() {
            database.script(&statement).await.expect("a table");
        }
        database.script("ANALYZE").await.expect("what the planner wants to know");
        database.close().await;
    });
}

fn ask(name: &str, file: &str, tasks: usize) -> Option<Round> {
    Some(match name {
        "dbkeep" => round(tasks, || async { Built(open(file, SIZE).await) }),
        "dbkeep, text" => round(tasks, || async { Text(open(file, SIZE).await) }),
        "rusqlite" => round(tasks, || async { Here(file.into()) }),
        "rusqlite, hop" => round(tasks, || async { Hop(file.into(), Arc::new(Semaphore::new(SIZE))) }),
        _ => return None,
    })
}

async fn open(file: &str, size: usize) -> Database {
    let settings = Settings::from_url(&format!("sqlite://{file}")).expect("a URL").pool_size(size, size);
    Database::open(settings).await.expect("a database")
}

fn answer(row: &Row) -> Answer {
    (row.get(0).expect("an id"), row.get(1).expect("a name"))
}

/// dbkeep, a statement built for each query.
#[derive(Clone)]
struct Built(Database);

impl Ask for Built {
    async fn ask(&self, id: i64) -> Answer {
        let row = self.0.table("points").filter(col("id").eq(id)).first().await.expect("an answer");
        answer(&row.expect("a row"))
    }
}

/// dbkeep, with a text written by hand.
#[derive(Clone)]
struct Text(Database);

impl Ask for Text {
    async fn ask(&self, id: i64) -> Answer {
        answer(&self.0.query_one(QUERY, params![id]).await.expect("a row"))
    }
}

thread_local! {
    static CONNECTION: OnceCell<Connection> = const { OnceCell::new() };
}

/// Asks on this thread's own connection.
fn query(file: &str, id: i64) -> Answer {
    CONNECTION.with(|connection| {
        let connection = connection.get_or_init(|| Connection::open(file).expect("a connection"));
        let mut statement = connection.prepare_cached(QUERY).expect("a statement");
        statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row")
    })
}

/// rusqlite, called where the task runs, which then waits for nothing else meanwhile.
#[derive(Clone)]
struct Here(Arc<str>);

impl Ask for Here {
    async fn ask(&self, id: i64) -> Answer {
        query(&self.0, id)
    }
}

/// rusqlite on a thread for what blocks, on as many at once as others have connections.
#[derive(Clone)]
struct Hop(Arc<str>, Arc<Semaphore>);

impl Ask for Hop {
    async fn ask(&self, id: i64) -> Answer {
        let _permit = self.1.acquire().await.expect("nobody closes it");
        let file = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || query(&file, id)).await.expect("an answer")
    }
}
