//! Eight tasks that write and eight that read, all at once, in one SQLite file: how often each gets its turn, how long the
//! unluckiest waits, and how many fail. The figures in docs/sqlite-async.md come from here.
//!
//! `cargo run -p dbkeep --release --example writers`, with the seconds it takes after `--` (default 5).

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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}/shop.db", folder.path().display());
    let db = Database::open(Settings::from_url(&url)?.pool_size(2, 17)).await?;
    db.script(
        "CREATE TABLE stock (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO stock SELECT i, i FROM n",
    )
    .await?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let writers: Vec<_> = (0..8).map(|seed| tokio::spawn(write(db.clone(), seed, end))).collect();
    let readers: Vec<_> = (0..8).map(|seed| tokio::spawn(read(db.clone(), seed, end))).collect();
    for (name, tasks) in [("transactions", writers), ("queries", readers)] {
        let mut tallies = Vec::new();
        for task in tasks {
            tallies.push(task.await?);
        }
        let all = tallies.iter().copied().fold(Tally::default(), Tally::with);
        let least = tallies.iter().map(|tally| tally.done).min().unwrap_or_default();
        println!(
            "{name:>12}: {:>7}/s, {} failed, longest {:.1?}, the unluckiest task {}/s",
            all.done / seconds,
            all.failed,
            all.longest,
            least / seconds
        );
    }
    db.close().await;
    Ok(())
}

/// A row is read and then changed, in a transaction.
async fn write(db: Database, seed: u64, end: Instant) -> Tally {
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
    }
    tally
}

async fn read(db: Database, seed: u64, end: Instant) -> Tally {
    let (mut tally, mut id) = (Tally::default(), seed);
    while Instant::now() < end {
        id = (id * 37 + 11) % 9_900;
        let since = Instant::now();
        let outcome =
            db.query("SELECT sum(amount) FROM stock WHERE id BETWEEN ? AND ?", params![id + 1, id + 100]).await;
        tally.count(since, &outcome);
    }
    tally
}
