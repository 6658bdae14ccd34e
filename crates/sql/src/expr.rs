//! Expressions: columns, values, and what is said of them.

use crate::path::from_path;
use crate::{Ansi, Name, Order, Path, Select, SqlWriter, Value};
use std::fmt;
use std::ops;
use std::str::FromStr;

/// A column, a value, or something made of them. See [`col`] and [`val`].
///
/// Any value is an expression and becomes a parameter, a string included: `col("name").eq("Ada")` binds `Ada`. A column on
/// the other side is said as one: `col("a").eq(col("b"))`.
#[derive(Clone, PartialEq)]
pub struct Expr(pub(crate) Node);

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Column(Path),
    Value(Value),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Box<(Expr, Expr)>, Comparison),
    Like(Box<(Expr, Expr)>, Like),
    IsNull(Box<Expr>, bool),
    In(Box<Expr>, Vec<Expr>, bool),
    InQuery(Box<(Expr, Select)>, bool),
    Between(Box<[Expr; 3]>, bool),
    Arithmetic(Box<(Expr, Expr)>, Arithmetic),
    Concat(Vec<Expr>),
    Call(Call),
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
    Exists(Box<Select>),
    Query(Box<Select>),
    CurrentTimestamp,
    Raw(Box<str>, Vec<Value>),
}

/// How LIKE is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Like {
    pub(crate) negated: bool,
    /// The pattern escapes its literal characters with `!`.
    pub(crate) escaped: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Expr>,
    pub(crate) distinct: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Function {
    /// A function every engine has, which never sums up rows.
    Scalar(&'static str),
    /// A function that sums up rows. Without arguments it is called with `*`.
    Aggregate(&'static str),
    /// One we know nothing about.
    Other(Name),
}

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

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(crate) const fn as_sql(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }
}

/// An expression in a place where a string names a column: `"id"`, `"users.id"`, `("users", "id")`, or any [`Expr`].
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnExpr(pub(crate) Expr);

from_path!(ColumnExpr, path => Self(Expr(Node::Column(path))));

impl From<Expr> for ColumnExpr {
    fn from(expr: Expr) -> Self {
        Self(expr)
    }
}

/// A column: `col("age")`, `col("users.age")`, `col(("users", "age"))`.
pub fn col(path: impl Into<Path>) -> Expr {
    Expr(Node::Column(path.into()))
}

/// A value, which becomes a parameter.
pub fn val(value: impl Into<Value>) -> Expr {
    Expr(Node::Value(value.into()))
}

/// A piece of SQL as it is, with a parameter for each `?` outside of strings, names and comments; `??` stands for a
/// question mark itself.
///
/// This is the only way for text to become SQL. Nothing in it is checked but that its parameters, quotes and parentheses
/// are complete: never build it from input.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, col, params, raw, select};
///
/// let query = select().from("users").filter(raw("lower(name) = lower(?)", params!["Ada"]).and(col("age").gt(18)));
/// let compiled = query.compile(&Ansi)?;
/// assert_eq!(compiled.sql, r#"SELECT * FROM "users" WHERE (lower(name) = lower(?)) AND "age" > ?"#);
/// assert_eq!(compiled.params, params!["Ada", 18]);
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
pub fn raw(sql: impl Into<String>, params: impl IntoIterator<Item = Value>) -> Expr {
    Expr(Node::Raw(sql.into().into_boxed_str(), params.into_iter().collect()))
}

/// All of these hold; of none, it is true.
pub fn all(conditions: impl IntoIterator<Item = Expr>) -> Expr {
    let mut list = Vec::new();
    for condition in conditions {
        match condition.0 {
            Node::And(more) => list.extend(more),
            node => list.push(Expr(node)),
        }
    }
    single(list, Node::And)
}

/// At least one of these holds; of none, it is false.
pub fn any(conditions: impl IntoIterator<Item = Expr>) -> Expr {
    let mut list = Vec::new();
    for condition in conditions {
        match condition.0 {
            Node::Or(more) => list.extend(more),
            node => list.push(Expr(node)),
        }
    }
    single(list, Node::Or)
}

fn single(mut list: Vec<Expr>, several: impl FnOnce(Vec<Expr>) -> Node) -> Expr {
    match (list.len(), list.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            list.extend(last);
            Expr(several(list))
        }
    }
}

