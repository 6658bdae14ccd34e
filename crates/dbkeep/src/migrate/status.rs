//! Where each migration stands.

use super::ledger::{Entry, State};
use super::{Migration, plan};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Where one migration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Its name.
    pub migration: String,
    /// Whether it took effect, all of it.
    pub applied: bool,
    /// Which run applied it, counted from one.
    pub batch: Option<u32>,
    /// When it was applied, or begun.
    pub executed_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// How file and ledger disagree, if they do.
    pub drift: Option<Drift>,
    /// Whether it was stopped halfway, and where.
    pub halfway: Option<Halfway>,
}

/// A migration that was stopped between its first statement and its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Halfway {
    /// Whether it was being undone rather than applied.
    pub down: bool,
    /// How many statements took effect.
    pub statements_done: u64,
    /// What the server said to the next one. Absent when the run was cut off during it: it may have taken effect.
    pub error: Option<String>,
}

/// How a migration's file and the ledger disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Drift {
    /// The file changed after it was applied.
    Changed,
    /// The file of an applied migration is gone.
    Missing,
    /// It is pending and older than one that was applied.
    OutOfOrder,
}

impl Drift {
    /// As in JSON: `changed`, `missing`, `out_of_order`.
    pub fn as_str(self) -> &'static str {
        match self {
            Drift::Changed => "changed",
            Drift::Missing => "missing",
            Drift::OutOfOrder => "out_of_order",
        }
    }
}

/// Every migration that has a file or a row, by name.
pub(crate) fn status(files: &[Migration], ledger: &[Entry]) -> Vec<Status> {
    let drift: HashMap<&str, Drift> = plan::drift(files, ledger).into_iter().collect();
    let mut rows: BTreeMap<&str, Option<&Entry>> = files.iter().map(|m| (m.name.as_str(), None)).collect();
    rows.extend(ledger.iter().map(|entry| (entry.migration.as_str(), Some(entry))));
    let of_row = |(name, row): (&str, Option<&Entry>)| Status {
        migration: name.to_owned(),
        applied: row.is_some_and(|row| row.state == State::Applied),
        batch: row.and_then(|row| u32::try_from(row.batch).ok()),
        executed_at: row.map(|row| row.executed_at),
        duration_ms: row.and_then(|row| u64::try_from(row.duration_ms).ok()),
        drift: drift.get(name).copied(),
        halfway: row.and_then(halfway),
    };
    rows.into_iter().map(of_row).collect()
}

fn halfway(row: &Entry) -> Option<Halfway> {
    (row.state != State::Applied).then(|| Halfway {
        down: matches!(row.state, State::DownRunning | State::DownFailed),
        statements_done: u64::try_from(row.statements_done).unwrap_or(0),
        error: row.error.clone(),
    })
}
