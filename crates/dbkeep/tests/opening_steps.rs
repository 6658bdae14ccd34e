//! A server that takes connections and says nothing: the error names the step at which it fell silent.
#![cfg(all(feature = "mysql", feature = "postgres"))]
#![allow(clippy::unwrap_used)]

use dbkeep::engine::{ConnectOptions, ErrorKind, connect_once};
use dbkeep::pool::{AcquirePhase, Config, Pool};
use dbkeep::{Opener, Statistics};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Listens, answers the first bytes that come with these, and nothing more.
async fn falls_silent_after(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut taken = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if !answer.is_empty() {
                stream.read_u8().await.unwrap();
                stream.write_all(answer).await.unwrap();
            }
            taken.push(stream);
        }
    });
    port
}

async fn fails(url: &str, phase: AcquirePhase, text: &str) {
    let mut options: ConnectOptions = url.parse().unwrap();
    options.connect_timeout = Duration::from_millis(300);
    let error = connect_once(&options).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().ends_with(&format!("took longer than 300ms{text}")), "{error}");
    assert!(error.hint().is_some());

    let statistics = Arc::new(Statistics::new("app", options.engine.dialect(), None, false));
    let config = Config::new().max(1).min(0).connect_timeout(Duration::from_secs(60));
    options.connect_timeout = Duration::from_secs(60);
    let pool = Pool::builder(Opener::new(options, statistics)).config(config).build().unwrap();
    let error = pool.acquire_within(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.phase(), phase, "{}", error.details());
}

#[tokio::test]
async fn a_silent_postgres_is_told_by_the_step() {
    let port = falls_silent_after(b"").await;
    fails(&format!("postgres://app@127.0.0.1:{port}/app?sslmode=require"), AcquirePhase::Tls, ", in the TLS handshake")
        .await;
    let port = falls_silent_after(b"N").await;
    fails(&format!("postgres://app@127.0.0.1:{port}/app?sslmode=prefer"), AcquirePhase::Authenticate, ", logging in")
        .await;
}

#[tokio::test]
async fn of_a_silent_mysql_no_step_is_told() {
    // Its driver does not tell the steps before the session's set-up apart.
    let port = falls_silent_after(b"").await;
    fails(&format!("mysql://app@127.0.0.1:{port}/app"), AcquirePhase::Open, "").await;
}
