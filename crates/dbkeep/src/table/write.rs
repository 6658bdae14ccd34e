//! Writing.

use super::TableQuery;
use crate::Result;
use dbkeep_engine::{ErrorKind, Executed, Row};
use dbkeep_sql::{
    Compile, Compiled, Delete, Expr, Insert, Name, Path, Select, SelectItem, Update, Value, col, insert_into, truncate,
};
use futures_util::TryFutureExt as _;
use std::future::Future;
use std::panic::Location;

/// Writing.
///
/// The conditions said before decide which rows are updated or deleted; a join, an order, a limit or a group said before is an
/// error then, since no engine could heed it.
impl<'d> TableQuery<'d> {
    /// Inserts one row: `insert(values! { "name" => "Ada", "age" => 36 })`, or any pairs of columns and values. For expressions as values, see
    /// [`insert_into`] and [`Database::run`](crate::Database::run).
    ///
    /// # Errors
    /// The violated constraint by kind; the server's own.
    #[track_caller]
    pub fn insert<C: Into<Name>>(
        &self,
        row: impl IntoIterator<Item = (C, Value)>,
    ) -> impl Future<Output = Result<Executed>> + Send {
        self.on.run(self.new_row(row).into_compiled(self.on.dialect()))
    }

    /// Inserts many rows of the same columns, in as few statements as the engine's limit on parameters and a limit of about a
    /// megabyte of text allow, all in one transaction, and says how many. No rows are no statement. For very many rows, see
    /// [`bulk_insert`](TableQuery::bulk_insert).
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
        self.in_batches(insert_into(self.target()).columns(columns).rows(rows))
    }

    /// As [`insert_many`](TableQuery::insert_many), leaving out rows whose key is taken, and says how many the server counts:
    /// those inserted, on MySQL and MariaDB those left out as well. Any other trouble with a row stays an error: a value too long, a missing parent, a failed check.
    ///
    /// # Errors
    /// As [`insert_many`](TableQuery::insert_many).
    #[track_caller]
    pub fn insert_or_ignore<C: Into<Name>, R: IntoIterator<Item = Value>>(
        &self,
        columns: impl IntoIterator<Item = C>,
        rows: impl IntoIterator<Item = R>,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.in_batches(insert_into(self.target()).columns(columns).rows(rows).or_ignore())
    }

    /// Inserts rows; where the unique key `keys` is taken, updates all other columns of the row there. Says how many rows
    /// the server counts as affected: MySQL and MariaDB count an updated one twice and one that stays as it is once,
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
        let insert = insert_into(self.target()).columns(columns).rows(rows);
        let others: Vec<Name> = insert.column_names().iter().filter(|column| !keys.contains(column)).cloned().collect();
        self.in_batches(insert.upsert(keys, others))
    }

    /// As [`upsert`](TableQuery::upsert), updating only these columns of the row there.
    ///
    /// # Errors
    /// As [`insert_many`](TableQuery::insert_many).
    #[track_caller]
    pub fn upsert_columns<C: Into<Name>, K: Into<Name>, U: Into<Name>, R: IntoIterator<Item = Value>>(
        &self,
        columns: impl IntoIterator<Item = C>,
        rows: impl IntoIterator<Item = R>,
        keys: impl IntoIterator<Item = K>,
        update: impl IntoIterator<Item = U>,
    ) -> impl Future<Output = Result<u64>> + Send {
        self.in_batches(insert_into(self.target()).columns(columns).rows(rows).upsert(keys, update))
    }

    /// Puts rows from an iterator into the table at the speed of the engine's own loader, all of them or none, and says how many; see
    /// [`Database::bulk_insert`](crate::Database::bulk_insert).
    ///
    /// # Errors
    /// As [`Connection::bulk_insert`](crate::Connection::bulk_insert).
    ///
    /// # Cancellation
    /// Dropped, it leaves no rows, unless the commit was on its way already: then all of them may be there.
    #[track_caller]
    pub fn bulk_insert<R>(
        &self,
        columns: impl IntoIterator<Item = impl Into<Name>>,
        rows: R,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: IntoIterator<Item: Into<Vec<Value>>, IntoIter: Send>,
    {
        let (caller, held, table) = (Location::caller(), self.on.hold(), self.target());
        let (columns, rows) = (columns.into_iter().map(Into::into).collect::<Vec<Name>>(), rows.into_iter());
        async move { Ok(held.await?.on_behalf_of(caller).bulk_insert(table, columns, rows).await?) }
    }

    /// Inserts the rows of a query into these columns, and says how many.
    ///
    /// # Errors
    /// As [`insert`](TableQuery::insert).
    #[track_caller]
    pub fn insert_from<C: Into<Name>>(
        &self,
        columns: impl IntoIterator<Item = C>,
        query: impl Into<Select>,
    ) -> impl Future<Output = Result<u64>> + Send {
        let insert = insert_into(self.target()).columns(columns).from_select(query);
        let done = self.on.run(insert.compile(self.on.dialect()));
        done.map_ok(|done| done.rows_affected)
    }

    /// Inserts one row and returns the number the server made for its key.
    ///
    /// # Errors
    /// As [`insert`](TableQuery::insert); `Unsupported` where the engine made no key that it can tell, `Decode` where the key is
    /// no such number. The row is stored then, as the error says.
    #[track_caller]
    pub fn insert_get_id<C: Into<Name>>(
        &self,
        row: impl IntoIterator<Item = (C, Value)>,
        key: impl Into<Path>,
    ) -> impl Future<Output = Result<u64>> + Send {
        let insert = self.new_row(row);
        let returns = self.on.capabilities().insert_returning;
        let compiled = if returns {
            insert.returning([col(key)]).compile(self.on.dialect())
        } else {
            insert.into_compiled(self.on.dialect())
        };
        let (caller, held) = (Location::caller(), self.on.hold());
        async move {
            let Compiled { sql, params } = compiled?;
            let mut held = held.await?;
            if returns {
                let row = held.on_behalf_of(caller).query_one(&sql, &params).await?;
                // From here the row is stored, or is in the transaction around it.
                return row.get(0).map_err(|error| {
                    let error = error.context("the row is stored, but its key is no number that this can return");
                    error
                        .with_hint(
                            "take insert_returning(…), which gives back a key of any type, or give the key yourself",
                        )
                        .into()
                });
            }
            let done = held.on_behalf_of(caller).execute(&sql, &params).await?;
            done.last_insert_id.ok_or_else(|| {
                let message = "the row is stored, but the server made no key for it that it could tell";
                let error = dbkeep_engine::Error::new(ErrorKind::Unsupported, message);
                error
                    .with_hint("give the key yourself, and take insert(…); a number is made by AUTO_INCREMENT only")
                    .into()
            })
        }
    }

    /// Inserts many rows of the same columns and gives back columns of each: keys, defaults, what triggers made of them. In one
    /// transaction, as [`insert_many`](TableQuery::insert_many).
    ///
    /// # Errors
    /// `Unsupported` on MySQL, before anything is sent; as [`insert_many`](TableQuery::insert_many).
    #[track_caller]
    pub fn insert_returning<C: Into<Name>, R: IntoIterator<Item = Value>, T: Into<SelectItem>>(
        &self,
        columns: impl IntoIterator<Item = C>,
        rows: impl IntoIterator<Item = R>,
        returning: impl IntoIterator<Item = T>,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send {
        let insert = insert_into(self.target()).columns(columns).rows(rows).returning(returning);
        let (caller, on, held) = (Location::caller(), self.on.clone(), self.on.hold());
        async move {
            let compiled: Vec<_> =
                insert.batches(on.dialect()).map(|batch| batch.compile(on.dialect())).collect::<Result<_, _>>()?;
            if compiled.is_empty() {
                return Ok(Vec::new());
            }
            let mut held = held.await?;
            if let [Compiled { sql, params }] = &*compiled {
                return Ok(held.on_behalf_of(caller).query(sql, params).await?);
            }
            let mut transaction = held.on_behalf_of(caller).transaction().await?;
            let mut rows = Vec::new();
            for Compiled { sql, params } in compiled {
                rows.extend(transaction.on_behalf_of(caller).query(&sql, &params).await?);
            }
            transaction.on_behalf_of(caller);
            transaction.commit().await?;
            Ok(rows)
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
        self.changed(self.new_values(values))
    }

    /// As [`update`](TableQuery::update), and gives back columns of the changed rows.
    ///
    /// # Errors
    /// `Unsupported` on MySQL and MariaDB, before anything is sent: read the rows before, in the same transaction, with
    /// [`for_update`](TableQuery::for_update). As [`update`](TableQuery::update).
    #[track_caller]
    pub fn update_returning<C: Into<Name>, V: Into<Expr>, T: Into<SelectItem>>(
        &self,
        values: impl IntoIterator<Item = (C, V)>,
        returning: impl IntoIterator<Item = T>,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send {
        self.on.rows(self.new_values(values).returning(returning).compile(self.on.dialect()))
    }

    /// Adds to a column in the rows that fit the conditions, and says in how many.
    ///
    /// # Errors
    /// As [`update`](TableQuery::update).
    #[track_caller]
    pub fn increment(&self, column: impl Into<Name>, by: impl Into<Expr>) -> impl Future<Output = Result<u64>> + Send {
        self.changed(self.change().increment(column, by))
    }

    /// Takes from a column in the rows that fit the conditions, and says in how many.
    ///
    /// # Errors
    /// As [`update`](TableQuery::update).
    #[track_caller]
    pub fn decrement(&self, column: impl Into<Name>, by: impl Into<Expr>) -> impl Future<Output = Result<u64>> + Send {
        self.changed(self.change().decrement(column, by))
    }

    /// Deletes the rows that fit the conditions, and says how many. Without a condition it is an error unless
    /// [`all_rows`](TableQuery::all_rows) was said.
    ///
    /// # Errors
    /// As [`insert`](TableQuery::insert).
    #[track_caller]
    pub fn delete(&self) -> impl Future<Output = Result<u64>> + Send + use<'d> {
        let done = self.on.run(self.removal().compile(self.on.dialect()));
        done.map_ok(|done| done.rows_affected)
    }

    /// As [`delete`](TableQuery::delete), and gives back columns of the rows that are gone.
    ///
    /// # Errors
    /// `Unsupported` on MySQL, before anything is sent: read the rows before, in the same transaction, with
    /// [`for_update`](TableQuery::for_update). As [`delete`](TableQuery::delete).
    #[track_caller]
    pub fn delete_returning<T: Into<SelectItem>>(
        &self,
        returning: impl IntoIterator<Item = T>,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send {
        self.on.rows(self.removal().returning(returning).compile(self.on.dialect()))
    }

    /// Removes all rows at once, faster than a delete, and counts keys anew. It takes no conditions. MySQL and MariaDB end the
    /// open transaction by it, and refuse it, as PostgreSQL does, where other tables point to this one; on SQLite it is refused where
    /// rows of others do.
    ///
    /// # Errors
    /// `InvalidValue` where conditions, an order or the like were said; the server's own.
    #[track_caller]
    pub fn truncate(&self) -> impl Future<Output = Result<()>> + Send + use<'d> {
        let is_bare = self.query == dbkeep_sql::select().from(self.target());
        let done = self.on.run(truncate(self.target()).compile(self.on.dialect()));
        async move {
            if !is_bare {
                return Err(dbkeep_engine::Error::new(
                    ErrorKind::InvalidValue,
                    "a table is emptied as a whole, and this query says more than the table",
                )
                .with_hint("delete() removes the rows that fit the conditions")
                .into());
            }
            done.await?;
            Ok(())
        }
    }

    fn new_row<C: Into<Name>>(&self, row: impl IntoIterator<Item = (C, Value)>) -> Insert {
        row.into_iter().fold(insert_into(self.target()), |insert, (column, value)| insert.set(column, value))
    }

    fn new_values<C: Into<Name>, V: Into<Expr>>(&self, values: impl IntoIterator<Item = (C, V)>) -> Update {
        values.into_iter().fold(self.change(), |update, (column, value)| update.set(column, value))
    }

    fn change(&self) -> Update {
        let update = self.query.clone().into_update();
        if self.all_rows { update.all_rows() } else { update }
    }

    fn removal(&self) -> Delete {
        let delete = self.query.clone().into_delete();
        if self.all_rows { delete.all_rows() } else { delete }
    }

    #[track_caller]
    fn changed(&self, update: Update) -> impl Future<Output = Result<u64>> + Send + use<'d> {
        let done = self.on.run(update.compile(self.on.dialect()));
        done.map_ok(|done| done.rows_affected)
    }

    #[track_caller]
    fn in_batches(&self, insert: Insert) -> impl Future<Output = Result<u64>> + Send + use<'d> {
        let (caller, on, held) = (Location::caller(), self.on.clone(), self.on.hold());
        async move {
            let dialect = on.dialect();
            let mut batches = insert.batches(dialect);
            // What cannot be built is found before anything is sent, and what is nothing sends nothing.
            let Some(first) = batches.next() else { return Ok(0) };
            let Compiled { sql, params } = first.into_compiled(dialect)?;
            let mut held = held.await?;
            let Some(second) = batches.next() else {
                return Ok(held.on_behalf_of(caller).execute(&sql, &params).await?.rows_affected);
            };
            let mut transaction = held.on_behalf_of(caller).transaction().await?;
            let mut rows = transaction.on_behalf_of(caller).execute(&sql, &params).await?.rows_affected;
            for batch in std::iter::once(second).chain(batches) {
                let Compiled { sql, params } = batch.into_compiled(dialect)?;
                rows += transaction.on_behalf_of(caller).execute(&sql, &params).await?.rows_affected;
            }
            transaction.on_behalf_of(caller);
            transaction.commit().await?;
            Ok(rows)
        }
    }
}
