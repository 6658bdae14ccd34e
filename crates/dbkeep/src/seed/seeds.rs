//! Seeds: which there are, and running them.

use super::error::During as _;
use super::facts::Facts;
use super::fill::{Counts, fill};
use super::order::{Wish, order};
use super::seeder::{Body, ENDINGS, Seeder, Text, ending};
use super::wanted::Context;
use super::{Error, ErrorKind, Mode, Progress, Result, sql};
use crate::migrate::lock;
use crate::migrate::source::Names;
use dbkeep_engine::{Connection, ServerInfo};
use dbkeep_sql::{Compile, DateTime, Path as TablePath, Value, col, delete_from, update};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The lock around every run.
const LOCK: &str = "dbkeep.seed";

/// The seeds of an application.
///
/// See the [module](super) for what seeds are and what can be relied on.
#[derive(Clone)]
pub struct Seeds {
    source: Source,
    env: HashMap<String, String>,
    now: Option<Timestamp>,
    lock_timeout: Duration,
    progress: Arc<dyn Progress>,
}

#[derive(Clone)]
enum Source {
    Directory(PathBuf),
    Embedded(Vec<(PathBuf, Arc<str>)>),
}

/// Which seeds to run, and how.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Run {
    /// Only these, by name: `010_users`, `users` or `010_users.yml`. All when empty.
    pub only: Vec<String>,
    /// Empties the tables of these seeds first. Every row of them is lost, whoever wrote it.
    pub fresh: bool,
}

impl Run {
    /// Only these seeds.
    #[must_use]
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.only.extend(names.into_iter().map(Into::into));
        self
    }

    /// Empties the tables of these seeds first. Every row of them is lost, whoever wrote it.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }
}

/// A seed, as a list of seeds shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SeedInfo {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// The table it fills; absent of an SQL seed.
    pub table: Option<String>,
    /// What it does with rows that are there; absent of an SQL seed.
    pub mode: Option<Mode>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The seeds in the order in which they ran.
    pub seeders: Vec<SeedReport>,
}

