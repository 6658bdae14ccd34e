//! What the program works with: flag over environment over `.env` over dbkeep.toml over default.

mod connections;
mod environment;
mod file;
mod reader;
mod resolve;
#[cfg(test)]
mod tests;

pub(crate) use environment::Variables;
pub(crate) use resolve::{Chosen, load};

use dbkeep::Settings;
use dbkeep::engine::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What is said to those who set a passphrase and leave encryption off.
pub(crate) const UNUSED_PASSPHRASE: &str =
    "a backup passphrase is set, but backup.encryption is false: backups are not protected by it";

/// Where a connection's URL comes from when nothing names one.
pub(crate) const NOTHING_SAID: &str = "default";

/// Everything the program was told, with every default filled in.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The folder relative paths count from: that of dbkeep.toml, or the current one.
    pub(crate) root: PathBuf,
    /// The configuration file, where there is one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Environment,
    /// The name of the connection that is meant when none is named.
    pub(crate) default: String,
    pub(crate) connections: BTreeMap<String, Connection>,
    pub(crate) migrations: Migrations,
    pub(crate) seeds: Seeds,
    pub(crate) backup: Backup,
    pub(crate) monitor: Monitor,
    pub(crate) state: PathBuf,
    /// What was understood but has no effect, for `config check`.
    pub(crate) notes: Vec<String>,
    /// The variables that may be used in values and seeds.
    pub(crate) variables: Variables,
}

/// A connection and where its URL came from.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) settings: Settings,
    pub(crate) origin: String,
}

/// Where the program runs. In production, destructive commands want the database's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Environment {
    #[default]
    Development,
    Test,
    Staging,
    Production,
}

impl Environment {
    const NAMES: [(&'static str, Self); 8] = [
        ("development", Self::Development),
        ("test", Self::Test),
        ("staging", Self::Staging),
        ("production", Self::Production),
        // What others call them.
        ("dev", Self::Development),
        ("local", Self::Development),
        ("testing", Self::Test),
        ("prod", Self::Production),
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, environment)| *environment)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, environment)| *environment == self).map_or("development", |(name, _)| name)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Migrations {
    pub(crate) dir: PathBuf,
    pub(crate) table: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Seeds {
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Clone)]
pub(crate) struct Backup {
    pub(crate) path: PathBuf,
    pub(crate) compression: bool,
    pub(crate) encryption: bool,
    pub(crate) passphrase: Option<PassphraseSource>,
}

/// Where the vault's passphrase comes from.
#[derive(Debug, Clone)]
pub(crate) enum PassphraseSource {
    Given(Secret),
    File(PathBuf),
    Command(String),
}

/// Thresholds of health checks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Monitor {
    pub(crate) interval: Duration,
    pub(crate) max_response_time: Duration,
    pub(crate) max_failed_connections: u64,
    pub(crate) max_pool_utilization: f64,
    pub(crate) max_query_time: Duration,
    pub(crate) min_available_connections: u64,
}

impl Default for Monitor {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            max_response_time: Duration::from_secs(5),
            max_failed_connections: 3,
            max_pool_utilization: 80.0,
            max_query_time: Duration::from_secs(10),
            min_available_connections: 2,
        }
    }
}
