//! The database a restore goes into.

use super::super::errors::{of_driver, of_server, of_statement};
use super::super::quoted;
use crate::{Error, ErrorKind, RestoreOptions, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

/// What a database may hold, as one list of kinds and names.
const CONTENT: &str = "SELECT table_type AS kind, table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() \
    UNION ALL SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = DATABASE() \
    UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = DATABASE()";

/// MySQL and MariaDB differ in collations, types and the code they run: of one into the other is no copy.
pub(super) async fn is_same_product(conn: &mut Conn, wanted: &RestoreOptions) -> Result<()> {
    let row: Option<(String, String)> =
        conn.query_first("SELECT VERSION(), @@version_comment").await.map_err(of_driver)?;
    let (version, comment) = row.unwrap_or_default();
    let here = if version.contains("MariaDB") || comment.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    match wanted.settings.get("flavor") {
        Some(source) if source != here => {
            Err(Error::new(ErrorKind::Unsupported, format!("the backup is of {source} and this server is {here}"))
                .with_hint("the two differ in collations, types and code: restore it into a server of its own product"))
        }
        _ => Ok(()),
    }
}

/// Makes sure that functions and triggers can be made, before the first row is loaded: where there is a binary log, that takes
/// trust, and the server says so only when the first is made.
pub(super) async fn is_trusted(conn: &mut Conn) -> Result<()> {
    const TRIAL: &str = "CREATE FUNCTION dbkeep_trial() RETURNS INT DETERMINISTIC NO SQL RETURN 1";
    match conn.query_drop(TRIAL).await {
        Ok(()) => conn.query_drop("DROP FUNCTION dbkeep_trial").await.map_err(of_driver),
        Err(mysql_async::Error::Server(error)) if error.code == 1419 => {
            Err(of_server(&error).context("the backup's functions or triggers cannot be made here"))
        }
        // Another right may be missing that what is in the backup does not need.
        Err(mysql_async::Error::Server(_)) => Ok(()),
        Err(error) => Err(of_driver(error)),
    }
}

/// Finds the database empty, or creates it. Tells whether it did.
pub(super) async fn prepare(conn: &mut Conn, database: &str, name: &str, wanted: &RestoreOptions) -> Result<bool> {
    let encoding = encoding(wanted)?;
    let created = match conn.query_drop(format!("USE {name}")).await {
        Ok(()) => false,
        Err(mysql_async::Error::Server(error)) if error.code == 1049 && wanted.create => {
            let sql = format!("CREATE DATABASE {name}{encoding}");
            conn.query_drop(sql.as_str()).await.map_err(|error| of_statement(error, &sql))?;
            return Ok(true);
        }
        Err(error) => return Err(of_driver(error)),
    };
    let found: Vec<(String, String)> = content(conn).await?;
    if let Some((kind, first)) = found.first() {
        return Err(Error::new(
            ErrorKind::NotEmpty,
            format!("database {database} is not empty: it holds {} and {} more", what(kind, first), found.len() - 1),
        )
        .with_hint("restore into a new database, or drop what is in this one first"));
    }
    if !encoding.is_empty() {
        // Routines and new tables take what the database says.
        let sql = format!("ALTER DATABASE {name}{encoding}");
        conn.query_drop(sql.as_str()).await.map_err(|error| of_statement(error, &sql))?;
    }
    Ok(created)
}

/// The clause that gives a database the character set of the one the snapshot was taken of.
fn encoding(wanted: &RestoreOptions) -> Result<String> {
    let mut clause = String::new();
    for (setting, word) in [("charset", "CHARACTER SET"), ("collation", "COLLATE")] {
        if let Some(value) = wanted.settings.get(setting) {
            if value.is_empty() || !value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(Error::new(ErrorKind::Damaged, format!("the backup's {setting} is no name of one")));
            }
            clause.push_str(&format!(" {word} {value}"));
        }
    }
    Ok(clause)
}

async fn content(conn: &mut Conn) -> Result<Vec<(String, String)>> {
    conn.query(CONTENT).await.map_err(of_driver)
}

fn what(kind: &str, name: &str) -> String {
    let kind = if kind == "BASE TABLE" { "table".to_owned() } else { kind.to_ascii_lowercase() };
    format!("{kind} {name}")
}

/// Drops whatever is in the database. It was empty when the restore began.
pub(super) async fn empty(conn: &mut Conn, name: &str) -> Result<()> {
    conn.query_drop(format!("USE {name}; SET SESSION foreign_key_checks = 0")).await.map_err(of_driver)?;
    for (kind, object) in content(conn).await? {
        let kind = match kind.as_str() {
            "VIEW" | "SEQUENCE" | "PROCEDURE" | "FUNCTION" | "PACKAGE" | "EVENT" => kind.as_str(),
            // Goes with its package.
            "PACKAGE BODY" => continue,
            _ => "TABLE",
        };
        let sql = format!("DROP {kind} IF EXISTS {}", quoted(&object));
        conn.query_drop(sql.as_str()).await.map_err(|error| of_statement(error, &sql))?;
    }
    Ok(())
}
