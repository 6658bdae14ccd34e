//! Connection URLs: `mysql://app:secret@db.internal:3306/shop?tls=verify-full`, `sqlite://shop.db`.

use crate::{ConnectOptions, Error, ErrorKind, Location, Result, Secret, TlsMode, engine_for, engines, schemes};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The parameters after `?`, with other tools' names for them.
const PARAMETERS: [(&str, &[&str]); 19] = [
    ("tls", &["sslmode", "ssl-mode", "ssl_mode"]),
    ("tls_ca", &["sslrootcert", "ssl-ca", "ssl_ca"]),
    ("tls_cert", &["sslcert", "ssl-cert", "ssl_cert"]),
    ("tls_key", &["sslkey", "ssl-key", "ssl_key"]),
    ("socket", &["unix_socket"]),
    ("host", &[]),
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

const FORM: &str = "as in scheme://user:password@host:port/database";

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Options, message)
}

impl FromStr for ConnectOptions {
    type Err = Error;

    /// Reads a connection URL. Errors never repeat the URL, since a password may stand in it.
    fn from_str(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(wrong("this is no connection URL: it does not begin with a scheme and a colon")
                .with_hint(known_schemes_and_files()));
        };
        let Some(engine) = engine_for(scheme) else {
            let plain = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            let shown = if plain && !scheme.is_empty() { scheme } else { "…" };
            return Err(wrong(format!("the URL scheme {shown:?} is not known")).with_hint(known_schemes()));
        };
        match engine.location() {
            Location::File => file(Self::new(engine, ""), rest),
            Location::Server { .. } => server(Self::new(engine, ""), text, rest),
        }
    }
}

fn known_schemes() -> String {
    format!("the schemes are: {}", schemes().collect::<Vec<_>>().join(", "))
}

/// With how a database that is a file is written: a bare path is what is given most often.
fn known_schemes_and_files() -> String {
    let of_files = engines().iter().find(|engine| engine.location() == Location::File);
    match of_files.and_then(|engine| engine.schemes().first()) {
        Some(scheme) => format!("{}; a database in a file is written {scheme}:shop.db", known_schemes()),
        None => known_schemes(),
    }
}

fn file(mut options: ConnectOptions, rest: &str) -> Result<ConnectOptions> {
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = path.strip_prefix("//").unwrap_or(path);
    options.database = decode(path, "path")?;
    let mut create = options.create;
    for pair in pairs(query)? {
        match (pair.name, pair.value.as_str()) {
            ("mode", "ro") => (options.read_only, create) = (true, false),
            ("mode", "rw") => (options.read_only, create) = (false, false),
            ("mode", "rwc") => (options.read_only, create) = (false, true),
            ("mode", "memory") => options.database = ":memory:".to_owned(),
            ("mode", _) => return Err(pair.wrong("is not known", "mode is ro, rw, rwc or memory")),
            _ => apply(&mut options, &pair)?,
        }
    }
    options.create = create;
    if options.database.is_empty() {
        let scheme = options.engine.schemes().first().copied().unwrap_or("file");
        return Err(wrong("the URL names no file").with_hint(format!("as in {scheme}://shop.db, or {scheme}::memory:")));
    }
    Ok(options)
}

fn server(mut options: ConnectOptions, text: &str, rest: &str) -> Result<ConnectOptions> {
    let Some(after) = rest.strip_prefix("//") else {
        return Err(wrong("the URL lacks // after its scheme").with_hint(FORM));
    };
    if text.contains(|c: char| c.is_ascii_control()) {
        // The standard for URLs has them left out, which would make another password of one that holds them.
        return Err(wrong("the URL holds a line break, a tab or another control character")
            .with_hint("in a password or a name, write it %XX"));
    }
    let parsed = url::Url::parse(&with_host(text, after)).map_err(|error| {
        // What the parser says is one of a few fixed sentences.
        wrong(format!("this is no connection URL: {error}")).with_hint(format!(
            "{FORM}; special characters in the password are written %XX: @ as %40, : as %3A, / as %2F, # as %23, ? as %3F"
        ))
    })?;
    if parsed.fragment().is_some() {
        return Err(wrong("the URL holds a #").with_hint("in a password or a name, # is written %23"));
    }
    if let Some(host) = parsed.host_str().filter(|host| !host.is_empty()) {
        set_host(&mut options, decode(host, "host")?);
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
    // Not the parser's own path, from which "." and ".." are gone.
    let path = &after[authority(after).len()..];
    let path = &path[..path.find('?').unwrap_or(path.len())];
    let database = path.strip_prefix('/').unwrap_or(path);
    if database.contains('/') {
        return Err(wrong("the URL's path holds more than the name of a database")
            .with_hint("in a name, / is written %2F; in a password, too"));
    }
    options.database = decode(database, "database")?;
    for pair in pairs(parsed.query())? {
        match (pair.name, pair.value.as_str()) {
            ("mode", "ro") => options.read_only = true,
            ("mode", "rw") => options.read_only = false,
            ("mode", _) => return Err(pair.wrong("is not known", "mode is ro or rw")),
            _ => apply(&mut options, &pair)?,
        }
    }
    Ok(options)
}

/// The URL with a host: `postgres://app@/shop?host=/run/postgresql` leaves it out, which the standard for URLs forbids.
fn with_host<'t>(text: &'t str, after: &str) -> Cow<'t, str> {
    let authority = authority(after);
    if !authority.ends_with('@') {
        return Cow::Borrowed(text);
    }
    let at = text.len() - after.len() + authority.len();
    Cow::Owned(format!("{}localhost{}", &text[..at], &text[at..]))
}

