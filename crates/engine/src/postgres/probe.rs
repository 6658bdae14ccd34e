//! Numbers and facts about the server's state.

use super::connection::PostgresConnection;
use crate::{Driver, Error, ErrorKind, Measurement, Result, Role, Unit};
use dbkeep_sql::Value;

/// Everything in one statement. Rates are left to the reader: these are the counters themselves.
/// <https://www.postgresql.org/docs/current/monitoring-stats.html>
const PROBE: &str = "
SELECT
  pg_catalog.pg_database_size(d.oid)::double precision AS database_size,
  (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')::double precision AS connections_used,
  pg_catalog.current_setting('max_connections')::double precision AS connections_max,
  extract(epoch FROM now() - pg_catalog.pg_postmaster_start_time())::double precision AS uptime,
  (SELECT count(*) FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_catalog.pg_backend_pid())::double precision AS connections_active,
  (SELECT count(*) FROM pg_catalog.pg_stat_activity
    WHERE state LIKE 'idle in transaction%')::double precision AS connections_idle_in_transaction,
  (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE wait_event_type = 'Lock')::double precision AS lock_waits,
  (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid())::double precision AS longest_transaction,
  (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0) FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_catalog.pg_backend_pid())::double precision AS longest_query,
  pg_catalog.age(d.datfrozenxid)::double precision AS transaction_id_age,
  s.xact_commit::double precision AS transactions_committed,
  s.xact_rollback::double precision AS transactions_rolled_back,
  s.blks_hit::double precision AS blocks_from_cache,
  s.blks_read::double precision AS blocks_from_disk,
  s.temp_bytes::double precision AS temporary_files,
  s.deadlocks::double precision AS deadlocks,
  CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN NULL
    WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM now() - pg_catalog.pg_last_xact_replay_timestamp()) END::double precision AS replication_lag
FROM pg_catalog.pg_database d
LEFT JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
WHERE d.datname = pg_catalog.current_database()";

fn unit(name: &str) -> Unit {
    match name {
        "database_size" | "temporary_files" => Unit::Bytes,
        "uptime" | "longest_transaction" | "longest_query" | "replication_lag" => Unit::Seconds,
        _ => Unit::Count,
    }
}

pub(super) async fn measure(connection: &mut PostgresConnection) -> Result<Vec<Measurement>> {
    let rows = connection.query(PROBE, &[]).await?;
    let row = rows.first().ok_or_else(|| Error::new(ErrorKind::RowCount, "the server measured nothing"))?;
    let measured = row.columns().iter().zip(row.values()).filter_map(|(column, value)| match value {
        Value::Double(value) => Some(Measurement::new(column.name.as_str(), *value, unit(&column.name))),
        // A number that does not apply here, such as the lag of a primary.
        _ => None,
    });
    Ok(measured.collect())
}

pub(super) async fn role(connection: &mut PostgresConnection) -> Result<Role> {
    let rows = connection
        .query(
            "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only') = 'on'",
            &[],
        )
        .await?;
    match rows.first().map(|row| row.decode::<(bool, bool)>()).transpose()? {
        Some((true, _)) => Ok(Role::Replica),
        Some((false, true)) => Ok(Role::ReadOnly),
        _ => Ok(Role::Primary),
    }
}

/// A 64-bit key stands in `pg_locks` as two halves.
/// <https://www.postgresql.org/docs/current/view-pg-locks.html>
const HOLDER: &str = "
SELECT a.pid, a.usename::text, a.application_name, pg_catalog.host(a.client_addr), a.backend_start::timestamp(0)::text
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND l.classid::bigint = ($1::bigint >> 32) & 4294967295 AND l.objid::bigint = $1::bigint & 4294967295
LIMIT 1";

pub(super) async fn lock_holder(connection: &mut PostgresConnection, key: i64) -> Result<Option<String>> {
    type Holder = (Option<i64>, Option<String>, Option<String>, Option<String>, Option<String>);
    let rows = connection.query(HOLDER, &[Value::Int(key)]).await?;
    let Some((pid, user, application, address, since)) = rows.first().map(|row| row.decode::<Holder>()).transpose()?
    else {
        return Ok(None);
    };
    let Some(pid) = pid else { return Ok(Some("a session that may not be seen".to_owned())) };
    let known = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut words = known(application).unwrap_or_else(|| "a session".to_owned());
    if let Some(user) = known(user) {
        words.push_str(&format!(" of {user}"));
    }
    words.push_str(&format!(" from {}", known(address).unwrap_or_else(|| "this machine's socket".to_owned())));
    words.push_str(&format!(" (pid {pid}"));
    if let Some(since) = known(since) {
        words.push_str(&format!(", connected since {since}"));
    }
    words.push(')');
    Ok(Some(words))
}
