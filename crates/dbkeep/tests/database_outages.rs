//! A pool and its server's bad days: killed, restarted, deaf, or closing what is idle. Borrowers hear of it soon and plainly, and
//! when it is over nothing is left of it.
#![cfg(all(feature = "mysql", feature = "postgres"))]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use dbkeep::pool::Health;
use dbkeep::{Database, Error, Settings};
use dbkeep_testkit::{Kind, Server, TestDatabase, private_server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const MAX: usize = 8;
const TASKS: usize = 32;

async fn open(database: &TestDatabase) -> Database {
    let mut settings = Settings::from_url(&database.url()).unwrap();
    (settings.pool.max, settings.pool.min) = (MAX, 2);
    settings.pool.acquire_timeout = Duration::from_secs(5);
    Database::open(settings).await.unwrap()
}

/// Tasks that ask one question after the other.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    fn on(db: &Database) -> Self {
        let (stop, answered, failed) = (Arc::default(), Arc::default(), Arc::default());
        let tasks = (0..TASKS).map(|_| {
            let (db, stop) = (db.clone(), Arc::clone(&stop) as Arc<AtomicBool>);
            let (answered, failed) = (Arc::clone(&answered) as Arc<AtomicU64>, Arc::clone(&failed) as Arc<AtomicU64>);
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    match db.query("SELECT 1 AS n", []).await {
                        Ok(rows) => {
                            assert_eq!(rows[0].get::<i64>("n").unwrap(), 1);
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            plain(&error);
                            failed.fetch_add(1, Ordering::Relaxed);
                            // As a program does that has something else to do.
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    }
                }
            })
        });
        let tasks = tasks.collect();
        Self { stop, answered, failed, tasks }
    }

    /// Waits until so many more questions were answered.
    async fn answers(&self, count: u64) {
        let wanted = self.answered.load(Ordering::Relaxed) + count;
        while self.answered.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// An error of a bad day says that it may pass, and what to do.
fn plain(error: &Error) {
    let transient = error.engine().is_some_and(dbkeep::engine::Error::is_transient) || error.is_retryable();
    assert!(transient, "{error:?}");
    assert!(error.hint().is_some(), "{error}");
}

/// Everything can be lent again, and not one connection more.
async fn is_whole(db: &Database) {
    let mut leases = Vec::new();
    for _ in 0..MAX {
        let mut lease = db.acquire().await.unwrap();
        lease.query("SELECT 1", &[]).await.unwrap();
        leases.push(lease);
    }
    let stats = db.pool().stats();
    assert_eq!((stats.size, stats.in_use, stats.idle, stats.health), (MAX, MAX, 0, Health::Up), "{stats:?}");
    drop(leases);
    assert_eq!(db.pool().stats().in_use, 0);
}

async fn with(server: &Server, act: impl FnOnce(&Server) + Send + 'static) {
    let server = server.clone();
    tokio::task::spawn_blocking(move || act(&server)).await.unwrap();
}

async fn after(what: &str, server: &Server, act: impl FnOnce(&Server) + Send + 'static) {
    let database = server.fresh_database();
    let db = open(&database).await;
    let load = Load::on(&db);
    load.answers(200).await;
    with(server, act).await;
    let since = Instant::now();
    load.answers(1).await;
    let first = since.elapsed();
    load.answers(200).await;
    // It is over, and it stays over.
    let failed = load.failed.load(Ordering::Relaxed);
    load.answers(500).await;
    assert_eq!(load.failed.load(Ordering::Relaxed), failed, "errors after {what} is over");
    let kind = server.kind();
    println!("{kind}: {what}: {failed} errors, the first answer {first:?} after its end");
    load.end().await;
    is_whole(&db).await;
    db.close().await;
}

async fn bad_days(kind: Kind) {
    let Some(server) = private_server(kind, &[]) else { return };
    after("a restart", &server, Server::restart).await;
    after("kill -9", &server, |server| {
        server.kill9();
        server.start();
    })
    .await;
    after("two seconds without a word", &server, |server| {
        server.sigstop();
        std::thread::sleep(Duration::from_secs(2));
        server.sigcont();
    })
    .await;
    after("the end of every session", &server, |server| {
        let sql = match server.kind() {
            Kind::Postgres => {
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                    .to_owned()
            }
            _ => {
                let ids = server.client().run(
                    "",
                    "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = SUBSTRING_INDEX(USER(), '@', 1)",
                );
                ids.lines().map(|id| format!("KILL {id};")).collect()
            }
        };
        // Some may have ended by themselves.
        let _ = server.client().try_run("", &sql);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_days_of_mariadb() {
    bad_days(Kind::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_days_of_mysql() {
    bad_days(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_days_of_postgres() {
    bad_days(Kind::Postgres).await;
}