/// What one seed did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SeedReport {
    /// Its name.
    pub name: String,
    /// Rows that were new. Absent of an SQL seed, which does not say.
    pub inserted: Option<u64>,
    /// Rows that differed and were changed.
    pub updated: Option<u64>,
    /// Rows that were as they should be.
    pub unchanged: Option<u64>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl Seeds {
    /// Seeds from the files of a directory. Directories within it are not looked into.
    pub fn from_directory(directory: impl Into<PathBuf>) -> Self {
        Self::new(Source::Directory(directory.into()))
    }

    /// Seeds compiled into the program: names of files and their texts, as `include_str!` gives them.
    pub fn embedded<N: Into<PathBuf>, T: AsRef<str>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        Self::new(Source::Embedded(files.into_iter().map(|(name, text)| (name.into(), text.as_ref().into())).collect()))
    }

    fn new(source: Source) -> Self {
        Self { source, env: HashMap::new(), now: None, lock_timeout: Duration::from_secs(60), progress: Arc::new(()) }
    }

    /// The variables that `{env: NAME}` may name. This library does not read the environment itself.
    #[must_use]
    pub fn env<N: Into<String>, V: Into<String>>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.env.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The time that `now` and `days_ago` mean. Default: when the run begins. Days are those of UTC.
    #[must_use]
    pub fn now(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }

    /// Waits so long for another run to end. Default 60 s.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Lets `progress` hear how runs go on.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// The seeds there are for this server, in the order of their names.
    ///
    /// # Errors
    /// `Io` and `File`, with the file, line and column.
    pub fn list(&self, server: &ServerInfo) -> Result<Vec<SeedInfo>> {
        let info = |seeder: Seeder| {
            let rows = seeder.rows();
            let (table, mode) = (rows.map(|rows| rows.table.clone()), rows.map(|rows| rows.mode));
            SeedInfo { name: seeder.name, file: seeder.path, table, mode }
        };
        Ok(self.read(server)?.into_iter().map(info).collect())
    }

    /// Makes the rows in the database what the seeds say they are. The second run in a row changes nothing.
    ///
    /// The whole run is one transaction: all of it takes effect or nothing, except that on engines that commit before
    /// every schema change an SQL seed that changes the schema ends it.
    ///
    /// # Errors
    /// Before anything is written: `Io` and `File` for the files, `Target`, `Table`, `Cycle`, `Locked`. Then `Row` with file,
    /// row and column, and `Statement` with file, line and column.
    ///
    /// # Cancellation
    /// A dropped future leaves a transaction to be rolled back and the lock to end with the session, or with its reset in
    /// a pool.
    pub async fn run(&self, connection: &mut Connection, run: &Run) -> Result<Report> {
        let seeders = self.chosen(connection.server(), &run.only)?;
        lock::acquire(connection, LOCK, self.lock_timeout, |holder| self.progress.waiting(holder)).await?;
        let outcome = self.run_locked(connection, &seeders, run.fresh).await;
        lock::release(connection, LOCK).await;
        outcome
    }

    async fn run_locked(&self, connection: &mut Connection, seeders: &[Seeder], fresh: bool) -> Result<Report> {
        let tables = seeders
            .iter()
            .filter_map(Seeder::rows)
            .flat_map(|rows| rows.references().into_iter().chain([rows.table.as_str()]));
        let facts = Facts::read(connection, tables.collect()).await?;
        check(seeders, &facts)?;
        let placed = order(&wishes(seeders, &facts, false))?;
        let now = self.now.unwrap_or_else(Timestamp::now);
        let now = DateTime::from_micros_since_epoch(now.as_microsecond().into()).unwrap_or_default();
        let mut context = Context::new(&facts, &self.env, now);
        let mut transaction = connection.transaction().await.during("begin a transaction")?;
        let outcome = async {
            if fresh {
                empty(&mut transaction, seeders, &facts, &placed).await?;
            }
            let mut reports = Vec::new();
            for at in placed {
                reports.push(self.run_one(&mut transaction, &seeders[at], &mut context).await?);
            }
            Ok(reports)
        }
        .await;
        match outcome {
            Ok(seeders) => {
                transaction.commit().await.during("commit the seeds")?;
                Ok(Report { seeders })
            }
            Err(error) => {
                // The first failure is the one to tell of; the server rolls back in any case.
                if let Err(trouble) = transaction.rollback().await {
                    tracing::debug!(target: "dbkeep::seed", error = %trouble, "the rollback after a failed seed failed");
                }
                Err(error)
            }
        }
    }

    async fn run_one(
        &self,
        connection: &mut Connection,
        seeder: &Seeder,
        context: &mut Context<'_>,
    ) -> Result<SeedReport> {
        let started = Instant::now();
        self.progress.seed_started(&seeder.name);
        let counts = match &seeder.body {
            Body::Sql(file) => {
                sql::run(connection, file).await?;
                None
            }
            Body::Rows(rows) => {
                let progress = |done| self.progress.rows_done(&seeder.name, done);
                Some(fill(connection, seeder, rows, context, &progress).await?)
            }
        };
        let report = SeedReport {
            name: seeder.name.clone(),
            inserted: counts.map(|counts: Counts| counts.inserted),
            updated: counts.map(|counts| counts.updated),
            unchanged: counts.map(|counts| counts.unchanged),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        self.progress.seed_finished(&report);
        Ok(report)
    }

    /// Reads the seeds for this server; of the files with one name, the one that fits it best.
    fn read(&self, server: &ServerInfo) -> Result<Vec<Seeder>> {
        let files: Vec<(PathBuf, Text)> = match &self.source {
            Source::Directory(directory) => {
                crate::migrate::source::files(directory)?.into_iter().map(|path| (path, Text::File)).collect()
            }
            Source::Embedded(files) => {
                files.iter().map(|(path, text)| (path.clone(), Text::Embedded(Arc::clone(text)))).collect()
            }
        };
        let names = Names::of(server);
        let mut best: BTreeMap<String, (usize, PathBuf, Text)> = BTreeMap::new();
        for (path, text) in files {
            let Some((name, rank)) = place(&path, &names)? else { continue };
            match best.get(&name) {
                Some((other, there, _)) if *other == rank => {
                    let message = format!("there are two seeds {name}: {} and {}", there.display(), path.display());
                    return Err(Error::new(ErrorKind::File, message).with_hint("give one of them another name"));
                }
                Some((other, ..)) if *other < rank => {}
                _ => {
                    best.insert(name, (rank, path, text));
                }
            }
        }
        best.into_values().map(|(_, path, text)| Seeder::read(&path, text)).collect()
    }

    fn chosen(&self, server: &ServerInfo, only: &[String]) -> Result<Vec<Seeder>> {
        let mut seeders = self.read(server)?;
        if let Some(unknown) = only.iter().find(|name| !seeders.iter().any(|seeder| seeder.is_called(name))) {
            let there: Vec<&str> = seeders.iter().map(|seeder| seeder.name.as_str()).collect();
            return Err(Error::new(ErrorKind::Target, format!("there is no seed {unknown:?}"))
                .with_hint(format!("the seeds are: {}", there.join(", "))));
        }
        seeders.retain(|seeder| only.is_empty() || only.iter().any(|name| seeder.is_called(name)));
        Ok(seeders)
    }
}

