//! What size should the pool have? The server is asked what it has to give.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

use dbkeep::pool::Verdict;
use dbkeep::{Database, Settings};
use dbkeep_testkit::{Kind, server};

async fn advice_of(kind: Kind) {
    let Some(server) = server(kind) else { return };
    let database = server.fresh_database();
    let open =
        async |max| Database::open(Settings::from_url(&database.url()).unwrap().pool_size(1, max)).await.unwrap();
    let (db, other) = (open(4).await, open(3).await);
    let before = db.sample();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(other.acquire().await.unwrap());
    }
    for _ in 0..50 {
        db.query("SELECT 1", []).await.unwrap();
    }
    let advice = db.advise(&before).await.unwrap();
    assert_eq!((advice.verdict, advice.now, advice.max), (Verdict::TooLittle, 4, 4), "{advice}");
    assert_eq!(advice.demand.calls, 51, "{advice}");
    let room = advice.room.unwrap();
    // The other program's, and perhaps those of other tests.
    assert!(room.others >= 3 && room.limit > room.others, "{room:?}");
    drop(held);
    db.close().await;
    other.close().await;
}

#[tokio::test]
async fn mariadb_says_how_many_connections_it_has() {
    advice_of(Kind::Mariadb).await;
}

#[tokio::test]
async fn mysql_says_how_many_connections_it_has() {
    advice_of(Kind::Mysql).await;
}

#[tokio::test]
async fn postgres_says_how_many_connections_it_has() {
    advice_of(Kind::Postgres).await;
}

#[tokio::test]
async fn what_is_no_server_has_no_limit() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::connect(&format!("sqlite://{}?mode=rwc", folder.path().join("a.db").display())).await.unwrap();
    let before = db.sample();
    assert_eq!(db.advise(&before).await.unwrap().room, None);
    db.close().await;
}
