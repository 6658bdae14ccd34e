//! Eight tasks that write and eight that read, all at once, in one SQLite file: how often they get their turn, how long the
//! unluckiest waits, and how many fail, with a connection for each and with one writer. The figures in docs/sqlite-async.md
//! come from here.
//!
//! `cargo run -p dbkeep --release --example writers`, with the seconds each of the four runs takes after `--` (default 5).

// An example speaks.
#![allow(clippy::print_stdout)]

use dbkeep::{Database, Error, Settings, params};
use std::time::{Duration, Instant};

/// What one task did: how often, how often in vain, and the longest it took once.
#[derive(Default, Clone, Copy)]
struct Tally {
    done: u64,
    failed: u64,
    longest: Duration,
}

impl Tally {
    fn count<T>(&mut self, since: Instant, outcome: &Result<T, Error>) {
        match outcome {
            Ok(_) => self.done += 1,
            Err(_) => self.failed += 1,
        }
        self.longest = self.longest.max(since.elapsed());
    }

    fn with(self, other: Self) -> Self {
        Self {
            done: self.done + other.done,
            failed: self.failed + other.failed,
            longest: self.longest.max(other.longest),
        }
    }
}

/// What a task does between two statements of its own: waits for its client, or nothing at all.
#[derive(Clone, Copy)]
enum Between {
    Clients,
    Nothing,
}

impl Between {
    async fn pass(self) {
        match self {
            Self::Clients => tokio::time::sleep(Duration::from_millis(1)).await,
            Self::Nothing => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    for (between, name) in [(Between::Clients, "tasks that wait 1 ms for a client"), (Between::Nothing, "greedy tasks")]
    {
        println!("{name}");
        for (apart, name) in [(true, "a connection each"), (false, "one writer")] {
            let folder = tempfile::tempdir()?;
            let url = format!("sqlite://{}/shop.db", folder.path().display());
            run(name, &url, apart, between, seconds).await?;
        }
    }
    Ok(())
}

async fn run(
    name: &str,
    url: &str,
    apart: bool,
    between: Between,
    seconds: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let db = Database::open(Settings::from_url(url)?.pool_size(2, 17)).await?;
    db.script(
        "CREATE TABLE stock (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO stock SELECT i, i FROM n",
    )
    .await?;
    let mut databases = vec![db; 16];
    if apart {
        // As many programs would do it, or one whose pool knows no writer.
        for database in &mut databases {
            *database = Database::open(Settings::from_url(url)?.pool_size(1, 1)).await?;
        }
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for (seed, database) in (0..).zip(databases) {
        match seed % 2 {
            0 => writers.push(tokio::spawn(write(database, seed, between, end))),
            _ => readers.push(tokio::spawn(read(database, seed, between, end))),
        }
    }
    for (what, tasks) in [("transactions", writers), ("queries", readers)] {
        let mut all = Tally::default();
        for task in tasks {
            all = all.with(task.await?);
        }
        let Tally { done, failed, longest } = all;
        println!("{name:>20}: {:>6} {what}/s, {failed} failed, the longest took {longest:.0?}", done / seconds);
    }
    Ok(())
}

/// A row is read and then changed, in a transaction.
async fn write(db: Database, seed: u64, between: Between, end: Instant) -> Tally {
    let (mut tally, mut id) = (Tally::default(), seed);
    while Instant::now() < end {
        id = (id * 31 + 7) % 10_000;
        let since = Instant::now();
        let outcome = db
            .transaction(async |tx| {
                let amount: i64 =
                    tx.query_one("SELECT amount FROM stock WHERE id = ?", &params![id + 1]).await?.get(0)?;
                tx.execute("UPDATE stock SET amount = ? WHERE id = ?", &params![amount + 1, id + 1]).await?;
                Ok::<_, Error>(())
            })
            .await;
        tally.count(since, &outcome);
        between.pass().await;
    }
    tally
}

async fn read(db: Database, seed: u64, between: Between, end: Instant) -> Tally {
    let (mut tally, mut id) = (Tally::default(), seed);
    while Instant::now() < end {
        id = (id * 37 + 11) % 9_900;
        let since = Instant::now();
        let outcome =
            db.query("SELECT sum(amount) FROM stock WHERE id BETWEEN ? AND ?", params![id + 1, id + 100]).await;
        tally.count(since, &outcome);
        between.pass().await;
    }
    tally
}
