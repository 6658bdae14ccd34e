//! Connection URLs: `mysql://app:secret@db.internal:3306/shop?tls=verify-full`, `sqlite://shop.db`.

use crate::{ConnectOptions, Error, ErrorKind, Location, Result, Secret, TlsMode, engine_for, schemes};
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The parameters after `?`, with other tools' names for them.
const PARAMETERS: [(&str, &[&str]); 18] = [
    ("tls", &["sslmode", "ssl-mode", "ssl_mode"]),
    ("tls_ca", &["sslrootcert", "ssl-ca", "ssl_ca"]),
    ("tls_cert", &["sslcert", "ssl-cert", "ssl_cert"]),
    ("tls_key", &["sslkey", "ssl-key", "ssl_key"]),
    ("socket", &["unix_socket", "host"]),
    ("password_file", &[]),
    ("charset", &["client_encoding"]),
    ("collation", &[]),
    ("sql_mode", &[]),
    ("time_zone", &["timezone"]),
    ("wait_timeout", &[]),
    ("statement_timeout", &[]),
    ("lock_timeout", &["busy_timeout"]),
    ("connect_timeout", &[]),
    ("connect_attempts", &[]),
    ("application_name", &[]),
    ("statement_cache", &["statement-cache-capacity"]),
    ("mode", &[]),
];

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Options, message)
}

impl FromStr for ConnectOptions {
    type Err = Error;

    /// Reads a connection URL. Errors never repeat the URL, since a password may stand in it.
    fn from_str(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(wrong("this is no connection URL: it does not begin with a scheme and a colon")
                .with_hint(known_schemes()));
        };
        let engine = engine_for(scheme).ok_or_else(|| {
            let plain = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            let shown = if plain { scheme } else { "…" };
            wrong(format!("the URL scheme {shown:?} is not known")).with_hint(known_schemes())
        })?;
        match engine.location() {
            Location::File => file(Self::new(engine, ""), rest),
            Location::Server { .. } => server(Self::new(engine, ""), text),
        }
    }
}

fn known_schemes() -> String {
    format!("the schemes are: {}", schemes().collect::<Vec<_>>().join(", "))
}

fn file(mut options: ConnectOptions, rest: &str) -> Result<ConnectOptions> {
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = path.strip_prefix("//").unwrap_or(path);
    options.database = decode(path, "path")?;
    if options.database.is_empty() {
        let scheme = options.engine.schemes().first().copied().unwrap_or("file");
        return Err(wrong("the URL names no file").with_hint(format!("as in {scheme}://shop.db, or {scheme}::memory:")));
    }
    for (name, value) in pairs(query)? {
        match (name.as_str(), value.as_str()) {
            ("mode", "ro") => (options.read_only, options.create) = (true, false),
            ("mode", "rw") => options.create = false,
            ("mode", "rwc") => options.create = true,
            ("mode", "memory") => options.database = ":memory:".to_owned(),
            ("mode", _) => {
                return Err(wrong(format!("mode={value} is not known")).with_hint("mode is ro, rw, rwc or memory"));
            }
            _ => apply(&mut options, &name, &value)?,
        }
    }
    Ok(options)
}

fn server(mut options: ConnectOptions, text: &str) -> Result<ConnectOptions> {
    let parsed = url::Url::parse(text).map_err(|error| {
        wrong(format!("this is no connection URL: {error}"))
            .with_hint("as in scheme://user:password@host:port/database; special characters in the password are written %XX, @ as %40")
    })?;
    if parsed.cannot_be_a_base() {
        return Err(
            wrong("the URL lacks // after its scheme").with_hint("as in scheme://user:password@host:port/database")
        );
    }
    if parsed.fragment().is_some() {
        return Err(wrong("the URL holds a #").with_hint("in a password or a name, # is written %23"));
    }
    match parsed.host_str() {
        Some(host) if !host.is_empty() => {
            let host = decode(host, "host")?;
            match host.strip_prefix('/') {
                Some(_) => options.socket = Some(PathBuf::from(host)),
                None => options.host = host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            }
        }
        _ => {}
    }
    options.port = parsed.port();
    if options.port == Some(0) {
        return Err(wrong("port 0 cannot be connected to"));
    }
    if !parsed.username().is_empty() {
        options.user = Some(decode(parsed.username(), "user")?);
    }
    if let Some(password) = parsed.password() {
        options.password = Some(Secret::new(decode(password, "password")?));
    }
    let database = decode(parsed.path().trim_start_matches('/'), "database")?;
    if database.contains('/') {
        return Err(wrong("the URL's path holds more than the name of a database"));
    }
    options.database = database;
    for (name, value) in pairs(parsed.query())? {
        match name.as_str() {
            "mode" => match value.as_str() {
                "ro" => options.read_only = true,
                "rw" => options.read_only = false,
                _ => return Err(wrong(format!("mode={value} is not known")).with_hint("mode is ro or rw")),
            },
            _ => apply(&mut options, &name, &value)?,
        }
    }
    Ok(options)
}

