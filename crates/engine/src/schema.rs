//! Changes of the schema on a live connection: planned, guarded, run in one transaction where that can be.

use crate::{
    CatalogOptions, ColumnInfo, Connection, Error, ErrorKind, Result, Row, Table, TableBlueprint, TransactionState,
};
use dbkeep_sql::{
    AlterTable, Alteration, Blueprint, CompileError, CreateTable, Ddl, DropTable, FromValue, Path, RenameTable,
};
use dbkeep_sql::{Schema, SchemaOperation};
use std::future::Future;
use std::panic::Location;

/// What stands around changes of the schema that the engine's own checks are in the way of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// Runs before the transaction begins.
    pub before: &'static str,
    /// Finds what is wrong with the data, and in its last column how often. What there is more of after the changes than before
    /// undoes them.
    pub problems: Option<&'static str>,
    /// Runs after the transaction has ended, however it did.
    pub after: &'static str,
}

impl Connection {
    /// Changes the schema, or asks about it. See [`SchemaEditor`].
    pub fn schema(&mut self) -> SchemaEditor<'_> {
        SchemaEditor { connection: self }
    }
}

/// Changes the schema on a connection, or asks about it.
///
/// A call is one transaction where the engine can roll schema changes back, and a savepoint inside of an open one: all of it
/// takes effect or nothing. Elsewhere statements take effect one by one, and an error leaves those before it done and says which
/// they are. A single statement runs as it is, so that what wants no transaction around it has none.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use dbkeep_engine::{ConnectOptions, connect};
///
/// let mut connection = connect(&"sqlite::memory:".parse::<ConnectOptions>()?).await?;
/// connection
///     .schema()
///     .create("users", |t| {
///         t.id();
///         t.string("email", 255).unique();
///     })
///     .await?;
/// connection.schema().table("users", |t| { t.integer("age").default(0); }).await?;
/// assert!(connection.schema().has_column("users", "age").await?);
/// # Ok::<(), dbkeep_engine::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// What cannot be spelled on this engine is found before anything is sent: `Unsupported`, with a hint. All else is the server's
/// own, with the statement's kind of error.
///
/// # Cancellation
/// Dropped, a call leaves nothing open behind it. What is there then depends on the engine:
///
/// - PostgreSQL: nothing of it, rolled back before the connection's next use; all of it when the commit was on its way already.
/// - SQLite: nothing of it, or all of it. Statements run on the thread that polls the call where that thread may wait, one after
///   the other and without looking up: a limit of time around the call is then often noticed only after the commit.
/// - MySQL, MariaDB: the statements before stay. The one that was running is stopped, unless it was done by then.
///
/// [`has_column`](SchemaEditor::has_column) and the like tell which.
#[derive(Debug)]
pub struct SchemaEditor<'c> {
    connection: &'c mut Connection,
}

