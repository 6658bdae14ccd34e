//! The state database: what is known of backups, kept beside the project.

use crate::config::Config;
use crate::error::{Error, Result};
use dbkeep::{Database, Settings, params};
use jiff::Timestamp;
use std::path::Path;

/// The program's own memory, a small SQLite database.
pub(crate) struct State {
    database: Database,
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS verified_backups (backup TEXT PRIMARY KEY, verified_at TEXT NOT NULL)";

impl State {
    /// Opens the state database, and makes it first where there is none.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        if let Some(folder) = config.state.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::io(format_args!("the folder {} cannot be made", folder.display()), error))?;
        }
        let database = Database::open(settings(&config.state)?).await.map_err(|error| {
            Error::from(error).context(format!("the state database {} cannot be opened", config.state.display()))
        })?;
        database.script(SCHEMA).await?;
        Ok(Self { database })
    }

    /// Opens the state database if there is one.
    pub(crate) async fn open_if_there(config: &Config) -> Result<Option<Self>> {
        if config.state.is_file() { Self::open(config).await.map(Some) } else { Ok(None) }
    }

    /// When a backup was last read back without finding damage.
    pub(crate) async fn verified_at(&self, backup: &str) -> Result<Option<Timestamp>> {
        let row = self
            .database
            .query_opt("SELECT verified_at FROM verified_backups WHERE backup = ?", params![backup])
            .await?;
        // A time that does not read as one is as good as none.
        Ok(row.map(|row| row.get::<String>(0)).transpose()?.and_then(|text| text.parse().ok()))
    }

    /// Notes that a backup was read back without finding damage.
    pub(crate) async fn record_verified(&self, backup: &str, when: Timestamp) -> Result<()> {
        self.database
            .execute(
                "INSERT INTO verified_backups (backup, verified_at) VALUES (?, ?) ON CONFLICT (backup) DO UPDATE SET verified_at = excluded.verified_at",
                params![backup, when.to_string()],
            )
            .await?;
        Ok(())
    }
}

fn settings(path: &Path) -> Result<Settings> {
    let mut settings = Settings::from_url("sqlite::memory:")?.named("state").pool_size(0, 1);
    settings.options.database = path.display().to_string();
    Ok(settings)
}
