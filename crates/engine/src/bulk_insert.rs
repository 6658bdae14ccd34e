//! Rows from an iterator into a table: where they go, how they are asked for, and what is said of one that cannot go there.

use crate::{Connection, Error, ErrorKind, Result};
use dbkeep_sql::{Compile, Dialect, Name, Path, SqlWriter, Value};
use std::future::Future;
use std::panic::Location;

/// The table and the columns that the rows of a bulk insert go into: checked, and quoted as one dialect spells names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkTarget {
    path: Path,
    names: Vec<Name>,
    table: String,
    columns: Vec<String>,
    statement: String,
}

impl BulkTarget {
    /// These columns of this table, in the order in which each row has its values.
    ///
    /// # Errors
    /// `InvalidValue` for a name that this dialect does not take, for a column named twice, and for no column at all.
    pub fn new(
        dialect: &dyn Dialect,
        table: impl Into<Path>,
        columns: impl IntoIterator<Item = impl Into<Name>>,
    ) -> Result<Self> {
        let (path, names) = (table.into(), columns.into_iter().map(Into::into).collect::<Vec<Name>>());
        if names.is_empty() {
            return Err(Error::new(ErrorKind::InvalidValue, "a bulk insert needs the name of one column at least"));
        }
        // Where names differ in case alone, what is one column and what are two is for the server to say.
        if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(Error::new(ErrorKind::InvalidValue, format!("the column {twice:?} is named twice")));
        }
        let statement = written(dialect, |out| {
            out.sql("BULK INSERT INTO ");
            out.path(&path);
            out.sql(" ");
            out.names(&names);
        })?;
        let table = written(dialect, |out| out.path(&path))?;
        let columns = names.iter().map(|name| written(dialect, |out| out.name(name))).collect::<Result<_>>()?;
        Ok(Self { path, names, table, columns, statement })
    }

    /// The table, quoted, with its schema where one was given.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The columns, quoted.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How it is called in logs: `BULK INSERT INTO "users" ("id", "name")`. No server knows this statement.
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// `INSERT INTO "users" ("id", "name")`, to be followed by values.
    pub fn insert(&self) -> &str {
        self.statement.trim_start_matches("BULK ")
    }

    /// The parts of the table's name as they were given, its own the last.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.path.parts()
    }

    /// The columns' names as they were given.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(Name::as_str)
    }

    /// An error that a value of this row, counted from one, and this column, counted from zero, has met.
    pub(crate) fn at(&self, error: Error, row: u64, column: usize) -> Error {
        match self.names.get(column) {
            Some(name) => error.context(format_args!("row {row}, column {name:?}")),
            None => error.context(format_args!("row {row}")),
        }
    }
}

struct Written<F>(F);

impl<F: Fn(&mut SqlWriter<'_>)> Compile for Written<F> {
    fn write_sql(&self, out: &mut SqlWriter<'_>) {
        (self.0)(out);
    }
}

fn written(dialect: &dyn Dialect, write: impl Fn(&mut SqlWriter<'_>)) -> Result<String> {
    match Written(write).compile(dialect) {
        Ok(compiled) => Ok(compiled.sql),
        Err(error) => Err(Error::new(ErrorKind::InvalidValue, error.to_string()).with_hint(error.hint())),
    }
}

/// The rows of a bulk insert, taken one at a time and counted.
pub(crate) struct Rows<'r> {
    rows: &'r mut (dyn Iterator<Item = Vec<Value>> + Send),
    width: usize,
    taken: u64,
    ended: bool,
}

impl<'r> Rows<'r> {
    pub(crate) fn new(target: &BulkTarget, rows: &'r mut (dyn Iterator<Item = Vec<Value>> + Send)) -> Self {
        Self { rows, width: target.columns.len(), taken: 0, ended: false }
    }

    /// How many were taken, which is the number of the last one.
    #[cfg(any(feature = "mysql", feature = "postgres"))]
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// The next row.
    ///
    /// # Errors
    /// `InvalidValue` when it does not have a value for each column.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<Value>>> {
        // Not every iterator may be asked again after its end.
        let row = if self.ended { None } else { self.rows.next() };
        let Some(row) = row else {
            self.ended = true;
            return Ok(None);
        };
        self.taken += 1;
        if row.len() == self.width {
            return Ok(Some(row));
        }
        let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        Err(Error::new(
            ErrorKind::InvalidValue,
            format!("row {} has {} for {}", self.taken, many(row.len(), "value"), many(self.width, "column")),
        )
        .with_hint("give each row one value for each column that was named, NULL included"))
    }
}

