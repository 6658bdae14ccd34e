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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::seal::content_id;
    use super::super::store::LocalStore;
    use super::*;

    #[test]
    fn only_a_fresh_exclusive_lock_of_another_program_stops_a_writer() {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore::new(directory.path());
        let sealer = Sealer::from_bytes(&[5; 64], true);
        let now: Timestamp = "2024-05-01T12:00:00Z".parse().unwrap();
        assert!(refuse_if_locked(&store, &sealer, now).is_ok());
        std::fs::create_dir(directory.path().join("locks")).unwrap();
        let place = |json: &str| {
            let sealed = sealer.seal_file(json.as_bytes()).unwrap();
            std::fs::write(directory.path().join("locks").join(content_id(&sealed).to_hex().as_str()), sealed).unwrap();
        };
        place(r#"{"time":"2024-05-01T13:59:00+02:00","exclusive":false,"hostname":"db2","username":"root","pid":7}"#);
        place(r#"{"time":"2024-05-01T11:29:00Z","exclusive":true,"hostname":"db2","username":"root","pid":8}"#);
        std::fs::write(directory.path().join("locks").join("00".repeat(32)), "half a lock").unwrap();
        assert!(refuse_if_locked(&store, &sealer, now).is_ok());
        place(r#"{"time":"2024-05-01T13:59:00+02:00","exclusive":true,"hostname":"db2","username":"root","pid":9}"#);
        let err = refuse_if_locked(&store, &sealer, now).unwrap_err();
        assert_eq!((err.kind(), err.is_retryable()), (VaultErrorKind::Locked, true));
        assert_eq!(
            err.to_string(),
            "restic holds an exclusive lock on the vault (process 9 on db2, since 2024-05-01T11:59:00Z)"
        );
    }
}
