//! A pool and its server's bad days: killed, restarted, deaf, cut off, full, closing what is idle, or with another password.
//! Borrowers hear of it soon and plainly, and when it is over nothing is left of it.
#![cfg(all(feature = "mysql", feature = "postgres"))]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use dbkeep::engine::{Connection, connect_once};
use dbkeep::pool::{Health, WhenDown};
use dbkeep::{Database, Error, ErrorKind, Settings};
use dbkeep_testkit::{Kind, Proxy, Server, TestDatabase, private_server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const MAX: usize = 8;
const TASKS: usize = 64;

fn settings(url: &str) -> Settings {
    let mut settings = Settings::from_url(url).unwrap();
    (settings.pool.max, settings.pool.min) = (MAX, 2);
    settings.pool.acquire_timeout = Duration::from_secs(5);
    settings
}

async fn open(url: &str) -> Database {
    Database::open(settings(url)).await.unwrap()
}

/// What takes longer hangs.
const FOREVER: Duration = Duration::from_secs(120);

/// Waits until this is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !is_so().await {
        assert!(since.elapsed() < FOREVER, "{what}: not in {FOREVER:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Tasks that ask one question after the other.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    /// On this database, with every error looked at; returns when the pool is as large as it gets.
    async fn on(db: &Database, judge: fn(&Error)) -> Self {
        let load = Self::begin(db, judge);
        load.answers(200).await;
        load.until(|| db.pool().stats().size == MAX).await;
        load
    }

    fn begin(db: &Database, judge: fn(&Error)) -> Self {
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
                            judge(&error);
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
        self.until(|| self.answered.load(Ordering::Relaxed) >= wanted).await;
    }

    /// Waits until so many more questions failed.
    async fn failures(&self, count: u64) {
        let wanted = self.failed() + count;
        self.until(|| self.failed() >= wanted).await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        until("the load", async || {
            assert!(!self.tasks.iter().any(JoinHandle::is_finished), "a task has panicked");
            is_so()
        })
        .await;
    }

    fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// It is over, and it stays over: how long the first answer took.
    async fn recovers(&self) -> Duration {
        let since = Instant::now();
        self.answers(1).await;
        let first = since.elapsed();
        // Who failed before it was over may still be telling so.
        self.answers(200).await;
        let failed = self.failed();
        self.answers(500).await;
        assert_eq!(self.failed(), failed, "errors after it is over");
        first
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
    let transient = error.engine().is_some_and(dbkeep::engine::Error::is_transient) || error.is_timeout();
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
    after_at(&server.fresh_database().url(), what, server, act).await;
}

/// As [`after`], on the way this URL describes.
async fn after_at(url: &str, what: &str, server: &Server, act: impl FnOnce(&Server) + Send + 'static) {
    let db = open(url).await;
    let load = Load::on(&db, plain).await;
    with(server, act).await;
    let first = load.recovers().await;
    println!("{}: {what}: {} errors, the first answer {first:?} after its end", server.kind(), load.failed());
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
    let proxy = Arc::new(Proxy::before(&server));
    let url = proxy.url(&server.fresh_database().url());
    let cut = Arc::clone(&proxy);
    after_at(&url, "a reset of every link", &server, move |_| cut.reset_all()).await;
    drop(proxy);
    few_attempts(&server).await;
}

/// How many attempts to open there may have been since then: with pauses of 50 ms doubling up to `longest`, by chance a
/// quarter shorter, and those that were under way already.
fn most_attempts(since: Instant, longest: Duration) -> u64 {
    let (mut attempts, mut at, mut pause) = (3, Duration::ZERO, Duration::from_millis(50));
    while at < since.elapsed() {
        attempts += 1;
        at += pause.mul_f64(0.75);
        pause = (pause * 2).min(longest);
    }
    attempts
}

/// A pool that cannot reach its server leaves it, and the machine it runs on, alone.
async fn few_attempts(server: &Server) {
    let database = server.fresh_database();
    let db = open(&database.url()).await;
    is_whole(&db).await;
    with(server, Server::kill9).await;
    // It does not know before somebody asks for a connection.
    until("an error", async || db.query("SELECT 1", []).await.is_err_and(|error| error.is_acquire())).await;
    let attempts = || db.pool().stats().open_failures;
    let (before, since) = (attempts(), Instant::now());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (unasked, most) = (attempts() - before, most_attempts(since, Duration::from_secs(1)));
    assert!((1..=most).contains(&unasked), "{unasked} attempts, {most} at most");

    let (before, since) = (attempts(), Instant::now());
    let load = Load::begin(&db, plain);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (asked, most) = (attempts() - before, most_attempts(since, Duration::from_millis(200)));
    assert!((1..=most).contains(&asked), "{asked} attempts, {most} at most");
    let failed = load.failed();

    with(server, Server::start).await;
    let first = load.recovers().await;
    println!(
        "{}: down for six seconds: {unasked} attempts in three while nobody asked, {asked} in three while {failed} were told \
         so; the first answer {first:?} after its end",
        server.kind()
    );
    load.end().await;
    is_whole(&db).await;
    db.close().await;
}

const APP: &str = "app_of_the_test";
const PASSWORD: &str = "first-secret-7f3a";
const OTHER_PASSWORD: &str = "other-secret-91c2";

/// Creates an account without privileges but on this database; the database's URL for it.
fn plain_account(database: &TestDatabase) -> String {
    let (server, name) = (database.server(), database.name());
    let sql = match server.kind() {
        Kind::Postgres => format!("CREATE ROLE {APP} LOGIN PASSWORD '{PASSWORD}'"),
        _ => format!("CREATE USER {APP}@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL PRIVILEGES ON {name}.* TO {APP}@'%'"),
    };
    server.client().run("", &sql);
    server.url_as(APP, PASSWORD, server.host(), name)
}

fn set_password(server: &Server, password: &str) {
    let sql = match server.kind() {
        Kind::Postgres => format!("ALTER ROLE {APP} PASSWORD '{password}'"),
        _ => format!("ALTER USER {APP}@'%' IDENTIFIED BY '{password}'"),
    };
    server.client().run("", &sql);
}

/// Ends every session of the account.
fn end_sessions(server: &Server) {
    let sql = match server.kind() {
        Kind::Postgres => format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{APP}'"),
        _ => {
            let ids = format!("SELECT id FROM information_schema.processlist WHERE user = '{APP}'");
            server.client().run("", &ids).lines().map(|id| format!("KILL {id};")).collect()
        }
    };
    // Some may have ended by themselves.
    let _ = server.client().try_run("", &sql);
}

/// How many sessions the account has on the server.
async fn sessions(server: &Server) -> usize {
    let server = server.clone();
    let count = tokio::task::spawn_blocking(move || {
        let sql = match server.kind() {
            Kind::Postgres => format!("SELECT COUNT(*) FROM pg_stat_activity WHERE usename = '{APP}'"),
            _ => format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{APP}'"),
        };
        server.client().run("", &sql)
    });
    count.await.unwrap().trim().parse().unwrap()
}

async fn strict_rules(kind: Kind) {
    let Some(server) = private_server(kind, &["max_connections=30"]) else { return };
    let database = server.fresh_database();
    let url = plain_account(&database);
    full_server(&server, &url).await;
    idle_sessions_ended(&server, &url).await;
    another_password(&server, &url).await;
}

/// The server has no connection left, and says how to have more.
fn server_is_full(error: &Error) {
    plain(error);
    assert_eq!(error.kind(), Some(ErrorKind::TooManyConnections), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("max_connections")), "{:?}", error.hint());
}

/// Another program takes all connections that the server has.
async fn full_server(server: &Server, url: &str) {
    let kind = server.kind();
    let mut patient = settings(url).pool_size(0, MAX);
    patient.pool.when_down = WhenDown::Wait;
    patient.pool.acquire_timeout = FOREVER;
    let hasty = settings(url).pool_size(0, MAX);
    let (patient, hasty) = (Database::open(patient).await.unwrap(), Database::open(hasty).await.unwrap());
    for db in [&patient, &hasty] {
        db.pool().reset();
        until("the pool is empty", async || db.pool().stats().size + db.pool().stats().closing == 0).await;
    }
    until("the server has noticed", async || sessions(server).await == 0).await;

    let mut hoard: Vec<Connection> = Vec::new();
    let refusal = loop {
        match connect_once(hasty.options()).await {
            Ok(connection) => hoard.push(connection),
            Err(error) => break error,
        }
    };
    server_is_full(&refusal.into());
    assert!(hoard.len() >= 20, "{}", hoard.len());

    let waiting = tokio::spawn({
        let patient = patient.clone();
        async move { patient.query("SELECT 1 AS n", []).await.map(|rows| rows.len()) }
    });
    let load = Load::begin(&hasty, server_is_full);
    load.failures(500).await;
    assert!(!waiting.is_finished(), "who may wait waits");
    let failed = load.failed();
    for connection in hoard {
        connection.close().await.unwrap();
    }
    let first = load.recovers().await;
    assert_eq!(waiting.await.unwrap().unwrap(), 1);
    println!("{kind}: a full server: {failed} errors, the first answer {first:?} after its end");
    load.end().await;
    is_whole(&hasty).await;
    is_whole(&patient).await;
    hasty.close().await;
    patient.close().await;
}

/// The server ends sessions that are idle for two seconds. Nobody is lent one of those.
async fn idle_sessions_ended(server: &Server, url: &str) {
    let mut settings = settings(url);
    settings.options.session.wait_timeout = Some(Duration::from_secs(2));
    let db = Database::open(settings).await.unwrap();
    for _ in 0..2 {
        is_whole(&db).await;
        until("the server has ended what was idle", async || sessions(server).await == 0).await;
        let asked = Instant::now();
        let queries: Vec<_> = (0..TASKS)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { db.query("SELECT 1 AS n", []).await.map(|rows| rows.len()) })
            })
            .collect();
        for query in queries {
            assert_eq!(query.await.unwrap().unwrap(), 1, "who asks does not hear of it");
        }
        println!("{}: every idle session ended: 0 errors, {TASKS} answers in {:?}", server.kind(), asked.elapsed());
    }
    is_whole(&db).await;
    db.close().await;
}

