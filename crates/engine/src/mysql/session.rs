//! How a session is set up: one text for the server, made from the options.

use super::dialect::Flavor;
use crate::{ConnectOptions, Error, ErrorKind, Result};
use std::fmt::Write as _;
use std::time::Duration;

/// What a modern application wants: nothing is cut off, rounded to fit or made up in silence.
const STRICT: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                      ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// Modes that some server of the family knows or knew and another refuses. They are left out where they are refused; any
/// other refused name is the user's slip.
const NOT_EVERYWHERE: [&str; 15] = [
    "NO_AUTO_CREATE_USER",
    "DB2",
    "MAXDB",
    "MSSQL",
    "MYSQL323",
    "MYSQL40",
    "ORACLE",
    "POSTGRESQL",
    "NO_FIELD_OPTIONS",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "EMPTY_STRING_IS_NULL",
    "SIMULTANEOUS_ASSIGNMENT",
    "TIME_ROUND_FRACTIONAL",
    "TIME_TRUNCATE_FRACTIONAL",
];

/// The settings of a session, ready to be sent to a server of one flavor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    charset: String,
    collation: Option<String>,
    modes: Vec<String>,
    time_zone: String,
    wait_timeout: u64,
    statement_timeout: Option<Duration>,
    lock_timeout: Option<Duration>,
    read_only: bool,
    database: String,
}

impl Session {
    /// Reads the settings from the options.
    ///
    /// # Errors
    /// `Options` for what can be no setting.
    pub(super) fn new(options: &ConnectOptions) -> Result<Self> {
        let wanted = &options.session;
        let charset = wanted.charset.as_deref().unwrap_or("utf8mb4").to_ascii_lowercase();
        if !["utf8mb4", "utf8mb3", "utf8"].contains(&charset.as_str()) {
            return Err(Error::new(
                ErrorKind::Options,
                format!("charset={charset} cannot be used: text is exchanged as UTF-8"),
            )
            .with_hint("charset is utf8mb4; tables may have any character set, the server converts"));
        }
        let collation = wanted.collation.clone();
        plain("collation", collation.as_deref().unwrap_or("c"), "_")?;
        let modes = wanted.sql_mode.as_deref().unwrap_or(STRICT);
        plain("sql_mode", modes, "_, ")?;
        if modes.split(',').any(|mode| mode.trim().eq_ignore_ascii_case("NO_BACKSLASH_ESCAPES")) {
            return Err(Error::new(
                ErrorKind::Options,
                "sql_mode=NO_BACKSLASH_ESCAPES cannot be used: texts in schema changes and scripts are written and read with \
                 backslashes that escape, and would be stored with twice as many",
            )
            .with_hint("leave it out: parameters take a backslash as it is under any mode"));
        }
        let time_zone = wanted.time_zone.clone().unwrap_or_else(|| "+00:00".to_owned());
        plain("time_zone", &time_zone, "_/+-:")?;
        Ok(Self {
            charset,
            collation,
            modes: modes
                .split(',')
                .map(|mode| mode.trim().to_ascii_uppercase())
                .filter(|mode| !mode.is_empty())
                .collect(),
            time_zone,
            wait_timeout: wanted.wait_timeout.map_or(28_800, |wait| seconds(wait).max(1)),
            statement_timeout: wanted.statement_timeout,
            lock_timeout: wanted.lock_timeout,
            read_only: options.read_only,
            database: options.database.clone(),
        })
    }

    /// Whether the session's clock shows UTC, so that a TIMESTAMP is an instant we know.
    pub(super) fn is_utc(&self) -> bool {
        matches!(self.time_zone.as_str(), "+00:00" | "-00:00" | "+0:00" | "UTC" | "Etc/UTC" | "GMT")
    }

    /// The text that sets the session up.
    pub(super) fn sql(&self, flavor: Flavor, version: (u16, u16, u16)) -> String {
        let mut sql = format!("SET NAMES {}", self.charset);
        if let Some(collation) = &self.collation {
            let _ = write!(sql, " COLLATE {collation}");
        }
        // What the server's init_connect may have set and every program relies on is put back.
        let _ = write!(
            sql,
            "; SET SESSION autocommit = 1, sql_select_limit = DEFAULT, group_concat_max_len = DEFAULT, sql_mode = '{}', \
             time_zone = '{}', wait_timeout = {}",
            self.modes.join(","),
            self.time_zone,
            self.wait_timeout
        );
        if flavor == Flavor::MySql && version >= (8, 0, 3) {
            // Sizes and estimates as they are, not as they were a day ago.
            sql.push_str(", information_schema_stats_expiry = 0");
        }
        if let Some(limit) = self.statement_timeout {
            match flavor {
                Flavor::MariaDb if version >= (10, 1, 1) => {
                    let _ = write!(sql, ", max_statement_time = {:.3}", limit.as_secs_f64().max(0.001));
                }
                // SELECT statements only: https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_max_execution_time
                Flavor::MySql if version >= (5, 7, 8) => {
                    let _ = write!(sql, ", max_execution_time = {}", limit.as_millis().clamp(1, u128::from(u32::MAX)));
                }
                _ => {}
            }
        }
        if let Some(limit) = self.lock_timeout {
            let limit = seconds(limit).max(1);
            let _ = write!(sql, ", innodb_lock_wait_timeout = {limit}, lock_wait_timeout = {limit}");
        }
        if self.read_only {
            sql.push_str("; SET SESSION TRANSACTION READ ONLY");
        }
        sql
    }

