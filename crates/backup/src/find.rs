//! Which backup is meant.

use crate::vault::{BackupRecord, Vault, VaultErrorKind};
use crate::{BackupError, Result, blocking};
use dbkeep::Settings;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The backup called `which`: an id, the beginning of one, or `latest`, which is the newest backup of the database that
/// `source` names. Where the vault holds backups of one other database alone, it is the newest of those: a database that was
/// lost may come back under another name.
///
/// # Errors
/// When there is none, several ids begin like this, `latest` may be one of several databases' backups, or the backup cannot
/// be read.
pub async fn find(vault: &Vault, which: &str, source: &Settings) -> Result<BackupRecord> {
    let (vault, which) = (vault.clone(), which.to_owned());
    let wanted = Source { engine: source.options.engine.name().into(), source: source.options.target() };
    blocking(move || {
        if which != "latest" {
            return Ok(vault.find(&which)?);
        }
        // A manifest that does not say what it is of is looked at, so that what is wrong with it is said.
        match vault.latest(|record| Source::of(record).is_none_or(|source| source == wanted)) {
            Err(error) if error.kind() == VaultErrorKind::NotFound => {}
            outcome => return Ok(outcome?),
        }
        // In the order of time: the newest of each stays.
        let sources: BTreeMap<Source, BackupRecord> =
            vault.list()?.backups.into_iter().filter_map(|record| Some((Source::of(&record)?, record))).collect();
        if sources.len() < 2 {
            return Ok(vault.find("latest")?);
        }
        let newest: Vec<String> =
            sources.iter().map(|(source, record)| format!("{} ({})", source.source, record.id.short())).collect();
        Err(BackupError::unfit(
            format!(
                "there is no backup of {}, and the latest may be one of several databases': {}",
                wanted.source,
                newest.join(", ")
            ),
            "name the backup by its id; `dbkeep backup list` shows them all",
        ))
    })
    .await
}

/// What a backup is of, as far as a manifest of any version says it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Source {
    engine: String,
    source: String,
}

impl Source {
    fn of(record: &BackupRecord) -> Option<Self> {
        serde_json::from_slice(&record.manifest).ok()
    }
}