/// Names who is turned away, and gives nothing away.
fn turned_away(error: &Error) {
    let texts = [error.to_string(), format!("{error:?}"), error.details().unwrap_or_default()];
    assert!(!texts.iter().any(|text| text.contains(PASSWORD) || text.contains(OTHER_PASSWORD)), "{texts:?}");
    if error.kind() == Some(ErrorKind::Authentication) {
        let cause = error.engine().unwrap().to_string();
        assert!(cause.contains(APP), "{cause}");
        assert!(error.hint().is_some_and(|hint| hint.contains("password")), "{:?}", error.hint());
    } else {
        // A session that ended in the middle of a question.
        plain(error);
    }
}

/// The account's password is changed behind the program's back, and back again.
async fn another_password(server: &Server, url: &str) {
    let kind = server.kind();
    let db = open(url).await;
    let load = Load::on(&db, turned_away).await;
    with(server, |server| set_password(server, OTHER_PASSWORD)).await;
    // Who is in stays in.
    load.answers(500).await;
    assert_eq!(load.failed(), 0);
    // Who comes anew is turned away, in the first attempt.
    let asked = Instant::now();
    let error = Database::connect(url).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::Authentication), "{error}");
    assert!(!error.to_string().contains("attempts"), "{error}");
    turned_away(&error);
    println!("{kind}: another password: told after {:?}: {error}", asked.elapsed());
    with(server, end_sessions).await;
    load.failures(500).await;
    let error = db.query("SELECT 1", []).await.unwrap_err();
    assert_eq!((error.kind(), error.is_acquire()), (Some(ErrorKind::Authentication), true), "{error}");
    let failed = load.failed();
    with(server, |server| set_password(server, PASSWORD)).await;
    let first = load.recovers().await;
    println!("{kind}: another password: {failed} errors, the first answer {first:?} after it was changed back");
    load.end().await;
    is_whole(&db).await;
    db.close().await;
}

/// Connections stay open and nothing is answered for 20 seconds.
async fn black_hole(kind: Kind) {
    let Some(server) = private_server(kind, &[]) else { return };
    let database = server.fresh_database();
    let db = open(&database.url()).await;
    let load = Load::on(&db, plain).await;
    with(&server, Server::sigstop).await;
    let since = Instant::now();
    // Who holds a connection waits for its answer; all the others hear of it after their five seconds, again and again.
    load.failures(3 * (TASKS - MAX) as u64).await;
    tokio::time::sleep(Duration::from_secs(20).saturating_sub(since.elapsed())).await;
    with(&server, Server::sigcont).await;
    let first = load.recovers().await;
    println!("{kind}: a black hole of 20 s: {} errors, the first answer {first:?} after its end", load.failed());
    load.end().await;
    is_whole(&db).await;
    db.close().await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_rules_of_mariadb() {
    strict_rules(Kind::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_rules_of_mysql() {
    strict_rules(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_rules_of_postgres() {
    strict_rules(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_instead_of_mariadb() {
    black_hole(Kind::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_instead_of_mysql() {
    black_hole(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_instead_of_postgres() {
    black_hole(Kind::Postgres).await;
}
