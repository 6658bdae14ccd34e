//! From numbers to judgements, without I/O.

use crate::{Check, Status};
use dbkeep::Role;
use dbkeep::engine::{Measurement, Unit};
use std::time::Duration;

/// From where on a number is worth a warning or critical. The names and defaults are those of `[monitor]` in dbkeep.toml.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Thresholds {
    /// A round trip that takes longer is critical, one that takes longer than half of it a warning. Default 5 s.
    pub max_response_time: Duration,
    /// So many failed attempts to connect in a row are critical, fewer a warning. Default 3.
    pub max_failed_connections: u64,
    /// A pool in use to more than this share, in percent, is a warning; one in use wholly is critical. The server's own
    /// connections are judged alike. Default 80.
    pub max_pool_utilization: f64,
    /// Fewer connections left in the pool are a warning, none left is critical. Default 2, or half the pool where it has
    /// fewer than four.
    pub min_available_connections: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_response_time: Duration::from_secs(5),
            max_failed_connections: 3,
            max_pool_utilization: 80.0,
            min_available_connections: 2,
        }
    }
}

/// What was measured of a connection that works.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Observed {
    /// Attempts to connect that failed before one succeeded.
    pub failed_attempts: u64,
    /// One round trip.
    pub response_time: Duration,
    /// What the server is to others.
    pub role: Role,
    /// Whether the configuration asks for a read-only connection.
    pub wants_read_only: bool,
    /// Connections of the pool on loan.
    pub in_use: usize,
    /// Connections the pool may have.
    pub pool_max: usize,
    /// What the server says of itself.
    pub measurements: Vec<Measurement>,
}

impl Observed {
    /// What was measured.
    pub fn new(failed_attempts: u64, response_time: Duration, role: Role) -> Self {
        Self {
            failed_attempts,
            response_time,
            role,
            wants_read_only: false,
            in_use: 0,
            pool_max: 1,
            measurements: Vec::new(),
        }
    }

    fn measured(&self, name: &str) -> Option<f64> {
        self.measurements.iter().find(|measurement| measurement.name == name).map(|measurement| measurement.value)
    }
}

/// Judges what was measured.
pub fn judge(observed: &Observed, thresholds: &Thresholds) -> Vec<Check> {
    let mut checks = vec![
        connect(observed.failed_attempts, thresholds.max_failed_connections),
        response_time(observed.response_time, thresholds.max_response_time),
        role(observed),
        pool_utilization(observed, thresholds.max_pool_utilization),
        available_connections(observed, thresholds.min_available_connections),
    ];
    checks.extend(server_connections(observed, thresholds.max_pool_utilization));
    checks.extend(informative(observed, "database_size", Unit::Bytes, "data and indexes on disk"));
    checks.extend(informative(observed, "uptime", Unit::Seconds, "since the server started"));
    checks
}

/// The status of a number that is the worse the greater it is.
fn above(value: f64, warning: f64, critical: f64) -> Status {
    match value {
        _ if value.is_nan() => Status::Unknown,
        _ if value >= critical => Status::Critical,
        _ if value >= warning => Status::Warning,
        _ => Status::Ok,
    }
}

fn check(
    name: &str,
    status: Status,
    value: f64,
    unit: Unit,
    limits: Option<(f64, f64)>,
    message: impl Into<String>,
) -> Check {
    Check {
        name: name.to_owned(),
        status,
        value: Some(value),
        unit: Some(unit),
        warning: limits.map(|(warning, _)| warning),
        critical: limits.map(|(_, critical)| critical),
        message: message.into(),
    }
}

fn connect(failed: u64, limit: u64) -> Check {
    let (value, critical) = (failed as f64, limit as f64);
    let message = match failed {
        0 => "connected at the first attempt".to_owned(),
        _ => format!("{failed} attempts failed before one succeeded: look at the server's log and at the network"),
    };
    check("connect", above(value, 1.0, critical.max(1.0)), value, Unit::Count, Some((1.0, critical)), message)
}

fn response_time(taken: Duration, limit: Duration) -> Check {
    let milliseconds = |length: Duration| length.as_secs_f64() * 1_000.0;
    let (value, critical) = (milliseconds(taken), milliseconds(limit));
    let status = above(value, critical / 2.0, critical);
    let message = match status {
        Status::Ok => "one round trip".to_owned(),
        _ => "a round trip takes long: is the server or the network overloaded?".to_owned(),
    };
    check("response_time", status, value, Unit::Milliseconds, Some((critical / 2.0, critical)), message)
}

