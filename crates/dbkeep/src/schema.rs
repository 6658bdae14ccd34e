//! The schema of a database: changed and asked about through its pool.

use crate::{Database, Result};
use dbkeep_engine::ColumnInfo;
use dbkeep_sql::{
    AlterTable, Alteration, Blueprint, CreateTable, Ddl, DropTable, Path, RenameTable, Schema, SchemaOperation,
};
use std::future::Future;
use std::panic::Location;

impl Database {
    /// Changes the schema, or asks about it. See [`DatabaseSchema`].
    pub fn schema(&self) -> DatabaseSchema<'_> {
        DatabaseSchema { database: self }
    }
}

/// Changes the schema of a database, or asks about it.
///
/// Each call takes a connection, and is one transaction where the engine can roll schema changes back: all of it takes effect
/// or nothing. For several changes in one transaction, collect them in a [`Schema`] for [`apply`](DatabaseSchema::apply), or
/// take [`Connection::schema`](dbkeep_engine::Connection::schema) inside of [`Database::transaction`].
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// use dbkeep::Database;
/// use dbkeep::sql::Action;
///
/// let db = Database::connect("sqlite::memory:").await?;
/// db.schema()
///     .create("users", |t| {
///         t.id();
///         t.string("email", 255).unique();
///         t.timestamps();
///     })
///     .await?;
/// db.schema()
///     .create("posts", |t| {
///         t.id();
///         t.foreign_id("user_id").constrained("users").on_delete(Action::Cascade);
///         t.enum_of("state", ["draft", "published"]).default("draft");
///     })
///     .await?;
/// db.schema().table("users", |t| t.rename_column("email", "mail")).await?;
/// assert!(db.schema().has_column("users", "mail").await?);
/// db.schema().drop_if_exists("posts").await?;
/// assert!(!db.schema().has_table("posts").await?);
/// # Ok::<(), dbkeep::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// What this engine cannot do is found before anything is sent, with a hint; all else is the server's own, or that no connection
/// could be had.
///
/// # Cancellation
/// Dropped, a call leaves nothing open behind it. On PostgreSQL and SQLite nothing of it is there then, or all of it when it came
/// as far as its commit, which on SQLite it mostly does once it has begun; on MySQL and MariaDB the statements before stay. See
/// [`SchemaEditor`](dbkeep_engine::SchemaEditor).
#[derive(Debug, Clone, Copy)]
pub struct DatabaseSchema<'d> {
    database: &'d Database,
}

impl<'d> DatabaseSchema<'d> {
    /// Makes a table.
    #[track_caller]
    pub fn create(
        &self,
        table: impl Into<Path>,
        describe: impl FnOnce(&mut Blueprint),
    ) -> impl Future<Output = Result<()>> + Send {
        self.one(CreateTable::new(table, describe), Location::caller())
    }

    /// Changes a table. What SQLite's ALTER TABLE does not know, it does by building the table anew with its rows, indexes and
    /// triggers, which takes time and as much space again.
    #[track_caller]
    pub fn table(
        &self,
        table: impl Into<Path>,
        describe: impl FnOnce(&mut Alteration),
    ) -> impl Future<Output = Result<()>> + Send {
        self.one(AlterTable::new(table, describe), Location::caller())
    }

    /// Gives a table another name.
    #[track_caller]
    pub fn rename(&self, from: impl Into<Path>, to: impl Into<Path>) -> impl Future<Output = Result<()>> + Send {
        self.one(RenameTable { from: from.into(), to: to.into() }, Location::caller())
    }

    /// Drops a table, with its rows. Refused where a foreign key of another table points to it.
    #[track_caller]
    pub fn drop(&self, table: impl Into<Path>) -> impl Future<Output = Result<()>> + Send {
        self.one(DropTable { table: table.into(), if_exists: false }, Location::caller())
    }

    /// Drops a table, with its rows, if it is there. Refused where a foreign key of another table points to it.
    #[track_caller]
    pub fn drop_if_exists(&self, table: impl Into<Path>) -> impl Future<Output = Result<()>> + Send {
        self.one(DropTable { table: table.into(), if_exists: true }, Location::caller())
    }

    /// Makes all of these changes, in order: in one transaction where the engine can roll them back, else until the first error.
    #[track_caller]
    pub fn apply<'s>(&self, schema: &'s Schema) -> impl Future<Output = Result<()>> + Send + use<'d, 's> {
        let (caller, lease) = (Location::caller(), self.database.acquire());
        async move { Ok(lease.await?.on_behalf_of(caller).schema().apply(schema).await?) }
    }

    fn one(
        &self,
        operation: impl Into<SchemaOperation>,
        caller: &'static Location<'static>,
    ) -> impl Future<Output = Result<()>> + Send {
        let mut schema = Schema::new();
        schema.push(operation);
        let lease = self.database.acquire();
        async move { Ok(lease.await?.on_behalf_of(caller).schema().apply(&schema).await?) }
    }

    /// The statements of a change as it would run now, each with its impact. None of them takes effect.
    ///
    /// # Errors
    /// As the change itself.
    #[track_caller]
    pub fn plan<'s>(
        &self,
        operation: &'s SchemaOperation,
    ) -> impl Future<Output = Result<Vec<Ddl>>> + Send + use<'d, 's> {
        let lease = self.database.acquire();
        async move { Ok(lease.await?.schema().plan(operation).await?) }
    }

    /// Whether there is a table of this name: in the schema that it names, or in the one that new tables go to. A view is none.
    #[track_caller]
    pub fn has_table(&self, table: impl Into<Path>) -> impl Future<Output = Result<bool>> + Send {
        let (table, lease) = (table.into(), self.database.acquire_read());
        async move { Ok(lease.await?.schema().has_table(table).await?) }
    }

    /// Whether the table is there and has a column of this name, in any case.
    #[track_caller]
    pub fn has_column(&self, table: impl Into<Path>, column: &str) -> impl Future<Output = Result<bool>> + Send {
        let (table, lease) = (table.into(), self.database.acquire_read());
        async move { Ok(lease.await?.schema().has_column(table, column).await?) }
    }

    /// The columns of a table, in order.
    ///
    /// # Errors
    /// `NotFound` when there is no such table.
    #[track_caller]
    pub fn columns(&self, table: impl Into<Path>) -> impl Future<Output = Result<Vec<ColumnInfo>>> + Send {
        let (table, lease) = (table.into(), self.database.acquire_read());
        async move { Ok(lease.await?.schema().columns(table).await?) }
    }
}
