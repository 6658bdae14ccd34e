//! Running a script as psql would: statement by statement, each on its own unless a transaction is open, data after COPY
//! included.

use super::link::Link;
use crate::{Error, ErrorKind, Result};
use bytes::Bytes;
use dbkeep_sql::{Lexicon, Splitter, Statement};
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

/// How much COPY data goes at once.
const PIECE: usize = 64 * 1024;

/// Runs the statements up to the first error, which stands at its place in the whole script.
pub(super) async fn run(link: &Link, lexicon: Lexicon, script: &str) -> Result<()> {
    for statement in Splitter::new(script, &lexicon) {
        let statement = statement.map_err(|error| {
            Error::new(ErrorKind::Syntax, error.to_string())
                .with_position(characters(script, error.offset))
                .with_source(error)
        })?;
        let outcome = match statement.data {
            Some(data) => copy(link, &statement, data).await,
            None => link.batch(statement.text).await,
        };
        outcome.map_err(|error| {
            let within = error.position().unwrap_or(0);
            error.with_position(characters(script, statement.offset) + within)
        })?;
    }
    Ok(())
}

fn characters(script: &str, offset: usize) -> usize {
    script.get(..offset).map_or(0, |before| before.chars().count())
}

async fn copy(link: &Link, statement: &Statement<'_>, data: &str) -> Result<()> {
    let outcome = feed(link, statement, data).await;
    link.landed(outcome).await
}

async fn feed(link: &Link, statement: &Statement<'_>, data: &str) -> Result<(), tokio_postgres::Error> {
    let sink: CopyInSink<Bytes> = link.client().copy_in(statement.text).await?;
    let mut sink = std::pin::pin!(sink);
    for piece in data.as_bytes().chunks(PIECE) {
        if sink.send(Bytes::copy_from_slice(piece)).await.is_err() {
            // The sink only says that it is closed; why, the answer tells.
            break;
        }
    }
    sink.finish().await.map(|_| ())
}
