//! Functions that every engine has under the same name, and a way to call others.
//!
//! A string names a column here: `sum("amount")` sums the column.

use crate::expr::{Call, Function, Node};
use crate::{ColumnExpr, Expr, Name};

fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    Expr(Node::Call(Call { function, arguments, distinct: false }))
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $kind:ident($sql:literal);)*) => {$(
        $(#[$doc])*
        pub fn $name(column: impl Into<ColumnExpr>) -> Expr {
            call(Function::$kind($sql), vec![column.into().0])
        }
    )*};
}

functions! {
    /// How many rows hold something other than NULL there; [`count_all`] counts rows.
    count = Aggregate("COUNT");
    /// The sum; NULL of no rows.
    sum = Aggregate("SUM");
    /// The average; NULL of no rows.
    avg = Aggregate("AVG");
    /// The least.
    min = Aggregate("MIN");
    /// The greatest.
    max = Aggregate("MAX");
    /// In lower case, as far as the engine knows letters.
    lower = Scalar("LOWER");
    /// In upper case, as far as the engine knows letters.
    upper = Scalar("UPPER");
    /// Without spaces at both ends.
    trim = Scalar("TRIM");
    /// Without its sign.
    abs = Scalar("ABS");
}

/// How many rows there are: `COUNT(*)`.
pub fn count_all() -> Expr {
    call(Function::Aggregate("COUNT"), Vec::new())
}

/// How many different values there are, NULL not counted.
pub fn count_distinct(column: impl Into<ColumnExpr>) -> Expr {
    Expr(Node::Call(Call { function: Function::Aggregate("COUNT"), arguments: vec![column.into().0], distinct: true }))
}

/// The first that is not NULL: `coalesce([col("nickname"), val("nobody")])`.
pub fn coalesce(choices: impl IntoIterator<Item = Expr>) -> Expr {
    call(Function::Scalar("COALESCE"), choices.into_iter().collect())
}

/// NULL where both are equal, the first otherwise.
pub fn nullif(column: impl Into<ColumnExpr>, other: impl Into<Expr>) -> Expr {
    call(Function::Scalar("NULLIF"), vec![column.into().0, other.into()])
}

/// The time at which the statement, or on some engines the transaction, began.
pub fn current_timestamp() -> Expr {
    Expr(Node::CurrentTimestamp)
}

/// Any other function by its name, of letters, digits and underscores, with a schema in front of a dot where need be.
/// The name is checked when the statement is compiled and written without quotes, since quoted names of built-in functions
/// are not found everywhere.
pub fn function(name: impl Into<Name>, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    call(Function::Other(name.into()), arguments.into_iter().collect())
}

/// Starts a choice: `case().when(col("age").lt(18), "minor").otherwise("adult")`.
pub fn case() -> Case {
    Case { whens: Vec::new() }
}

/// A choice being written; see [`case`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a choice is used as an expression, after otherwise() or end()"]
pub struct Case {
    whens: Vec<(Expr, Expr)>,
}

impl Case {
    /// Where the condition holds and none before it did, this.
    pub fn when(mut self, condition: Expr, then: impl Into<Expr>) -> Self {
        self.whens.push((condition, then.into()));
        self
    }

    /// This in all other cases.
    pub fn otherwise(self, otherwise: impl Into<Expr>) -> Expr {
        Expr(Node::Case(self.whens, Some(Box::new(otherwise.into()))))
    }

    /// NULL in all other cases.
    pub fn end(self) -> Expr {
        Expr(Node::Case(self.whens, None))
    }
}