/// Account and place: what follows `//`, up to the path.
fn authority(after: &str) -> &str {
    &after[..after.find(['/', '?', '#']).unwrap_or(after.len())]
}

/// A host's name or address, or a path: the folder of a socket or the socket.
fn set_host(options: &mut ConnectOptions, host: String) {
    if host.starts_with('/') {
        options.socket = Some(PathBuf::from(host));
    } else {
        options.host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    }
}

fn apply(options: &mut ConnectOptions, pair: &Pair) -> Result<()> {
    let value = &pair.value;
    if value.is_empty() {
        return Err(wrong(format!("the URL's parameter {} has no value", pair.name)));
    }
    let text = || Some(value.clone());
    let path = || Some(PathBuf::from(value));
    match pair.name {
        "tls" => {
            let names = TlsMode::NAMES.map(|(name, _)| name).join(", ");
            options.tls =
                TlsMode::parse(value).ok_or_else(|| pair.wrong("is not known", &format!("tls is one of {names}")))?;
        }
        "tls_ca" => options.tls_ca = path(),
        "tls_cert" => options.tls_cert = path(),
        "tls_key" => options.tls_key = path(),
        "socket" => options.socket = path(),
        "host" => set_host(options, value.clone()),
        "password_file" => options.password = Some(password_from(pair)?),
        "charset" => options.session.charset = text(),
        "collation" => options.session.collation = text(),
        "sql_mode" => options.session.sql_mode = text(),
        "time_zone" => options.session.time_zone = text(),
        "wait_timeout" => options.session.wait_timeout = Some(pair.duration()?),
        "statement_timeout" => options.session.statement_timeout = Some(pair.duration()?),
        "lock_timeout" => options.session.lock_timeout = Some(pair.duration()?),
        "connect_timeout" => {
            options.connect_timeout = pair.duration()?;
            if options.connect_timeout.is_zero() {
                return Err(pair.wrong("leaves no time to connect", "the default is 10s"));
            }
        }
        "connect_attempts" => {
            options.connect_attempts =
                pair.number(1..=100).ok_or_else(|| pair.wrong("is not a number from 1 to 100", "the default is 3"))?;
        }
        "application_name" => options.session.application_name = text(),
        "statement_cache" => {
            options.statement_cache = pair
                .number(0..=65_535)
                .ok_or_else(|| pair.wrong("is not a number of statements from 0 to 65535", "the default is 100"))?;
        }
        // `mode` is taken care of by the callers, who know what it may be.
        name => return Err(wrong(format!("the URL's parameter {name:?} has no meaning here"))),
    }
    Ok(())
}

/// A parameter under its proper name.
struct Pair {
    name: &'static str,
    value: String,
    /// An @ among the parameters tells that they may be the rest of a password with a ? in it: nothing of them is shown.
    may_be_secret: bool,
}

impl Pair {
    fn wrong(&self, complaint: &str, hint: &str) -> Error {
        let value = if self.may_be_secret { "…" } else { &self.value };
        wrong(format!("{}={value} {complaint}", self.name)).with_hint(hint)
    }

    fn number<T: FromStr + PartialOrd>(&self, range: std::ops::RangeInclusive<T>) -> Option<T> {
        self.value.parse().ok().filter(|number| range.contains(number))
    }

    /// Seconds, or a number with `ms`, `s`, `m`, `h` or `d`.
    fn duration(&self) -> Result<Duration> {
        let (digits, unit) =
            self.value.split_at(self.value.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.value.len()));
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
            .ok_or_else(|| self.wrong("is not a duration", "as in 500ms, 30s, 5m, 1h"))
    }
}

/// The parameters under their proper names.
fn pairs(query: Option<&str>) -> Result<Vec<Pair>> {
    let query = query.unwrap_or("");
    let may_be_secret = query.contains('@');
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name, "parameter")?;
        let known = PARAMETERS.iter().find(|(known, others)| *known == name || others.contains(&name.as_str()));
        let Some((known, _)) = known else { return Err(unknown(&name, may_be_secret)) };
        pairs.push(Pair { name: known, value: decode(value, "parameter")?, may_be_secret });
    }
    Ok(pairs)
}

fn unknown(name: &str, may_be_secret: bool) -> Error {
    if may_be_secret {
        return wrong("the URL holds a ? before its @")
            .with_hint("in a password, ? is written %3F and @ is written %40");
    }
    let all = PARAMETERS.map(|(known, _)| known).join(", ");
    wrong(format!("the URL's parameter {name:?} is not known")).with_hint(format!("the parameters are: {all}"))
}

/// The first line of a file, as Docker and Kubernetes hand secrets over.
fn password_from(pair: &Pair) -> Result<Secret> {
    let shown = if pair.may_be_secret { "…" } else { &pair.value };
    let text = std::fs::read_to_string(&pair.value)
        .map_err(|error| wrong(format!("the password file {shown} cannot be read")).with_source(error))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(wrong(format!("the password file {shown} is empty"))
            .with_hint("its first line is the password, without quotes")),
    }
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
