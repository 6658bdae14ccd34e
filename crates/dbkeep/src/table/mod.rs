//! The fluent face: `db.table("users").filter(col("id").eq(7)).get().await`.

mod on;
mod pages;
mod read;
mod stream;
mod write;

pub use pages::{Chunks, KeysetPage, Page};
pub use stream::TableRows;

use crate::{Connection, Database, Result};
use dbkeep_engine::{Executed, Row};
use dbkeep_sql::{
    ColumnExpr, Compile, Compiled, Cte, Expr, Name, Order, Path, Select, SelectItem, TableRef, Text, select,
};
use on::On;
use std::future::Future;

impl Database {
    /// Starts a query, an insert, an update or a delete on a table.
    pub fn table(&self, table: impl Into<TableRef>) -> TableQuery<'_> {
        TableQuery::new(On::Database(self), table.into())
    }

    /// Runs a statement built with [`dbkeep_sql`] and collects its rows.
    ///
    /// # Errors
    /// What cannot be built for this engine, found before anything is sent; the server's own.
    #[track_caller]
    pub fn fetch<S: Compile + ?Sized>(
        &self,
        statement: &S,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send + use<'_, S> {
        On::Database(self).rows(statement.compile(self.dialect()))
    }

    /// Runs a statement built with [`dbkeep_sql`] and says what it did.
    ///
    /// # Errors
    /// What cannot be built for this engine, found before anything is sent; the server's own.
    #[track_caller]
    pub fn run<S: Compile + ?Sized>(
        &self,
        statement: &S,
    ) -> impl Future<Output = Result<Executed>> + Send + use<'_, S> {
        On::Database(self).run(statement.compile(self.dialect()))
    }
}

/// The fluent face of [`Database`] on one connection: on a lease, or inside a transaction.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// use dbkeep::{ConnectionExt as _, Database, Error, col};
///
/// let db = Database::connect("sqlite::memory:").await?;
/// db.script("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)").await?;
/// db.table("accounts").insert_many(["id", "balance"], [[1.into(), 100.into()], [2.into(), 0.into()]]).await?;
///
/// db.transaction(async |tx| {
///     tx.table("accounts").filter(col("id").eq(1)).decrement("balance", 30).await?;
///     tx.table("accounts").filter(col("id").eq(2)).increment("balance", 30).await?;
///     Ok::<_, Error>(())
/// })
/// .await?;
/// assert_eq!(db.table("accounts").order_by("id").pluck::<i64>("balance").await?, [70, 30]);
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
pub trait ConnectionExt {
    /// Starts a query, an insert, an update or a delete on a table, on this connection. Futures of one such query that run
    /// at the same time take turns.
    fn table(&mut self, table: impl Into<TableRef>) -> TableQuery<'_>;

    /// Runs a statement built with [`dbkeep_sql`] and collects its rows.
    ///
    /// # Errors
    /// As [`Database::fetch`].
    #[track_caller]
    fn fetch<S: Compile + ?Sized>(&mut self, statement: &S) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// Runs a statement built with [`dbkeep_sql`] and says what it did.
    ///
    /// # Errors
    /// As [`Database::run`].
    #[track_caller]
    fn run<S: Compile + ?Sized>(&mut self, statement: &S) -> impl Future<Output = Result<Executed>> + Send;
}

impl ConnectionExt for Connection {
    fn table(&mut self, table: impl Into<TableRef>) -> TableQuery<'_> {
        TableQuery::new(On::connection(self), table.into())
    }

    #[track_caller]
    fn fetch<S: Compile + ?Sized>(&mut self, statement: &S) -> impl Future<Output = Result<Vec<Row>>> + Send {
        let compiled = statement.compile(&*self.dialect());
        On::connection(self).rows(compiled)
    }

    #[track_caller]
    fn run<S: Compile + ?Sized>(&mut self, statement: &S) -> impl Future<Output = Result<Executed>> + Send {
        let compiled = statement.compile(&*self.dialect());
        On::connection(self).run(compiled)
    }
}

/// A statement on one table, being built. Names are quoted and values bound, always.
///
/// It is a value: `clone()` it to go on from it twice. What runs it leaves it as it is.
#[derive(Debug, Clone)]
#[must_use = "a query does nothing until it is run"]
pub struct TableQuery<'d> {
    on: On<'d>,
    query: Select,
    all_rows: bool,
}

macro_rules! joins {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(self, table: impl Into<TableRef>, on: Expr) -> Self {
            self.tap(|query| query.$name(table, on))
        }
    )*};
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {$(
        $(#[$doc])*
        pub fn $name(self, $($argument: $type),*) -> Self {
            self.tap(|query| query.$name($($argument),*))
        }
    )*};
}

/// Narrowing down and ordering. Everything a [`Select`] knows besides: [`tap`](TableQuery::tap).
impl<'d> TableQuery<'d> {
    fn new(on: On<'d>, table: TableRef) -> Self {
        Self { on, query: select().from(table), all_rows: false }
    }

