//! How is a session set up?
//!
//! The settings go with the startup message, so that they cost no round trip and survive `RESET ALL`. PgBouncer takes only
//! a few by that road unless `ignore_startup_parameters = options` is set; where a pooler refuses them, the session is set
//! up by `SET` statements instead, and again after each reset.

use crate::{ConnectOptions, Error, ErrorKind, Result};
use std::time::Duration;

/// Settings of a session, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings(Vec<(&'static str, String)>);

impl Settings {
    /// The settings these options ask for.
    ///
    /// # Errors
    /// `Options` for one that PostgreSQL does not have.
    pub(super) fn of(options: &ConnectOptions) -> Result<Self> {
        let session = &options.session;
        for (name, value) in [("sql_mode", &session.sql_mode), ("collation", &session.collation)] {
            if value.as_deref().is_some_and(|value| !value.is_empty()) {
                return Err(Error::new(ErrorKind::Options, format!("PostgreSQL has no session setting {name}"))
                    .with_hint(format!("remove {name} from this connection")));
            }
        }
        if let Some(charset) = &session.charset {
            let plain: String = charset.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
            if !["utf8", "unicode", "utf8mb4"].contains(&plain.to_ascii_lowercase().as_str()) {
                return Err(Error::new(ErrorKind::Options, format!("charset={charset} is not possible")).with_hint(
                    "the connection always speaks UTF8; the server converts from and to the database's own",
                ));
            }
        }
        let mut settings = vec![
            ("DateStyle", "ISO".to_owned()),
            ("IntervalStyle", "postgres".to_owned()),
            ("TimeZone", time_zone(session.time_zone.as_deref().unwrap_or("+00:00"))),
        ];
        if let Some(limit) = session.statement_timeout {
            settings.push(("statement_timeout", milliseconds(limit)));
        }
        if let Some(limit) = session.lock_timeout {
            settings.push(("lock_timeout", milliseconds(limit)));
        }
        if let Some(limit) = session.wait_timeout {
            settings.push(("idle_session_timeout", milliseconds(limit)));
        }
        if options.read_only {
            settings.push(("default_transaction_read_only", "on".to_owned()));
        }
        Ok(Self(settings))
    }

    /// Without those that servers before 14 do not know.
    pub(super) fn without_idle_timeout(&self) -> Self {
        Self(self.0.iter().filter(|(name, _)| *name != "idle_session_timeout").cloned().collect())
    }

    /// As the startup message's `options`.
    pub(super) fn as_options(&self) -> String {
        let settings = self.0.iter().map(|(name, value)| {
            let escaped: String = value
                .chars()
                .flat_map(|c| (c.is_whitespace() || c == '\\').then_some('\\').into_iter().chain([c]))
                .collect();
            format!("-c {name}={escaped}")
        });
        settings.collect::<Vec<_>>().join(" ")
    }

    /// As statements, on one line.
    pub(super) fn as_script(&self) -> String {
        let settings = self.0.iter().map(|(name, value)| format!("SET {name} = {};", literal(value)));
        settings.collect::<Vec<_>>().join(" ")
    }
}

fn milliseconds(limit: Duration) -> String {
    // 0 would mean no limit at all, and more than the greatest setting is refused.
    limit.as_millis().clamp(1, i32::MAX as u128).to_string()
}

/// An offset as PostgreSQL wants it. A bare `+02:00` would be read as POSIX does, west of Greenwich.
/// <https://www.postgresql.org/docs/current/datetime-posix-timezone-specs.html>
fn time_zone(zone: &str) -> String {
    let Some(sign @ ('+' | '-')) = zone.chars().next() else { return zone.to_owned() };
    if zone[1..].bytes().all(|b| b == b'0' || b == b':') {
        return "UTC".to_owned();
    }
    let opposite = if sign == '+' { '-' } else { '+' };
    format!("<{zone}>{opposite}{}", &zone[1..])
}

/// A text in SQL. The session's `standard_conforming_strings` may be off, so a backslash gets the form that always holds.
pub(super) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// A name in SQL, quoted.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ConnectOptions {
        ConnectOptions::new(&super::super::Postgres, "app")
    }

    #[test]
    fn settings_go_with_the_startup_message() {
        let mut options = options();
        assert_eq!(
            Settings::of(&options).unwrap().as_options(),
            "-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC"
        );
        options.session.time_zone = Some("America/New York\\".into());
        options.session.statement_timeout = Some(Duration::from_secs(2));
        options.session.lock_timeout = Some(Duration::ZERO);
        options.read_only = true;
        let settings = Settings::of(&options).unwrap();
        assert_eq!(
            settings.as_options(),
            "-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=America/New\\ York\\\\ -c statement_timeout=2000 -c lock_timeout=1 -c default_transaction_read_only=on"
        );
        assert_eq!(
            settings.as_script(),
            "SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = E'America/New York\\\\'; SET statement_timeout = '2000'; SET lock_timeout = '1'; SET default_transaction_read_only = 'on';"
        );
    }

    #[test]
    fn offsets_count_east_of_greenwich() {
        assert_eq!(time_zone("+00:00"), "UTC");
        assert_eq!(time_zone("+02:00"), "<+02:00>-02:00");
        assert_eq!(time_zone("-05:30"), "<-05:30>+05:30");
        assert_eq!(time_zone("Europe/Berlin"), "Europe/Berlin");
    }

    #[test]
    fn what_postgres_does_not_have_is_refused() {
        let mut other = options();
        other.session.sql_mode = Some("ANSI".into());
        assert_eq!(Settings::of(&other).unwrap_err().to_string(), "PostgreSQL has no session setting sql_mode");
        let mut latin = options();
        latin.session.charset = Some("latin1".into());
        assert_eq!(Settings::of(&latin).unwrap_err().to_string(), "charset=latin1 is not possible");
    }
}
