//! Functions that every engine has, and a way to call others.
//!
//! A string names a column here: `lower("name")` reads the column.

use super::{ColumnExpr, Expr, Node};
use crate::{Name, Order, Over};

/// A function that is called.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Expr>,
    /// Of different values only.
    pub(crate) distinct: bool,
    /// In which order an aggregate takes its rows.
    pub(crate) order_by: Vec<Order>,
    /// Which rows an aggregate takes.
    pub(crate) filter: Option<Expr>,
    /// Over which rows around each row it is worked out.
    pub(crate) over: Option<Box<Over>>,
}

/// Which function is called.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Function {
    /// A function every engine has, which never sums up rows.
    Scalar(&'static str),
    /// A function that sums up rows. Without arguments it is called with `*`.
    Aggregate(&'static str),
    /// Puts texts of rows together: the text, and what stands between two.
    StringAgg,
    /// A function that looks at the rows around a row, and at nothing without OVER.
    Window(&'static str),
    /// One that each dialect spells in its own way.
    Spelled(Spelled),
    /// One we know nothing about.
    Other(Name),
}

/// Functions that engines name differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spelled {
    /// How many characters a text has.
    CharLength,
    /// A number by chance.
    Random,
    /// Today.
    CurrentDate,
    /// Now.
    CurrentTimestamp,
}

impl Call {
    pub(crate) fn new(function: Function, arguments: Vec<Expr>) -> Self {
        Self { function, arguments, distinct: false, order_by: Vec::new(), filter: None, over: None }
    }

    pub(crate) fn into_expr(self) -> Expr {
        Expr(Node::Call(Box::new(self)))
    }
}

pub(super) fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    Call::new(function, arguments).into_expr()
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(column: impl Into<ColumnExpr>) -> Expr {
            call(Function::Scalar($sql), vec![column.into().0])
        }
    )*};
}

functions! {
    /// In lower case, as far as the engine knows letters: SQLite only those of ASCII.
    lower = "LOWER";
    /// In upper case, as far as the engine knows letters: SQLite only those of ASCII.
    upper = "UPPER";
    /// Without spaces at both ends.
    trim = "TRIM";
    /// Without its sign.
    abs = "ABS";
}

/// The first that is not NULL: `coalesce([col("nickname"), val("nobody")])`.
pub fn coalesce(choices: impl IntoIterator<Item = Expr>) -> Expr {
    call(Function::Scalar("COALESCE"), choices.into_iter().collect())
}

/// NULL where both are equal, the first otherwise.
pub fn nullif(column: impl Into<ColumnExpr>, other: impl Into<Expr>) -> Expr {
    call(Function::Scalar("NULLIF"), vec![column.into().0, other.into()])
}

/// How many characters a text has; not bytes.
pub fn char_length(column: impl Into<ColumnExpr>) -> Expr {
    call(Function::Spelled(Spelled::CharLength), vec![column.into().0])
}

/// So many characters of a text from this one on, which counts from 1.
pub fn substring(column: impl Into<ColumnExpr>, from: u32, length: u32) -> Expr {
    if from == 0 {
        return Expr::invalid("substring()", "begins before the first character, which is number 1");
    }
    call(Function::Scalar("SUBSTR"), vec![column.into().0, number(from), number(length)])
}

/// A text with every occurrence of one text replaced by another.
pub fn replace(column: impl Into<ColumnExpr>, from: impl Into<Expr>, to: impl Into<Expr>) -> Expr {
    call(Function::Scalar("REPLACE"), vec![column.into().0, from.into(), to.into()])
}

/// Rounded to so many digits after the point. Half is rounded away from zero where the number is exact; floats follow the
/// engine. PostgreSQL rounds only exact numbers to digits: cast a float first.
pub fn round(column: impl Into<ColumnExpr>, digits: u32) -> Expr {
    call(Function::Scalar("ROUND"), vec![column.into().0, number(digits)])
}

/// A number by chance, for `order_by(random())`. Its range is the engine's.
pub fn random() -> Expr {
    call(Function::Spelled(Spelled::Random), Vec::new())
}

/// A number that is part of the text, where engines want to know its type before they see its value.
pub(super) fn number(number: u32) -> Expr {
    super::raw(number.to_string(), [])
}

/// Any other function by its name, of letters, digits and underscores, with a schema in front of a dot where need be.
/// The name is checked when the statement is compiled and written without quotes, since quoted names of built-in functions
/// are not found everywhere.
pub fn function(name: impl Into<Name>, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    call(Function::Other(name.into()), arguments.into_iter().collect())
}

/// Starts a choice: `case().when(col("age").lt(18), "minor").otherwise("adult")`.
pub fn case() -> Case {
    Case { whens: Vec::new(), otherwise: None }
}

/// A choice being written; see [`case`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a choice is used as an expression, after otherwise() or end()"]
pub struct Case {
    pub(crate) whens: Vec<(Expr, Expr)>,
    pub(crate) otherwise: Option<Expr>,
}

impl Case {
    /// Where the condition holds and none before it did, this.
    pub fn when(mut self, condition: Expr, then: impl Into<Expr>) -> Self {
        self.whens.push((condition, then.into()));
        self
    }

    /// This in all other cases.
    pub fn otherwise(mut self, otherwise: impl Into<Expr>) -> Expr {
        self.otherwise = Some(otherwise.into());
        self.end()
    }

    /// NULL in all other cases.
    pub fn end(self) -> Expr {
        Expr(Node::Case(Box::new(self)))
    }

    pub(super) fn children(&self, visit: &mut dyn FnMut(&Expr)) {
        for (condition, then) in &self.whens {
            visit(condition);
            visit(then);
        }
        if let Some(otherwise) = &self.otherwise {
            visit(otherwise);
        }
    }
}