fn role(observed: &Observed) -> Check {
    let (status, message) = match observed.role {
        Role::Primary => (Status::Ok, "takes writes"),
        _ if observed.wants_read_only => (Status::Ok, "takes no writes, as configured"),
        Role::Replica => (Status::Warning, "is a replica and takes no writes: has a failover moved the primary?"),
        _ => (Status::Warning, "is read-only and takes no writes: was it set so on purpose?"),
    };
    Check {
        name: "role".to_owned(),
        status,
        value: None,
        unit: None,
        warning: None,
        critical: None,
        message: format!("{} {message}", observed.role),
    }
}

fn pool_utilization(observed: &Observed, limit: f64) -> Check {
    let value = 100.0 * observed.in_use as f64 / observed.pool_max.max(1) as f64;
    let message = format!("{} of {} connections on loan", observed.in_use, observed.pool_max);
    check("pool_utilization", above(value, limit, 100.0), value, Unit::Percent, Some((limit, 100.0)), message)
}

fn available_connections(observed: &Observed, wanted: u64) -> Check {
    let available = observed.pool_max.saturating_sub(observed.in_use);
    // A pool of one or two would never be well if it had to keep two free.
    let wanted = wanted.min(observed.pool_max as u64 / 2);
    let status = match available as u64 {
        0 => Status::Critical,
        few if few < wanted => Status::Warning,
        _ => Status::Ok,
    };
    let message = format!("{available} more can be had from the pool");
    check("available_connections", status, available as f64, Unit::Count, Some((wanted as f64, 1.0)), message)
}

/// The server's connections, everybody's together.
fn server_connections(observed: &Observed, limit: f64) -> Option<Check> {
    let (used, max) = (observed.measured("connections_used")?, observed.measured("connections_max")?);
    let value = 100.0 * used / max.max(1.0);
    let status = above(value, limit, 95.0f64.max(limit));
    let message = match status {
        Status::Ok => format!("{used} of the server's {max} connections"),
        _ => format!(
            "{used} of the server's {max} connections are taken: who holds them, and is max_connections high enough?"
        ),
    };
    Some(check("server_connections", status, value, Unit::Percent, Some((limit, 95.0f64.max(limit))), message))
}

fn informative(observed: &Observed, name: &str, unit: Unit, message: &str) -> Option<Check> {
    Some(check(name, Status::Ok, observed.measured(name)?, unit, None, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(checks: &[Check], name: &str) -> Status {
        checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}")).status
    }

    fn healthy() -> Observed {
        let mut observed = Observed::new(0, Duration::from_millis(2), Role::Primary);
        (observed.in_use, observed.pool_max) = (1, 10);
        observed.measurements = vec![
            Measurement::new("connections_used", 10.0, Unit::Count),
            Measurement::new("connections_max", 100.0, Unit::Count),
            Measurement::new("database_size", 4096.0, Unit::Bytes),
        ];
        observed
    }

    #[test]
    fn a_healthy_server_is_well_in_every_check() {
        let checks = judge(&healthy(), &Thresholds::default());
        assert!(checks.iter().all(|check| check.status == Status::Ok), "{checks:#?}");
        let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "connect",
                "response_time",
                "role",
                "pool_utilization",
                "available_connections",
                "server_connections",
                "database_size"
            ]
        );
    }

    #[test]
    fn each_threshold_fires_where_it_should() {
        type Change = fn(&mut Observed);
        let table: [(Change, &str, Status); 13] = [
            (|o| o.failed_attempts = 1, "connect", Status::Warning),
            (|o| o.failed_attempts = 3, "connect", Status::Critical),
            (|o| o.response_time = Duration::from_millis(2499), "response_time", Status::Ok),
            (|o| o.response_time = Duration::from_millis(2500), "response_time", Status::Warning),
            (|o| o.response_time = Duration::from_millis(5000), "response_time", Status::Critical),
            (|o| o.role = Role::Replica, "role", Status::Warning),
            (|o| (o.role, o.wants_read_only) = (Role::ReadOnly, true), "role", Status::Ok),
            (|o| o.in_use = 8, "pool_utilization", Status::Warning),
            (|o| o.in_use = 10, "pool_utilization", Status::Critical),
            (|o| o.in_use = 9, "available_connections", Status::Warning),
            (|o| o.in_use = 10, "available_connections", Status::Critical),
            (|o| (o.in_use, o.pool_max) = (0, 1), "available_connections", Status::Ok),
            (|o| o.measurements[0].value = 96.0, "server_connections", Status::Critical),
        ];
        for (change, name, expected) in table {
            let mut observed = healthy();
            change(&mut observed);
            assert_eq!(status(&judge(&observed, &Thresholds::default()), name), expected, "{name} of {observed:?}");
        }
    }
}
