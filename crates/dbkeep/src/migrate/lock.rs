//! The lock around every run.

use super::error::During as _;
use super::{Error, ErrorKind, Result};
use dbkeep_engine::Connection;
use std::time::Duration;

/// Takes the lock, or says who holds it. `waiting` is called once if it is not free at once.
///
/// It is given back by [`release`]; a future dropped in between leaves it to the end of the session or to its reset.
pub(crate) async fn acquire(
    connection: &mut Connection,
    name: &str,
    wait: Duration,
    waiting: impl FnOnce(Option<&str>) + Send,
) -> Result<()> {
    let doing = "take the lock";
    if connection.lock(name, Duration::ZERO).await.during(doing)? {
        return Ok(());
    }
    let holder = connection.lock_holder(name).await.during(doing)?;
    waiting(holder.as_deref());
    if connection.lock(name, wait).await.during(doing)? {
        return Ok(());
    }
    // Another may hold it by now.
    let holder = connection.lock_holder(name).await.during(doing)?;
    let holder = holder.map_or_else(String::new, |holder| format!(" ({holder})"));
    Err(Error::new(
        ErrorKind::Locked,
        format!("another run holds the lock{holder}; waited {} s for it", wait.as_secs()),
    )
    .with_hint("wait for the other run to end, and see whether anything is left to do"))
}

/// Gives the lock back. A failure is only logged: the lock ends with the session at the latest, and what was done is done.
pub(crate) async fn release(connection: &mut Connection, name: &str) {
    if let Err(error) = connection.unlock(name).await {
        tracing::warn!(target: "dbkeep::migrate", lock = name, %error, "the lock could not be given back; it ends with the session");
    }
}
