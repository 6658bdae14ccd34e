//! In which order rows come, and which are locked.

use crate::path::from_path;
use crate::{Expr, Name, col};

/// A key of an ordering: a column by name, or an expression with a direction. Ascending when nothing is said.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// What is ordered by.
    pub expr: Expr,
    /// From the greatest to the least.
    pub descending: bool,
    /// Where NULL comes; the engine's own custom when absent.
    pub nulls: Option<Nulls>,
}

/// Where NULL comes in an ordering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nulls {
    /// Before everything else.
    First,
    /// After everything else.
    Last,
}

impl Nulls {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Nulls::First => Nulls::Last,
            Nulls::Last => Nulls::First,
        }
    }
}

from_path!(Order, path => Self::new(col(path), false));

impl Order {
    #[inline]
    pub(crate) fn new(expr: Expr, descending: bool) -> Self {
        Self { expr, descending, nulls: None }
    }

    /// NULL before everything else.
    #[must_use]
    pub fn nulls_first(mut self) -> Self {
        self.nulls = Some(Nulls::First);
        self
    }

    /// NULL after everything else.
    #[must_use]
    pub fn nulls_last(mut self) -> Self {
        self.nulls = Some(Nulls::Last);
        self
    }
}

impl From<Expr> for Order {
    fn from(expr: Expr) -> Self {
        expr.asc()
    }
}

/// How a query locks the rows it reads, until its transaction ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Lock {
    /// Others may lock the rows in the same way, but not change them.
    pub shared: bool,
    /// What happens when another transaction holds a row.
    pub wait: LockWait,
    /// Of which tables of the query, by name or alias; all when empty.
    pub of: Vec<Name>,
}

/// What happens when another transaction holds a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LockWait {
    /// The query waits for it.
    #[default]
    Wait,
    /// The query fails.
    NoWait,
    /// The row is left out.
    SkipLocked,
}
