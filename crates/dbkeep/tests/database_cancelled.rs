//! Transactions and queries dropped at any of their polls, thousands of times, and the borrowers after them.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[allow(unused_macros)]
mod database_targets;

use database_targets::{Target, placed};
use dbkeep::engine::TransactionState;
use dbkeep::{Database, Error, Lease, params};
use dbkeep_testkit::Kind;
use std::collections::BTreeSet;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;
use std::time::{Duration, Instant};

const MAX: usize = 3;
const TASKS: u64 = 5;
const ROUNDS: u64 = 10_000;

/// When a future is dropped: after so many polls that left it pending, and some time for answers to come in unread.
#[derive(Clone, Copy, Debug)]
struct Moment {
    polls: u32,
    pauses: u32,
}

impl Moment {
    fn draw(chance: &mut fastrand::Rng, most: u32) -> Self {
        Self { polls: chance.u32(..most), pauses: chance.u32(..3) * chance.u32(..20) }
    }

    /// The output, unless that moment or `enough` comes first.
    async fn cut<F: Future>(mut self, future: F, enough: &AtomicBool) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if self.polls > 0 && !enough.load(SeqCst) {
                self.polls -= 1;
                if let Poll::Ready(output) = future.as_mut().poll(context) {
                    return Poll::Ready(Some(output));
                }
                if self.polls > 0 && !enough.load(SeqCst) {
                    return Poll::Pending;
                }
            }
            if self.pauses == 0 {
                return Poll::Ready(None);
            }
            self.pauses -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

/// What became of the rows of a transaction.
#[derive(Default)]
struct Fates {
    kept: BTreeSet<String>,
    /// Dropped while the commit may have been on its way: both rows or none.
    either: BTreeSet<String>,
    counts: [u64; 5],
}

/// One way to be interrupted.
async fn interrupt(db: &Database, name: &str, chance: &mut fastrand::Rng, fates: &mut Fates) {
    let never = AtomicBool::new(false);
    let insert = placed(db, "INSERT INTO users (name) VALUES (?)");
    let rows = [params![format!("{name} one")], params![format!("{name} two")]];
    let way = chance.usize(..5);
    fates.counts[way] += 1;
    match way {
        // Never committed: dropped at the latest when there is nothing left to do but that.
        0 => {
            let enough = AtomicBool::new(false);
            let running = db.transaction(async |tx| {
                tx.execute(&insert, &rows[0]).await?;
                tx.execute(&insert, &rows[1]).await?;
                enough.store(true, SeqCst);
                pending::<Result<(), Error>>().await
            });
            assert!(Moment::draw(chance, 9).cut(running, &enough).await.is_none());
        }
        // Only its beginning, on a lease.
        1 => {
            let mut lease = db.acquire().await.unwrap();
            if let Some(begun) = Moment::draw(chance, 3).cut(lease.transaction(), &never).await {
                let mut transaction = begun.unwrap();
                let inserting = transaction.execute(&insert, &rows[0]);
                Moment::draw(chance, 3).cut(inserting, &never).await.transpose().unwrap();
            }
        }
        // Up to its commit.
        2 => {
            let running = db.transaction(async |tx| {
                tx.execute(&insert, &rows[0]).await?;
                tx.execute(&insert, &rows[1]).await?;
                Ok::<_, Error>(())
            });
            match Moment::draw(chance, 10).cut(running, &never).await {
                Some(outcome) => {
                    outcome.unwrap();
                    fates.kept.insert(name.to_owned());
                }
                None => drop(fates.either.insert(name.to_owned())),
            }
        }
        // A query whose rows nobody reads.
        3 => {
            let query = placed(db, "SELECT 'of somebody else' AS number, name FROM users WHERE id > ? LIMIT 20");
            drop(Moment::draw(chance, 4).cut(db.query(&query, params![chance.u32(..100)]), &never).await);
        }
        // A panic with a transaction open.
        _ => {
            let (db, rows) = (db.clone(), rows.clone());
            let panicked = tokio::spawn(async move {
                db.transaction(async |tx| {
                    tx.execute(&insert, &rows[0]).await?;
                    if tx.transaction_state() == TransactionState::Open {
                        std::panic::resume_unwind(Box::new("as it was told to"));
                    }
                    Ok::<_, Error>(())
                })
                .await
            });
            assert!(panicked.await.unwrap_err().is_panic());
        }
    }
}

/// Nothing of whoever had the connection before is left on it.
async fn is_untouched(lease: &mut Lease, kind: Kind, number: i64) {
    assert_eq!(lease.transaction_state(), TransactionState::Idle);
    if kind == Kind::Mariadb {
        assert_eq!(lease.query_one("SELECT @@in_transaction", &[]).await.unwrap().get::<i64>(0).unwrap(), 0);
    }
    if kind == Kind::Postgres {
        // A savepoint is refused exactly where no transaction is open.
        let refusal = lease.execute("SAVEPOINT nothing", &[]).await.unwrap_err();
        assert_eq!(refusal.code(), Some("25P01"), "{refusal}");
    }
    let row = lease.query_one(&format!("SELECT {number} AS number"), &[]).await.unwrap();
    assert_eq!(row.get::<i64>("number").unwrap(), number);
}

async fn thousands(kind: Kind) {
    let Some(target) = Target::on(kind) else { return };
    let mut settings = target.settings().pool_size(1, MAX);
    settings.pool.acquire_timeout = Duration::from_secs(60);
    let db = Database::open(settings).await.unwrap();
    target.create_users(&db).await;
    // Another program.
    let witness = Database::open(target.settings().pool_size(1, 2)).await.unwrap();
    let seed = fastrand::u64(..1 << 40);
    println!("{kind}: seed {seed}");
    let since = Instant::now();
    let tasks = (0..TASKS).map(|task| {
        let (db, witness) = (db.clone(), witness.clone());
        tokio::spawn(async move {
            let mut chance = fastrand::Rng::with_seed(seed + task);
            let mut fates = Fates::default();
            for round in 0..ROUNDS / TASKS {
                let name = format!("{task} {round}");
                interrupt(&db, &name, &mut chance, &mut fates).await;
                let mut lease = db.acquire().await.unwrap();
                is_untouched(&mut lease, kind, round as i64).await;
                if round % 4 == 0 {
                    // What is written without a transaction is there at once, for all.
                    let mine = format!("{name} alone");
                    lease
                        .execute(&placed(&db, "INSERT INTO users (name) VALUES (?)"), &params![mine.clone()])
                        .await
                        .unwrap();
                    drop(lease);
                    let found = witness.query(&placed(&db, "SELECT id FROM users WHERE name = ?"), params![mine]).await;
                    assert_eq!(found.unwrap().len(), 1, "{name}");
                }
            }
            fates
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut fates = Fates::default();
    for task in tasks {
        let Fates { kept, either, counts } = task.await.unwrap();
        fates.kept.extend(kept);
        fates.either.extend(either);
        fates.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let stats = db.pool().stats();
    println!(
        "{kind}: {ROUNDS} interruptions {:?} in {:?}; {} committed; {} resets, {} connections opened",
        fates.counts,
        since.elapsed(),
        fates.kept.len(),
        stats.resets,
        stats.opened
    );
    is_whole(&db, kind).await;
    let names: BTreeSet<String> = witness.table("users").pluck("name").await.unwrap().into_iter().collect();
    let mut whole = fates.kept.clone();
    for name in &fates.either {
        let there = [" one", " two"].map(|row| names.contains(&format!("{name}{row}")));
        assert_eq!(there[0], there[1], "half of {name} was kept");
        if there[0] {
            whole.insert(name.clone());
        }
    }
    let alone =
        (0..TASKS).flat_map(|task| (0..ROUNDS / TASKS).step_by(4).map(move |round| format!("{task} {round} alone")));
    let rows = whole.iter().flat_map(|name| [format!("{name} one"), format!("{name} two")]);
    let expected: BTreeSet<String> = rows.chain(alone).collect();
    assert_eq!(names.difference(&expected).collect::<Vec<_>>(), [""; 0], "what was cancelled was kept");
    assert_eq!(expected.difference(&names).collect::<Vec<_>>(), [""; 0], "what was committed is gone");
    no_transaction_is_open(&witness, kind).await;
    db.close().await;
    witness.close().await;
}

/// Everything can be lent at once, and is in order.
async fn is_whole(db: &Database, kind: Kind) {
    let mut leases = Vec::new();
    for number in 0..MAX {
        let mut lease = db.acquire().await.unwrap();
        is_untouched(&mut lease, kind, number as i64).await;
        leases.push(lease);
    }
    let stats = db.pool().stats();
    assert_eq!((stats.size, stats.in_use, stats.idle, stats.waiting), (MAX, MAX, 0, 0), "{stats:?}");
}

/// Waits until the server has noticed the end of connections that were given up; what the pool holds now holds nothing open.
async fn no_transaction_is_open(witness: &Database, kind: Kind) {
    let open = match kind {
        Kind::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
        }
        _ => {
            "SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p \
             ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID()"
        }
    };
    let count = async || witness.query_one(open, []).await.unwrap().get::<i64>(0).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while count().await > 0 {
        assert!(Instant::now() < until, "a transaction is still open on the server");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_interruptions_on_mariadb() {
    thousands(Kind::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_interruptions_on_mysql() {
    thousands(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_interruptions_on_postgres() {
    thousands(Kind::Postgres).await;
}
