//! Reading.

use super::TableQuery;
use crate::{Error, Result};
use dbkeep_engine::Row;
use dbkeep_sql::{ColumnExpr, Compile, Expr, FromValue, Path, Value, avg, col, explain, max, min, sum};
use futures_util::{FutureExt as _, TryFutureExt as _};
use serde::de::DeserializeOwned;
use std::future::Future;

macro_rules! aggregates {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// As [`get_as`](TableQuery::get_as).
        #[track_caller]
        pub fn $name<T: FromValue>(
            &self,
            column: impl Into<ColumnExpr>,
        ) -> impl Future<Output = Result<Option<T>>> + Send {
            self.aggregate($name(column))
        }
    )*};
}

/// Reading.
impl<'d> TableQuery<'d> {
    /// The rows.
    ///
    /// # Errors
    /// What cannot be built for this engine, found before anything is sent; the server's own.
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<Vec<Row>>> + Send + use<'d> {
        self.on.rows(self.query.compile(self.on.dialect()))
    }

    /// The rows as structs (fields by column name), tuples (by position), maps or, with one column, values.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get), and `Decode` naming column, wanted and found type.
    #[track_caller]
    pub fn get_as<T: DeserializeOwned>(&self) -> impl Future<Output = Result<Vec<T>>> + Send + use<'d, T> {
        let rows = self.get();
        rows.map(|rows| Ok(rows?.iter().map(Row::decode).collect::<Result<_, _>>()?))
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get).
    #[track_caller]
    pub fn first(&self) -> impl Future<Output = Result<Option<Row>>> + Send + use<'d> {
        let rows = self.on.rows(self.query.at_most(1).compile(self.on.dialect()));
        rows.map(|rows| Ok(rows?.into_iter().next()))
    }

    /// The first row as a struct, a tuple, a map or, with one column, a value.
    ///
    /// # Errors
    /// As [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn first_as<T: DeserializeOwned>(&self) -> impl Future<Output = Result<Option<T>>> + Send + use<'d, T> {
        let row = self.first();
        row.map(|row| Ok(row?.map(|row| row.decode()).transpose()?))
    }

    /// The only row.
    ///
    /// # Errors
    /// `RowCount` when there is none or more than one; no more than two are read. As [`get`](TableQuery::get).
    #[track_caller]
    pub fn one(&self) -> impl Future<Output = Result<Row>> + Send + use<'d> {
        let rows = self.on.rows(self.query.at_most(2).compile(self.on.dialect()));
        rows.map(|rows| Ok(Row::only(rows?)?))
    }

    /// The only row as a struct, a tuple, a map or, with one column, a value.
    ///
    /// # Errors
    /// As [`one`](TableQuery::one) and [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn one_as<T: DeserializeOwned>(&self) -> impl Future<Output = Result<T>> + Send + use<'d, T> {
        let row = self.one();
        row.map(|row| Ok(row?.decode()?))
    }

    /// The row of a query that has one row or none.
    ///
    /// # Errors
    /// `RowCount` when there are several; as [`get`](TableQuery::get).
    #[track_caller]
    pub fn optional(&self) -> impl Future<Output = Result<Option<Row>>> + Send + use<'d> {
        let rows = self.on.rows(self.query.at_most(2).compile(self.on.dialect()));
        rows.map(|rows| Ok(Row::at_most_one(rows?)?))
    }

    /// The row of a query that has one row or none, as a struct, a tuple, a map or, with one column, a value.
    ///
    /// # Errors
    /// As [`optional`](TableQuery::optional) and [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn optional_as<T: DeserializeOwned>(&self) -> impl Future<Output = Result<Option<T>>> + Send + use<'d, T> {
        let row = self.optional();
        row.map(|row| Ok(row?.map(|row| row.decode()).transpose()?))
    }

    /// One column of the first row; `None` without a row. For a column that may hold NULL, `T` is an `Option`.
    ///
    /// # Errors
    /// As [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn value<T: FromValue>(&self, column: impl Into<Path>) -> impl Future<Output = Result<Option<T>>> + Send {
        let query = self.query.clone().column(col(column));
        let rows = self.on.rows(query.at_most(1).compile(self.on.dialect()));
        rows.map(|rows| Ok(rows?.first().map(last).transpose()?))
    }

    /// One column of every row.
    ///
    /// # Errors
    /// As [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn pluck<T: FromValue>(&self, column: impl Into<Path>) -> impl Future<Output = Result<Vec<T>>> + Send {
        let query = self.query.clone().column(col(column));
        let rows = self.on.rows(query.compile(self.on.dialect()));
        rows.map(|rows| Ok(rows?.iter().map(last).collect::<Result<_, _>>()?))
    }

    /// How many rows there are. Groups, DISTINCT and LIMIT count as they are.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get).
    #[track_caller]
    pub fn count(&self) -> impl Future<Output = Result<u64>> + Send + use<'d> {
        let rows = self.on.rows(self.query.to_count().compile(self.on.dialect()));
        rows.map(|rows| rows?.first().map_or(Ok(0), |row| row.get(0)).map_err(Error::from))
    }

    aggregates! {
        /// The sum of a column; `None` of no rows. Of integers, most engines answer with a decimal: an integer type takes it where
        /// it fits.
        sum;
        /// The average of a column; `None` of no rows. A [`Decimal`](crate::Decimal) on servers of exact numbers, a float otherwise.
        avg;
        /// The least value of a column; `None` of no rows.
        min;
        /// The greatest value of a column; `None` of no rows.
        max;
    }

    /// Any expression that sums the rows up: `aggregate(count_distinct("city"))`. Groups, DISTINCT and LIMIT count as they are, and then
    /// only the columns that are read can be summed up. `None` where it is NULL.
    ///
    /// # Errors
    /// As [`get_as`](TableQuery::get_as).
    #[track_caller]
    pub fn aggregate<T: FromValue>(
        &self,
        aggregate: Expr,
    ) -> impl Future<Output = Result<Option<T>>> + Send + use<'d, T> {
        let rows = self.on.rows(self.query.to_aggregated(aggregate).compile(self.on.dialect()));
        rows.map(|rows| rows?.first().map_or(Ok(None), |row| row.get(0)).map_err(Error::from))
    }

    /// Whether there is a row at all.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get).
    #[track_caller]
    pub fn exists(&self) -> impl Future<Output = Result<bool>> + Send + use<'d> {
        let rows = self.on.rows(self.query.to_exists().compile(self.on.dialect()));
        rows.map(|rows| rows?.first().map_or(Ok(false), |row| row.get(0)).map_err(Error::from))
    }

    /// Whether there is no row at all.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get).
    #[track_caller]
    pub fn doesnt_exist(&self) -> impl Future<Output = Result<bool>> + Send + use<'d> {
        self.exists().map_ok(|exists| !exists)
    }

    /// The row whose key is this value, if there is one, among those that fit the conditions: `find("id", 7)`.
    ///
    /// # Errors
    /// As [`optional`](TableQuery::optional).
    #[track_caller]
    pub fn find(
        &self,
        key: impl Into<Path>,
        value: impl Into<Value>,
    ) -> impl Future<Output = Result<Option<Row>>> + Send {
        self.clone().filter(col(key).eq(value.into())).optional()
    }

    /// How the engine would run the query, in its own words, a line for each row of its answer. The query is not run.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get).
    #[track_caller]
    pub fn explain(&self) -> impl Future<Output = Result<String>> + Send + use<'d> {
        let rows = self.on.rows(explain(&self.query).compile(self.on.dialect()));
        rows.map(|rows| Ok(told(&rows?)))
    }

    /// How the engine ran the query, and how long each step took, in its own words. The query is run.
    ///
    /// # Errors
    /// As [`get`](TableQuery::get); `Unsupported` on SQLite.
    #[track_caller]
    pub fn explain_analyze(&self) -> impl Future<Output = Result<String>> + Send + use<'d> {
        let rows = self.on.rows(explain(&self.query).analyze().compile(self.on.dialect()));
        rows.map(|rows| Ok(told(&rows?)))
    }
}

fn last<T: FromValue>(row: &Row) -> Result<T, dbkeep_engine::Error> {
    row.get(row.values().len().saturating_sub(1))
}

/// A plan as text: a line for each row; where a row has several columns, each with its name.
fn told(rows: &[Row]) -> String {
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let named = row.values().len() > 1;
        let cells = row.columns().iter().enumerate().filter(|(at, _)| !row.values()[*at].is_null());
        let cells = cells.map(|(at, column)| {
            let text = row.get::<String>(at).or_else(|_| row.get::<i64>(at).map(|number| number.to_string()));
            let text = text.or_else(|_| row.get::<f64>(at).map(|number| number.to_string()));
            let text = text.or_else(|_| row.get::<dbkeep_sql::Decimal>(at).map(|number| number.to_string()));
            let text = text.unwrap_or_else(|_| row.values()[at].type_name().to_owned());
            if named { format!("{}: {text}", column.name) } else { text }
        });
        lines.push(cells.collect::<Vec<_>>().join(", "));
    }
    lines.join("\n")
}
