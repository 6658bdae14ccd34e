//! Numbers about the server's and the database's state.

use super::connection::MySqlConnection;
use super::dialect::Flavor;
use crate::{Driver as _, Measurement, Result, Unit};
use dbkeep_sql::{Value, params};
use std::collections::HashMap;

/// Status variables and what we call them.
const STATUS: [(&str, &str, Unit); 13] = [
    ("THREADS_CONNECTED", "connections_used", Unit::Count),
    ("THREADS_RUNNING", "connections_running", Unit::Count),
    ("MAX_USED_CONNECTIONS", "connections_most_used", Unit::Count),
    ("ABORTED_CONNECTS", "connects_failed", Unit::Count),
    ("UPTIME", "uptime", Unit::Seconds),
    ("QUESTIONS", "statements", Unit::Count),
    ("SLOW_QUERIES", "slow_statements", Unit::Count),
    ("INNODB_ROW_LOCK_WAITS", "lock_waits", Unit::Count),
    ("INNODB_ROW_LOCK_CURRENT_WAITS", "lock_waits_now", Unit::Count),
    ("CREATED_TMP_DISK_TABLES", "temporary_tables_on_disk", Unit::Count),
    ("OPEN_TABLES", "tables_open", Unit::Count),
    ("INNODB_BUFFER_POOL_READS", "buffer_pool_reads", Unit::Count),
    ("INNODB_BUFFER_POOL_READ_REQUESTS", "buffer_pool_read_requests", Unit::Count),
];

pub(super) async fn read(connection: &mut MySqlConnection) -> Result<Vec<Measurement>> {
    let source = match connection.flavor() {
        Flavor::MariaDb => "information_schema.global_status",
        Flavor::MySql => "performance_schema.global_status",
    };
    let names = STATUS.map(|(name, ..)| format!("'{name}'")).join(",");
    let rows = connection
        .query(&format!("SELECT variable_name, variable_value FROM {source} WHERE variable_name IN ({names})"), &[])
        .await?;
    let mut values = HashMap::new();
    for row in &rows {
        values.insert(row.get::<String>(0)?.to_ascii_uppercase(), row.get::<String>(1)?);
    }
    let mut measurements = Vec::new();
    for (name, ours, unit) in STATUS {
        if let Some(value) = values.get(name).and_then(|value| value.parse().ok()) {
            measurements.push(Measurement::new(ours, value, unit));
        }
    }
    let database = connection.database().to_owned();
    let rows = connection
        .query(
            "SELECT @@max_connections + 0e0, COALESCE(SUM(data_length + index_length), 0) + 0e0 \
             FROM information_schema.tables WHERE table_schema = ?",
            &params![database],
        )
        .await?;
    if let Some(row) = rows.first() {
        for (at, name, unit) in [(0, "connections_max", Unit::Count), (1, "database_size", Unit::Bytes)] {
            if let Value::Double(value) = row.values()[at] {
                measurements.push(Measurement::new(name, value, unit));
            }
        }
    }
    Ok(measurements)
}