impl Connection {
    /// Puts rows from an iterator into a table by the engine's own bulk road (LOAD DATA LOCAL, COPY, one prepared INSERT in one
    /// transaction), and returns how many the table took. All rows arrive or none.
    ///
    /// Each row has one value for each column, in their order. Values are stored as an INSERT with parameters would store them. The
    /// iterator is asked for the next row when the server is ready for more, on the task that awaits this, so that memory stays flat
    /// however many rows there are.
    ///
    /// In an open transaction the rows are a part of it; otherwise they are committed at the end. The observer hears of one
    /// statement, `BULK INSERT INTO …`. A `statement_timeout` counts for all rows together, and the time the iterator takes with them
    /// (on MariaDB for about 32 MiB of them; MySQL has none for statements that write).
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use dbkeep_engine::{ConnectOptions, connect};
    /// # use dbkeep_sql::params;
    /// # let mut connection = connect(&"sqlite::memory:".parse::<ConnectOptions>()?).await?;
    /// connection.script("CREATE TABLE squares (n INTEGER PRIMARY KEY, square BIGINT NOT NULL)").await?;
    /// let rows = (0..10_000).map(|n| params![n, n * n]);
    /// assert_eq!(connection.bulk_insert("squares", ["n", "square"], rows).await?, 10_000);
    /// # Ok::<(), dbkeep_engine::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Nothing of it is stored then. The server's own errors, by kind, with the number of the row and the column where the server
    /// says them; `InvalidValue` for a row of another width and for a value that the engine does not store, with both. What a
    /// server would only warn of (a text cut off, a row left out because its key is taken) is an error, too. `Unsupported` where all
    /// or none cannot be had: a table whose storage engine knows no transactions; and where the road does not lead: on PostgreSQL
    /// into a view, a table with rules for INSERT or one with row-level security for this user.
    ///
    /// An open transaction stays as it was before, and usable, on MySQL, MariaDB and SQLite; on PostgreSQL it has failed, as after
    /// any error there.
    ///
    /// # Cancellation
    /// Dropped, it leaves no rows, and an open transaction as after an error, which is seen to before the connection's next use. Where
    /// the commit was already on its way, all rows may be there. The same holds when the iterator panics. When the connection is lost
    /// during the commit, whether it took place is unknown, as of any transaction.
    #[track_caller]
    pub fn bulk_insert<R>(
        &mut self,
        table: impl Into<Path>,
        columns: impl IntoIterator<Item = impl Into<Name>>,
        rows: R,
    ) -> impl Future<Output = Result<u64>> + Send
    where
        R: IntoIterator<Item: Into<Vec<Value>>, IntoIter: Send>,
    {
        let watch = self.watch(Location::caller());
        let target = BulkTarget::new(&*self.dialect(), table, columns);
        let mut rows = rows.into_iter().map(Into::into);
        async move {
            let target = target?;
            let caller = watch.caller();
            self.ready().await.map_err(|error| error.at(caller, target.statement()))?;
            let watch = watch.started(target.statement());
            self.standing.in_flight = true;
            let outcome = self.driver.bulk_insert(&target, &mut rows).await;
            watch.ended(&outcome, |rows| *rows);
            self.landed(outcome).map_err(|error| error.at(caller, target.statement()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbkeep_sql::{Ansi, params};

    #[test]
    fn names_are_checked_and_quoted() {
        let target = BulkTarget::new(&Ansi, "shop.order \"items\"", ["id", "it\"em"]).unwrap();
        assert_eq!(target.statement(), r#"BULK INSERT INTO "shop"."order ""items""" ("id", "it""em")"#);
        assert_eq!(target.insert(), r#"INSERT INTO "shop"."order ""items""" ("id", "it""em")"#);
        assert_eq!(target.table(), r#""shop"."order ""items""""#);
        assert_eq!(target.columns(), [r#""id""#, r#""it""em""#]);
        assert_eq!(target.parts().last(), Some("order \"items\""));
        let refused = |table: &str, columns: &[&str]| {
            BulkTarget::new(&Ansi, table, columns.iter().copied()).unwrap_err().to_string()
        };
        assert_eq!(refused("", &["id"]), r#"the name "" is empty"#);
        assert_eq!(refused("t", &["id", ""]), r#"the name "" is empty"#);
        assert_eq!(refused("t", &[]), "a bulk insert needs the name of one column at least");
        assert_eq!(refused("t", &["a", "b", "a"]), r#"the column "a" is named twice"#);
    }

    #[test]
    fn a_row_of_another_width_is_named_by_its_number() {
        let target = BulkTarget::new(&Ansi, "t", ["a", "b"]).unwrap();
        let mut given = [params![1, 2], params![1]].into_iter();
        let mut rows = Rows::new(&target, &mut given);
        assert_eq!(rows.next().unwrap(), Some(params![1, 2]));
        assert_eq!(rows.next().unwrap_err().to_string(), "row 2 has 1 value for 2 columns");
        assert_eq!(rows.taken, 2);
        assert_eq!(rows.next().unwrap(), None);
    }
}
