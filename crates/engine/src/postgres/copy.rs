//! COPY to and from the server, a table's rows as PostgreSQL's own text.
//! <https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS>

use super::link::Link;
use crate::{ByteSink, ByteSource, Result};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, TryStreamExt};
use std::pin::Pin;
use tokio_postgres::CopyInSink;

/// How much goes at once: few enough calls, little memory.
const PIECE: usize = 128 * 1024;

/// Runs `COPY … TO STDOUT` and hands its lines to the sink.
pub(super) async fn read(link: &Link, sql: &str, sink: &mut dyn ByteSink) -> Result<()> {
    let outcome = link.client().copy_out(sql).await;
    let mut rows = match outcome {
        Ok(rows) => Box::pin(rows),
        Err(error) => return Err(link.failed(error).await),
    };
    let mut piece = BytesMut::with_capacity(PIECE);
    loop {
        match rows.try_next().await {
            Ok(Some(row)) => {
                if piece.len() + row.len() > PIECE && !piece.is_empty() {
                    sink.write(std::mem::replace(&mut piece, BytesMut::with_capacity(PIECE)).freeze()).await?;
                }
                piece.extend_from_slice(&row);
            }
            Ok(None) => break,
            Err(error) => return Err(link.failed(error).await),
        }
    }
    if !piece.is_empty() {
        sink.write(piece.freeze()).await?;
    }
    // The end of the data is not yet the end of the command: an error may still stand in front of that.
    let outcome = link.client().check_connection().await;
    link.landed(outcome).await
}

/// Runs `COPY … FROM STDIN` with the source's lines and returns how many rows the server took.
pub(super) async fn load(link: &Link, sql: &str, source: &mut dyn ByteSource) -> Result<u64> {
    let outcome = link.client().prepare(sql).await;
    let statement = link.landed(outcome).await?;
    let outcome = link.client().copy_in(&statement).await;
    let mut sink: Pin<Box<CopyInSink<Bytes>>> = match outcome {
        Ok(sink) => Box::pin(sink),
        Err(error) => return Err(link.failed_to_copy(error).await),
    };
    // The server says no at once, but the driver listens only at the end: more data would be sent for nothing.
    while !link.watch().has_refused_copy() {
        let bytes = match source.next().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(error) => {
                // Dropped without an end, it tells the server to undo the rows.
                drop(sink);
                link.watch().settled().await;
                return Err(error);
            }
        };
        if sink.send(bytes).await.is_err() {
            break;
        }
    }
    let outcome = sink.as_mut().finish().await;
    drop(sink);
    link.landed(outcome).await
}

/// Bytes that are there already.
pub(super) struct Held(pub(super) Option<Bytes>);

#[async_trait]
impl ByteSource for Held {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}
