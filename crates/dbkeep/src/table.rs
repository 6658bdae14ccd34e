//! The fluent face: `db.table("users").filter(col("id").eq(7)).get().await`.

use crate::{Database, Error, Result};
use dbkeep_engine::{Executed, Row};
use dbkeep_sql::{
    ColumnExpr, Compile, Compiled, Expr, FromValue, Insert, Name, Order, Path, Select, SelectItem, TableRef, Value,
    col, insert_into, select,
};
use serde::de::DeserializeOwned;
use std::future::Future;
use std::panic::Location;

impl Database {
    /// Starts a query, an insert, an update or a delete on a table.
    pub fn table(&self, name: impl Into<Path>) -> TableQuery<'_> {
        let table = name.into();
        TableQuery { database: self, query: select().from(TableRef::from(table.clone())), table, all_rows: false }
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
        let compiled = statement.compile(self.dialect());
        // No closure: the caller would be this line.
        let rows = match compiled {
            Ok(Compiled { sql, params }) => Ok(self.rows(sql, params)),
            Err(error) => Err(error),
        };
        async move { rows?.await }
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
        let compiled = statement.compile(self.dialect());
        let (caller, lease) = (Location::caller(), self.acquire());
        async move {
            let Compiled { sql, params } = compiled?;
            Ok(lease.await?.on_behalf_of(caller).execute(&sql, &params).await?)
        }
    }
}

/// A statement on one table, being built. Names are quoted and values bound, always.
#[derive(Debug, Clone)]
#[must_use = "a query does nothing until it is run"]
pub struct TableQuery<'d> {
    database: &'d Database,
    table: Path,
    query: Select,
    all_rows: bool,
}

/// Narrowing down and ordering.
impl TableQuery<'_> {
    /// Reads these columns instead of all; called again, these too.
    pub fn select<T: Into<SelectItem>>(self, columns: impl IntoIterator<Item = T>) -> Self {
        self.with(|query| query.columns(columns))
    }

    /// Only rows for which this holds, and all conditions given before.
    pub fn filter(self, condition: Expr) -> Self {
        self.with(|query| query.filter(condition))
    }

    /// Joins the rows of another table for which the condition holds.
    pub fn join(self, table: impl Into<TableRef>, on: Expr) -> Self {
        self.with(|query| query.join(table, on))
    }

    /// Joins the rows of another table for which the condition holds, NULLs where there is none.
    pub fn left_join(self, table: impl Into<TableRef>, on: Expr) -> Self {
        self.with(|query| query.left_join(table, on))
    }

    /// One row for each value of this column.
    pub fn group_by(self, column: impl Into<ColumnExpr>) -> Self {
        self.with(|query| query.group_by(column))
    }

    /// Only groups for which this holds.
    pub fn having(self, condition: Expr) -> Self {
        self.with(|query| query.having(condition))
    }

    /// Orders by this column, or by `col("x").desc()`; called again, by this where the first are equal.
    pub fn order_by(self, order: impl Into<Order>) -> Self {
        self.with(|query| query.order_by(order))
    }

    /// At most so many rows.
    pub fn limit(self, rows: u64) -> Self {
        self.with(|query| query.limit(rows))
    }

    /// Not the first so many rows.
    pub fn offset(self, rows: u64) -> Self {
        self.with(|query| query.offset(rows))
    }

    /// Each row once.
    pub fn distinct(self) -> Self {
        self.with(Select::distinct)
    }

    /// Does something to the query where the condition holds.
    pub fn when(self, condition: bool, then: impl FnOnce(Self) -> Self) -> Self {
        if condition { then(self) } else { self }
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
        Ok(self.query.compile(self.database.dialect())?)
    }

    fn with(mut self, change: impl FnOnce(Select) -> Select) -> Self {
        self.query = change(self.query);
        self
    }
}

