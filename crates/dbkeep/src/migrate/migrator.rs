//! The migrator: plans, applies, rolls back and tells how things stand.

use super::apply::{Server, Task};
use super::ledger::{Entry, Ledger, State};
use super::name::Direction;
use super::source::{Names, Source};
use super::{Error, ErrorKind, InDoubt, Migration, Progress, Result, Rollback, Status, Up, lock, plan, status};
use dbkeep_engine::Connection;
use dbkeep_sql::Ident;
use jiff::Timestamp;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The table that remembers what was applied, unless told otherwise.
const TABLE: &str = "dbkeep_migrations";

/// How long a run waits for another, unless told otherwise.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Applies migrations to a database and undoes them.
///
/// See the [module](super) for what migrations are and what can be relied on.
#[derive(Clone)]
pub struct Migrator {
    source: Source,
    ledger: Ledger,
    lock_timeout: Duration,
    executed_by: Option<String>,
    progress: Arc<dyn Progress>,
}

/// What a run did, or, as a plan, what it would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The number of the run; absent when there was nothing to do, and of rollbacks.
    pub batch: Option<u32>,
    /// The migrations in the order in which they were applied or undone.
    pub migrations: Vec<Ran>,
}

/// A migration that was applied or undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ran {
    /// Its name.
    pub migration: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The migrations in order.
    pub migrations: Vec<Planned>,
}

/// A migration that would be applied or undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Planned {
    /// Its name.
    pub migration: String,
    /// Whether it would be one transaction.
    pub transaction: bool,
    /// The statements that would run, without those that took effect in an earlier run.
    pub statements: Vec<PlannedStatement>,
}

/// A statement that would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedStatement {
    /// The statement.
    pub sql: String,
    /// The line of the file it starts on, counted from one.
    pub line: usize,
}

impl Migrator {
    /// Migrations from a directory of SQL files. Directories within it are not looked into.
    pub fn from_directory(directory: impl Into<PathBuf>) -> Self {
        Self::new(Source::Directory(directory.into()))
    }