/// The opposite of a condition.
pub fn not(condition: Expr) -> Expr {
    Expr(Node::Not(Box::new(condition)))
}

/// Whether the query has a row.
pub fn exists(query: Select) -> Expr {
    Expr(Node::Exists(Box::new(query)))
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident = $comparison:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
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
    pub fn compare(self, comparison: Comparison, other: impl Into<Expr>) -> Expr {
        let other = other.into();
        let is_null = matches!(other.0, Node::Value(Value::Null));
        Expr(match comparison {
            Comparison::Eq if is_null => Node::IsNull(Box::new(self), false),
            Comparison::Ne if is_null => Node::IsNull(Box::new(self), true),
            _ => Node::Compare(Box::new((self, other)), comparison),
        })
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Expr) -> Expr {
        all([self, other])
    }

    /// One or both hold.
    #[must_use]
    pub fn or(self, other: Expr) -> Expr {
        any([self, other])
    }

    /// Matches a pattern in which `%` stands for any text and `_` for one character. Whether case counts, and how a
    /// pattern escapes, is the engine's affair; [`contains`](Expr::contains) and its kin escape rightly everywhere.
    #[must_use]
    pub fn like(self, pattern: impl Into<Expr>) -> Expr {
        Expr(Node::Like(Box::new((self, pattern.into())), Like { negated: false, escaped: false }))
    }

    /// Does not match a pattern; see [`like`](Expr::like).
    #[must_use]
    pub fn not_like(self, pattern: impl Into<Expr>) -> Expr {
        Expr(Node::Like(Box::new((self, pattern.into())), Like { negated: true, escaped: false }))
    }

    /// Holds this text; `%` and `_` in it stand for themselves.
    #[must_use]
    pub fn contains(self, text: impl AsRef<str>) -> Expr {
        self.like_escaped(format!("%{}%", escape_pattern(text.as_ref())))
    }

    /// Begins with this text; `%` and `_` in it stand for themselves.
    #[must_use]
    pub fn starts_with(self, text: impl AsRef<str>) -> Expr {
        self.like_escaped(format!("{}%", escape_pattern(text.as_ref())))
    }

    /// Ends with this text; `%` and `_` in it stand for themselves.
    #[must_use]
    pub fn ends_with(self, text: impl AsRef<str>) -> Expr {
        self.like_escaped(format!("%{}", escape_pattern(text.as_ref())))
    }

    fn like_escaped(self, pattern: String) -> Expr {
        Expr(Node::Like(Box::new((self, val(pattern))), Like { negated: false, escaped: true }))
    }

    /// Is one of these; of an empty list, it is false.
    #[must_use]
    pub fn in_list<T: Into<Expr>>(self, list: impl IntoIterator<Item = T>) -> Expr {
        Expr(Node::In(Box::new(self), list.into_iter().map(Into::into).collect(), false))
    }

    /// Is none of these; of an empty list, it is true.
    #[must_use]
    pub fn not_in<T: Into<Expr>>(self, list: impl IntoIterator<Item = T>) -> Expr {
        Expr(Node::In(Box::new(self), list.into_iter().map(Into::into).collect(), true))
    }

    /// Is among the rows of a query with one column.
    #[must_use]
    pub fn in_query(self, query: Select) -> Expr {
        Expr(Node::InQuery(Box::new((self, query)), false))
    }

    /// Is not among the rows of a query with one column. If one of those is NULL, no row matches: that is SQL.
    #[must_use]
    pub fn not_in_query(self, query: Select) -> Expr {
        Expr(Node::InQuery(Box::new((self, query)), true))
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
    pub fn is_null(self) -> Expr {
        Expr(Node::IsNull(Box::new(self), false))
    }

    /// Is not NULL.
    #[must_use]
    pub fn is_not_null(self) -> Expr {
        Expr(Node::IsNull(Box::new(self), true))
    }

    /// This text and another one after it. NULL if one of them is.
    #[must_use]
    pub fn concat(self, other: impl Into<Expr>) -> Expr {
        let other = other.into();
        Expr(Node::Concat(match self.0 {
            Node::Concat(mut parts) => {
                parts.push(other);
                parts
            }
            node => vec![Expr(node), other],
        }))
    }

    /// In a list of columns, under this name.
    #[must_use]
    pub fn alias(self, name: impl Into<Name>) -> SelectItem {
        SelectItem { expr: self, alias: Some(name.into()) }
    }

    /// In an ordering, from the least to the greatest.
    #[must_use]
    pub fn asc(self) -> Order {
        Order::new(self, false)
    }

    /// In an ordering, from the greatest to the least.
    #[must_use]
    pub fn desc(self) -> Order {
        Order::new(self, true)
    }

    /// The value, if it is one and nothing more.
    pub fn as_value(&self) -> Option<&Value> {
        match &self.0 {
            Node::Value(value) => Some(value),
            _ => None,
        }
    }

    /// How many parameters it has.
    pub(crate) fn parameters(&self) -> usize {
        match &self.0 {
            Node::Value(_) => 1,
            Node::Column(_) | Node::CurrentTimestamp => 0,
            Node::Raw(_, params) => params.len(),
            _ => {
                let mut out = SqlWriter::new(&Ansi);
                out.expr(self);
                out.parameters()
            }
        }
    }

    /// Whether it may sum up rows, which changes what a query without GROUP BY returns.
    pub(crate) fn may_aggregate(&self) -> bool {
        let pair = |pair: &(Expr, Expr)| pair.0.may_aggregate() || pair.1.may_aggregate();
        match &self.0 {
            Node::Raw(..) => true,
            Node::Call(call) => {
                !matches!(call.function, Function::Scalar(_)) || call.arguments.iter().any(Expr::may_aggregate)
            }
            Node::Column(_) | Node::Value(_) | Node::CurrentTimestamp | Node::Exists(_) | Node::Query(_) => false,
            Node::And(list) | Node::Or(list) | Node::Concat(list) => list.iter().any(Expr::may_aggregate),
            Node::Not(expr) | Node::IsNull(expr, _) => expr.may_aggregate(),
            Node::Compare(both, _) | Node::Like(both, _) | Node::Arithmetic(both, _) => pair(both),
            Node::In(expr, list, _) => expr.may_aggregate() || list.iter().any(Expr::may_aggregate),
            Node::InQuery(both, _) => both.0.may_aggregate(),
            Node::Between(three, _) => three.iter().any(Expr::may_aggregate),
            Node::Case(whens, otherwise) => {
                whens.iter().any(pair) || otherwise.as_ref().is_some_and(|expr| expr.may_aggregate())
            }
        }
    }
}

/// `!` escapes rather than a backslash, which some engines' strings treat as an escape of their own.
fn escape_pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            out.push('!');
        }
        out.push(c);
    }
    out
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Into<Value>> From<T> for Expr {
    fn from(value: T) -> Self {
        val(value)
    }
}

