//! Measuring: the thin part that waits for a server.

use crate::{Check, ConnectionHealth, Observed, Status, Thresholds, judge};
use dbkeep::engine::{Connection, connect_once};
use dbkeep::{Database, Error, Settings};
use std::time::{Duration, Instant};

/// Checks a database: opens a connection of its own, measures, judges. Whatever goes wrong is a result, not an error.
///
/// Each step has a deadline: the configured connect timeout for connecting, twice `max_response_time` for the rest.
pub async fn check(settings: &Settings, thresholds: &Thresholds) -> ConnectionHealth {
    let deadline = settings.options.connect_timeout + thresholds.max_response_time * 2;
    let mut failed = 0;
    loop {
        let error: Error = match connect_once(&settings.options).await {
            Ok(connection) => return examine(settings, thresholds, connection, failed, deadline).await,
            Err(error) => error.into(),
        };
        failed += 1;
        let may_pass = error.engine().is_some_and(dbkeep::engine::Error::is_transient);
        if failed >= thresholds.max_failed_connections || !may_pass {
            return unreachable(settings, &error, failed, thresholds);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Checks a database that is open: as [`check`], with the numbers of its pool.
pub async fn check_open(database: &Database, thresholds: &Thresholds) -> ConnectionHealth {
    let mut health = check(database.settings(), thresholds).await;
    let stats = database.pool_stats();
    let mut observed = Observed::new(0, Duration::ZERO, dbkeep::Role::Primary);
    (observed.in_use, observed.pool_max) = (stats.in_use(), stats.max());
    for fresh in judge(&observed, thresholds).into_iter().filter(|check| is_of_pool(&check.name)) {
        if let Some(stale) = health.checks.iter_mut().find(|check| check.name == fresh.name) {
            *stale = fresh;
        }
    }
    health.status = Status::worst(health.checks.iter().map(|check| check.status));
    health
}

fn is_of_pool(name: &str) -> bool {
    ["pool_utilization", "available_connections"].contains(&name)
}

async fn examine(
    settings: &Settings,
    thresholds: &Thresholds,
    mut connection: Connection,
    failed: u64,
    deadline: Duration,
) -> ConnectionHealth {
    let version = connection.server().version.to_string();
    match tokio::time::timeout(deadline, measure(settings, &mut connection, failed)).await {
        Ok(Ok(observed)) => {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "the connection of a check was not closed in good order");
            }
            let checks = judge(&observed, thresholds);
            ConnectionHealth {
                name: settings.name.clone(),
                engine: settings.options.engine.name().to_owned(),
                version: Some(version),
                role: Some(observed.role.to_string()),
                status: Status::worst(checks.iter().map(|check| check.status)),
                response_time_ms: Some(observed.response_time.as_secs_f64() * 1_000.0),
                checks,
            }
        }
        Ok(Err(error)) => broken(settings, Some(version), format!("connected, but then: {error}")),
        Err(_) => broken(settings, Some(version), format!("connected, but no answer came within {deadline:?}")),
    }
}

async fn measure(
    settings: &Settings,
    connection: &mut Connection,
    failed: u64,
) -> Result<Observed, dbkeep::engine::Error> {
    let since = Instant::now();
    connection.ping().await?;
    let response_time = since.elapsed();
    let mut observed = Observed::new(failed, response_time, connection.role().await?);
    observed.wants_read_only = settings.options.read_only;
    observed.pool_max = settings.pool.max;
    observed.measurements = connection.probe().await?;
    Ok(observed)
}

fn unreachable(settings: &Settings, error: &Error, failed: u64, thresholds: &Thresholds) -> ConnectionHealth {
    let mut message = error.to_string();
    if let Some(hint) = error.hint() {
        message = format!("{message}; {hint}");
    }
    let mut health = broken(settings, None, message);
    if let Some(check) = health.checks.first_mut() {
        (check.value, check.critical) = (Some(failed as f64), Some(thresholds.max_failed_connections as f64));
    }
    health
}

fn broken(settings: &Settings, version: Option<String>, message: String) -> ConnectionHealth {
    ConnectionHealth {
        name: settings.name.clone(),
        engine: settings.options.engine.name().to_owned(),
        version,
        role: None,
        status: Status::Critical,
        response_time_ms: None,
        checks: vec![Check {
            name: "connect".to_owned(),
            status: Status::Critical,
            value: None,
            unit: Some(dbkeep::engine::Unit::Count),
            warning: None,
            critical: None,
            message,
        }],
    }
}
