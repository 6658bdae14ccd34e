//! Named locks: GET_LOCK, whose names belong to the whole server.

use super::connection::MySqlConnection;
use crate::{Driver as _, Error, ErrorKind, Result};
use dbkeep_sql::params;

/// The longest name a lock may have: <https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html>.
const LONGEST: usize = 64;

/// The server's name for a lock of a database. Long ones are hashed, and so are those beyond ASCII, since the server
/// compares names by its own collation.
fn server_name(database: &str, name: &str) -> String {
    let full = format!("{database}.{name}");
    if full.len() <= LONGEST && full.is_ascii() {
        return full;
    }
    format!("dbkeep.{}", &blake3::hash(full.as_bytes()).to_hex()[..48])
}

pub(super) async fn take(connection: &mut MySqlConnection, name: &str) -> Result<bool> {
    let name = server_name(connection.database(), name);
    let rows = connection.query("SELECT GET_LOCK(?, 0)", &params![name]).await?;
    match rows.first().map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten() {
        Some(1) => Ok(true),
        Some(_) => Ok(false),
        None => Err(Error::new(ErrorKind::Statement, "the server could not take the lock")),
    }
}

pub(super) async fn give_back(connection: &mut MySqlConnection, name: &str) -> Result<()> {
    let name = server_name(connection.database(), name);
    let rows = connection.query("SELECT RELEASE_LOCK(?)", &params![name]).await?;
    match rows.first().map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten() {
        Some(1) => Ok(()),
        _ => Err(Error::new(ErrorKind::Statement, "the lock was not held by this session any more")
            .with_hint("the session was reset or replaced meanwhile")),
    }
}

pub(super) async fn holder(connection: &mut MySqlConnection, name: &str) -> Result<Option<String>> {
    let name = server_name(connection.database(), name);
    let rows = connection
        .query(
            "SELECT l.id, p.user, p.host, p.command, p.time \
             FROM (SELECT IS_USED_LOCK(?) AS id) l LEFT JOIN information_schema.processlist p ON p.id = l.id",
            &params![name],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Some(id) = row.get::<Option<u64>>(0)? else { return Ok(None) };
    // Other accounts' sessions show only with the PROCESS right.
    let Some(user) = row.get::<Option<String>>(1)? else { return Ok(Some(format!("connection {id}"))) };
    let host: String = row.get::<Option<String>>(2)?.unwrap_or_default();
    let command: String = row.get::<Option<String>>(3)?.unwrap_or_default();
    let seconds: i64 = row.get::<Option<i64>>(4)?.unwrap_or_default();
    let doing = if command == "Sleep" { "idle".to_owned() } else { format!("in {command}") };
    Ok(Some(format!("{user}@{host}, connection {id}, {doing} for {seconds} s")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_databases_own_and_never_too_long() {
        assert_eq!(server_name("shop", "migrate"), "shop.migrate");
        let long = server_name("shop", &"x".repeat(100));
        assert!(long.len() <= LONGEST);
        assert_ne!(long, server_name("other", &"x".repeat(100)));
        assert!(server_name("shop", "größe").starts_with("dbkeep."));
    }
}
