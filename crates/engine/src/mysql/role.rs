//! Whether the server takes writes.

use super::connection::MySqlConnection;
use super::dialect::Flavor;
use crate::{Driver as _, ErrorKind, Result, Role, Row};
use dbkeep_sql::Value;

pub(super) async fn read(connection: &mut MySqlConnection) -> Result<Role> {
    if follows(connection).await? {
        return Ok(Role::Replica);
    }
    // innodb_read_only is what a cloud's reader endpoints set.
    let rows = connection.query("SELECT @@global.read_only, @@global.innodb_read_only", &[]).await?;
    let refuses = rows.first().is_some_and(|row| row.values().iter().any(is_on));
    Ok(if refuses { Role::ReadOnly } else { Role::Primary })
}

/// Whether the server follows another. Where the right to ask is missing, it is taken for one that does not.
async fn follows(connection: &mut MySqlConnection) -> Result<bool> {
    let version = &connection.server().version;
    let sql = match connection.flavor() {
        Flavor::MariaDb if version.at_least(10, 5, 1) => "SHOW ALL REPLICAS STATUS",
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
        Flavor::MySql if version.at_least(8, 0, 22) => "SHOW REPLICA STATUS",
        Flavor::MySql => "SHOW SLAVE STATUS",
    };
    match connection.query(sql, &[]).await {
        Ok(rows) => Ok(rows.iter().any(is_running)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error),
    }
}

/// A server that was promoted may keep the settings of its former life: one with both threads stopped follows nobody.
fn is_running(row: &Row) -> bool {
    let runs = |names: [&str; 2]| {
        let at = row.columns().iter().position(|column| names.contains(&column.name.as_str()));
        at.is_some_and(|at| !matches!(&row.values()[at], Value::Text(text) if text == "No"))
    };
    runs(["Replica_IO_Running", "Slave_IO_Running"]) || runs(["Replica_SQL_Running", "Slave_SQL_Running"])
}

/// A switch as either flavor and any version spells it: 1, `ON`, or the name of a degree of read-only.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Int(number) => *number != 0,
        Value::UInt(number) => *number != 0,
        Value::Text(text) => !matches!(text.as_str(), "0" | "OFF" | ""),
        _ => true,
    }
}
