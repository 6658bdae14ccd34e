//! Who listens while seeds run.

use super::SeedReport;

/// Hears how a run goes on, to show it. Called on the task that runs the seeds: be quick.
///
/// Every method does nothing by default.
pub trait Progress: Send + Sync {
    /// Another run holds the lock; this one waits for it.
    fn waiting(&self, holder: Option<&str>) {
        let _ = holder;
    }

    /// A seed begins.
    fn seed_started(&self, name: &str) {
        let _ = name;
    }

    /// So many rows of a seed are seen to. Called every few hundred rows.
    fn rows_done(&self, name: &str, rows: u64) {
        let _ = (name, rows);
    }

    /// A seed is done, in a transaction that is still open.
    fn seed_finished(&self, report: &SeedReport) {
        let _ = report;
    }
}

/// Listens to nothing.
impl Progress for () {}
