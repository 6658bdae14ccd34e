//! Which of the sources wins: flag over environment over `.env` over dbkeep.toml over default.

use super::connections::connections;
use super::file::{self, FileConfig};
use super::reader::Source;
use super::{Backup, Config, Environment, Migrations, Monitor, PassphraseSource, Seeds, UNUSED_PASSPHRASE, Variables};
use crate::error::{Error, Result};
use dbkeep::engine::Secret;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the command line says of the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chosen {
    pub(crate) config: Option<PathBuf>,
    pub(crate) connection: Option<String>,
    pub(crate) url: Option<String>,
    /// Variables that the program sets for itself, above the process's own.
    pub(crate) variables: Variables,
}

pub(super) const FILE: &str = "dbkeep.toml";

/// Reads every source and settles what holds.
pub(crate) fn load(chosen: &Chosen, variables: Variables, here: &Path) -> Result<Config> {
    let variables = variables.under(&chosen.variables);
    let file = find(chosen, &variables, here)?;
    let root = file.as_deref().and_then(Path::parent).map_or_else(|| here.to_path_buf(), Path::to_path_buf);
    let root = if root.as_os_str().is_empty() { here.to_path_buf() } else { here.join(root) };
    let variables = variables.with_dotenv(&root.join(".env"))?;
    let mut from_file = match &file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::configuration(format!("{} cannot be read", path.display())).caused_by(&error)
            })?;
            file::parse(Source { file: path, text: &text, variables: &variables })?
        }
        None => FileConfig::default(),
    };
    let (default, connections) = connections(chosen, &variables, &mut from_file, &root)?;
    let encryption = flag(&variables, "DB_BACKUP_ENCRYPTION")?.or(from_file.encryption).unwrap_or(false);
    let passphrase = passphrase(&variables, &root);
    if passphrase.is_some() && !encryption {
        from_file.notes.push(UNUSED_PASSPHRASE.to_owned());
    }
    let path = |given: Option<PathBuf>, usual: &str| root.join(given.unwrap_or_else(|| PathBuf::from(usual)));
    if let Some(days) = number(&variables, "DB_BACKUP_RETENTION_DAYS")? {
        from_file.notes.push(format!("DB_BACKUP_RETENTION_DAYS={days} is read, but this version removes no backups"));
    }
    let backup_path = match variables.get("DB_BACKUP_PATH").map(str::to_owned).or(from_file.backup_path.take()) {
        Some(url) if url.contains("://") => {
            return Err(Error::configuration(format!("backup.path {url:?} is not a folder"))
                .hint("this version keeps backups in a local folder only; object stores come later"));
        }
        given => path(given.map(PathBuf::from), "storage/backups"),
    };
    Ok(Config {
        environment: environment(&variables, &from_file)?,
        default,
        connections,
        migrations: Migrations {
            dir: path(from_file.migrations_dir.take(), "migrations"),
            table: from_file.migrations_table.take().unwrap_or_else(|| "dbkeep_migrations".to_owned()),
        },
        seeds: Seeds { dir: path(from_file.seeds_dir.take(), "seeds") },
        backup: Backup {
            path: backup_path,
            compression: flag(&variables, "DB_BACKUP_COMPRESSION")?.or(from_file.compression).unwrap_or(true),
            encryption,
            passphrase,
        },
        monitor: monitor(&variables, from_file.monitor)?,
        state: path(from_file.state.take(), ".dbkeep/state.db"),
        notes: from_file.notes,
        root,
        file,
        variables,
    })
}

/// The file named by the flag or the environment, else the nearest dbkeep.toml upwards.
fn find(chosen: &Chosen, variables: &Variables, here: &Path) -> Result<Option<PathBuf>> {
    let named = match (&chosen.config, variables.get("DBKEEP_CONFIG")) {
        (Some(path), _) => Some((here.join(path), "--config")),
        (None, Some(path)) => Some((here.join(path), "DBKEEP_CONFIG")),
        (None, None) => None,
    };
    match named {
        Some((path, _)) if path.is_file() => Ok(Some(path)),
        Some((path, by)) => Err(Error::configuration(format!("there is no file {}, named by {by}", path.display()))
            .hint("dbkeep init writes a dbkeep.toml to begin with")),
        None => Ok(here.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file())),
    }
}

