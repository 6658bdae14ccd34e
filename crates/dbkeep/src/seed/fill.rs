//! Makes the rows of a table what a seed says they are.

use super::error::During as _;
use super::facts::TableFacts;
use super::lookup::{CHUNK, Found, Lookup};
use super::password::{self, Job};
use super::seeder::{RowContent, Rows, SeedRow, Seeder};
use super::wanted::{Context, Wanted};
use super::{Error, ErrorKind, Mode, Result, unbuildable};
use crate::migrate::Location;
use dbkeep_engine::{self as engine, Connection};
use dbkeep_sql::{Compile, Compiled, Expr, Path, Value, all, col, insert_into, update};
use std::collections::HashMap;

/// What became of the rows of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
}

/// How many bytes of values one INSERT takes at most: servers limit the size of a statement.
const INSERT_BYTES: usize = 1 << 20;

/// A seed that is under way.
struct Filling<'f, 'r> {
    seeder: &'f Seeder,
    rows: &'f Rows,
    table: &'r TableFacts,
    key: Vec<usize>,
    counts: Counts,
    /// Which row a key was seen in, by a hash of the key.
    seen: HashMap<[u8; 16], u64>,
}

/// A row with everything computed but its passwords.
struct Ready {
    row: SeedRow,
    /// The columns by position, and what is to stand in each.
    columns: Vec<usize>,
    wanted: Vec<Wanted>,
    key: Vec<Value>,
}

/// A row that was written anew.
struct Changed {
    key: Vec<Value>,
    before: Vec<Value>,
    /// By column.
    changes: Vec<(usize, Value)>,
}

/// Inserts what is missing, changes what differs, leaves alone what is as it should be.
pub(super) async fn fill(
    connection: &mut Connection,
    seeder: &Seeder,
    rows: &Rows,
    context: &mut Context<'_>,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Counts> {
    let facts = context.facts;
    let table = facts.table(&rows.table).map_err(|error| error.at(rows.location(&seeder.path, (1, 1))))?;
    let mut filling = Filling {
        seeder,
        rows,
        table,
        key: key(seeder, rows, table)?,
        counts: Counts::default(),
        seen: HashMap::new(),
    };
    let mut waiting = Vec::new();
    match &rows.content {
        RowContent::Yaml(_, read) => {
            for chunk in read.chunks(CHUNK) {
                waiting.extend(filling.run(connection, context, chunk.to_vec()).await?);
                progress(filling.done());
            }
        }
        RowContent::Csv(file) => {
            let mut read = file.rows()?;
            loop {
                let chunk = read.by_ref().take(CHUNK).collect::<Result<Vec<SeedRow>>>()?;
                if chunk.is_empty() {
                    break;
                }
                waiting.extend(filling.run(connection, context, chunk).await?);
                progress(filling.done());
            }
        }
    }
    // Rows that point to rows of this same seed: each round finds those that the last one made.
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut left = Vec::new();
        for chunk in waiting.chunks(CHUNK) {
            left.extend(filling.run(connection, context, chunk.to_vec()).await?);
            progress(filling.done());
        }
        if left.len() == before {
            return Err(filling.unresolved(&left[0], context));
        }
        waiting = left;
    }
    Ok(filling.counts)
}

/// The columns that tell rows apart: those the seed names, or the primary key.
fn key(seeder: &Seeder, rows: &Rows, table: &TableFacts) -> Result<Vec<usize>> {
    let names = if rows.key.is_empty() { &table.primary_key } else { &rows.key };
    let filled = rows.columns();
    let error = |message: String| Error::new(ErrorKind::Table, message).at(rows.location(&seeder.path, (1, 1)));
    if names.is_empty() || (rows.key.is_empty() && !names.iter().all(|name| filled.contains(name.as_str()))) {
        return Err(error(format!("it is not clear which columns tell the rows of {} apart", table.name))
            .with_hint("say it: key: [email], and in CSV a first line # key: email"));
    }
    names.iter().map(|name| table.require(name).map_err(|e| e.at(rows.location(&seeder.path, (1, 1))))).collect()
}

