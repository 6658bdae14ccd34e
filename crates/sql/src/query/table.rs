//! What a query reads from: tables, queries, and how they are joined.

use crate::path::from_path;
use crate::{Expr, Name, Path, Select, SelectItem};

/// A table or a query that is read like one, perhaps under an alias.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRef {
    pub(crate) source: Source,
    pub(crate) alias: Option<Name>,
    pub(crate) hints: Vec<IndexHint>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Table(Path),
    Query(Box<Select>),
    /// A query that may read the tables before it.
    Lateral(Box<Select>),
}

/// What a query is told of the indexes of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexHint {
    /// Only these, if any.
    Use(Vec<Name>),
    /// One of these, unless it is impossible.
    Force(Vec<Name>),
    /// None of these.
    Ignore(Vec<Name>),
}

from_path!(TableRef, path => table(path));

/// A table, to be given an alias: `table("users").alias("u")`.
#[inline]
pub fn table(path: impl Into<Path>) -> TableRef {
    TableRef { source: Source::Table(path.into()), alias: None, hints: Vec::new() }
}

macro_rules! hints {
    ($($(#[$doc:meta])* $name:ident = $hint:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name<T: Into<Name>>(mut self, indexes: impl IntoIterator<Item = T>) -> Self {
            self.hints.push(IndexHint::$hint(indexes.into_iter().map(Into::into).collect()));
            self
        }
    )*};
}

impl TableRef {
    /// Under this name.
    #[must_use]
    pub fn alias(mut self, name: impl Into<Name>) -> Self {
        self.alias = Some(name.into());
        self
    }

    hints! {
        /// Lets the query use only these of the table's indexes, or none: MySQL and MariaDB.
        use_index = Use;
        /// Makes the query use one of these indexes: MySQL and MariaDB, and, where one is named, SQLite.
        force_index = Force;
        /// Keeps the query from using these indexes: MySQL and MariaDB, and, where none is named, SQLite, which then uses none at all.
        ignore_index = Ignore;
    }
}

/// A query with a name: a table in FROM, a column among columns.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasedSelect {
    pub(crate) query: Select,
    pub(crate) alias: Name,
}

impl AliasedSelect {
    /// In FROM and JOIN: it may read columns of the tables before it, and is worked out for each of their rows.
    pub fn lateral(self) -> TableRef {
        TableRef { source: Source::Lateral(Box::new(self.query)), alias: Some(self.alias), hints: Vec::new() }
    }
}

impl From<AliasedSelect> for TableRef {
    fn from(aliased: AliasedSelect) -> Self {
        Self { source: Source::Query(Box::new(aliased.query)), alias: Some(aliased.alias), hints: Vec::new() }
    }
}

impl From<AliasedSelect> for SelectItem {
    fn from(aliased: AliasedSelect) -> Self {
        Self { expr: aliased.query.into(), alias: Some(aliased.alias) }
    }
}

/// How rows of two tables are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// Only rows that have a partner.
    Inner,
    /// All rows of the left side.
    Left,
    /// All rows of the right side.
    Right,
    /// All rows of both sides.
    Full,
    /// Each row with each.
    Cross,
}

impl JoinKind {
    pub(crate) const fn as_sql(self) -> &'static str {
        match self {
            JoinKind::Inner => " INNER JOIN ",
            JoinKind::Left => " LEFT JOIN ",
            JoinKind::Right => " RIGHT JOIN ",
            JoinKind::Full => " FULL JOIN ",
            JoinKind::Cross => " CROSS JOIN ",
        }
    }
}

/// A table joined to those before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    pub(crate) table: TableRef,
    pub(crate) on: JoinOn,
}

/// What makes two rows partners.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JoinOn {
    Nothing,
    Condition(Expr),
    /// These columns are equal, and come once.
    Using(Vec<Name>),
}
