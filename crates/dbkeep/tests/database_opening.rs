//! Opening databases: by name, once, and what is said where it cannot be done.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

mod database_targets;
#[path = "database_targets/log.rs"]
mod log;

use database_targets::Target;
use dbkeep::{Database, Databases, Error, ErrorKind, Settings};
use dbkeep_testkit::{Kind, Server, server};
use log::Log;
use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

/// The error of opening it, which holds no password, neither in its text nor in its parts nor for a debugger.
async fn refused(url: &str, passwords: &[&str]) -> Error {
    match Database::connect(url).await {
        Ok(db) => panic!("{db:?} was opened"),
        Err(error) => {
            let mut shown = format!("{error} {error:?} {error:#?} {:?} {:?}", error.hint(), error.details());
            let mut source = error.source();
            while let Some(cause) = source {
                shown += &format!(" {cause} {cause:?}");
                source = cause.source();
            }
            for password in passwords {
                assert!(!shown.contains(password), "{shown}");
            }
            error
        }
    }
}

fn retries(log: &Log) -> usize {
    log.lines("dbkeep::connect").iter().filter(|line| line.starts_with("WARN connecting failed, trying again")).count()
}

fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(start_paused = true)]
async fn a_port_nobody_listens_on_is_tried_three_times_with_growing_pauses() {
    for scheme in ["mysql", "mariadb", "postgres"] {
        let log = Log::listen();
        let (port, since) = (closed_port(), tokio::time::Instant::now());
        let error = refused(&format!("{scheme}://app:hunter2@127.0.0.1:{port}/shop"), &["hunter2"]).await;
        assert_eq!(error.kind(), Some(ErrorKind::Refused), "{error}");
        assert!(error.to_string().starts_with("after 3 attempts: "), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(retries(&log), 2);
        assert!(!log.text().contains("hunter2"));
        // 1 s and 2 s, each with up to a half of jitter.
        let waited = since.elapsed();
        assert!((Duration::from_secs(3)..Duration::from_millis(4_600)).contains(&waited), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn how_often_it_is_tried_can_be_said() {
    for (attempts, pauses) in [(1, 0), (2, 1), (9, 8)] {
        let log = Log::listen();
        let since = tokio::time::Instant::now();
        let url = format!("postgres://127.0.0.1:{}/shop?connect_attempts={attempts}", closed_port());
        let error = refused(&url, &[]).await;
        assert_eq!((error.kind(), retries(&log)), (Some(ErrorKind::Refused), pauses));
        assert_eq!(error.to_string().starts_with("after "), attempts > 1, "{error}");
        // However often, no pause is longer than 30 s and its jitter.
        assert!(since.elapsed() <= Duration::from_secs(45) * u32::try_from(pauses).unwrap());
    }
}

/// A wrong password, account or database is wrong the second time, too.
async fn what_cannot_pass_is_tried_once(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let database = server.fresh_database();
    let wrong_password = server.url_as(server.user(), "hunter2:@/", server.host(), database.name());
    let wrong_user = server.url_as("nobody", "hunter2:@/", server.host(), database.name());
    let unknown_database = server.url("no_such_database");
    let untrusted = format!("{}?tls=verify-full&tls_ca={}", database.url(), server.other_ca_file().display());
    for (url, expected) in [
        (wrong_password, ErrorKind::Authentication),
        (wrong_user, ErrorKind::Authentication),
        (unknown_database, ErrorKind::UnknownDatabase),
        (untrusted, ErrorKind::Tls),
        (format!("{}?tls=verify-full&tls_ca=/nowhere/ca.pem", database.url()), ErrorKind::Tls),
    ] {
        let log = Log::listen();
        let error = refused(&url, &["hunter2", server.password()]).await;
        assert_eq!(error.kind(), Some(expected), "{error}");
        assert_eq!((retries(&log), error.to_string().contains("attempts")), (0, false), "{error}");
        assert!(error.hint().is_some(), "{error} says nothing of the next step");
        assert!(!log.text().contains("hunter2") && !log.text().contains(server.password()));
    }
    let trusted = format!("{}?tls=verify-full&tls_ca={}", database.url(), server.ca_file().display());
    Database::connect(&trusted).await.unwrap();
    if server.socket().is_some() {
        Database::connect(&database.socket_url()).await.unwrap();
    }
}

#[tokio::test]
async fn on_mariadb_what_cannot_pass_is_tried_once() {
    what_cannot_pass_is_tried_once(Kind::Mariadb).await;
}

#[tokio::test]
async fn on_mysql_what_cannot_pass_is_tried_once() {
    what_cannot_pass_is_tried_once(Kind::Mysql).await;
}

#[tokio::test]
async fn on_postgres_what_cannot_pass_is_tried_once() {
    what_cannot_pass_is_tried_once(Kind::Postgres).await;
}

/// A server that was away for a moment is waited for.
async fn a_server_that_comes_back_is_found(kind: Kind) {
    let Some(server) = dbkeep_testkit::private_server(kind, &[]) else { return };
    let database = server.fresh_database();
    server.kill9();
    let restart = {
        let server: Server = server.clone();
        tokio::task::spawn_blocking(move || server.start())
    };
    let url = format!("{}?connect_attempts=8", database.url());
    let db = Database::connect(&url).await.unwrap();
    restart.await.unwrap();
    db.query("SELECT 1", []).await.unwrap();
    // A pool outlives its server: connections that died are replaced, and only the statement under way fails.
    let other = server.clone();
    tokio::task::spawn_blocking(move || other.restart()).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(db.query("SELECT 1", []).await.map(drop));
    }
    assert!(answers.last().unwrap().is_ok(), "{answers:?}");
    for error in answers.into_iter().filter_map(Result::err) {
        assert!(error.engine().is_some_and(dbkeep::engine::Error::is_transient), "{error}");
    }
}

#[tokio::test]
async fn a_mariadb_that_comes_back_is_found() {
    a_server_that_comes_back_is_found(Kind::Mariadb).await;
}

#[tokio::test]
async fn a_postgres_that_comes_back_is_found() {
    a_server_that_comes_back_is_found(Kind::Postgres).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("letter.txt"), "Dear reader, this is no database but a letter of some length.").unwrap();
    for (url, kind) in [
        (format!("sqlite://{}", path("none/shop.db")), ErrorKind::UnknownDatabase),
        (format!("sqlite://{}?mode=rw", path("none.db")), ErrorKind::UnknownDatabase),
        (format!("sqlite://{}?mode=ro", path("none.db")), ErrorKind::UnknownDatabase),
        (format!("sqlite://{}", path("letter.txt")), ErrorKind::Damaged),
        ("sqlite://".to_owned(), ErrorKind::Options),
        ("oracle://db/shop".to_owned(), ErrorKind::Options),
    ] {
        let log = Log::listen();
        let error = refused(&url, &[]).await;
        assert_eq!(error.kind(), Some(kind), "{url}: {error}");
        assert_eq!(retries(&log), 0);
        assert!(error.hint().is_some(), "{error} says nothing of the next step");
    }
}

#[tokio::test]
async fn a_pool_whose_settings_do_not_fit_is_refused_before_anything_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db");
    let settings = Settings::from_url(&format!("sqlite://{}", file.display())).unwrap();
    for (min, max, message) in [
        (
            3,
            2,
            "pool setting min 3 is more than max 2: the pool could never keep that many open; raise max or lower min",
        ),
        (0, 0, "pool setting max is 0: a pool needs room for at least one connection"),
    ] {
        let settings = settings.clone().pool_size(min, max);
        let error = Database::open(settings.clone()).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind()), (message, None));
        assert_eq!(settings.validate().unwrap_err().to_string(), message);
    }
    assert!(!file.exists());
    let mut settings = settings;
    (settings.pool.idle_timeout, settings.pool.max_lifetime) = (Duration::ZERO, Duration::ZERO);
    settings.validate().unwrap();
    Database::open(settings).await.unwrap();
}

