//! What a query reads from: tables, queries, and how they are joined.

use crate::path::from_path;
use crate::{Expr, Name, Path, Select, SelectItem};

/// A table or a query that is read like one, perhaps under an alias.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRef {
    pub(crate) source: Source,
    pub(crate) alias: Option<Name>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Table(Path),
    Query(Box<Select>),
}

from_path!(TableRef, path => Self { source: Source::Table(path), alias: None });

/// A table, to be given an alias: `table("users").alias("u")`.
pub fn table(path: impl Into<Path>) -> TableRef {
    TableRef { source: Source::Table(path.into()), alias: None }
}

impl TableRef {
    /// Under this name.
    #[must_use]
    pub fn alias(mut self, name: impl Into<Name>) -> Self {
        self.alias = Some(name.into());
        self
    }
}

/// A query with a name: a table in FROM, a column among columns.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasedSelect {
    pub(crate) query: Select,
    pub(crate) alias: Name,
}

impl From<AliasedSelect> for TableRef {
    fn from(aliased: AliasedSelect) -> Self {
        Self { source: Source::Query(Box::new(aliased.query)), alias: Some(aliased.alias) }
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
    pub(crate) on: Option<Expr>,
}
