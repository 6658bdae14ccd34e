//! Which databases there are: those of the file, and the one that the command line or the environment names.

use super::environment::encode;
use super::file::FileConfig;
use super::reader::duration;
use super::resolve::{Chosen, FILE, number};
use super::{Connection, NOTHING_SAID, Variables};
use crate::error::{Error, Result};
use dbkeep::engine::Location;
use dbkeep::{ConnectOptions, PoolSettings, Settings, TlsMode};
use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::path::Path;

/// The connections by name, and the name of the one that is meant when none is named.
pub(super) fn connections(
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
    // A connection named on the command line is the file's own: the environment's does not stand in for it, and neither
    // does the default, where the name is wrong or the file is not found.
    let named = chosen.connection.is_some();
    let given = match &chosen.url {
        Some(url) => Some((url.clone(), "--url")),
        None if named => None,
        None => from_environment(variables)?,
    };
    if given.is_none() && !named {
        file.notes.extend(ignored(variables));
    }
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
        None if all.is_empty() && !named => {
            let settings = Settings::from_url("sqlite://dbkeep.db")?.named(&name);
            all.insert(name.clone(), Connection { settings, origin: NOTHING_SAID.to_owned() });
        }
        None => {}
    }
    if !all.contains_key(&name) {
        let names: Vec<_> = all.keys().map(String::as_str).collect();
        return Err(Error::configuration(format!("there is no connection named {name:?}")).hint(match names.len() {
            0 => {
                "no connections are configured: change into the folder of dbkeep.toml, or name one with --config".into()
            }
            _ => format!("the connections are: {}", names.join(", ")),
        }));
    }
    for (connection_name, connection) in &mut all {
        pool_from_environment(variables, &mut connection.settings)
            .map_err(|error| error.context(format!("the pool of connection {connection_name:?} cannot be set up")))?;
        if connection.origin == "--url" {
            // What was typed counts from where it was typed.
            continue;
        }
        let options = &mut connection.settings.options;
        for path in [&mut options.tls_ca, &mut options.tls_cert, &mut options.tls_key].into_iter().flatten() {
            *path = root.join(&*path);
        }
        if options.engine.location() == Location::File && options.database != ":memory:" {
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

/// Names that mean a connection only beside DB_CONNECTION.
const PARTS: [&str; 6] = ["DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USERNAME", "DB_PASSWORD", "DB_SOCKET"];

/// What to say of variables that look like a connection and are none.
fn ignored(variables: &Variables) -> Option<String> {
    let set: Vec<_> = PARTS.into_iter().filter(|name| variables.get(name).is_some()).collect();
    let verb = if set.len() == 1 { "is" } else { "are" };
    (!set.is_empty()).then(|| format!("{} {verb} set but not used, since DB_CONNECTION is not set", set.join(", ")))
}

/// The URL of the environment: DATABASE_URL, or the parts of a Laravel-style `.env`.
fn from_environment(variables: &Variables) -> Result<Option<(String, &'static str)>> {
    let engine = variables.get("DB_CONNECTION");
    // A DB_CONNECTION of the process goes before a DATABASE_URL of .env.
    let overruled = engine.is_some() && variables.is_of_process("DB_CONNECTION");
    match variables.get("DATABASE_URL") {
        Some(url) if variables.is_of_process("DATABASE_URL") || !overruled => {
            return Ok(Some((url.to_owned(), "DATABASE_URL")));
        }
        _ => {}
    }
    let Some(engine) = engine else { return Ok(None) };
    let known = dbkeep::engine::engine_for(engine).ok_or_else(|| {
        Error::configuration(format!("DB_CONNECTION={engine} is not known"))
            .hint("it is one of mysql, mariadb, pgsql, sqlite")
    })?;
    let database = variables.get("DB_DATABASE");
    let url = match known.location() {
        Location::File => format!("{engine}://{}", encode_path(database.unwrap_or("dbkeep.db"))),
        _ => {
            let part = |name, usual| encode(variables.get(name).unwrap_or(usual));
            let user = match (variables.get("DB_USERNAME"), variables.get("DB_PASSWORD")) {
                (Some(user), Some(password)) => format!("{}:{}@", encode(user), encode(password)),
                (Some(user), None) => format!("{}@", encode(user)),
                (None, Some(_)) => {
                    return Err(Error::configuration("DB_PASSWORD is set, but DB_USERNAME is not")
                        .hint("set DB_USERNAME to the account the password belongs to"));
                }
                (None, None) => String::new(),
            };
            let host = match variables.get("DB_HOST").unwrap_or("127.0.0.1") {
                ipv6 if ipv6.parse::<Ipv6Addr>().is_ok() => format!("[{ipv6}]"),
                ipv6 if ipv6.starts_with('[') => ipv6.to_owned(),
                host if host.contains(':') => {
                    return Err(Error::configuration(format!("DB_HOST={host} is not a host"))
                        .hint("the port has a variable of its own, DB_PORT"));
                }
                host => encode(host),
            };
            let port = match variables.get("DB_PORT") {
                Some(port) => match port.trim().parse::<NonZeroU16>() {
                    Ok(port) => format!(":{port}"),
                    Err(_) => {
                        return Err(Error::configuration(format!("DB_PORT={port} is not a port"))
                            .hint("a port is a number from 1 to 65535"));
                    }
                },
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
    if variables.get("DB_POOL_MAX_CONNECTIONS").is_some_and(|value| value == "auto") {
        (pool.auto_size, pool.max) = (true, PoolSettings::AUTO_MAX);
    } else if let Some(max) = size("DB_POOL_MAX_CONNECTIONS")? {
        pool.max = max;
        pool.min = pool.min.min(max);
    }
    if let Some(min) = size("DB_POOL_MIN_CONNECTIONS")? {
        pool.min = min;
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
    Ok(settings.validate()?)
}