    /// Reads these columns instead of all; called again, these too.
    pub fn select<T: Into<SelectItem>>(self, columns: impl IntoIterator<Item = T>) -> Self {
        self.tap(|query| query.columns(columns))
    }

    plain! {
        /// Only rows for which this holds, and all conditions given before.
        filter(condition: Expr);
        /// Only rows for which this holds, or else all conditions given before: `(all of them) OR this`.
        or_filter(condition: Expr);
        /// Only groups for which this holds.
        having(condition: Expr);
        /// At most so many rows.
        limit(rows: u64);
        /// Not the first so many rows.
        offset(rows: u64);
        /// Each row once.
        distinct();
        /// Locks the rows against changes and other locks until the transaction ends.
        for_update();
        /// Locks the rows against changes until the transaction ends.
        for_share();
        /// Locks, and leaves out rows that another transaction holds.
        skip_locked();
        /// Locks, and fails at once when another transaction holds a row.
        no_wait();
        /// Names a query in front of this one, which reads it like a table.
        with(cte: Cte);
        /// Forgets the order said so far.
        clear_order();
    }

    joins! {
        /// Joins the rows of another table for which the condition holds.
        join;
        /// Joins the rows of another table for which the condition holds, NULLs where there is none.
        left_join;
        /// Joins the rows of another table, all of whose rows stay.
        right_join;
        /// Joins the rows of another table; all rows of both sides stay.
        full_join;
    }

    /// Joins another table by columns that both sides have and that must be equal; each comes once.
    pub fn join_using<T: Into<Name>>(self, table: impl Into<TableRef>, columns: impl IntoIterator<Item = T>) -> Self {
        self.tap(|query| query.join_using(table, columns))
    }

    /// Puts each row together with each row of another table.
    pub fn cross_join(self, table: impl Into<TableRef>) -> Self {
        self.tap(|query| query.cross_join(table))
    }

    /// One row for each value of this column; called again, of these columns.
    pub fn group_by(self, column: impl Into<ColumnExpr>) -> Self {
        self.tap(|query| query.group_by(column))
    }

    /// The rows of both queries, each once. What is said of order and limit after that is said of both.
    pub fn union(self, other: impl Into<Select>) -> Self {
        self.tap(|query| query.union(other))
    }

    /// The rows of both queries, as often as they come. What is said of order and limit after that is said of both.
    pub fn union_all(self, other: impl Into<Select>) -> Self {
        self.tap(|query| query.union_all(other))
    }

    /// Orders by this column, or by `col("x").desc()`; called again, by this where the first are equal.
    pub fn order_by(self, order: impl Into<Order>) -> Self {
        self.tap(|query| query.order_by(order))
    }

    /// Orders by this column from the greatest to the least.
    pub fn order_by_desc(self, column: impl Into<ColumnExpr>) -> Self {
        self.tap(|query| query.order_by_desc(column))
    }

    /// Of rows that agree in these columns, the first in the order. PostgreSQL only; see [`Select::distinct_on`].
    pub fn distinct_on<T: Into<ColumnExpr>>(self, columns: impl IntoIterator<Item = T>) -> Self {
        self.tap(|query| query.distinct_on(columns))
    }

    /// Says something about the statement to whoever reads the server's log.
    pub fn comment(self, comment: impl Into<Text>) -> Self {
        self.tap(|query| query.comment(comment))
    }

    /// Does something to the query where the condition holds.
    pub fn when(self, condition: bool, then: impl FnOnce(Self) -> Self) -> Self {
        if condition { then(self) } else { self }
    }

    /// Does something to the query as a [`Select`], which knows more: windows, UNION, pages by keys.
    pub fn tap(mut self, change: impl FnOnce(Select) -> Select) -> Self {
        self.query = change(self.query);
        self
    }

    /// Says that an update or delete without a condition means every row.
    pub fn all_rows(mut self) -> Self {
        self.all_rows = true;
        self
    }

    /// The query as a value.
    pub fn to_query(&self) -> Select {
        self.query.clone()
    }

    /// The query as text and parameters.
    ///
    /// # Errors
    /// What cannot be built for this engine.
    pub fn to_sql(&self) -> Result<Compiled> {
        Ok(self.query.compile(self.on.dialect())?)
    }

    /// The query with its values written into the text: for reading, never to be run.
    ///
    /// # Errors
    /// What cannot be built for this engine.
    pub fn to_raw_sql(&self) -> Result<String> {
        Ok(self.query.to_raw_sql(self.on.dialect())?)
    }

    /// The table that is written to; a query of something else names none, which the writer finds out.
    fn target(&self) -> Path {
        self.query.table_path().cloned().unwrap_or_else(|| Path::from(""))
    }
}

impl From<TableQuery<'_>> for Select {
    fn from(query: TableQuery<'_>) -> Self {
        query.query
    }
}

impl From<&TableQuery<'_>> for Select {
    fn from(query: &TableQuery<'_>) -> Self {
        query.query.clone()
    }
}