/// Reading.
impl TableQuery<'_> {
    /// The rows.
    ///
    /// # Errors
    /// What cannot be built for this engine, found before anything is sent; the server's own.
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<Vec<Row>>> + Send {
        self.database.fetch(&self.query)
    }

    /// The rows as structs, tuples or, with one column, values.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get), and `Decode` naming column, wanted and found type.
    #[track_caller]
    pub fn get_as<T: DeserializeOwned>(&self) -> impl Future<Output = Result<Vec<T>>> + Send {
        let rows = self.get();
        async move { Ok(rows.await?.iter().map(Row::decode).collect::<Result<_, _>>()?) }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get).
    #[track_caller]
    pub fn first(&self) -> impl Future<Output = Result<Option<Row>>> + Send {
        let rows = self.database.fetch(&self.query.clone().limit(1));
        async move { Ok(rows.await?.into_iter().next()) }
    }

    /// The first row as a struct, a tuple or, with one column, a value.
    ///
    /// # Errors
    /// As [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn first_as<T: DeserializeOwned>(&self) -> impl Future<Output = Result<Option<T>>> + Send {
        let row = self.first();
        async move { Ok(row.await?.map(|row| row.decode()).transpose()?) }
    }

    /// One column of the first row.
    ///
    /// # Errors
    /// As [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn value<T: FromValue>(&self, column: impl Into<Path>) -> impl Future<Output = Result<Option<T>>> + Send {
        let rows = self.database.fetch(&self.query.clone().column(col(column)).limit(1));
        async move { Ok(rows.await?.first().map(last).transpose()?) }
    }

    /// One column of every row.
    ///
    /// # Errors
    /// As [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn pluck<T: FromValue>(&self, column: impl Into<Path>) -> impl Future<Output = Result<Vec<T>>> + Send {
        let rows = self.database.fetch(&self.query.clone().column(col(column)));
        async move { Ok(rows.await?.iter().map(last).collect::<Result<_, _>>()?) }
    }

    /// How many rows there are. Groups, DISTINCT and LIMIT count as they are.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get).
    #[track_caller]
    pub fn count(&self) -> impl Future<Output = Result<u64>> + Send {
        let rows = self.database.fetch(&self.query.to_count());
        async move { rows.await?.first().map_or(Ok(0), |row| row.get(0)).map_err(Error::from) }
    }

    /// Whether there is a row at all.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get).
    #[track_caller]
    pub fn exists(&self) -> impl Future<Output = Result<bool>> + Send {
        let rows = self.database.fetch(&self.query.to_exists());
        async move { rows.await?.first().map_or(Ok(false), |row| row.get(0)).map_err(Error::from) }
    }
}

fn last<T: FromValue>(row: &Row) -> Result<T, dbkeep_engine::Error> {
    row.get(row.values().len().saturating_sub(1))
}