impl From<Select> for Expr {
    fn from(query: Select) -> Self {
        Expr(Node::Query(Box::new(query)))
    }
}

impl ops::Not for Expr {
    type Output = Expr;

    fn not(self) -> Expr {
        not(self)
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $operator:ident: $doc:literal;)*) => {
        $(
            impl<T: Into<Expr>> ops::$trait<T> for Expr {
                type Output = Expr;

                fn $method(self, other: T) -> Expr {
                    Expr::$method(self, other)
                }
            }
        )*

        impl Expr {
            $(
                #[doc = $doc]
                #[must_use]
                // It does what the trait's method does, and reads on in a chain without importing the trait.
                #[allow(clippy::should_implement_trait)]
                pub fn $method(self, other: impl Into<Expr>) -> Expr {
                    Expr(Node::Arithmetic(Box::new((self, other.into())), Arithmetic::$operator))
                }
            )*
        }
    };
}

arithmetic! {
    Add add Add: "The sum; `+` does the same.";
    Sub sub Subtract: "The difference; `-` does the same.";
    Mul mul Multiply: "The product; `*` does the same.";
    Div div Divide: "The quotient; `/` does the same. Of integers, some engines give an integer.";
    Rem rem Remainder: "The remainder; `%` does the same.";
}

/// An entry of a list of columns: a column by name, or an expression, perhaps under an alias.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectItem {
    pub(crate) expr: Expr,
    pub(crate) alias: Option<Name>,
}

from_path!(SelectItem, path => Self { expr: Expr(Node::Column(path)), alias: None });

impl From<Expr> for SelectItem {
    fn from(expr: Expr) -> Self {
        Self { expr, alias: None }
    }
}
