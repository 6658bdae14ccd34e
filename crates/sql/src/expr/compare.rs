//! Comparisons: with values, lists, ranges, rows and NULL.

use super::{Expr, Node};
use crate::{Select, Value};
use std::fmt;
use std::str::FromStr;

/// How two expressions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Comparison {
    /// As SQL spells it.
    pub const fn as_sql(self) -> &'static str {
        match self {
            Comparison::Eq => "=",
            Comparison::Ne => "<>",
            Comparison::Lt => "<",
            Comparison::Le => "<=",
            Comparison::Gt => ">",
            Comparison::Ge => ">=",
        }
    }
}

impl Comparison {
    /// As it stands between its two sides.
    pub(crate) const fn between_sides(self) -> &'static str {
        match self {
            Comparison::Eq => " = ",
            Comparison::Ne => " <> ",
            Comparison::Lt => " < ",
            Comparison::Le => " <= ",
            Comparison::Gt => " > ",
            Comparison::Ge => " >= ",
        }
    }
}

/// A text that is no comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseComparisonError {
    text: String,
}

impl fmt::Display for ParseComparisonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no comparison: use =, <>, !=, <, <=, > or >=", self.text)
    }
}

impl std::error::Error for ParseComparisonError {}

impl FromStr for Comparison {
    type Err = ParseComparisonError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "=" => Comparison::Eq,
            "<>" | "!=" => Comparison::Ne,
            "<" => Comparison::Lt,
            "<=" => Comparison::Le,
            ">" => Comparison::Gt,
            ">=" => Comparison::Ge,
            _ => return Err(ParseComparisonError { text: text.chars().take(40).collect() }),
        })
    }
}

/// Several expressions taken as one, compared from left to right: `row([col("a"), col("b")]).gt(row([1, 2]))`.
///
/// MySQL and MariaDB take it for granted that a row with NULL in it compares to nothing, though `(NULL, 1) <> (3, 0)` holds: where
/// columns of an outer joined table are in a row that is compared by anything but equality, they lose rows without a partner. Say
/// such a condition column by column.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, col, row, select};
/// let query = select().from("t").filter(row([col("a"), col("b")]).in_list([row([1, 2]), row([3, 4])]));
/// assert_eq!(query.compile(&Ansi)?.sql, r#"SELECT * FROM "t" WHERE ("a", "b") IN ((?, ?), (?, ?))"#);
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
pub fn row<T: Into<Expr>>(parts: impl IntoIterator<Item = T>) -> Expr {
    Expr(Node::Row(parts.into_iter().map(Into::into).collect()))
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident = $comparison:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        #[inline]
        pub fn $name(self, other: impl Into<Expr>) -> Expr {
            self.compare(Comparison::$comparison, other)
        }
    )*};
}

impl Expr {
    comparisons! {
        /// Equal. Compared with NULL it asks for `IS NULL`, since nothing equals NULL.
        eq = Eq;
        /// Not equal. Compared with NULL it asks for `IS NOT NULL`.
        ne = Ne;
        /// Less than.
        lt = Lt;
        /// Less than or equal.
        le = Le;
        /// Greater than.
        gt = Gt;
        /// Greater than or equal.
        ge = Ge;
    }

    /// Compared by an operator that is known only when the program runs; see [`Comparison`]'s `FromStr`.
    #[must_use]
    #[inline]
    pub fn compare(self, comparison: Comparison, other: impl Into<Expr>) -> Expr {
        let other = other.into();
        let is_null = matches!(other.0, Node::Value(Value::Null));
        Expr(match comparison {
            Comparison::Eq if is_null => self.nullness(false),
            Comparison::Ne if is_null => self.nullness(true),
            _ => Node::Compare(Box::new((self, other)), comparison),
        })
    }

    /// Differs, where NULL is a value like any other: never NULL itself. `IS DISTINCT FROM`.
    #[must_use]
    pub fn is_distinct_from(self, other: impl Into<Expr>) -> Expr {
        Expr(Node::Distinct(Box::new((self, other.into())), true))
    }

    /// Is the same, where NULL is a value like any other: never NULL itself. `IS NOT DISTINCT FROM`, MySQL's `<=>`.
    #[must_use]
    pub fn is_not_distinct_from(self, other: impl Into<Expr>) -> Expr {
        Expr(Node::Distinct(Box::new((self, other.into())), false))
    }

    /// Is one of these; of an empty list, it is false.
    #[must_use]
    pub fn in_list<T: Into<Expr>>(self, list: impl IntoIterator<Item = T>) -> Expr {
        Expr(Node::In(Box::new((self, list.into_iter().map(Into::into).collect())), false))
    }

    /// Is none of these; of an empty list, it is true.
    #[must_use]
    pub fn not_in<T: Into<Expr>>(self, list: impl IntoIterator<Item = T>) -> Expr {
        Expr(Node::In(Box::new((self, list.into_iter().map(Into::into).collect())), true))
    }

    /// Is among the rows of a query with one column, or, of a [`row`], with as many columns.
    #[must_use]
    pub fn in_query(self, query: impl Into<Select>) -> Expr {
        Expr(Node::InQuery(Box::new((self, query.into())), false))
    }

    /// Is not among the rows of a query with one column. If one of those is NULL, no row matches: that is SQL.
    #[must_use]
    pub fn not_in_query(self, query: impl Into<Select>) -> Expr {
        Expr(Node::InQuery(Box::new((self, query.into())), true))
    }

    /// Lies between two bounds, both included.
    #[must_use]
    pub fn between(self, low: impl Into<Expr>, high: impl Into<Expr>) -> Expr {
        Expr(Node::Between(Box::new([self, low.into(), high.into()]), false))
    }

    /// Lies outside of two bounds.
    #[must_use]
    pub fn not_between(self, low: impl Into<Expr>, high: impl Into<Expr>) -> Expr {
        Expr(Node::Between(Box::new([self, low.into(), high.into()]), true))
    }

    /// Is NULL.
    #[must_use]
    #[inline]
    pub fn is_null(self) -> Expr {
        Expr(self.nullness(false))
    }

    /// Is not NULL.
    #[must_use]
    #[inline]
    pub fn is_not_null(self) -> Expr {
        Expr(self.nullness(true))
    }

    #[inline]
    fn nullness(self, negated: bool) -> Node {
        match self.0 {
            Node::Column(path) if negated => Node::ColumnIsNotNull(path),
            Node::Column(path) => Node::ColumnIsNull(path),
            node => Node::IsNull(Box::new(Expr(node)), negated),
        }
    }
}