/// Writing.
impl TableQuery<'_> {
    /// Inserts one row: `insert([("name", "Ada".into()), ("age", 36.into())])`.
    ///
    /// # Errors
    /// The violated constraint by kind; the server's own.
    #[track_caller]
    pub fn insert<C: Into<Name>>(
        &self,
        row: impl IntoIterator<Item = (C, Value)>,
    ) -> impl Future<Output = Result<Executed>> + Send {
        self.database.run(
            &row.into_iter().fold(insert_into(self.table.clone()), |insert, (column, value)| insert.set(column, value)),
        )
    }

    /// Inserts many rows of the same columns, in as few statements as the engine's limit on parameters allows, all in one
    /// transaction, and says how many. No rows are no statement.
    ///
    /// # Errors
    /// The violated constraint by kind; nothing is inserted then.
    ///
    /// # Cancellation
    /// Dropped before it is done, it inserts all rows or none.
    #[track_caller]
    pub fn insert_many<C: Into<Name>, R: IntoIterator<Item = Value>>(
        &self,
        columns: impl IntoIterator<Item = C>,
        rows: impl IntoIterator<Item = R>,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.in_batches(insert_into(self.table.clone()).columns(columns).rows(rows))
    }

    /// Inserts rows; where the unique key `keys` is taken, updates all other columns of the row there. Says how many rows
    /// the server counts as affected: MySQL and MariaDB count an updated one twice and one that stays as it is not at all,
    /// and they heed every unique key of the table.
    ///
    /// # Errors
    /// As [`insert_many`](TableQuery::insert_many).
    #[track_caller]
    pub fn upsert<C: Into<Name>, K: Into<Name>, R: IntoIterator<Item = Value>>(
        &self,
        columns: impl IntoIterator<Item = C>,
        rows: impl IntoIterator<Item = R>,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Future<Output = Result<u64>> + Send {
        let keys: Vec<Name> = keys.into_iter().map(Into::into).collect();
        let insert = insert_into(self.table.clone()).columns(columns).rows(rows);
        let others: Vec<Name> = insert.column_names().iter().filter(|column| !keys.contains(column)).cloned().collect();
        self.in_batches(insert.upsert(keys, others))
    }

    /// Inserts one row and returns the number the server made for its key.
    ///
    /// # Errors
    /// As [`insert`](TableQuery::insert); `Unsupported` where the engine made no key that it can tell.
    #[track_caller]
    pub fn insert_get_id<C: Into<Name>>(
        &self,
        row: impl IntoIterator<Item = (C, Value)>,
        key: impl Into<Path>,
    ) -> impl Future<Output = Result<u64>> + Send {
        let insert =
            row.into_iter().fold(insert_into(self.table.clone()), |insert, (column, value)| insert.set(column, value));
        let returns = self.database.server().capabilities.insert_returning;
        let with_key = insert.clone().returning([col(key)]).compile(self.database.dialect());
        let plain = insert.compile(self.database.dialect());
        let (caller, lease) = (Location::caller(), self.database.acquire());
        async move {
            let mut lease = lease.await?;
            if returns {
                let Compiled { sql, params } = with_key?;
                return Ok(lease.on_behalf_of(caller).query_one(&sql, &params).await?.get(0)?);
            }
            let Compiled { sql, params } = plain?;
            let done = lease.on_behalf_of(caller).execute(&sql, &params).await?;
            done.last_insert_id.ok_or_else(|| {
                dbkeep_engine::Error::new(dbkeep_engine::ErrorKind::Unsupported, "the server made no key for this row")
                    .into()
            })
        }
    }

    /// Gives columns new values in the rows that fit the conditions, and says in how many. Without a condition it is an
    /// error unless [`all_rows`](TableQuery::all_rows) was said.
    ///
    /// # Errors
    /// As [`insert`](TableQuery::insert).
    #[track_caller]
    pub fn update<C: Into<Name>, V: Into<Expr>>(
        &self,
        values: impl IntoIterator<Item = (C, V)>,
    ) -> impl Future<Output = Result<u64>> + Send {
        let update = values
            .into_iter()
            .fold(self.query.clone().into_update(), |update, (column, value)| update.set(column, value));
        let update = if self.all_rows { update.all_rows() } else { update };
        let done = self.database.run(&update);
        async move { Ok(done.await?.rows_affected) }
    }

    /// Adds to a column in the rows that fit the conditions.
    ///
    /// # Errors
    /// As [`update`](TableQuery::update).
    #[track_caller]
    pub fn increment(&self, column: impl Into<Name>, by: impl Into<Expr>) -> impl Future<Output = Result<u64>> + Send {
        let update = self.query.clone().into_update().increment(column, by);
        let done = self.database.run(&if self.all_rows { update.all_rows() } else { update });
        async move { Ok(done.await?.rows_affected) }
    }

    /// Deletes the rows that fit the conditions, and says how many. Without a condition it is an error unless
    /// [`all_rows`](TableQuery::all_rows) was said.
    ///
    /// # Errors
    /// As [`insert`](TableQuery::insert).
    #[track_caller]
    pub fn delete(&self) -> impl Future<Output = Result<u64>> + Send {
        let delete = self.query.clone().into_delete();
        let done = self.database.run(&if self.all_rows { delete.all_rows() } else { delete });
        async move { Ok(done.await?.rows_affected) }
    }

    #[track_caller]
    fn in_batches(&self, insert: Insert) -> impl Future<Output = Result<u64>> + Send {
        let (caller, database) = (Location::caller(), self.database);
        let lease = database.acquire();
        async move {
            let dialect = database.dialect();
            let mut batches = insert.batches(dialect);
            // What cannot be built is found before anything is sent, and what is nothing sends nothing.
            let Some(first) = batches.next() else { return Ok(0) };
            let Compiled { sql, params } = first.compile(dialect)?;
            let mut lease = lease.await?;
            let Some(second) = batches.next() else {
                return Ok(lease.on_behalf_of(caller).execute(&sql, &params).await?.rows_affected);
            };
            let mut transaction = lease.on_behalf_of(caller).transaction().await?;
            let mut rows = transaction.on_behalf_of(caller).execute(&sql, &params).await?.rows_affected;
            for batch in std::iter::once(second).chain(batches) {
                let Compiled { sql, params } = batch.compile(dialect)?;
                rows += transaction.on_behalf_of(caller).execute(&sql, &params).await?.rows_affected;
            }
            transaction.on_behalf_of(caller);
            transaction.commit().await?;
            Ok(rows)
        }
    }
}
