//! Backups that are proven to restore: a consistent snapshot of a live database, kept in a vault, and back.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use dbkeep::{Database, Settings};
//! use dbkeep_backup::vault::{Passphrase, Vault, VaultOptions};
//! use dbkeep_backup::{CreateOptions, RestorePlan, RestoreRun, create, find};
//! # let folder = tempfile::tempdir()?;
//! # let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
//!
//! let db = Database::connect(&url("shop.db")).await?;
//! db.script("CREATE TABLE fees (course TEXT PRIMARY KEY, fee TEXT); INSERT INTO fees VALUES ('Rockets', '129.90')").await?;
//!
//! let vault = Vault::open_or_init(folder.path().join("backups"), &Passphrase::none(), &VaultOptions::default())?;
//! let backup = create(&vault, db.settings(), CreateOptions::default()).await?;
//! assert_eq!((backup.tables, backup.rows), (1, 1));
//!
//! let target = Settings::from_url(&url("copy.db"))?;
//! let latest = find(&vault, "latest", db.settings()).await?;
//! let report = RestorePlan::new(&latest, &target)?.apply(&vault, RestoreRun::default()).await?;
//! assert_eq!(report.digests_match, Some(true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod create;
mod digest;
mod error;
mod find;
mod manifest;
mod proof;
mod restore;
pub mod vault;

pub use create::{CreateOptions, Kind, create};
pub use digest::{LineDigester, ParseDigestError, RowDigest, TruncatedRow};
pub use error::{BackupError, Result};
pub use find::find;
pub use manifest::{FORMAT, Manifest, StoredStream, Summary, TableRows};
pub use restore::{RestorePlan, RestoreReport, RestoreRun};

/// Runs work of the vault, which blocks, off the runtime's workers.
///
/// # Cancellation
/// Dropping the future lets the work go on to its end, unheard.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(BackupError::mismatch("the runtime was shut down in the middle of the work")),
        },
    }
}
