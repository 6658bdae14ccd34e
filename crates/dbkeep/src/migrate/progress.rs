//! Who listens while migrations run.

use std::time::Duration;

/// Hears how a run goes on, to show it. Called on the task that runs the migrations: be quick.
///
/// Every method does nothing by default.
pub trait Progress: Send + Sync {
    /// Another run holds the lock; this one waits for it.
    fn waiting(&self, holder: Option<&str>) {
        let _ = holder;
    }

    /// A migration begins.
    fn migration_started(&self, migration: &MigrationStarted<'_>) {
        let _ = migration;
    }

    /// A statement took effect, inside a transaction perhaps.
    fn statement_finished(&self, statement: &StatementFinished<'_>) {
        let _ = statement;
    }

    /// A migration took effect, or was undone, and is recorded.
    fn migration_finished(&self, migration: &str, duration: Duration) {
        let _ = (migration, duration);
    }
}

/// Listens to nothing.
impl Progress for () {}

/// A migration that begins.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MigrationStarted<'p> {
    /// Its name.
    pub migration: &'p str,
    /// Whether it is undone rather than applied.
    pub down: bool,
    /// How many statements it has.
    pub statements: usize,
    /// How many of them took effect in an earlier run that did not finish.
    pub done_before: usize,
}

/// A statement that took effect.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StatementFinished<'p> {
    /// The migration it belongs to.
    pub migration: &'p str,
    /// Which of its statements, counted from one.
    pub number: usize,
    /// How many there are.
    pub statements: usize,
    /// The statement.
    pub sql: &'p str,
    /// The line of the file it starts on, counted from one.
    pub line: usize,
    /// How long it took.
    pub duration: Duration,
}