impl<'r> Filling<'_, 'r> {
    fn done(&self) -> u64 {
        self.counts.inserted + self.counts.updated + self.counts.unchanged
    }

    /// Sees to some rows; gives back those that point to rows that are not there yet.
    async fn run(
        &mut self,
        connection: &mut Connection,
        context: &mut Context<'r>,
        chunk: Vec<SeedRow>,
    ) -> Result<Vec<SeedRow>> {
        if let Err(error) = context.resolve(connection, self.table, &chunk).await {
            return Err(self.place_of_reference(error, context, &chunk));
        }
        let (mut ready, mut waiting) = (Vec::new(), Vec::new());
        for row in chunk {
            match self.compute(context, row)? {
                Ok(row) => ready.push(row),
                Err(row) => waiting.push(row),
            }
        }
        let columns = union(&ready);
        let keys: Vec<Vec<Value>> = ready.iter().map(|row| row.key.clone()).collect();
        let lookup = Lookup { table: self.table, key: &self.key, wanted: &columns };
        let (mut new, mut there) = (Vec::new(), Vec::new());
        for (row, found) in ready.into_iter().zip(lookup.find(connection, &keys).await?) {
            match found {
                Found::Nothing => new.push(row),
                Found::Row(_) if self.rows.mode == Mode::InsertMissing => self.counts.unchanged += 1,
                Found::Row(stored) => there.push((row, stored)),
                Found::Several => {
                    let error =
                        Error::new(ErrorKind::Row, format!("{} holds several rows with this key", self.table.name))
                            .with_hint("choose a key that no two rows share; a unique index on it keeps it so");
                    return Err(self.place(error, &row.row, None));
                }
            }
        }
        self.insert(connection, new).await?;
        self.update(connection, there, &columns).await?;
        Ok(waiting)
    }

    /// Computes a row's values, or gives it back when it has to wait for another.
    fn compute(&mut self, context: &Context<'_>, row: SeedRow) -> Result<Result<Ready, SeedRow>> {
        let (mut columns, mut wanted) = (Vec::new(), Vec::new());
        for (at, (name, (cell, _))) in row.columns.iter().zip(&row.cells).enumerate() {
            let found =
                self.table.require(name).and_then(|column| Ok((column, context.wanted(self.table, column, cell)?)));
            match found.map_err(|error| self.place(error, &row, Some(at)))? {
                (column, Some(value)) => {
                    columns.push(column);
                    wanted.push(value);
                }
                (_, None) => return Ok(Err(row)),
            }
        }
        let mut key = Vec::with_capacity(self.key.len());
        for column in &self.key {
            let name = &self.table.columns[*column].name;
            let Some(at) = columns.iter().position(|other| other == column) else {
                let error = Error::new(ErrorKind::Row, format!("the row has no {name}, which is of the key"));
                return Err(self.place(error, &row, None));
            };
            match &wanted[at] {
                Wanted::Value(Value::Null) => {
                    return Err(self.place(
                        Error::new(ErrorKind::Row, "a column of the key cannot be NULL"),
                        &row,
                        Some(at),
                    ));
                }
                Wanted::Value(value) => key.push(value.clone()),
                _ => {
                    let error =
                        Error::new(ErrorKind::Row, "a column of the key cannot be a password or the time of the run");
                    return Err(self.place(error, &row, Some(at)));
                }
            }
        }
        let canonical = Lookup { table: self.table, key: &self.key, wanted: &[] }.canonical(&key);
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(canonical.as_bytes()).as_bytes()[..16]);
        if let Some(other) = self.seen.insert(hash, row.number) {
            let error = Error::new(ErrorKind::Row, format!("row {other} has the same key"))
                .with_hint("take one of them out, or choose a key that tells them apart");
            return Err(self.place(error, &row, None));
        }
        Ok(Ok(Ready { row, columns, wanted, key }))
    }

    /// Inserts rows, as many with one statement as can be.
    async fn insert(&mut self, connection: &mut Connection, rows: Vec<Ready>) -> Result<()> {
        let mut jobs = Vec::new();
        for row in &rows {
            jobs.extend(row.wanted.iter().filter_map(|wanted| match wanted {
                Wanted::Secret(secret) => Some(Job { secret: secret.clone(), stored: None }),
                _ => None,
            }));
        }
        let mut hashes = password::hashes(jobs).await?.into_iter();
        let limit = connection.dialect().max_parameters();
        let mut batch: Vec<(Ready, Vec<Value>)> = Vec::new();
        let mut bytes = 0;
        for mut row in rows {
            let values: Vec<Value> = row
                .wanted
                .drain(..)
                .map(|wanted| match wanted {
                    Wanted::Value(value) | Wanted::OnInsert(value) => value,
                    Wanted::Secret(_) => Value::from(hashes.next().flatten()),
                })
                .collect();
            let size: usize = values.iter().map(bytes_of).sum();
            let full = batch.last().is_some_and(|(last, _)| {
                last.columns != row.columns || bytes + size > INSERT_BYTES || (batch.len() + 1) * values.len() > limit
            });
            if full {
                self.insert_batch(connection, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += size;
            batch.push((row, values));
        }
        self.insert_batch(connection, batch).await
    }

    async fn insert_batch(&mut self, connection: &mut Connection, batch: Vec<(Ready, Vec<Value>)>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        // A savepoint each: an error leaves the transaction usable to find out which row it was.
        if let Err(error) = guarded(connection, &self.insert_statement(connection, &batch)?).await {
            if error.is_connection_lost() || error.is_retryable() {
                return Err(error).during(format!("insert into {}", self.table.name));
            }
            for (row, values) in &batch {
                let one = [(row, values)];
                let statement =
                    self.insert_statement_of(connection, one.iter().map(|(row, values)| (*row, *values)))?;
                if let Err(error) = guarded(connection, &statement).await {
                    return Err(self.refused("inserted into", error, &row.row));
                }
            }
            // Together they were refused, one by one they were not: they are in now.
        }
        self.counts.inserted += batch.len() as u64;
        Ok(())
    }

    fn insert_statement(&self, connection: &Connection, batch: &[(Ready, Vec<Value>)]) -> Result<Compiled> {
        self.insert_statement_of(connection, batch.iter().map(|(row, values)| (row, values)))
    }

    fn insert_statement_of<'b>(
        &self,
        connection: &Connection,
        mut batch: impl Iterator<Item = (&'b Ready, &'b Vec<Value>)>,
    ) -> Result<Compiled> {
        let mut statement = insert_into(self.table.path());
        if let Some((first, values)) = batch.next() {
            statement =
                statement.columns(first.columns.iter().map(|at| self.table.name_of(*at))).row(values.iter().cloned());
        }
        let statement = batch.fold(statement, |statement, (_, values)| statement.row(values.iter().cloned()));
        statement
            .compile(&*connection.dialect())
            .map_err(|error| unbuildable(&format!("insert into {}", self.table.name), error))
    }

    /// Changes the rows that differ, and in them only the columns that do.
    async fn update(
        &mut self,
        connection: &mut Connection,
        rows: Vec<(Ready, Vec<Value>)>,
        columns: &[usize],
    ) -> Result<()> {
        let hashes = self.changed_hashes(&rows, columns).await?;
        let mut changed = Vec::new();
        for (number, (row, stored)) in rows.into_iter().enumerate() {
            let mut changes: Vec<(usize, Value)> = Vec::new();
            for (at, (column, wanted)) in row.columns.iter().zip(&row.wanted).enumerate() {
                let before = stored_in(columns, &stored, *column);
                match wanted {
                    Wanted::Value(value) if !self.table.columns[*column].kind.is_same(before, value) => {
                        changes.push((*column, value.clone()));
                    }
                    Wanted::Secret(_) => {
                        changes.extend(hashes.get(&(number, at)).map(|hash| (*column, Value::from(hash))))
                    }
                    _ => {}
                }
            }
            if changes.is_empty() {
                self.counts.unchanged += 1;
                continue;
            }
            let is_key = self
                .key
                .iter()
                .zip(&row.key)
                .map(|(at, value)| col(Path::from(self.table.name_of(*at))).eq(value.clone()));
            let statement = update(self.table.path()).filter(all(is_key));
            let statement = changes.iter().fold(statement, |statement, (at, value)| {
                statement.set(self.table.name_of(*at), Expr::from(value.clone()))
            });
            let compiled = statement
                .compile(&*connection.dialect())
                .map_err(|error| unbuildable(&format!("update {}", self.table.name), error))?;
            if let Err(error) = connection.execute(&compiled.sql, &compiled.params).await {
                return Err(self.refused("changed in", error, &row.row));
            }
            changed.push(Changed { key: row.key, before: stored, changes });
        }
        self.count_changed(connection, changed, columns).await
    }

    /// Counts the rows that really changed. A column that keeps less than it is given (fewer digits, a shorter fraction
    /// of a second, blanks at the end) differs from the file for ever; it has changed only if it holds something else now.
    async fn count_changed(
        &mut self,
        connection: &mut Connection,
        changed: Vec<Changed>,
        columns: &[usize],
    ) -> Result<()> {
        let keys: Vec<Vec<Value>> = changed.iter().map(|row| row.key.clone()).collect();
        let now = Lookup { table: self.table, key: &self.key, wanted: columns }.find(connection, &keys).await?;
        for (Changed { before, changes, .. }, now) in changed.iter().zip(now) {
            let same = |now: &[Value]| {
                changes.iter().all(|(at, _)| stored_in(columns, before, *at) == stored_in(columns, now, *at))
            };
            match now {
                Found::Row(now) if same(&now) => self.counts.unchanged += 1,
                _ => self.counts.updated += 1,
            }
        }
        Ok(())
    }

    /// New hashes for the passwords whose stored hash is not theirs, by row and place in the row.
    async fn changed_hashes(
        &self,
        rows: &[(Ready, Vec<Value>)],
        columns: &[usize],
    ) -> Result<HashMap<(usize, usize), String>> {
        let (mut places, mut jobs) = (Vec::new(), Vec::new());
        for (number, (row, stored)) in rows.iter().enumerate() {
            for (at, (column, wanted)) in row.columns.iter().zip(&row.wanted).enumerate() {
                let Wanted::Secret(secret) = wanted else { continue };
                let stored = match stored_in(columns, stored, *column) {
                    Value::Text(hash) => Some(hash.to_string()),
                    _ => None,
                };
                places.push((number, at));
                jobs.push(Job { secret: secret.clone(), stored });
            }
        }
        let hashes = password::hashes(jobs).await?;
        Ok(places.into_iter().zip(hashes).filter_map(|(place, hash)| Some((place, hash?))).collect())
    }

    /// The error of a row that waits for another in vain.
    fn unresolved(&self, row: &SeedRow, context: &Context<'_>) -> Error {
        let missing = row.columns.iter().zip(&row.cells).position(|(name, (cell, _))| {
            self.table.column(name).is_some_and(|column| matches!(context.wanted(self.table, column, cell), Ok(None)))
        });
        let error = Error::new(ErrorKind::Row, "the row this refers to does not exist")
            .with_hint("is its key right? rows of other tables must be seeded before this one");
        self.place(error, row, missing)
    }

    /// Says which cell a reference that cannot be looked up stands in.
    fn place_of_reference(&self, error: Error, context: &Context<'_>, rows: &[SeedRow]) -> Error {
        for row in rows {
            for (at, (name, (cell, _))) in row.columns.iter().zip(&row.cells).enumerate() {
                let outcome = self.table.require(name).and_then(|column| context.wanted(self.table, column, cell));
                if outcome.is_err_and(|other| other.message() == error.message()) {
                    return self.place(error, row, Some(at));
                }
            }
        }
        error
    }

    /// The error of a row that the server refused.
    fn refused(&self, done: &str, error: engine::Error, row: &SeedRow) -> Error {
        let column = row.columns.iter().position(|name| names_column(error.message(), name));
        let refused = Error::new(ErrorKind::Row, format!("the row could not be {done} {}", self.table.name));
        self.place(refused.with_source(error), row, column)
    }

    /// Adds to an error where in the file it happened.
    fn place(&self, error: Error, row: &SeedRow, cell: Option<usize>) -> Error {
        let error = error.of_row(row.number);
        let (error, place) = match cell {
            Some(at) => (error.of_column(row.columns[at].as_str()), row.cells[at].1),
            None => (error, (row.line, 1)),
        };
        let location: Location = self.rows.location(&self.seeder.path, place);
        error.at(location)
    }
}

