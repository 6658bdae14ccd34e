//! The vault: where backups are kept. It knows no database and no SQL, only named streams of bytes.
//!
//! A vault is a standard restic repository (format version 2). Stock `restic` lists it (`restic snapshots`), checks it
//! (`restic check --read-data`), and extracts from it (`restic dump latest /data/users.tsv`); rustic does too, and prunes.
//! Content is cut where the content itself decides, stored once however often it occurs, compressed with zstd, encrypted,
//! and gathered into packs of 16 MiB or more. rustic_core supplies the format's records, its keys' and configuration's
//! form, and the making of a new repository; [`VaultWriter`] says why its archiver does not fit a database's streams.
//!
//! **A backup exists if, and only if, its record is stored and holds a manifest.** The record is the last thing written.
//! What a failed or killed run has stored before it is no backup, and is used by the next run where the content is equal.
//!
//! All methods block, and may read for long: call them through `spawn_blocking` from asynchronous code. Only
//! [`StreamWriter::send`] and [`StreamWriter::end`] are asynchronous.
//!
//! ```
//! use dbkeep_backup::vault::{Passphrase, Vault, VaultOptions, WriteOptions};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("backups");
//! let vault = Vault::open_or_init(&path, &Passphrase::none(), &VaultOptions::default())?;
//!
//! let writer = vault.write(WriteOptions::default())?;
//! let mut users = writer.stream("data/users.tsv")?;
//! users.send_blocking("1\tAda\n2\tGrace\n".into())?;
//! users.end_blocking()?;
//! let written = writer.finish(br#"{"tables":["users"]}"#)?;
//!
//! let backup = vault.find("latest")?;
//! assert_eq!(backup.id, written.id);
//! let mut text = String::new();
//! std::io::Read::read_to_string(&mut vault.read(&backup.id, "data/users.tsv")?, &mut text)?;
//! assert_eq!(text, "1\tAda\n2\tGrace\n");
//! # Ok(())
//! # }
//! ```

mod chunk;
mod error;
mod handle;
mod index;
mod keys;
mod lock;
mod name;
mod open;
mod pack;
mod passphrase;
mod pipeline;
mod read;
mod record;
mod repair;
mod seal;
mod store;
mod tree;
mod verify;
mod write;

pub use error::{VaultError, VaultErrorKind};
pub use handle::Vault;
pub use keys::OPEN_PASSPHRASE;
pub use name::encode_name;
pub use open::VaultOptions;
pub use passphrase::Passphrase;
pub use read::{Entry, EntryReader};
pub use record::{BackupId, BackupRecord, DamagedRecord, Listing, MANIFEST};
pub use repair::RepairReport;
pub use store::{LocalStore, Presence, Store};
pub use verify::{Damage, VerifyOptions, VerifyProgressFn, VerifyReport};
pub use write::{CancelFlag, Progress, ProgressFn, StreamWriter, VaultWriter, WriteOptions, Written};