impl SchemaEditor<'_> {
    /// Makes a table.
    #[track_caller]
    pub fn create(
        &mut self,
        table: impl Into<Path>,
        describe: impl FnOnce(&mut Blueprint),
    ) -> impl Future<Output = Result<()>> + Send {
        self.one(CreateTable::new(table, describe).into(), Location::caller())
    }

    /// Changes a table. What SQLite's ALTER TABLE does not know, it does by building the table anew with its rows, indexes and
    /// triggers, which takes time and as much space again; the plan shows it.
    #[track_caller]
    pub fn table(
        &mut self,
        table: impl Into<Path>,
        describe: impl FnOnce(&mut Alteration),
    ) -> impl Future<Output = Result<()>> + Send {
        self.one(AlterTable::new(table, describe).into(), Location::caller())
    }

    /// Gives a table another name.
    #[track_caller]
    pub fn rename(&mut self, from: impl Into<Path>, to: impl Into<Path>) -> impl Future<Output = Result<()>> + Send {
        self.one(RenameTable { from: from.into(), to: to.into() }.into(), Location::caller())
    }

    /// Drops a table, with its rows. Refused where a foreign key of another table points to it.
    #[track_caller]
    pub fn drop(&mut self, table: impl Into<Path>) -> impl Future<Output = Result<()>> + Send {
        self.one(DropTable { table: table.into(), if_exists: false }.into(), Location::caller())
    }

    /// Drops a table, with its rows, if it is there. Refused where a foreign key of another table points to it.
    #[track_caller]
    pub fn drop_if_exists(&mut self, table: impl Into<Path>) -> impl Future<Output = Result<()>> + Send {
        self.one(DropTable { table: table.into(), if_exists: true }.into(), Location::caller())
    }

    /// Makes all of these changes, in order.
    #[track_caller]
    pub fn apply(&mut self, schema: &Schema) -> impl Future<Output = Result<()>> + Send {
        let caller = Location::caller();
        async move { apply(self.connection, schema.operations(), caller).await }
    }

    async fn one(&mut self, operation: SchemaOperation, caller: &'static Location<'static>) -> Result<()> {
        apply(self.connection, &[operation], caller).await
    }

    /// The statements of a change as it would run now, each with its impact. None of them takes effect.
    ///
    /// # Errors
    /// As the change itself, and when the table it changes is not there where that has to be known.
    pub async fn plan(&mut self, operation: &SchemaOperation) -> Result<Vec<Ddl>> {
        self.connection.plan_schema(operation).await
    }

    /// Whether there is a table of this name: in the schema that it names, or in the one that new tables go to. A view is none.
    pub async fn has_table(&mut self, table: impl Into<Path> + Send) -> Result<bool> {
        Ok(self.find(table.into()).await?.is_some())
    }

    /// Whether the table is there and has a column of this name, in any case.
    pub async fn has_column(&mut self, table: impl Into<Path> + Send, column: &str) -> Result<bool> {
        let columns = self.find(table.into()).await?.unwrap_or_default();
        Ok(columns.iter().any(|info| info.name.eq_ignore_ascii_case(column)))
    }

    /// The columns of a table, in order.
    ///
    /// # Errors
    /// `NotFound` when there is no such table.
    pub async fn columns(&mut self, table: impl Into<Path> + Send) -> Result<Vec<ColumnInfo>> {
        let table = table.into();
        let found = self.found(&table).await?;
        Ok(found.ok_or_else(|| no_table(&table))?.columns)
    }

    /// A table as the blueprint that would make it.
    ///
    /// Types without a name of their own stay as the engine spells them, expressions as the catalog shows them; what no
    /// blueprint can say is listed beside it. It is what this engine keeps: where a type has no limit, a text that was made with one
    /// comes back without.
    ///
    /// # Errors
    /// `NotFound` when there is no such table.
    pub async fn blueprint(&mut self, table: impl Into<Path> + Send) -> Result<TableBlueprint> {
        let table = table.into();
        let found = self.found(&table).await?.ok_or_else(|| no_table(&table))?;
        Ok(self.connection.driver.blueprint(&found))
    }

    async fn find(&mut self, table: Path) -> Result<Option<Vec<ColumnInfo>>> {
        Ok(self.found(&table).await?.map(|table| table.columns))
    }

    async fn found(&mut self, table: &Path) -> Result<Option<Table>> {
        let parts: Vec<&str> = table.parts().collect();
        let Some((name, schema)) = parts.split_last() else { return Ok(None) };
        let mut options = CatalogOptions::default().tables([*name]);
        options.sizes = false;
        if self.connection.server().capabilities.schemas {
            options.schema = match schema.last() {
                Some(schema) => Some((*schema).to_owned()),
                None => self.connection.query_one("SELECT current_schema()", &[]).await?.get(0)?,
            };
        }
        let catalog = self.connection.catalog(&options).await?;
        let mut tables = catalog.tables.into_iter();
        Ok(tables.find(|table| table.name.eq_ignore_ascii_case(name)))
    }
}

