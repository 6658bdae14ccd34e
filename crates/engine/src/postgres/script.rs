//! Running a script as psql would: statement by statement, each on its own unless a transaction is open, data after COPY
//! included.

use super::copy;
use super::link::Link;
use crate::{Error, ErrorKind, Result};
use bytes::Bytes;
use dbkeep_sql::{Lexicon, Splitter};

/// Runs the statements up to the first error, which stands at its place in the whole script.
pub(super) async fn run(link: &Link, lexicon: Lexicon, script: &str) -> Result<()> {
    for statement in Splitter::new(script, &lexicon) {
        let statement = statement.map_err(|error| {
            Error::new(ErrorKind::Syntax, error.to_string())
                .with_position(characters(script, error.offset))
                .with_source(error)
        })?;
        let outcome = match statement.data {
            Some(data) => {
                let mut held = copy::Held(Some(Bytes::copy_from_slice(data.as_bytes())));
                copy::load(link, statement.text, &mut held).await.map(drop)
            }
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
