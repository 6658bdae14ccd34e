//! UPDATE, DELETE and TRUNCATE. None touches a whole table by accident.

mod insert;

pub use insert::{Conflict, Insert, insert_into};
pub(crate) use insert::{Rows, Values};

use crate::query::{add_alternative, add_condition};
use crate::{Expr, Name, Path, SelectItem, Text, col};

/// New values for some rows of a table.
///
/// Compiling it without a condition is an error unless [`all_rows`](Update::all_rows) was said.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, col, update};
///
/// let change = update("users").set("state", "active").set("visits", col("visits") + 1);
/// assert_eq!(change.compile(&Ansi).unwrap_err().to_string(), "UPDATE has no condition");
/// let compiled = change.filter(col("id").eq(7)).compile(&Ansi)?;
/// assert_eq!(compiled.sql, r#"UPDATE "users" SET "state" = ?, "visits" = "visits" + ? WHERE "id" = ?"#);
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an update does nothing until it is run"]
pub struct Update {
    pub(crate) table: Path,
    pub(crate) assignments: Vec<(Name, Expr)>,
    pub(crate) filter: crate::query::Conditions,
    pub(crate) all_rows: bool,
    pub(crate) returning: Vec<SelectItem>,
    pub(crate) comment: Option<Text>,
    /// `false` where it was made from a query that says more than a table and conditions.
    pub(crate) is_plain: bool,
}

/// Rows to be removed from a table.
///
/// Compiling it without a condition is an error unless [`all_rows`](Delete::all_rows) was said.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a delete does nothing until it is run"]
pub struct Delete {
    pub(crate) table: Path,
    pub(crate) filter: crate::query::Conditions,
    pub(crate) all_rows: bool,
    pub(crate) returning: Vec<SelectItem>,
    pub(crate) comment: Option<Text>,
    pub(crate) is_plain: bool,
}

/// All rows of a table to be removed; see [`truncate`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a table is emptied when the statement is run"]
pub struct Truncate {
    pub(crate) table: Path,
}

/// Removes all rows of a table at once, faster than a delete, and begins to count its keys anew. MySQL and MariaDB end the open
/// transaction by it, and refuse it, as PostgreSQL does, where other tables point to this one; on SQLite, dbkeep's connections
/// refuse it where rows of others do. As the text that it compiles to, run by another program, it is a DELETE there, and does
/// to such rows what their foreign keys say.
pub fn truncate(table: impl Into<Path>) -> Truncate {
    Truncate { table: table.into() }
}

/// Starts an update.
pub fn update(table: impl Into<Path>) -> Update {
    Update { table: table.into(), ..Update::default() }
}

/// Starts a delete.
pub fn delete_from(table: impl Into<Path>) -> Delete {
    Delete { table: table.into(), ..Delete::default() }
}

impl Default for Update {
    fn default() -> Self {
        Self {
            table: "".into(),
            assignments: Vec::new(),
            filter: Default::default(),
            all_rows: false,
            returning: Vec::new(),
            comment: None,
            is_plain: true,
        }
    }
}

impl Default for Delete {
    fn default() -> Self {
        Self {
            table: "".into(),
            filter: Default::default(),
            all_rows: false,
            returning: Vec::new(),
            comment: None,
            is_plain: true,
        }
    }
}

macro_rules! conditions {
    ($type:ident) => {
        impl $type {
            /// Only rows for which this holds, and all conditions given before.
            pub fn filter(mut self, condition: Expr) -> Self {
                add_condition(&mut self.filter, condition);
                self
            }

            /// Only rows for which this holds, or else all conditions given before; see
            /// [`Select::or_filter`](crate::Select::or_filter).
            pub fn or_filter(mut self, condition: Expr) -> Self {
                if self.filter.is_empty() {
                    return self.filter(condition);
                }
                add_alternative(&mut self.filter, condition);
                self
            }

            /// Says that all rows of the table are meant, if no condition is given.
            pub fn all_rows(mut self) -> Self {
                self.all_rows = true;
                self
            }

            /// Gives back these columns of the rows, where the engine can.
            pub fn returning<T: Into<SelectItem>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
                self.returning.extend(columns.into_iter().map(Into::into));
                self
            }

            /// Says something about the statement to whoever reads the server's log; see
            /// [`Select::comment`](crate::Select::comment).
            pub fn comment(mut self, comment: impl Into<Text>) -> Self {
                self.comment = Some(comment.into());
                self
            }

            /// Does something to the statement where the condition holds.
            pub fn when(self, condition: bool, then: impl FnOnce(Self) -> Self) -> Self {
                if condition { then(self) } else { self }
            }
        }
    };
}

conditions!(Update);
conditions!(Delete);

impl Update {
    /// Gives a column a new value: a value, or an expression of the row's old ones.
    pub fn set(mut self, column: impl Into<Name>, value: impl Into<Expr>) -> Self {
        self.assignments.push((column.into(), value.into()));
        self
    }

    /// Adds to a column.
    pub fn increment(self, column: impl Into<Name>, by: impl Into<Expr>) -> Self {
        let column = column.into();
        let sum = col(Path::from(column.clone())).add(by);
        self.set(column, sum)
    }

    /// Takes from a column.
    pub fn decrement(self, column: impl Into<Name>, by: impl Into<Expr>) -> Self {
        let column = column.into();
        let difference = col(Path::from(column.clone())).sub(by);
        self.set(column, difference)
    }
}