fn files(folder: &std::path::Path, names: &[&str]) -> Vec<Settings> {
    let file =
        |name: &&str| Settings::from_url(&format!("sqlite://{}/{name}.db", folder.display())).unwrap().named(*name);
    names.iter().map(file).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_opened_by_name_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let databases = std::sync::Arc::new(Databases::new(files(folder.path(), &["shop", "log"]), "shop").unwrap());
    assert_eq!(databases.names().collect::<Vec<_>>(), ["log", "shop"]);
    assert_eq!((databases.default_name(), databases.settings("log").unwrap().name.as_str()), ("shop", "log"));
    assert!(!folder.path().join("shop.db").exists(), "nothing is opened before it is asked for");
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let databases = databases.clone();
            tokio::spawn(async move {
                let db = if number % 2 == 0 { databases.default().await } else { databases.get("shop").await };
                db.unwrap().query("SELECT 1", []).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let db = databases.default().await.unwrap();
    assert_eq!((db.name(), db.stats().statements), ("shop", 16), "all used one and the same");
    assert!(!folder.path().join("log.db").exists());

    databases.close().await;
    assert!(db.pool().is_closed());
    let again = databases.get("shop").await.unwrap();
    assert_eq!(again.stats().statements, 0, "asked for after a close, it is opened again");

    let error = databases.get("shpo").await.unwrap_err();
    assert_eq!(error.to_string(), r#"there is no connection named "shpo""#);
    assert_eq!(error.hint(), Some("the connections are: log, shop"));
    let error = Databases::new(files(folder.path(), &["a"]), "b").unwrap_err();
    assert_eq!(error.to_string(), r#"there is no connection named "b""#);
    let error = Databases::new(files(folder.path(), &["a", "a"]), "a").unwrap_err();
    assert_eq!(error.to_string(), r#"two connections are named "a""#);
    let error = Databases::new([], "a").unwrap_err();
    assert_eq!(error.hint(), Some("no connection is configured"));
}

#[tokio::test]
async fn a_database_that_does_not_answer_holds_up_no_other_and_can_be_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://app:hunter2@{}/shop?connect_timeout=60s&tls=disable", silent.local_addr().unwrap());
    let mut settings = files(folder.path(), &["shop"]);
    settings.push(Settings::from_url(&url).unwrap().named("silent"));
    let databases = Databases::new(settings, "shop").unwrap();
    {
        let asked = databases.get("silent");
        tokio::select! {
            outcome = asked => panic!("{outcome:?}"),
            db = databases.default() => db.unwrap().query("SELECT 1", []).await.map(drop).unwrap(),
        }
    }
    // Whoever gave up waiting left the place to the next.
    let again = tokio::time::timeout(Duration::from_millis(50), databases.get("silent")).await;
    assert!(again.is_err(), "it is tried again: {again:?}");
    databases.close().await;
}

#[tokio::test]
async fn health_of_a_database_that_is_gone_is_an_error() {
    let target = Target::file();
    let db = target.open().await;
    db.health().await.unwrap();
    db.close().await;
    assert!(db.health().await.unwrap_err().is_acquire());
}