/// Every column that some row fills, by position.
fn union(rows: &[Ready]) -> Vec<usize> {
    let mut columns: Vec<usize> = rows.iter().flat_map(|row| row.columns.iter().copied()).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The stored value of a column among those that were read.
fn stored_in<'v>(columns: &[usize], stored: &'v [Value], column: usize) -> &'v Value {
    columns.binary_search(&column).ok().and_then(|at| stored.get(at)).unwrap_or(&Value::Null)
}

/// Runs a statement in a savepoint, so that its failure undoes nothing else.
async fn guarded(connection: &mut Connection, statement: &Compiled) -> engine::Result<()> {
    let mut savepoint = connection.transaction().await?;
    match savepoint.execute(&statement.sql, &statement.params).await {
        Ok(_) => savepoint.commit().await,
        Err(error) => {
            // The first failure is the one to tell of; a rollback that fails too shows with the next statement.
            if let Err(trouble) = savepoint.rollback().await {
                tracing::debug!(target: "dbkeep::seed", error = %trouble, "a rollback after a refused row failed");
            }
            Err(error)
        }
    }
}

/// Whether a server's message names this column, as a word of its own.
fn names_column(message: &str, column: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    message.match_indices(column).any(|(at, _)| {
        let before = message[..at].chars().next_back();
        let after = message[at + column.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// About how many bytes a value takes in a statement.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::Bytes(bytes) => bytes.len() * 2,
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        _ => 16,
    }
}