    /// As [`sql`](Session::sql), for a session that was reset: it stays in the database a statement may have gone to.
    pub(super) fn sql_after_reset(&self, flavor: Flavor, version: (u16, u16, u16)) -> String {
        let sql = self.sql(flavor, version);
        if self.database.is_empty() { sql } else { format!("USE `{}`; {sql}", self.database.replace('`', "``")) }
    }

    /// Leaves out the mode a server refused, if that is one that some servers lack.
    pub(super) fn leave_out_mode(&mut self, error: &mysql_async::Error) -> bool {
        let mysql_async::Error::Server(error) = error else { return false };
        if error.code != 1231 || !error.message.contains("sql_mode") {
            return false;
        }
        let Some(refused) = error.message.rsplit('\'').nth(1) else { return false };
        let before = self.modes.len();
        if NOT_EVERYWHERE.contains(&refused.to_ascii_uppercase().as_str()) {
            self.modes.retain(|mode| !mode.eq_ignore_ascii_case(refused));
        }
        self.modes.len() < before
    }
}

/// Refuses what could end the quotes it stands in.
fn plain(name: &str, value: &str, besides: &str) -> Result<()> {
    if value.chars().all(|c| c.is_ascii_alphanumeric() || besides.contains(c)) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Options, format!("{name} holds characters that no {name} has")))
}

/// Whole seconds, rounded up: a limit of 1.5 s does not become one of 1 s.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(url: &str) -> Result<Session> {
        Session::new(&url.parse()?)
    }

    #[test]
    fn the_default_session_is_strict_and_in_utc() {
        assert_eq!(
            session("mysql://localhost/shop").unwrap().sql(Flavor::MySql, (9, 7, 0)),
            "SET NAMES utf8mb4; SET SESSION autocommit = 1, sql_select_limit = DEFAULT, group_concat_max_len = DEFAULT, \
             sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
             ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', wait_timeout = 28800, information_schema_stats_expiry = 0"
        );
    }

    #[test]
    fn each_flavor_has_its_own_word_for_a_statement_timeout() {
        let session = session("mysql://localhost/a%60b?statement_timeout=1500ms&lock_timeout=1500ms&mode=ro").unwrap();
        let maria = session.sql_after_reset(Flavor::MariaDb, (10, 11, 0));
        assert!(maria.starts_with("USE `a``b`; SET NAMES utf8mb4; "));
        assert!(maria.ends_with(
            ", max_statement_time = 1.500, innodb_lock_wait_timeout = 2, lock_wait_timeout = 2; SET SESSION TRANSACTION READ ONLY"
        ));
        assert!(session.sql(Flavor::MySql, (8, 0, 30)).contains(", max_execution_time = 1500,"));
    }

    #[test]
    fn what_could_leave_its_quotes_is_refused() {
        for parameter in ["sql_mode=A%27B", "time_zone=%27", "collation=a;b", "charset=latin1"] {
            let error = session(&format!("mysql://localhost/shop?{parameter}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Options, "{parameter}");
        }
    }

    #[test]
    fn a_mode_that_changes_what_texts_mean_is_refused() {
        let error = session("mysql://localhost/shop?sql_mode=STRICT_ALL_TABLES,%20no_backslash_escapes").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Options);
        assert!(error.to_string().starts_with("sql_mode=NO_BACKSLASH_ESCAPES cannot be used"));
    }

    #[test]
    fn a_mode_the_server_does_not_know_is_left_out_and_a_slip_is_not() {
        let mut session = session("mysql://localhost/shop?sql_mode=NO_AUTO_CREATE_USER,STRICT_TRANS_TABLE").unwrap();
        let refused = |mode: &str| {
            mysql_async::Error::Server(mysql_async::ServerError {
                code: 1231,
                message: format!("Variable 'sql_mode' can't be set to the value of '{mode}'"),
                state: "42000".to_owned(),
            })
        };
        assert!(session.leave_out_mode(&refused("NO_AUTO_CREATE_USER")));
        assert!(!session.leave_out_mode(&refused("NO_AUTO_CREATE_USER")));
        assert!(!session.leave_out_mode(&refused("STRICT_TRANS_TABLE")));
        assert_eq!(session.modes, ["STRICT_TRANS_TABLE"]);
    }
}