    /// Migrations compiled into the program: names of files and their texts, as `include_str!` gives them.
    pub fn embedded<N: Into<PathBuf>, T: Into<String>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        Self::new(Source::Embedded(files.into_iter().map(|(name, text)| (name.into(), text.into())).collect()))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            ledger: Ledger::new(default_table()),
            lock_timeout: LOCK_TIMEOUT,
            executed_by: None,
            progress: Arc::new(()),
        }
    }

    /// Keeps the ledger in another table than `dbkeep_migrations`.
    #[must_use]
    pub fn table(mut self, table: Ident) -> Self {
        self.ledger = Ledger::new(table);
        self
    }

    /// Waits so long for another run to end. Default 60 s.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Notes in the ledger who ran the migrations: `ada@laptop`, the name of a deployment. At most 255 characters count.
    #[must_use]
    pub fn executed_by(mut self, who: impl Into<String>) -> Self {
        self.executed_by = Some(who.into().chars().take(255).collect());
        self
    }

    /// Lets `progress` hear how runs go on.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Every migration that is for this server, in order.
    ///
    /// # Errors
    /// `Io` and `File`, with the file, line and column.
    pub fn migrations(&self, connection: &Connection) -> Result<Vec<Migration>> {
        self.source.read(&Names::of(connection.server()))
    }

    /// What [`up`](Migrator::up) would do. Changes nothing, takes no lock.
    ///
    /// # Errors
    /// As [`up`](Migrator::up), except that nothing can fail that only the server would find.
    pub async fn plan(&self, connection: &mut Connection, up: &Up) -> Result<Plan> {
        let files = self.migrations(connection)?;
        let rows = self.ledger.read(connection).await?;
        let server = Server::of(connection);
        let (_, tasks) = self.up_tasks(&files, &rows, &server, connection, up)?;
        Ok(Plan { migrations: tasks.iter().map(planned).collect() })
    }

    /// What [`rollback`](Migrator::rollback) would do. Changes nothing, takes no lock.
    ///
    /// # Errors
    /// As [`rollback`](Migrator::rollback), except that nothing can fail that only the server would find.
    pub async fn plan_rollback(&self, connection: &mut Connection, rollback: &Rollback) -> Result<Plan> {
        let files = self.migrations(connection)?;
        let rows = self.ledger.read(connection).await?;
        let tasks = down_tasks(&files, &rows, &Server::of(connection), rollback)?;
        Ok(Plan { migrations: tasks.iter().map(planned).collect() })
    }

    /// Applies the pending migrations, in order, as one batch.
    ///
    /// A migration that an earlier run left halfway goes on where it stopped.
    ///
    /// # Errors
    /// Before anything runs: `Io` and `File` for the files, `Drift` where files and ledger disagree, `Unfinished` where an
    /// earlier run left something that only a person can decide, `Target`, `Locked`. Then `Statement` with file, line and
    /// column; the migrations before it stay applied. [`hint`](Error::hint) says what is left of the failed one and how to
    /// go on.
    ///
    /// # Cancellation
    /// A dropped future leaves a transaction to be rolled back and the lock to end with the session, or with its reset in
    /// a pool. Where a schema change cannot be rolled back, the ledger keeps how far the migration came.
    pub async fn up(&self, connection: &mut Connection, up: &Up) -> Result<Report> {
        let files = self.migrations(connection)?;
        self.acquire(connection).await?;
        let outcome = self.up_locked(connection, &files, up).await;
        lock::release(connection, &self.lock_name()).await;
        outcome
    }

    async fn up_locked(&self, connection: &mut Connection, files: &[Migration], up: &Up) -> Result<Report> {
        self.ledger.create(connection).await?;
        let rows = self.ledger.read(connection).await?;
        let server = Server::of(connection);
        let (batch, tasks) = self.up_tasks(files, &rows, &server, connection, up)?;
        let batch = (!tasks.is_empty()).then(|| u32::try_from(batch).unwrap_or(u32::MAX));
        let migrations = self.run(connection, tasks).await?;
        Ok(Report { batch, migrations })
    }

    /// Undoes migrations, the last applied first.
    ///
    /// # Errors
    /// Before anything runs: `NoDown` where a migration cannot be undone, and as [`up`](Migrator::up). Then `Statement`;
    /// what was undone before it stays undone.
    ///
    /// # Cancellation
    /// As [`up`](Migrator::up).
    pub async fn rollback(&self, connection: &mut Connection, rollback: &Rollback) -> Result<Report> {
        let files = self.migrations(connection)?;
        self.acquire(connection).await?;
        let outcome = self.rollback_locked(connection, &files, rollback).await;
        lock::release(connection, &self.lock_name()).await;
        outcome
    }

    async fn rollback_locked(
        &self,
        connection: &mut Connection,
        files: &[Migration],
        rollback: &Rollback,
    ) -> Result<Report> {
        let rows = self.ledger.read(connection).await?;
        let tasks = down_tasks(files, &rows, &Server::of(connection), rollback)?;
        let migrations = self.run(connection, tasks).await?;
        Ok(Report { batch: None, migrations })
    }

    /// Where each migration stands that has a file or was applied, by name. Changes nothing, takes no lock.
    ///
    /// # Errors
    /// `Io` and `File` for the files, `Database` for the ledger.
    pub async fn status(&self, connection: &mut Connection) -> Result<Vec<Status>> {
        let files = self.migrations(connection)?;
        let rows = self.ledger.read(connection).await?;
        Ok(status::status(&files, &rows))
    }

    async fn acquire(&self, connection: &mut Connection) -> Result<()> {
        lock::acquire(connection, &self.lock_name(), self.lock_timeout, |holder| self.progress.waiting(holder)).await
    }

    fn lock_name(&self) -> String {
        format!("dbkeep.migrate.{}", self.ledger.name())
    }

    async fn run(&self, connection: &mut Connection, tasks: Vec<Task<'_>>) -> Result<Vec<Ran>> {
        let mut ran = Vec::new();
        for task in tasks {
            let migration = task.name.as_str().to_owned();
            let duration = task.run(connection, &self.ledger, &*self.progress).await?;
            let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            ran.push(Ran { migration, duration_ms });
        }
        Ok(ran)
    }

    /// The batch and what is to run in it; all of it is checked before any of it runs.
    fn up_tasks<'m>(
        &self,
        files: &'m [Migration],
        rows: &[Entry],
        server: &Server,
        connection: &Connection,
        up: &Up,
    ) -> Result<(i64, Vec<Task<'m>>)> {
        let halfway = rows.iter().find(|row| row.state != State::Applied);
        let last = rows.iter().map(|row| row.batch).max().unwrap_or(0);
        // What goes on belongs to the batch it was begun in.
        let batch = halfway.map_or(last + 1, |row| row.batch);
        let next_id = rows.iter().map(|row| row.id).max().unwrap_or(0) + 1;
        let info = connection.server();
        let mut in_doubt = up.in_doubt;
        let mut tasks = Vec::new();
        for (id, at) in (next_id..).zip(plan::pending(files, rows, up)?) {
            let migration = &files[at];
            let row = rows.iter().find(|row| row.migration == migration.name.as_str());
            let entry = Entry {
                id: row.map_or(id, |row| row.id),
                migration: migration.name.as_str().to_owned(),
                batch,
                state: State::Applied,
                executed_at: Timestamp::now(),
                duration_ms: row.map_or(0, |row| row.duration_ms),
                checksum: migration.checksum.clone(),
                statements_done: 0,
                done_checksum: String::new(),
                engine: format!("{} {}", info.product, info.version).chars().take(100).collect(),
                executed_by: self.executed_by.clone(),
                error: None,
            };
            let doubt = row.and(in_doubt.take());
            tasks.push(Task::new(&migration.name, Direction::Up, &migration.up, server, entry, row, doubt)?);
        }
        Ok((batch, tasks))
    }
}

fn down_tasks<'m>(
    files: &'m [Migration],
    rows: &[Entry],
    server: &Server,
    rollback: &Rollback,
) -> Result<Vec<Task<'m>>> {
    let mut in_doubt: Option<InDoubt> = rollback.in_doubt;
    let mut tasks = Vec::new();
    for (row, file) in plan::rollback(files, rows, rollback.scope)? {
        let (row, migration) = (&rows[row], &files[file]);
        let Some(down) = &migration.down else {
            return Err(Error::new(ErrorKind::NoDown, format!("{} has no down part", migration.name)));
        };
        let entry = Entry { state: State::Applied, error: None, ..row.clone() };
        let doubt = in_doubt.take();
        tasks.push(Task::new(&migration.name, Direction::Down, down, server, entry, Some(row), doubt)?);
    }
    Ok(tasks)
}

fn planned(task: &Task<'_>) -> Planned {
    let statement = |step: &super::file::Step| PlannedStatement { sql: step.sql.clone(), line: step.line };
    Planned {
        migration: task.name.as_str().to_owned(),
        transaction: task.atomic,
        statements: task.steps.iter().skip(task.done_before).map(statement).collect(),
    }
}

fn default_table() -> Ident {
    match Ident::new(TABLE) {
        Ok(table) => table,
        Err(_) => unreachable!("the default name of the ledger is a name"),
    }
}

impl std::fmt::Debug for Migrator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Migrator")
            .field("source", &self.source)
            .field("table", &self.ledger.name())
            .finish_non_exhaustive()
    }
}
