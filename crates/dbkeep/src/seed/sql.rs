//! Seeds in SQL: scripts that see for themselves that they can be run again.

use super::{Error, ErrorKind, Result};
use crate::migrate::file::{Part, SqlFile};
use dbkeep_engine::Connection;
use std::sync::Arc;

/// Runs a script, statement by statement, in the transaction of the run.
pub(super) async fn run(connection: &mut Connection, file: &Arc<SqlFile>) -> Result<()> {
    let part = Part::whole(file);
    let steps = part.steps(&connection.dialect().lexicon())?;
    if let Some(step) = steps.iter().find(|step| step.controls_transaction()) {
        return Err(Error::new(ErrorKind::File, "seeds run in a transaction already")
            .at(part.location(step, None))
            .with_hint(format!("take {} out", step.verb())));
    }
    for (at, step) in steps.iter().enumerate() {
        connection.script(&step.script()).await.map_err(|error| {
            Error::new(ErrorKind::Statement, format!("statement {} of {} failed", at + 1, steps.len()))
                .at(part.location(step, error.position()))
                .with_source(error)
        })?;
    }
    Ok(())
}
