//! dbkeep.toml: which keys there are, and what they say.

use super::reader::{Source, Table};
use super::{Environment, Monitor};
use crate::error::{Error, Result};
use dbkeep::pool::WhenDown;
use dbkeep::{PoolSettings, Settings, TlsMode};
use std::path::PathBuf;
use toml::de::DeTable;

const ROOT: [&str; 10] = [
    "default",
    "environment",
    "connections",
    "migrations",
    "seeds",
    "backup",
    "monitor",
    "schedule",
    "alerts",
    "state",
];
const CONNECTION: [&str; 18] = [
    "url",
    "read",
    "password_file",
    "tls",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "charset",
    "collation",
    "sql_mode",
    "time_zone",
    "wait_timeout",
    "statement_timeout",
    "lock_timeout",
    "application_name",
    "slow_query",
    "log_queries",
    "pool",
];
const POOL: [&str; 10] = [
    "max",
    "min",
    "acquire_timeout",
    "idle_timeout",
    "max_lifetime",
    "validate_after",
    "keepalive",
    "leak_threshold",
    "max_waiters",
    "when_down",
];
const MONITOR: [&str; 6] = [
    "interval",
    "max_response_time",
    "max_failed_connections",
    "max_pool_utilization",
    "max_query_time",
    "min_available_connections",
];
const RETENTION: [&str; 7] = ["days", "keep_last", "hourly", "daily", "weekly", "monthly", "yearly"];

/// What the file says; what it leaves out is `None`.
#[derive(Debug, Default)]
pub(super) struct FileConfig {
    pub(super) default: Option<String>,
    pub(super) environment: Option<Environment>,
    pub(super) connections: Vec<Settings>,
    pub(super) migrations_dir: Option<PathBuf>,
    pub(super) migrations_table: Option<String>,
    pub(super) seeds_dir: Option<PathBuf>,
    pub(super) backup_path: Option<String>,
    pub(super) compression: Option<bool>,
    pub(super) encryption: Option<bool>,
    pub(super) monitor: Monitor,
    pub(super) state: Option<PathBuf>,
    pub(super) notes: Vec<String>,
}

pub(super) fn parse(source: Source<'_>) -> Result<FileConfig> {
    let root = DeTable::parse(source.text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        source.error(at, format!("the configuration is not valid TOML: {}", error.message().replace('\n', ", ")))
    })?;
    let root = Table::new(source, "", root.get_ref(), &ROOT)?;
    let mut out = FileConfig { default: root.string("default")?, ..FileConfig::default() };
    if let Some(name) = root.string("environment")? {
        out.environment = Some(Environment::parse(&name).ok_or_else(|| {
            root.complain("environment", format_args!("{name:?} is not known"))
                .hint("it is one of development, test, staging, production")
        })?);
    }
    if let Some(connections) = root.table("connections", &[])? {
        for (name, table) in connections.tables(&CONNECTION)? {
            out.connections.push(connection(&name, &table)?);
        }
    }
    if let Some(table) = root.table("migrations", &["dir", "table"])? {
        out.migrations_dir = table.string("dir")?.map(PathBuf::from);
        out.migrations_table = table.string("table")?;
    }
    if let Some(table) = root.table("seeds", &["dir"])? {
        out.seeds_dir = table.string("dir")?.map(PathBuf::from);
    }
    if let Some(table) = root.table("backup", &["path", "compression", "encryption", "retention"])? {
        out.backup_path = table.string("path")?;
        out.compression = table.flag("compression")?;
        out.encryption = table.flag("encryption")?;
        if let Some(retention) = table.table("retention", &RETENTION)? {
            for key in RETENTION {
                retention.number(key, 1)?;
            }
            out.notes.push("[backup.retention] is read, but this version removes no backups".to_owned());
        }
    }
    if let Some(table) = root.table("monitor", &MONITOR)? {
        out.monitor = monitor(&table)?;
    }
    if let Some(table) = root.table("schedule", &["full", "incremental", "cleanup", "test"])? {
        for key in ["full", "incremental", "cleanup", "test"] {
            table.string(key)?;
        }
        out.notes.push("[schedule] is read, but this version runs nothing by itself".to_owned());
    }
    if let Some(table) = root.table("alerts", &[])? {
        for (name, alert) in table.tables(&[])? {
            if alert.string("type")?.is_none() {
                return Err(table.complain(&name, "has no type"));
            }
        }
        out.notes.push("[alerts] is read, but this version sends no alerts".to_owned());
    }
    if let Some(table) = root.table("state", &["path"])? {
        out.state = table.string("path")?.map(PathBuf::from);
    }
    Ok(out)
}

