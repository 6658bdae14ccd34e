//! INSERT.

use crate::expr::Node;
use crate::query::Conditions;
use crate::{Dialect, Expr, Name, Path, Select, SelectItem, Text, new_value};

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
    pub(crate) comment: Option<Text>,
}

/// Where new rows come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rows {
    Values(Values),
    Query(Box<Select>),
    Default,
}

/// Rows as one list of values, row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Values {
    pub(crate) list: Vec<Expr>,
    /// How many rows there are.
    pub(crate) rows: usize,
    /// How many values the first row has.
    pub(crate) width: usize,
    /// Another row has another number of values.
    pub(crate) ragged: bool,
}

impl Values {
    fn push<T: Into<Expr>>(&mut self, row: impl IntoIterator<Item = T>) {
        let before = self.list.len();
        self.list.extend(row.into_iter().map(Into::into));
        let width = self.list.len() - before;
        if self.rows == 0 {
            self.width = width;
        }
        self.ragged |= width != self.width;
        self.rows += 1;
    }

    /// Whether nothing in it is more than a value.
    pub(crate) fn is_plain(&self) -> bool {
        self.list.iter().all(|value| matches!(value.0, Node::Value(_)))
    }
}

/// What happens to a new row whose key is taken.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Conflict {
    /// It is left out.
    Ignore,
    /// The row there is gets new values.
    Update {
        /// The columns of the unique key.
        keys: Vec<Name>,
        /// The columns that get new values, and which; of none, the new row is left out.
        set: Vec<(Name, Expr)>,
        /// Only where all of these hold.
        filter: Conditions,
    },
}

/// For how many columns room is made at once.
const USUAL_COLUMNS: usize = 8;

/// Starts an insert.
pub fn insert_into(table: impl Into<Path>) -> Insert {
    Insert {
        table: table.into(),
        columns: Vec::new(),
        source: Rows::Values(Values::default()),
        conflict: None,
        returning: Vec::new(),
        comment: None,
    }
}

impl Insert {
    /// The columns that the rows fill, in the order of their values. Without columns, a row has a value for each column of
    /// the table.
    #[inline]
    pub fn columns<T: Into<Name>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.columns.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Adds a row. Values of different types come from [`params!`](crate::params) or as an array of [`Expr`].
    #[inline]
    pub fn row<T: Into<Expr>>(mut self, row: impl IntoIterator<Item = T>) -> Self {
        self.values().push(row);
        self
    }

    /// Adds rows.
    pub fn rows<R, T>(mut self, rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = T>,
        T: Into<Expr>,
    {
        let rows = rows.into_iter();
        let (least, width) = (rows.size_hint().0, self.columns.len());
        let values = self.values();
        values.list.reserve(least.saturating_mul(width).min(1 << 20));
        rows.for_each(|row| values.push(row));
        self
    }

    /// Names a column and its value, for an insert of one row: `.set("name", "Ada").set("age", 36)`.
    pub fn set(mut self, column: impl Into<Name>, value: impl Into<Expr>) -> Self {
        if self.columns.is_empty() {
            // Most rows have no more columns than this, and none asks for room twice.
            self.columns.reserve(USUAL_COLUMNS);
            self.values().list.reserve(USUAL_COLUMNS);
        }
        self.columns.push(column.into());
        let values = self.values();
        values.list.push(value.into());
        // In several rows, the last one would be longer than the others.
        values.ragged |= values.rows > 1;
        values.rows = values.rows.max(1);
        values.width += 1;
        self
    }

    fn values(&mut self) -> &mut Values {
        if !matches!(self.source, Rows::Values(_)) {
            self.source = Rows::Values(Values::default());
        }
        match &mut self.source {
            Rows::Values(values) => values,
            Rows::Query(_) | Rows::Default => unreachable!("it was made a list of values above"),
        }
    }

    /// Inserts one row in which every column has its default.
    pub fn default_values(mut self) -> Self {
        self.source = Rows::Default;
        self
    }

    /// Inserts the rows of a query.
    pub fn from_select(mut self, query: impl Into<Select>) -> Self {
        self.source = Rows::Query(Box::new(query.into()));
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
        self,
        keys: impl IntoIterator<Item = K>,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        let set = columns.into_iter().map(|column| {
            let column: Name = column.into();
            (column.clone(), new_value(column))
        });
        self.upsert_set(keys, set)
    }

    /// Where the unique key `keys` is taken, gives columns of the row there is new values: [`new_value`](crate::new_value) is what the
    /// new row would have had, and a column is what the row there has.
    ///
    /// ```
    /// use dbkeep_sql::{Ansi, Compile, col, insert_into, new_value};
    ///
    /// let visit = insert_into("visits").set("page", "/").set("n", 1);
    /// let visit = visit.upsert_set(["page"], [("n", col("n") + new_value("n"))]);
    /// assert_eq!(
    ///     visit.compile(&Ansi)?.sql,
    ///     "INSERT INTO \"visits\" (\"page\", \"n\") VALUES (?, ?) \
    ///      ON CONFLICT (\"page\") DO UPDATE SET \"n\" = \"visits\".\"n\" + excluded.\"n\""
    /// );
    /// # Ok::<(), dbkeep_sql::CompileError>(())
    /// ```
    pub fn upsert_set<K: Into<Name>, C: Into<Name>, V: Into<Expr>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
        values: impl IntoIterator<Item = (C, V)>,
    ) -> Self {
        self.conflict = Some(Conflict::Update {
            keys: keys.into_iter().map(Into::into).collect(),
            set: values.into_iter().map(|(column, value)| (column.into(), value.into())).collect(),
            filter: Default::default(),
        });
        self
    }

