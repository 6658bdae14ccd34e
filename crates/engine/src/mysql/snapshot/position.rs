//! Where in the binary log a snapshot stands.

use super::super::dialect::Flavor;
use super::{cell, texts};
use crate::{ErrorKind, Position, Result, Version};
use mysql_async::Conn;

/// What can be known before the snapshot opens. MySQL cannot tell the position of a snapshot without a lock; one read before
/// lies at or before it, so that a replay from there repeats and misses nothing.
pub(super) async fn before(conn: &mut Conn, flavor: Flavor, version: &str) -> Result<Option<Position>> {
    if flavor == Flavor::MariaDb {
        return Ok(None);
    }
    let sql = "SELECT @@global.gtid_mode, @@global.gtid_executed";
    // Servers without these variables have no such positions.
    let rows = texts(conn, sql).await.unwrap_or_default();
    if let Some(row) = rows.first().filter(|row| cell(row, 0) == "ON" && !cell(row, 1).is_empty()) {
        let value = cell(row, 1).split_whitespace().collect();
        return Ok(Some(Position { kind: "gtid".to_owned(), value, exact: false }));
    }
    let version = Version::parse(version);
    let sql = if version.at_least(8, 2, 0) { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    match texts(conn, sql).await {
        Ok(rows) => Ok(rows.first().map(|row| Position {
            kind: "binlog".to_owned(),
            value: format!("{}:{}", cell(row, 0), cell(row, 1)),
            exact: false,
        })),
        // The right to ask is missing, or there is no log.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Statement) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The position of the snapshot that has just been opened. MariaDB's engine and log open it at one point:
/// <https://mariadb.com/kb/en/enhancements-for-start-transaction-with-consistent-snapshot/>.
pub(super) async fn inside(conn: &mut Conn, flavor: Flavor, before: Option<Position>) -> Result<Option<Position>> {
    if flavor == Flavor::MySql {
        return Ok(before);
    }
    let rows = texts(conn, "SHOW STATUS LIKE 'binlog_snapshot_%'").await?;
    let value =
        |name: &str| rows.iter().find(|row| cell(row, 0).eq_ignore_ascii_case(name)).map(|row| cell(row, 1).to_owned());
    let file = value("binlog_snapshot_file").filter(|file| !file.is_empty());
    Ok(file.zip(value("binlog_snapshot_position")).map(|(file, at)| Position {
        kind: "binlog".to_owned(),
        value: format!("{file}:{at}"),
        exact: true,
    }))
}