fn no_table(table: &Path) -> Error {
    let name = table.parts().collect::<Vec<_>>().join(".");
    Error::new(ErrorKind::NotFound, format!("there is no table {name}"))
        .with_hint("see with has_table(…), or in the catalog, what tables there are")
}

/// Runs changes, in one transaction where the engine can roll them back.
async fn apply(
    connection: &mut Connection,
    operations: &[SchemaOperation],
    caller: &'static Location<'static>,
) -> Result<()> {
    let caller = connection.taken_caller().unwrap_or(caller);
    connection.ready().await?;
    if !connection.server().capabilities.transactional_ddl {
        // All of them before the first runs: what cannot be spelled leaves nothing done.
        let mut statements = Vec::new();
        for operation in operations {
            statements.extend(connection.plan_schema(operation).await?);
        }
        // In a transaction the first of them ends it, and a change is not to stop there, half done.
        let together = Together::begin(connection);
        return run_one_by_one(together.0, &statements, caller).await;
    }
    let Some(guard) = connection.schema_guard(operations).await? else {
        if let [operation] = operations
            && let statements = connection.plan_schema(operation).await?
            && statements.len() <= 1
        {
            return run(connection, &statements, caller).await;
        }
        return within(connection, operations, None, caller).await;
    };
    let mut guarded = Guarded { connection, after: guard.after, done: false };
    guarded.connection.on_behalf_of(caller).script(guard.before).await?;
    let outcome = within(guarded.connection, operations, guard.problems, caller).await;
    // Also after an error: what was asked for is then as it was, and so is the session.
    let restored = guarded.connection.on_behalf_of(caller).script(guard.after).await;
    guarded.done = restored.is_ok();
    outcome.and(restored)
}

/// A connection whose next statements count as one for the transaction they are in.
struct Together<'c>(&'c mut Connection);

impl<'c> Together<'c> {
    fn begin(connection: &'c mut Connection) -> Self {
        connection.standing.together = true;
        Self(connection)
    }
}

impl Drop for Together<'_> {
    fn drop(&mut self) {
        self.0.standing.together = false;
    }
}

/// A connection whose session is to be put back, also when this is dropped halfway.
struct Guarded<'c> {
    connection: &'c mut Connection,
    after: &'static str,
    done: bool,
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.connection.standing.restore = Some(self.after);
        }
    }
}

async fn within(
    connection: &mut Connection,
    operations: &[SchemaOperation],
    problems: Option<&'static str>,
    caller: &'static Location<'static>,
) -> Result<()> {
    let mut transaction = connection.on_behalf_of(caller).transaction().await?;
    let outcome = changed(&mut transaction, operations, problems, caller).await;
    transaction.on_behalf_of(caller);
    match outcome {
        // From here the changes are there.
        Ok(()) => transaction.commit().await,
        Err(error) => {
            // The first error wins; a rollback that fails, too, is made up for before the next use.
            if let Err(trouble) = transaction.rollback().await {
                tracing::debug!(%trouble, "rolling back after an error failed, too");
            }
            Err(error)
        }
    }
}

async fn changed(
    connection: &mut Connection,
    operations: &[SchemaOperation],
    problems: Option<&'static str>,
    caller: &'static Location<'static>,
) -> Result<()> {
    let before = match problems {
        Some(sql) => connection.on_behalf_of(caller).query(sql, &[]).await?,
        None => Vec::new(),
    };
    for (at, operation) in operations.iter().enumerate() {
        let statements = match connection.plan_schema(operation).await {
            Err(error) if at > 0 => return Err(undone(error)),
            planned => planned?,
        };
        run(connection, &statements, caller).await.map_err(undone)?;
    }
    let Some(sql) = problems else { return Ok(()) };
    let after = connection.on_behalf_of(caller).query(sql, &[]).await?;
    let counted = |row: &Row| {
        let (count, place) = row.values().split_last()?;
        Some((place.to_vec(), i64::from_value(count).ok()?))
    };
    let known: Vec<_> = before.iter().filter_map(counted).collect();
    let new: Vec<_> = after
        .iter()
        .filter_map(|row| {
            let (place, count) = counted(row)?;
            let before = known.iter().find(|(known, _)| *known == place).map_or(0, |(_, count)| *count);
            (count > before).then_some((row, count - before))
        })
        .collect();
    let Some((row, _)) = new.first() else { return Ok(()) };
    let named = row.columns().iter().zip(row.values()).take(row.values().len().saturating_sub(1));
    let place: Vec<String> = named.map(|(column, value)| format!("{} {value:?}", column.name)).collect();
    let count: i64 = new.iter().map(|(_, count)| count).sum();
    Err(Error::new(
        ErrorKind::ForeignKeyViolation,
        format!("nothing was changed: {count} keys would point nowhere, the first is {}", place.join(", ")),
    )
    .with_hint("correct the rows before the change, or leave the foreign key out"))
}

