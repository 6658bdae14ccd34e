//! A check: one measurement, judged.

use crate::Status;
use dbkeep::engine::Unit;
use serde::{Deserialize, Serialize};

/// One measurement, judged against its thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// A stable name.
    pub name: String,
    /// How it came out.
    pub status: Status,
    /// The number, where one could be had.
    pub value: Option<f64>,
    /// What the number counts.
    pub unit: Option<Unit>,
    /// From where on it is a warning.
    pub warning: Option<f64>,
    /// From where on it is critical.
    pub critical: Option<f64>,
    /// In words for people, with what to do where something is wrong.
    pub message: String,
}

/// What the checks of one connection found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionHealth {
    /// The connection's name.
    pub name: String,
    /// The engine's short name.
    pub engine: String,
    /// The server's version, where it answered.
    pub version: Option<String>,
    /// `primary`, `replica` or `read-only`, where it answered.
    pub role: Option<String>,
    /// The worst of the checks.
    pub status: Status,
    /// One round trip, where there was an answer.
    pub response_time_ms: Option<f64>,
    /// The checks.
    pub checks: Vec<Check>,
}
