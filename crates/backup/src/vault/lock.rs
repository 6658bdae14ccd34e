//! Does stock restic work on this vault in a way that must not be disturbed?
//!
//! dbkeep writes no lock files and needs none: writers only add, and `restic check` complains of a lock that a killed
//! program left behind. But `restic prune` holds an exclusive lock while it deletes what no snapshot uses yet, which is
//! just what a running backup has written.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::error::{VaultError, VaultErrorKind};
use super::seal::Sealer;
use super::store::Store;

/// restic refreshes a lock every five minutes and calls it stale after thirty.
const STALE_AFTER: Duration = Duration::from_secs(30 * 60);

#[derive(Deserialize)]
struct Lock {
    time: Timestamp,
    #[serde(default)]
    exclusive: bool,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    pid: i64,
}

/// Fails with [`VaultErrorKind::Locked`] when another program holds an exclusive lock that is not stale at `now`.
pub(super) fn refuse_if_locked(store: &dyn Store, sealer: &Sealer, now: Timestamp) -> Result<(), VaultError> {
    for sealed in store.locks()? {
        // A lock file that cannot be read is being written, or was left half-written by a program that died.
        let lock =
            sealer.open_file(&sealed, "a lock file").ok().and_then(|json| serde_json::from_slice::<Lock>(&json).ok());
        let Some(lock) = lock.filter(|lock| lock.exclusive) else { continue };
        let age = now.duration_since(lock.time).unsigned_abs();
        if age < STALE_AFTER {
            return Err(VaultError::new(
                VaultErrorKind::Locked,
                format!(
                    "restic holds an exclusive lock on the vault (process {} on {}, since {})",
                    lock.pid, lock.hostname, lock.time
                ),
            )
            .with_hint("wait until it has finished; if it is not running any more, `restic unlock` removes the lock"));
        }
    }
    Ok(())
}
