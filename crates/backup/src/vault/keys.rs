//! Which key opens the vault? Key files, as restic writes them.
//!
//! The master key is random. Each key file holds it, encrypted under a key derived from a passphrase by scrypt. They
//! are opened here and not by rustic_core, so that a damaged key file does not hide a good one, a key file made to
//! exhaust memory is refused, and the vault without a passphrase need not pay for a derivation that protects nothing.

use jiff::Zoned;
use rustic_core::Id;
use rustic_core::repofile::{FileType, KeyFile, MasterKey};
use zeroize::Zeroizing;

use super::error::{VaultError, VaultErrorKind};
use super::passphrase::Passphrase;
use super::seal::{Sealer, content_id};
use super::store::Store;

/// log2(N) for a passphrase: 128 MiB of memory, about half a second. rustic's and scrypt's recommendation; restic
/// calibrates to the same half second.
const STRONG_LOG_N: u8 = 17;
/// log2(N) for a passphrase that everybody knows: cheap, 1 MiB.
const OPEN_LOG_N: u8 = 10;
const R: u32 = 8;
const P: u32 = 1;
/// The most memory in bytes, and the most work compared with ours, that a key file may ask for.
const MEMORY_LIMIT: u64 = 1 << 31;
const WORK_LIMIT: u64 = 64;

/// What also opens a vault that was made without a passphrase: restic before 0.17 takes no empty one.
pub const OPEN_PASSPHRASE: &str = "dbkeep";

/// Writes the first key files of a vault. Returns their names.
pub(super) fn add_first(store: &dyn Store, master: &MasterKey, passphrase: &Passphrase) -> Result<Vec<Id>, VaultError> {
    let mut keys = vec![add(store, master, passphrase, passphrase.is_none())?];
    if passphrase.is_none() {
        keys.push(add(store, master, &Passphrase::new(OPEN_PASSPHRASE), true)?);
    }
    Ok(keys)
}

/// Writes a key file that lets `passphrase` open `master`; `known` says that the passphrase is no secret.
fn add(store: &dyn Store, master: &MasterKey, passphrase: &Passphrase, known: bool) -> Result<Id, VaultError> {
    let log_n = if known { OPEN_LOG_N } else { STRONG_LOG_N };
    let mut salt = vec![0; 64];
    getrandom::fill(&mut salt).map_err(|err| {
        VaultError::new(VaultErrorKind::Io, "the operating system gives no random numbers").with_source(err.to_string())
    })?;
    let json = Zeroizing::new(serde_json::to_vec(master).map_err(|err| cannot_encode(&err))?);
    let key = KeyFile {
        hostname: None,
        username: None,
        created: Some(Zoned::now()),
        kdf: "scrypt".into(),
        n: 1 << log_n,
        r: R,
        p: P,
        data: derive(passphrase, log_n, R, P, &salt)?.encrypt(&json)?,
        salt,
    };
    let content = serde_json::to_vec(&key).map_err(|err| cannot_encode(&err))?;
    let id = content_id(&content);
    store.write(FileType::Key, &id, &[content.into()])?;
    Ok(id)
}

/// Finds the key file that `passphrase` opens, and that in turn opens `config`: an interrupted making may have left a key
/// that opens nothing.
pub(super) fn unlock(store: &dyn Store, passphrase: &Passphrase, config: &[u8]) -> Result<MasterKey, VaultError> {
    let files = store.list(FileType::Key)?;
    if files.is_empty() {
        return Err(VaultError::damaged(format!("the vault at `{}` has no key file", store.location())));
    }
    let mut unreadable = None;
    for (id, _) in files {
        match try_key(store, &id, passphrase) {
            Ok(Some(master)) if Sealer::new(&master, false)?.decrypt(config).is_some() => return Ok(master),
            Ok(Some(_)) => unreadable = Some(VaultError::damaged("the configuration is not what was written")),
            Ok(None) => {}
            Err(err) => unreadable = Some(err),
        }
    }
    // A key file that cannot be read might have been the right one: that is the more important news.
    if let Some(err) = unreadable {
        return Err(err);
    }
    let place = store.location();
    Err(if passphrase.is_none() {
        VaultError::new(VaultErrorKind::WrongPassphrase, format!("the vault at `{place}` needs a passphrase"))
            .with_hint("set encryption = true in [backup], and give the passphrase in DBKEEP_BACKUP_PASSPHRASE (or _FILE, _COMMAND)")
    } else {
        VaultError::new(VaultErrorKind::WrongPassphrase, format!("the passphrase does not open the vault at `{place}`"))
            .with_hint(
                "give the passphrase the vault was made with; if it was made without one, set encryption = false",
            )
    })
}

/// `None` when the passphrase does not fit this key file.
fn try_key(store: &dyn Store, id: &Id, passphrase: &Passphrase) -> Result<Option<MasterKey>, VaultError> {
    let damaged = || format!("the key file {}", id.to_hex().as_str());
    let content = store.read(FileType::Key, id)?;
    let key: KeyFile = serde_json::from_slice(&content)
        .map_err(|err| VaultError::damaged(format!("{} cannot be read", damaged())).with_source(err))?;
    if key.kdf != "scrypt" {
        return Err(VaultError::new(
            VaultErrorKind::NewerFormat,
            format!("{} uses `{}`, which is not known here", damaged(), key.kdf),
        ));
    }
    let (n, r, p) = (u64::from(key.n), u64::from(key.r), u64::from(key.p));
    let cost = n.saturating_mul(r).saturating_mul(p);
    let too_dear =
        128 * n.saturating_mul(r) > MEMORY_LIMIT || cost > WORK_LIMIT * u64::from(R * P) * (1 << STRONG_LOG_N);
    if !key.n.is_power_of_two() || key.n < 2 || key.r == 0 || key.p == 0 || too_dear {
        return Err(VaultError::damaged(format!("{} asks for an unreasonable key derivation", damaged())));
    }
    // The logarithm of a u32 is below 32.
    #[allow(clippy::cast_possible_truncation)]
    let log_n = key.n.trailing_zeros() as u8;
    let Some(json) = derive(passphrase, log_n, key.r, key.p, &key.salt)?.decrypt(&key.data) else {
        // Its name is its content's hash. A changed bit must not look like a wrong passphrase.
        return match content_id(&content) == *id {
            true => Ok(None),
            false => Err(VaultError::damaged(format!("{} is not what was written", damaged()))
                .with_hint("put it back from a copy of the vault: nothing else holds the key")),
        };
    };
    let master = serde_json::from_slice(&Zeroizing::new(json))
        .map_err(|_| VaultError::damaged(format!("{} holds no master key", damaged())))?;
    Ok(Some(master))
}

fn derive(passphrase: &Passphrase, log_n: u8, r: u32, p: u32, salt: &[u8]) -> Result<Sealer, VaultError> {
    let unusable =
        |err: &dyn std::fmt::Display| VaultError::damaged(format!("a key file has unusable parameters: {err}"));
    let params = scrypt::Params::new(log_n, r, p).map_err(|err| unusable(&err))?;
    let mut key = Zeroizing::new([0; 64]);
    scrypt::scrypt(passphrase.reveal(), salt, &params, &mut *key).map_err(|err| unusable(&err))?;
    Ok(Sealer::from_bytes(&*key, false))
}

fn cannot_encode(err: &serde_json::Error) -> VaultError {
    VaultError::new(VaultErrorKind::Io, "a key file cannot be encoded").with_source(err.to_string())
}
