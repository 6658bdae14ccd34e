//! INSERT.

use crate::{Dialect, Expr, Name, Path, Select, SelectItem};

/// New rows for a table. It is a value: cloned, kept, printed, and compiled for any dialect.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, insert_into, params};
///
/// let insert = insert_into("users").columns(["name", "age"]).row(params!["Ada", 36]).row(params!["Grace", 45]);
/// let compiled = insert.upsert(["name"], ["age"]).compile(&Ansi)?;
/// assert_eq!(
///     compiled.sql,
///     r#"INSERT INTO "users" ("name", "age") VALUES (?, ?), (?, ?) ON CONFLICT ("name") DO UPDATE SET "age" = excluded."age""#
/// );
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an insert does nothing until it is run"]
pub struct Insert {
    pub(crate) table: Path,
    pub(crate) columns: Vec<Name>,
    pub(crate) source: Rows,
    pub(crate) conflict: Option<Conflict>,
    pub(crate) returning: Vec<SelectItem>,
}

/// Where new rows come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rows {
    Values(Vec<Vec<Expr>>),
    Query(Box<Select>),
    Default,
}

/// What happens to a new row whose key is taken.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Conflict {
    /// It is left out.
    Ignore,
    /// The row there is gets the new values of some columns.
    Update {
        /// The columns of the unique key.
        keys: Vec<Name>,
        /// The columns that get new values; of none, the new row is left out.
        columns: Vec<Name>,
    },
}

/// Starts an insert.
pub fn insert_into(table: impl Into<Path>) -> Insert {
    Insert {
        table: table.into(),
        columns: Vec::new(),
        source: Rows::Values(Vec::new()),
        conflict: None,
        returning: Vec::new(),
    }
}

impl Insert {
    /// The columns that the rows fill, in the order of their values. Without columns, a row has a value for each column of
    /// the table.
    pub fn columns<T: Into<Name>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.columns.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Adds a row. Values of different types come from [`params!`](crate::params) or as an array of [`Expr`].
    pub fn row<T: Into<Expr>>(mut self, row: impl IntoIterator<Item = T>) -> Self {
        let row = row.into_iter().map(Into::into).collect();
        match &mut self.source {
            Rows::Values(rows) => rows.push(row),
            source => *source = Rows::Values(vec![row]),
        }
        self
    }

    /// Adds rows.
    pub fn rows<R, T>(self, rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = T>,
        T: Into<Expr>,
    {
        rows.into_iter().fold(self, Self::row)
    }

    /// Names a column and its value, for an insert of one row: `.set("name", "Ada").set("age", 36)`.
    pub fn set(mut self, column: impl Into<Name>, value: impl Into<Expr>) -> Self {
        self.columns.push(column.into());
        let value = value.into();
        match &mut self.source {
            Rows::Values(rows) => match rows.last_mut() {
                Some(row) => row.push(value),
                None => rows.push(vec![value]),
            },
            source => *source = Rows::Values(vec![vec![value]]),
        }
        self
    }

    /// Inserts one row in which every column has its default.
    pub fn default_values(mut self) -> Self {
        self.source = Rows::Default;
        self
    }

    /// Inserts the rows of a query.
    pub fn from_select(mut self, query: Select) -> Self {
        self.source = Rows::Query(Box::new(query));
        self
    }

    /// Leaves out rows whose key is taken. Any other trouble with a row stays an error: a value too long, a missing
    /// parent, a failed check.
    pub fn or_ignore(mut self) -> Self {
        self.conflict = Some(Conflict::Ignore);
        self
    }

    /// Where the unique key `keys` is taken, gives the row there is the new values of `columns`; without columns, leaves it
    /// as it is. Engines that take no key look at all unique keys of the table.
    pub fn upsert<K: Into<Name>, C: Into<Name>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        self.conflict = Some(Conflict::Update {
            keys: keys.into_iter().map(Into::into).collect(),
            columns: columns.into_iter().map(Into::into).collect(),
        });
        self
    }

    /// Gives back these columns of the new rows, where the engine can.
    pub fn returning<T: Into<SelectItem>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.returning.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Does something to the insert where the condition holds.
    pub fn when(self, condition: bool, then: impl FnOnce(Self) -> Self) -> Self {
        if condition { then(self) } else { self }
    }

    /// The table.
    pub fn table(&self) -> &Path {
        &self.table
    }

    /// The columns that are filled, in order.
    pub fn column_names(&self) -> &[Name] {
        &self.columns
    }

    /// How many rows are given as values.
    pub fn row_count(&self) -> usize {
        match &self.source {
            Rows::Values(rows) => rows.len(),
            Rows::Query(_) | Rows::Default => 0,
        }
    }

    /// Cuts the insert into several, none with more parameters than the dialect allows in one statement.
    pub fn batches(self, dialect: &dyn Dialect) -> impl Iterator<Item = Insert> {
        let fixed: usize = self.returning.iter().map(|item| item.expr.parameters()).sum();
        let width = match &self.source {
            Rows::Values(rows) => rows.iter().map(|row| row.iter().map(Expr::parameters).sum()).max().unwrap_or(0),
            Rows::Query(_) | Rows::Default => 0usize,
        };
        let size = (dialect.max_parameters().saturating_sub(fixed) / width.max(1)).max(1);
        let Insert { table, columns, source, conflict, returning } = self;
        let (mut rows, mut other) = match source {
            Rows::Values(rows) => (rows.into_iter(), None),
            source => (Vec::new().into_iter(), Some(source)),
        };
        std::iter::from_fn(move || {
            let source = match other.take() {
                Some(source) => source,
                None if rows.len() == 0 => return None,
                None => Rows::Values(rows.by_ref().take(size).collect()),
            };
            Some(Insert {
                table: table.clone(),
                columns: columns.clone(),
                source,
                conflict: conflict.clone(),
                returning: returning.clone(),
            })
        })
    }
}