    /// Of an upsert: changes the row there is only where this holds, and all conditions given before. MySQL and MariaDB know no
    /// such clause.
    pub fn upsert_where(mut self, condition: Expr) -> Self {
        match &mut self.conflict {
            Some(Conflict::Update { filter, .. }) => crate::query::add_condition(filter, condition),
            _ => {
                let misplaced = Expr::invalid("upsert_where()", "stands before what happens to a taken key");
                self.conflict = Some(Conflict::Update {
                    keys: Vec::new(),
                    set: Vec::new(),
                    filter: Conditions::from_elem(misplaced, 1),
                });
            }
        }
        self
    }

    /// Gives back these columns of the new rows, where the engine can.
    pub fn returning<T: Into<SelectItem>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.returning.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Says something about the insert to whoever reads the server's log; see [`Select::comment`].
    pub fn comment(mut self, comment: impl Into<Text>) -> Self {
        self.comment = Some(comment.into());
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

    /// Whether its rows are those of a query.
    pub fn is_from_query(&self) -> bool {
        matches!(self.source, Rows::Query(_))
    }

    /// Whether it says what happens to rows whose key is taken.
    pub fn has_conflict(&self) -> bool {
        self.conflict.is_some()
    }

    /// How many rows are given as values.
    pub fn row_count(&self) -> usize {
        match &self.source {
            Rows::Values(values) => values.rows,
            Rows::Query(_) | Rows::Default => 0,
        }
    }

    /// Cuts the insert into several, none with more parameters or much more text than the dialect allows in one statement.
    pub fn batches(self, dialect: &dyn Dialect) -> impl Iterator<Item = Insert> + use<> {
        let most = (dialect.max_parameters(), dialect.max_statement_bytes());
        let Insert { table, columns, source, conflict, returning, comment } = self;
        let fixed: usize = returning.iter().map(|item| item.expr.parameters(dialect)).sum();
        let (mut values, mut other) = match source {
            Rows::Values(values) => (values, None),
            source => (Values::default(), Some(source)),
        };
        // Rows of different lengths are refused as a whole.
        if values.ragged || values.width == 0 && values.rows > 0 {
            other = Some(Rows::Values(std::mem::take(&mut values)));
        }
        let width = values.width;
        let sizes: Vec<(usize, usize)> = values
            .list
            .chunks(width.max(1))
            .map(|row| row.iter().map(|value| (value.parameters(dialect), value.estimated_bytes())))
            .map(|row| row.fold((0, 0), |(count, bytes), value| (count + value.0, bytes + value.1)))
            .collect();
        let mut sizes = sizes.into_iter().peekable();
        let mut list = values.list.into_iter();
        std::iter::from_fn(move || {
            let source = match other.take() {
                Some(source) => source,
                None => {
                    let (mut rows, mut parameters, mut bytes) = (0, fixed, 0);
                    while let Some(row) = sizes.peek() {
                        parameters += row.0;
                        bytes += row.1;
                        if rows > 0 && (parameters > most.0 || bytes > most.1) {
                            break;
                        }
                        rows += 1;
                        sizes.next();
                    }
                    if rows == 0 {
                        return None;
                    }
                    let list = list.by_ref().take(rows * width).collect();
                    Rows::Values(Values { list, rows, width, ragged: false })
                }
            };
            Some(Insert {
                table: table.clone(),
                columns: columns.clone(),
                source,
                conflict: conflict.clone(),
                returning: returning.clone(),
                comment: comment.clone(),
            })
        })
    }
}