fn monitor(variables: &Variables, mut out: Monitor) -> Result<Monitor> {
    let milliseconds = |name| -> Result<Option<Duration>> { Ok(number(variables, name)?.map(Duration::from_millis)) };
    out.max_response_time = milliseconds("DB_MONITOR_MAX_RESPONSE_TIME")?.unwrap_or(out.max_response_time);
    out.max_query_time = milliseconds("DB_MONITOR_MAX_QUERY_TIME")?.unwrap_or(out.max_query_time);
    out.max_failed_connections =
        number(variables, "DB_MONITOR_MAX_FAILED_CONNECTIONS")?.unwrap_or(out.max_failed_connections);
    out.min_available_connections =
        number(variables, "DB_MONITOR_MIN_AVAILABLE_CONNECTIONS")?.unwrap_or(out.min_available_connections);
    if let Some(percent) = number(variables, "DB_MONITOR_MAX_POOL_UTIL")? {
        if percent > 100 {
            return Err(Error::configuration(format!("DB_MONITOR_MAX_POOL_UTIL={percent} is not a percentage")));
        }
        out.max_pool_utilization = percent as f64;
    }
    flag(variables, "DB_MONITOR_ENABLE_EMAIL_ALERTS")?;
    Ok(out)
}

/// DBKEEP_ENV over the file. APP_ENV, which belongs to the application, counts where the file says nothing, and where it
/// says production: whoever is wrong, the guards stay.
fn environment(variables: &Variables, file: &FileConfig) -> Result<Environment> {
    let unknown = |variable: &str, name: &str, hint: &str| {
        Err(Error::configuration(format!("{variable}={name} is not a known environment")).hint(hint))
    };
    if let Some(name) = variables.get("DBKEEP_ENV") {
        let hint = "it is one of development, test, staging, production";
        return Environment::parse(name).map_or_else(|| unknown("DBKEEP_ENV", name, hint), Ok);
    }
    match (file.environment, variables.get("APP_ENV").map(|name| (name, Environment::parse(name)))) {
        (_, Some((_, Some(Environment::Production)))) => Ok(Environment::Production),
        (Some(environment), _) | (None, Some((_, Some(environment)))) => Ok(environment),
        // An unknown environment is not taken for a harmless one.
        (None, Some((name, None))) => {
            unknown("APP_ENV", name, "set DBKEEP_ENV to development, test, staging or production")
        }
        (None, None) => Ok(Environment::default()),
    }
}

fn passphrase(variables: &Variables, root: &Path) -> Option<PassphraseSource> {
    let get = |name| variables.get(name);
    get("DBKEEP_BACKUP_PASSPHRASE")
        .map(|text| PassphraseSource::Given(Secret::new(text)))
        .or_else(|| get("DBKEEP_BACKUP_PASSPHRASE_FILE").map(|path| PassphraseSource::File(root.join(path))))
        .or_else(|| {
            get("DBKEEP_BACKUP_PASSPHRASE_COMMAND").map(|command| PassphraseSource::Command(command.to_owned()))
        })
}

pub(super) fn number(variables: &Variables, name: &str) -> Result<Option<u64>> {
    variables
        .get(name)
        .map(|value| {
            value.trim().parse().map_err(|_| Error::configuration(format!("{name}={value} is not a whole number")))
        })
        .transpose()
}

fn flag(variables: &Variables, name: &str) -> Result<Option<bool>> {
    match variables.get(name).map(|value| value.trim().to_ascii_lowercase()).as_deref() {
        None => Ok(None),
        Some("true" | "1" | "yes" | "on") => Ok(Some(true)),
        Some("false" | "0" | "no" | "off") => Ok(Some(false)),
        Some(value) => Err(Error::configuration(format!("{name}={value} is neither true nor false"))),
    }
}
