//! Which of the sources wins: flag over environment over `.env` over dbkeep.toml over default.

use super::environment::encode;
use super::file::{self, FileConfig};
use super::reader::{Source, duration};
use super::{
    Backup, Config, Connection, Environment, Migrations, Monitor, PassphraseSource, Seeds, UNUSED_PASSPHRASE, Variables,
};
use crate::error::{Error, Result};
use dbkeep::engine::{Location, Secret};
use dbkeep::{ConnectOptions, Settings, TlsMode};
use std::collections::BTreeMap;
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

const FILE: &str = "dbkeep.toml";

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

fn connections(
    chosen: &Chosen,
    variables: &Variables,
    file: &mut FileConfig,
    root: &Path,
) -> Result<(String, BTreeMap<String, Connection>)> {
    let mut all: BTreeMap<String, Connection> = file
        .connections
        .drain(..)
        .map(|settings| (settings.name.clone(), Connection { settings, origin: FILE.to_owned() }))
        .collect();
    let usual = match (&file.default, all.len()) {
        (Some(name), _) => name.clone(),
        (None, 1) => all.keys().next().cloned().unwrap_or_default(),
        (None, _) => "default".to_owned(),
    };
    let name = chosen.connection.clone().unwrap_or_else(|| usual.clone());
    // A connection named on the command line and known to the file is not replaced by the environment's.
    let named = chosen.connection.is_some() && all.contains_key(&name);
    let given = match &chosen.url {
        Some(url) => Some((url.clone(), "--url")),
        None if named => None,
        None => from_environment(variables)?,
    };
    match given {
        Some((url, origin)) => {
            let template = all.get(&name).map(|known| known.settings.clone());
            let mut settings = Settings::from_url(&url)
                .map_err(|error| Error::from(error).context(format!("the URL given by {origin} is wrong")))?;
            if let Some(template) = template {
                if origin != "--url" {
                    settings.options = with_the_rest(settings.options, &template.options);
                }
                (settings.pool, settings.slow_query, settings.log_queries) =
                    (template.pool, template.slow_query, template.log_queries);
            }
            all.insert(name.clone(), Connection { settings: settings.named(&name), origin: origin.to_owned() });
        }
        None if all.is_empty() => {
            let settings = Settings::from_url("sqlite://dbkeep.db")?.named(&name);
            all.insert(name.clone(), Connection { settings, origin: "default".to_owned() });
        }
        None => {}
    }
    if !all.contains_key(&name) {
        let names: Vec<_> = all.keys().map(String::as_str).collect();
        return Err(Error::configuration(format!("there is no connection named {name:?}"))
            .hint(format!("the connections are: {}", names.join(", "))));
    }
    for (connection_name, connection) in &mut all {
        pool_from_environment(variables, &mut connection.settings)
            .map_err(|error| error.context(format!("the pool of connection {connection_name:?} cannot be set up")))?;
        let options = &mut connection.settings.options;
        if options.engine.location() == Location::File && options.database != ":memory:" && connection.origin != "--url"
        {
            options.database = root.join(&options.database).display().to_string();
        }
    }
    Ok((name, all))
}

/// A URL from the environment takes the place of the file's `url`, and of that alone: what the file says beside it still
/// holds, TLS above all, unless the URL says otherwise or is of another engine.
fn with_the_rest(mut from: ConnectOptions, file: &ConnectOptions) -> ConnectOptions {
    if from.engine.name() != file.engine.name() {
        return from;
    }
    if from.tls == TlsMode::default() {
        from.tls = file.tls;
    }
    let (session, rest) = (&mut from.session, &file.session);
    for (to, other) in [
        (&mut session.charset, &rest.charset),
        (&mut session.collation, &rest.collation),
        (&mut session.sql_mode, &rest.sql_mode),
        (&mut session.time_zone, &rest.time_zone),
        (&mut session.application_name, &rest.application_name),
    ] {
        *to = to.take().or_else(|| other.clone());
    }
    for (to, other) in [
        (&mut session.wait_timeout, rest.wait_timeout),
        (&mut session.statement_timeout, rest.statement_timeout),
        (&mut session.lock_timeout, rest.lock_timeout),
    ] {
        *to = to.or(other);
    }
    for (to, other) in
        [(&mut from.tls_ca, &file.tls_ca), (&mut from.tls_cert, &file.tls_cert), (&mut from.tls_key, &file.tls_key)]
    {
        *to = to.take().or_else(|| other.clone());
    }
    from
}