/// The name of a file's seed, and how well the file fits the server; `None` when it is no seed, or not for this server.
fn place(path: &Path, names: &Names) -> Result<Option<(String, usize)>> {
    let file = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    if file.starts_with(['.', '_']) || !ENDINGS.contains(&ending(path).as_str()) {
        return Ok(None);
    }
    let words: Vec<&str> = file.split('.').collect();
    let (name, engine) = match words.as_slice() {
        [name, _] => (*name, None),
        [name, engine, _] if Names::is_known(engine) => (*name, Some(*engine)),
        _ => {
            return Err(Error::new(
                ErrorKind::File,
                format!("the file name {file:?} has an unknown word between its points"),
            )
            .with_hint("a seed is named like 010_users.yml, or 010_users.ENGINE.sql when it is for one engine"));
        }
    };
    Ok(names.rank(engine).map(|rank| (name.to_owned(), rank)))
}

/// What can be known to be wrong before anything is written.
fn check(seeders: &[Seeder], facts: &Facts) -> Result<()> {
    for seeder in seeders {
        let Some(rows) = seeder.rows() else { continue };
        let check = || {
            let table = facts.table(&rows.table)?;
            rows.columns().into_iter().try_for_each(|column| table.require(column).map(drop))?;
            rows.references().into_iter().try_for_each(|table| facts.table(table).map(drop))
        };
        check().map_err(|error: Error| error.at(rows.location(&seeder.path, (1, 1))))?;
    }
    Ok(())
}

/// What each seed needs: what the columns it fills point to, or, where `all` is set, what any column of its table does.
fn wishes(seeders: &[Seeder], facts: &Facts, all: bool) -> Vec<Wish> {
    let wish = |seeder: &Seeder| {
        let mut needs = BTreeSet::new();
        if let Some(rows) = seeder.rows() {
            needs.extend(rows.references().into_iter().map(|name| without_schema(name).to_owned()));
            if let Ok(table) = facts.table(&rows.table) {
                let every: BTreeSet<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
                let columns = if all { every } else { rows.columns() };
                needs.extend(table.needs(&columns).map(str::to_owned));
            }
        }
        Wish {
            name: seeder.name.clone(),
            table: seeder.rows().map(|rows| without_schema(&rows.table).to_owned()),
            needs,
        }
    };
    seeders.iter().map(wish).collect()
}

fn without_schema(table: &str) -> &str {
    table.rsplit_once('.').map_or(table, |(_, name)| name)
}

/// Empties the tables of these seeds, those that point to others first.
async fn empty(connection: &mut Connection, seeders: &[Seeder], facts: &Facts, placed: &[usize]) -> Result<()> {
    let by_all_keys = order(&wishes(seeders, facts, true)).unwrap_or_else(|_| placed.to_vec());
    let mut tables: Vec<&str> = Vec::new();
    for table in by_all_keys.iter().rev().filter_map(|at| seeders[*at].rows()).map(|rows| rows.table.as_str()) {
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    for (at, name) in tables.iter().enumerate() {
        let table = facts.table(name)?;
        // What points to itself, or to a table that is emptied before it, would keep those rows from going.
        for key in table
            .foreign_keys
            .iter()
            .filter(|key| tables[..=at].iter().any(|name| without_schema(name) == key.referenced_table))
        {
            let columns =
                key.columns.iter().filter_map(|name| table.column(name)).filter(|at| table.columns[*at].nullable);
            for column in columns {
                let name = || table.name_of(column);
                let statement =
                    update(table.path()).set(name(), Value::Null).filter(col(TablePath::from(name())).is_not_null());
                run(connection, &statement, table.name.as_str()).await?;
            }
        }
    }
    for name in tables {
        let table = facts.table(name)?;
        run(connection, &delete_from(table.path()).all_rows(), name).await?;
    }
    Ok(())
}

async fn run(connection: &mut Connection, statement: &(dyn Compile + Sync), table: &str) -> Result<()> {
    let doing = format!("empty {table}");
    let compiled = statement.compile(&*connection.dialect()).map_err(|error| super::unbuildable(&doing, error))?;
    connection.execute(&compiled.sql, &compiled.params).await.map_err(|error| {
        let blocked = error.kind() == dbkeep_engine::ErrorKind::ForeignKeyViolation;
        let failed = Error::new(ErrorKind::Database, format!("could not {doing}")).with_source(error);
        if blocked {
            failed.with_hint(
                "rows of a table without a seed point to it: empty that table first, or seed without emptying",
            )
        } else {
            failed
        }
    })?;
    Ok(())
}

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Seeds");
        if let Source::Directory(directory) = &self.source {
            out.field("directory", directory);
        }
        out.finish_non_exhaustive()
    }
}