fn apply(options: &mut ConnectOptions, name: &str, value: &str) -> Result<()> {
    let text = || Some(value.to_owned());
    let path = || Some(PathBuf::from(value));
    match name {
        "tls" => {
            options.tls = TlsMode::parse(value).ok_or_else(|| {
                let names: Vec<_> = TlsMode::NAMES.iter().map(|(name, _)| *name).collect();
                wrong(format!("tls={value} is not known")).with_hint(format!("tls is one of {}", names.join(", ")))
            })?;
        }
        "tls_ca" => options.tls_ca = path(),
        "tls_cert" => options.tls_cert = path(),
        "tls_key" => options.tls_key = path(),
        "socket" => options.socket = path(),
        "password_file" => options.password = Some(password_from(value)?),
        "charset" => options.session.charset = text(),
        "collation" => options.session.collation = text(),
        "sql_mode" => options.session.sql_mode = text(),
        "time_zone" => options.session.time_zone = text(),
        "wait_timeout" => options.session.wait_timeout = Some(duration(name, value)?),
        "statement_timeout" => options.session.statement_timeout = Some(duration(name, value)?),
        "lock_timeout" => options.session.lock_timeout = Some(duration(name, value)?),
        "connect_timeout" => options.connect_timeout = duration(name, value)?,
        "connect_attempts" => {
            options.connect_attempts = value
                .parse()
                .ok()
                .filter(|attempts| (1..=100).contains(attempts))
                .ok_or_else(|| wrong(format!("connect_attempts={value} is not a number from 1 to 100")))?;
        }
        "application_name" => options.session.application_name = text(),
        "statement_cache" => {
            options.statement_cache =
                value.parse().map_err(|_| wrong(format!("statement_cache={value} is not a number of statements")))?;
        }
        _ => return Err(wrong(format!("the URL's parameter {name:?} is not known"))),
    }
    Ok(())
}

/// Seconds, or a number with `ms`, `s`, `m`, `h` or `d`.
fn duration(name: &str, value: &str) -> Result<Duration> {
    let unit_at = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (digits, unit) = value.split_at(unit_at);
    let milliseconds = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    milliseconds
        .zip(digits.parse::<u64>().ok())
        .and_then(|(unit, number)| number.checked_mul(unit))
        .map(Duration::from_millis)
        .ok_or_else(|| wrong(format!("{name}={value} is not a duration")).with_hint("as in 500ms, 30s, 5m, 1h"))
}

/// The first line of a file, as Docker and Kubernetes hand secrets over.
fn password_from(path: &str) -> Result<Secret> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("the password file {path} cannot be read")).with_source(error))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(wrong(format!("the password file {path} is empty"))),
    }
}

/// The parameters under their proper names.
fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for pair in query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name, "parameter")?;
        let known = PARAMETERS.iter().find(|(known, others)| *known == name || others.contains(&name.as_str()));
        let Some((known, _)) = known else {
            let all: Vec<_> = PARAMETERS.iter().map(|(known, _)| *known).collect();
            return Err(wrong(format!("the URL's parameter {name:?} is not known"))
                .with_hint(format!("the parameters are: {}", all.join(", "))));
        };
        pairs.push(((*known).to_owned(), decode(value, "parameter")?));
    }
    Ok(pairs)
}

fn decode(text: &str, what: &str) -> Result<String> {
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| wrong(format!("the URL's {what} is not UTF-8 once its %XX are decoded")))?;
    if text.contains('\0') {
        return Err(wrong(format!("the URL's {what} holds a NUL character")));
    }
    Ok(text.into_owned())
}