/// The URL of the environment: DATABASE_URL, or the parts of a Laravel-style `.env`.
fn from_environment(variables: &Variables) -> Result<Option<(String, &'static str)>> {
    if let Some(url) = variables.get("DATABASE_URL") {
        return Ok(Some((url.to_owned(), "DATABASE_URL")));
    }
    let Some(engine) = variables.get("DB_CONNECTION") else { return Ok(None) };
    let known = dbkeep::engine::engine_for(engine).ok_or_else(|| {
        Error::configuration(format!("DB_CONNECTION={engine} is not known"))
            .hint("it is one of mysql, mariadb, pgsql, sqlite")
    })?;
    let database = variables.get("DB_DATABASE");
    let url = match known.location() {
        Location::File => format!("{engine}:{}", encode_path(database.unwrap_or("dbkeep.db"))),
        _ => {
            let part = |name, usual| encode(variables.get(name).unwrap_or(usual));
            let user = match (variables.get("DB_USERNAME"), variables.get("DB_PASSWORD")) {
                (Some(user), Some(password)) => format!("{}:{}@", encode(user), encode(password)),
                (Some(user), None) => format!("{}@", encode(user)),
                (None, Some(_)) => return Err(Error::configuration("DB_PASSWORD is set, but DB_USERNAME is not")),
                (None, None) => String::new(),
            };
            let host = match variables.get("DB_HOST").unwrap_or("127.0.0.1") {
                ipv6 if ipv6.contains(':') && !ipv6.starts_with('[') => format!("[{ipv6}]"),
                ipv6 if ipv6.starts_with('[') => ipv6.to_owned(),
                host => encode(host),
            };
            let port = match variables.get("DB_PORT") {
                Some(port) => format!(
                    ":{}",
                    port.parse::<u16>().map_err(|_| Error::configuration(format!("DB_PORT={port} is not a port")))?
                ),
                None => String::new(),
            };
            let socket = variables.get("DB_SOCKET").map(|path| format!("?socket={}", encode(path))).unwrap_or_default();
            format!("{engine}://{user}{host}{port}/{}{socket}", part("DB_DATABASE", ""))
        }
    };
    Ok(Some((url, "DB_CONNECTION")))
}

fn encode_path(path: &str) -> String {
    path.split('/').map(encode).collect::<Vec<_>>().join("/").replace("%3A", ":")
}

fn pool_from_environment(variables: &Variables, settings: &mut Settings) -> Result<()> {
    let pool = &mut settings.pool;
    let size = |name| -> Result<Option<usize>> {
        Ok(number(variables, name)?.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    };
    if let Some(max) = size("DB_POOL_MAX_CONNECTIONS")? {
        pool.max = max;
        pool.min = pool.min.min(max);
    }
    if let Some(min) = size("DB_POOL_MIN_CONNECTIONS")? {
        pool.min = min;
    }
    if pool.max == 0 || pool.min > pool.max {
        return Err(Error::configuration(format!("min {} and max {} do not fit together", pool.min, pool.max)));
    }
    for (name, to) in [
        ("DB_POOL_TIMEOUT", &mut pool.acquire_timeout),
        ("DB_POOL_IDLE_TIMEOUT", &mut pool.idle_timeout),
        ("DB_POOL_MAX_LIFETIME", &mut pool.max_lifetime),
    ] {
        if let Some(value) = variables.get(name) {
            *to = duration(value)
                .ok_or_else(|| Error::configuration(format!("{name}={value} is not a number of seconds")))?;
        }
    }
    Ok(())
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

fn environment(variables: &Variables, file: &FileConfig) -> Result<Environment> {
    // APP_ENV is where Laravel-style applications say it.
    match variables.get("DBKEEP_ENV").or_else(|| variables.get("APP_ENV")) {
        Some(name) => Environment::parse(name).map_or_else(
            // An unknown environment is not taken for a harmless one.
            || {
                Err(Error::configuration(format!("the environment {name:?} is not known"))
                    .hint("it is one of development, test, staging, production"))
            },
            Ok,
        ),
        None => Ok(file.environment.unwrap_or_default()),
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

fn number(variables: &Variables, name: &str) -> Result<Option<u64>> {
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
