//! How is a vault opened, and how is one made?

use std::path::PathBuf;
use std::sync::Arc;

use rustic_core::repofile::{ConfigFile, FileType, MasterKey};
use rustic_core::{ConfigOptions, Credentials, Id, KeyOptions, Repository, RepositoryBackends, RepositoryOptions};
use zeroize::Zeroize;

use super::chunk::CutRule;
use super::error::{VaultError, VaultErrorKind};
use super::handle::Vault;
use super::keys;
use super::passphrase::Passphrase;
use super::seal::Sealer;
use super::store::{LocalStore, Presence, RusticStore, Store};

/// How a vault is used.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct VaultOptions {
    /// Whether what is written is compressed (zstd, level 3). Default: yes. What is stored already stays as it is.
    pub compression: bool,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self { compression: true }
    }
}

impl VaultOptions {
    /// Sets [`compression`](Self::compression).
    #[must_use]
    pub fn compression(mut self, compression: bool) -> Self {
        self.compression = compression;
        self
    }
}

impl Vault {
    /// Opens the vault in a local directory, and makes it first if the directory is missing or empty.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotAVault`] when the directory holds something else, which is left alone; others as for
    /// [`open`](Self::open).
    pub fn open_or_init(
        path: impl Into<PathBuf>,
        passphrase: &Passphrase,
        options: &VaultOptions,
    ) -> Result<Self, VaultError> {
        Self::open_or_init_store(Arc::new(LocalStore::new(path)), passphrase, options)
    }

    /// Opens the vault in a local directory. Writes nothing, so it may be on a read-only medium.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::NotAVault`], [`WrongPassphrase`](VaultErrorKind::WrongPassphrase),
    /// [`Damaged`](VaultErrorKind::Damaged) when no key file or no configuration can be read,
    /// [`NewerFormat`](VaultErrorKind::NewerFormat), [`AccessDenied`](VaultErrorKind::AccessDenied) or
    /// [`Io`](VaultErrorKind::Io).
    pub fn open(path: impl Into<PathBuf>, passphrase: &Passphrase, options: &VaultOptions) -> Result<Self, VaultError> {
        Self::open_store(Arc::new(LocalStore::new(path)), passphrase, options)
    }

    /// [`open_or_init`](Self::open_or_init) for any store.
    ///
    /// # Errors
    ///
    /// Those of [`open_or_init`](Self::open_or_init).
    pub fn open_or_init_store(
        store: Arc<dyn Store>,
        passphrase: &Passphrase,
        options: &VaultOptions,
    ) -> Result<Self, VaultError> {
        if matches!(store.presence()?, Presence::Absent | Presence::Unfinished) {
            init(&store, passphrase)?;
        }
        Self::open_store(store, passphrase, options)
    }

    /// [`open`](Self::open) for any store.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_store(
        store: Arc<dyn Store>,
        passphrase: &Passphrase,
        options: &VaultOptions,
    ) -> Result<Self, VaultError> {
        let place = store.location();
        let not_a_vault = |why: &str, hint: &str| {
            Err(VaultError::new(VaultErrorKind::NotAVault, format!("`{place}` {why}")).with_hint(hint))
        };
        match store.presence()? {
            Presence::Vault => {}
            Presence::Absent => {
                return not_a_vault(
                    "holds no backups",
                    "make a first one with `dbkeep backup`, or check [backup] path",
                );
            }
            Presence::Unfinished => {
                return not_a_vault(
                    "is a vault whose making was interrupted",
                    "the next `dbkeep backup` makes it anew",
                );
            }
            Presence::Incomplete => {
                let message = format!("the vault at `{place}` lacks its file `config` or its folder `keys`");
                return Err(VaultError::damaged(message).with_hint(
                    "put them back from a copy of the vault: without them none of its backups can be read",
                ));
            }
            Presence::Foreign => {
                return not_a_vault("holds other files and is no vault", "point [backup] path at an empty directory");
            }
        }
        let sealed = store.read(FileType::Config, &Id::default())?;
        let mut master = keys::unlock(&*store, passphrase, &sealed)?;
        let opened = Self::with_key(store, &master, &sealed, options);
        wipe(&mut master);
        opened
    }

    fn with_key(
        store: Arc<dyn Store>,
        master: &MasterKey,
        sealed: &[u8],
        options: &VaultOptions,
    ) -> Result<Self, VaultError> {
        let json = Sealer::new(master, false)?.open_file(sealed, "the configuration")?;
        let config: ConfigFile = serde_json::from_slice(&json)
            .map_err(|err| VaultError::damaged("the configuration cannot be understood").with_source(err))?;
        if !(1..=2).contains(&config.version) {
            let message = format!("the vault at `{}` has format version {}", store.location(), config.version);
            return Err(VaultError::new(VaultErrorKind::NewerFormat, message)
                .with_hint("use a newer version of dbkeep, which knows it"));
        }
        // Version 1 knows no compression.
        let sealer = Sealer::new(master, options.compression && config.version >= 2)?;
        let rule = CutRule::from_config(&config)?;
        Ok(Self { store, sealer, config: Arc::new(config), rule, index: Arc::default() })
    }
}

/// Makes a vault. The configuration is written last: with it, the vault exists.
///
/// Several processes may do so at once. The store takes one configuration only, so one of them wins; the others remove
/// their keys, which open nothing, and so does the winner with keys that were there before.
fn init(store: &Arc<dyn Store>, passphrase: &Passphrase) -> Result<(), VaultError> {
    store.create()?;
    let mut stale: Vec<Id> = store.list(FileType::Key)?.into_iter().map(|(id, _)| id).collect();
    let mut master = MasterKey::new();
    let made = keys::add_first(&**store, &master, passphrase).and_then(|keys| {
        let backends = RepositoryBackends::new(Arc::new(RusticStore(store.clone())), None);
        let made = Repository::new(&RepositoryOptions::default().no_cache(true), &backends).and_then(|repository| {
            repository.init(&Credentials::Masterkey(master.clone()), &KeyOptions::default(), &ConfigOptions::default())
        });
        match made.map_err(|err| VaultError::from_rustic(&format!("make a vault at `{}`", store.location()), &err)) {
            Ok(_) => Ok(()),
            // Another process has made the vault meanwhile.
            Err(_) if store.presence()? == Presence::Vault => {
                stale = keys;
                Ok(())
            }
            Err(err) => Err(err),
        }
    });
    wipe(&mut master);
    made?;
    for key in stale {
        match store.remove(FileType::Key, &key) {
            Err(err) if err.kind() != VaultErrorKind::NotFound => return Err(err),
            _ => {}
        }
    }
    Ok(())
}

fn wipe(key: &mut MasterKey) {
    key.encrypt.zeroize();
    key.mac.k.zeroize();
    key.mac.r.zeroize();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_vault_of_a_newer_format_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Vault::open_or_init(directory.path(), &Passphrase::none(), &VaultOptions::default());
        let vault = open().unwrap();
        let rewrite = |json: &str| {
            let sealed = vault.sealer.encrypt(json.as_bytes()).unwrap();
            std::fs::write(directory.path().join("config"), sealed).unwrap();
            open().unwrap_err()
        };
        let err = rewrite(&serde_json::to_string(&ConfigFile { version: 3, ..(*vault.config).clone() }).unwrap());
        assert_eq!(err.kind(), VaultErrorKind::NewerFormat);
        assert_eq!(err.to_string(), format!("the vault at `{}` has format version 3", directory.path().display()));
        assert_eq!(err.hint(), Some("use a newer version of dbkeep, which knows it"));
        assert_eq!(rewrite("{}").to_string(), "the configuration cannot be understood");
    }
}