async fn run(connection: &mut Connection, statements: &[Ddl], caller: &'static Location<'static>) -> Result<()> {
    for ddl in statements {
        connection.on_behalf_of(caller).execute(&ddl.sql, &[]).await?;
    }
    Ok(())
}

fn undone(error: Error) -> Error {
    error.context("nothing was changed")
}

/// Runs statements that nobody can roll back. An error says what of them is done.
async fn run_one_by_one(
    connection: &mut Connection,
    statements: &[Ddl],
    caller: &'static Location<'static>,
) -> Result<()> {
    for at in 0..statements.len() {
        if let Err(error) = run(connection, &statements[at..=at], caller).await {
            return Err(half_way(error, statements, at));
        }
    }
    Ok(())
}

fn half_way(error: Error, statements: &[Ddl], at: usize) -> Error {
    if statements.len() == 1 {
        return error;
    }
    let texts = |statements: &[Ddl]| statements.iter().map(|ddl| ddl.sql.as_str()).collect::<Vec<_>>().join("; ");
    let made = match at {
        0 => format!("none of {} changes was made", statements.len()),
        1 => format!("1 of {} changes was made, and stays: {}", statements.len(), texts(&statements[..at])),
        _ => format!("{at} of {} changes were made, and stay: {}", statements.len(), texts(&statements[..at])),
    };
    let untried = match &statements[at + 1..] {
        [] => String::new(),
        rest => format!("; not tried: {}", texts(rest)),
    };
    // Without an answer nobody knows.
    let failed = if error.is_connection_lost() { "without an answer" } else { "failed" };
    let error = error.context(format_args!("{made}{untried}; {failed}: {}", texts(&statements[at..=at])));
    if at == 0 || error.hint().is_some() {
        return error;
    }
    error.with_hint("this engine commits every schema change at once: correct the cause, then make only the changes that are missing")
}

impl Connection {
    async fn plan_schema(&mut self, operation: &SchemaOperation) -> Result<Vec<Ddl>> {
        self.ready().await?;
        self.standing.in_flight = true;
        let outcome = self.driver.plan(operation).await;
        self.landed(outcome)
    }

    async fn schema_guard(&mut self, operations: &[SchemaOperation]) -> Result<Option<Guard>> {
        self.ready().await?;
        self.standing.in_flight = true;
        let outcome = self.driver.guard(operations).await;
        self.landed(outcome)
    }

    /// Puts back what a dropped change of the schema had set, once its transaction is gone.
    pub(crate) async fn restore(&mut self) -> Result<()> {
        if let Some(sql) = self.standing.restore {
            self.run(sql).await?;
            // Some settings cannot change in a transaction; whoever dropped the change dropped that as well, or will.
            if self.driver.transaction_state() == TransactionState::Idle {
                self.standing.restore = None;
            }
        }
        Ok(())
    }
}

/// What cannot be spelled, as an error of the engine.
pub(crate) fn unspeakable(error: CompileError) -> Error {
    let kind = if error.unsupported().is_some() { ErrorKind::Unsupported } else { ErrorKind::Syntax };
    Error::new(kind, error.to_string()).with_hint(error.hint())
}