fn connection(name: &str, table: &Table<'_, '_>) -> Result<Settings> {
    let url = table.url("url")?.ok_or_else(|| {
        Error::configuration(format!("the connection {name:?} has no url"))
            .hint(format!("add url = \"…\" under [connections.{name}]"))
    })?;
    let mut settings = Settings::from_url(&url)
        .map_err(|error| {
            let mut out = table.complain("url", format_args!("is wrong: {error}"));
            out.hint = error.hint().map(str::to_owned);
            out
        })?
        .named(name);
    if table.has_entries("read")? {
        return Err(table
            .complain("read", "names replicas, but this version does not route reads to replicas")
            .hint("remove the key; all statements go to url"));
    }
    let options = &mut settings.options;
    if let Some(mode) = table.string("tls")? {
        options.tls = TlsMode::parse(&mode).ok_or_else(|| {
            let names: Vec<_> = TlsMode::NAMES.iter().map(|(name, _)| *name).collect();
            table
                .complain("tls", format_args!("{mode:?} is not known"))
                .hint(format!("it is one of {}", names.join(", ")))
        })?;
    }
    let path = |key| table.string(key).map(|value| value.map(PathBuf::from));
    options.tls_ca = path("tls_ca")?.or(options.tls_ca.take());
    options.tls_cert = path("tls_cert")?.or(options.tls_cert.take());
    options.tls_key = path("tls_key")?.or(options.tls_key.take());
    if let Some(file) = path("password_file")? {
        let text = std::fs::read_to_string(table.folder().join(&file))
            .map_err(|error| table.complain("password_file", "cannot be read").caused_by(&error))?;
        match text.lines().next() {
            Some(line) if !line.is_empty() => options.password = Some(line.into()),
            _ => return Err(table.complain("password_file", "is empty")),
        }
    }
    let session = &mut options.session;
    session.charset = table.string("charset")?.or(session.charset.take());
    session.collation = table.string("collation")?.or(session.collation.take());
    session.sql_mode = table.string("sql_mode")?.or(session.sql_mode.take());
    session.time_zone = table.string("time_zone")?.or(session.time_zone.take());
    session.application_name = table.string("application_name")?.or(session.application_name.take());
    session.wait_timeout = table.duration("wait_timeout")?.or(session.wait_timeout);
    session.statement_timeout = table.duration("statement_timeout")?.or(session.statement_timeout);
    session.lock_timeout = table.duration("lock_timeout")?.or(session.lock_timeout);
    if let Some(limit) = table.duration("slow_query")? {
        settings.slow_query = Some(limit);
    }
    settings.log_queries = table.flag("log_queries")?.unwrap_or(false);
    if let Some(pool) = table.table("pool", &POOL)? {
        let to = &mut settings.pool;
        let size = |number: Option<u64>| number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        if pool.is_word("max", "auto")? {
            (to.auto_size, to.max) = (true, PoolSettings::AUTO_MAX);
        } else {
            to.max = size(pool.number("max", 1)?).unwrap_or(to.max);
        }
        to.min = size(pool.number("min", 0)?).unwrap_or(to.min.min(to.max));
        to.acquire_timeout = pool.duration("acquire_timeout")?.unwrap_or(to.acquire_timeout);
        to.idle_timeout = pool.duration("idle_timeout")?.unwrap_or(to.idle_timeout);
        to.max_lifetime = pool.duration("max_lifetime")?.unwrap_or(to.max_lifetime);
        to.validate_after = pool.duration("validate_after")?.unwrap_or(to.validate_after);
        to.keepalive = pool.duration("keepalive")?.unwrap_or(to.keepalive);
        to.leak_threshold = pool.duration("leak_threshold")?.unwrap_or(to.leak_threshold);
        to.max_waiters = size(pool.number("max_waiters", 0)?).or(to.max_waiters);
        to.when_down = match pool.string("when_down")?.as_deref() {
            None => to.when_down,
            Some("fail") => WhenDown::Fail,
            Some("wait") => WhenDown::Wait,
            Some(_) => return Err(pool.complain("when_down", "is not known").hint("it is \"fail\" or \"wait\"")),
        };
        if to.min > to.max {
            return Err(pool.complain(
                if pool.has("min") { "min" } else { "max" },
                format_args!("does not fit: min is {}, max is {}", to.min, to.max),
            ));
        }
    }
    Ok(settings)
}

fn monitor(table: &Table<'_, '_>) -> Result<Monitor> {
    let default = Monitor::default();
    Ok(Monitor {
        interval: table.duration("interval")?.unwrap_or(default.interval),
        max_response_time: table.duration("max_response_time")?.unwrap_or(default.max_response_time),
        max_failed_connections: table.number("max_failed_connections", 1)?.unwrap_or(default.max_failed_connections),
        max_pool_utilization: table.percentage("max_pool_utilization")?.unwrap_or(default.max_pool_utilization),
        max_query_time: table.duration("max_query_time")?.unwrap_or(default.max_query_time),
        min_available_connections: table
            .number("min_available_connections", 0)?
            .unwrap_or(default.min_available_connections),
    })
}
