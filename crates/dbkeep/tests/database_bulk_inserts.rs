//! Bulk inserts through the pool, on every engine.
#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod database_targets;

use database_targets::Target;
use dbkeep::{Error, ErrorKind, params};
use std::time::Duration;

on_every_engine! {
    rows_of_any_shape_go_in
    a_transaction_takes_its_rows_back
    the_pool_gets_a_clean_connection_back_whatever_happened
}

async fn rows_of_any_shape_go_in(target: &Target) {
    let db = target.open_with_users().await;
    let columns = ["name", "team"];
    assert_eq!(
        db.bulk_insert("users", columns, [["Ada", "red"], ["Bob", "blue"]].map(|row| row.map(Into::into)))
            .await
            .unwrap(),
        2
    );
    let names: Vec<String> = (0..3_000).map(|n| format!("user {n}")).collect();
    let borrowed = names.iter().map(|name| params![name, None::<&str>]);
    assert_eq!(db.bulk_insert("users", columns, borrowed).await.unwrap(), 3_000);
    let count = db.query_one("SELECT COUNT(*) FROM users", params![]).await.unwrap();
    assert_eq!(count.get::<i64>(0).unwrap(), 3_002);
    // In a task of its own, rows and all.
    let (other, rows) = (db.clone(), names.into_iter().map(|name| params![format!("{name} again"), "red"]));
    let task = tokio::spawn(async move { other.bulk_insert("users", ["name", "team"], rows).await });
    assert_eq!(task.await.unwrap().unwrap(), 3_000);
    let error = db.bulk_insert("users", [""], [params![1]]).await.unwrap_err();
    assert_eq!(error.kind(), Some(ErrorKind::InvalidValue));
    db.close().await;
}

async fn a_transaction_takes_its_rows_back(target: &Target) {
    let db = target.open_with_users().await;
    let outcome = db
        .transaction(async |tx| {
            tx.bulk_insert("users", ["name"], (0..100).map(|n| params![format!("{n}")])).await?;
            Err::<(), Error>(Error::settings("thought better of it"))
        })
        .await;
    outcome.unwrap_err();
    assert!(db.query("SELECT id FROM users", params![]).await.unwrap().is_empty());
    db.close().await;
}

async fn the_pool_gets_a_clean_connection_back_whatever_happened(target: &Target) {
    let db = dbkeep::Database::open(target.settings().pool_size(0, 1)).await.unwrap();
    target.create_users(&db).await;
    let endless = || (0i64..).map(|n| params![format!("{n}")]);
    for _ in 0..3 {
        let dropped =
            tokio::time::timeout(Duration::from_millis(50), db.bulk_insert("users", ["name"], endless())).await;
        dropped.unwrap_err();
        let twice = (0..3_000).chain(7..8).map(|n| params![format!("{n}")]);
        let error = db.bulk_insert("users", ["name"], twice).await.unwrap_err();
        assert_eq!(error.kind(), Some(ErrorKind::UniqueViolation), "{error:?}");
        assert!(db.query("SELECT id FROM users", params![]).await.unwrap().is_empty());
    }
    let rows = (0..10).map(|n| params![format!("{n}")]);
    assert_eq!(db.bulk_insert("users", ["name"], rows).await.unwrap(), 10);
    db.close().await;
}
