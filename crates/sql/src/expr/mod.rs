//! Expressions: columns, values, and what is said of them.

mod aggregate;
mod arithmetic;
mod cast;
mod compare;
mod date;
mod function;
mod json;
mod pattern;
mod raw;
mod search;
mod window;

pub use aggregate::{avg, count, count_all, count_distinct, max, min, string_agg, sum};
pub use cast::CastType;
pub use compare::{Comparison, ParseComparisonError, row};
pub use date::{
    DateNode, DatePart, DateUnit, current_date, current_timestamp, date_add, date_of, date_part, date_sub,
    seconds_between,
};
pub use function::{
    Case, Spelled, abs, case, char_length, coalesce, function, lower, nullif, random, replace, round, substring, trim,
    upper,
};
pub use json::{JsonNode, JsonPath, JsonQuestion, JsonStep, json_of};
pub use raw::{raw, raw_with};
pub use search::{Search, SearchMode, matches};
pub use window::{
    Bound, Over, Window, cume_dist, dense_rank, first_value, lag, last_value, lead, nth_value, ntile, percent_rank,
    rank, row_number, window,
};

pub(crate) use arithmetic::Arithmetic;
pub(crate) use function::{Call, Function};
pub(crate) use pattern::Like;
pub(crate) use raw::Raw;
pub(crate) use window::{Frame, FrameUnit};

use crate::path::from_path;
use crate::{Dialect, Name, Order, Path, Select, SqlWriter, Value};
use std::fmt;
use std::ops;

/// A column, a value, or something made of them. See [`col`] and [`val`].
///
/// Any value is an expression and becomes a parameter, a string included: `col("name").eq("Ada")` binds `Ada`. A column on
/// the other side is said as one: `col("a").eq(col("b"))`.
#[derive(Clone, PartialEq)]
pub struct Expr(pub(crate) Node);

/// What an expression is. Everything but the simplest lies in a box, so that an expression is as small as a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Value(Value),
    Column(Path),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Box<(Expr, Expr)>, Comparison),
    /// NULL is the same as NULL, and as nothing else.
    Distinct(Box<(Expr, Expr)>, bool),
    Like(Box<(Expr, Expr)>, Like),
    IsNull(Box<Expr>, bool),
    /// The same of columns, as most often: they need no box.
    ColumnIsNull(Path),
    ColumnIsNotNull(Path),
    In(Box<(Expr, Vec<Expr>)>, bool),
    InQuery(Box<(Expr, Select)>, bool),
    Between(Box<[Expr; 3]>, bool),
    Row(Vec<Expr>),
    Arithmetic(Box<(Expr, Expr)>, Arithmetic),
    Concat(Vec<Expr>),
    Call(Box<Call>),
    Case(Box<Case>),
    Cast(Box<(Expr, CastType)>),
    Json(Box<JsonNode>),
    Date(Box<DateNode>),
    Search(Box<Search>),
    Exists(Box<Select>),
    Query(Box<Select>),
    /// The value that an upsert would have inserted in this column.
    NewValue(Name),
    Raw(Box<Raw>),
    /// Something put together in a way that means nothing: what it is, and why.
    Invalid(Box<(&'static str, &'static str)>),
}

// A list of values becomes the list of parameters in place.
const _: () = assert!(size_of::<Expr>() == size_of::<Value>());

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
#[inline]
pub fn col(path: impl Into<Path>) -> Expr {
    Expr(Node::Column(path.into()))
}

/// A value, which becomes a parameter.
#[inline]
pub fn val(value: impl Into<Value>) -> Expr {
    Expr(Node::Value(value.into()))
}

/// In an upsert, the value that the new row would have had in this column: `col("visits") + new_value("visits")`.
pub fn new_value(column: impl Into<Name>) -> Expr {
    Expr(Node::NewValue(column.into()))
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
pub fn exists(query: impl Into<Select>) -> Expr {
    Expr(Node::Exists(Box::new(query.into())))
}

impl Expr {
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

    /// In a list of columns, under this name.
    #[must_use]
    pub fn alias(self, name: impl Into<Name>) -> SelectItem {
        SelectItem { expr: self, alias: Some(name.into()) }
    }

    /// In an ordering, from the least to the greatest.
    #[must_use]
    #[inline]
    pub fn asc(self) -> Order {
        Order::new(self, false)
    }

    /// In an ordering, from the greatest to the least.
    #[must_use]
    #[inline]
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

    /// The column, if it is one and nothing more.
    pub(crate) fn as_column(&self) -> Option<&Path> {
        match &self.0 {
            Node::Column(path) => Some(path),
            _ => None,
        }
    }

    /// Something that means nothing; compiling it says why.
    pub(crate) fn invalid(what: &'static str, problem: &'static str) -> Self {
        Expr(Node::Invalid(Box::new((what, problem))))
    }

    /// How many parameters it has.
    pub(crate) fn parameters(&self, dialect: &dyn Dialect) -> usize {
        match &self.0 {
            Node::Value(_) => 1,
            Node::Column(_) => 0,
            _ => {
                let mut out = SqlWriter::new(dialect);
                out.expr(self);
                out.parameters()
            }
        }
    }

    /// Whether it may sum up rows, which changes what a query without GROUP BY returns.
    pub(crate) fn may_aggregate(&self) -> bool {
        match &self.0 {
            Node::Raw(_) => true,
            Node::Call(call) if call.over.is_none() && !matches!(call.function, Function::Scalar(_)) => true,
            _ => {
                let mut found = false;
                self.children(&mut |child| found |= child.may_aggregate());
                found
            }
        }
    }

    /// Whether it is true or false of every row, as far as that can be seen without the values of columns and parameters.
    pub(crate) fn constant(&self) -> Option<bool> {
        match &self.0 {
            Node::And(list) if list.iter().any(|each| each.constant() == Some(false)) => Some(false),
            Node::And(list) => list.iter().all(|each| each.constant() == Some(true)).then_some(true),
            Node::Or(list) if list.iter().any(|each| each.constant() == Some(true)) => Some(true),
            Node::Or(list) => list.iter().all(|each| each.constant() == Some(false)).then_some(false),
            Node::Not(condition) => condition.constant().map(|constant| !constant),
            Node::In(list, negated) if list.1.is_empty() => Some(*negated),
            Node::Value(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// Whether it reads a column of this name, queries within not asked.
    pub(crate) fn reads(&self, column: &Name) -> bool {
        if let Node::Column(path) | Node::ColumnIsNull(path) | Node::ColumnIsNotNull(path) = &self.0 {
            return path.name().eq_ignore_ascii_case(column.as_str());
        }
        let mut found = false;
        self.children(&mut |child| found |= child.reads(column));
        found
    }

    /// Whether it may be written with parameters, which make it another expression wherever it is written again.
    pub(crate) fn may_hold_parameters(&self) -> bool {
        match &self.0 {
            Node::Column(_) | Node::ColumnIsNull(_) | Node::ColumnIsNotNull(_) | Node::NewValue(_) => false,
            Node::Value(_) | Node::Json(_) | Node::Date(_) | Node::Search(_) | Node::Exists(_) | Node::Query(_) => true,
            Node::InQuery(..) => true,
            Node::Call(call) if call.over.is_some() => true,
            _ => {
                let mut found = false;
                self.children(&mut |child| found |= child.may_hold_parameters());
                found
            }
        }
    }

    /// Whether it is a value inside of a JSON document, as JSON.
    pub(crate) fn is_json(&self) -> bool {
        matches!(&self.0, Node::Json(json) if json.question == JsonQuestion::Value)
    }

    /// Visits the expressions this one is made of, queries not entered.
    fn children(&self, visit: &mut dyn FnMut(&Expr)) {
        match &self.0 {
            Node::Value(_) | Node::Column(_) | Node::ColumnIsNull(_) | Node::ColumnIsNotNull(_) | Node::NewValue(_) => {
            }
            Node::Exists(_) | Node::Query(_) | Node::Invalid(_) => {}
            Node::And(list) | Node::Or(list) | Node::Concat(list) | Node::Row(list) => list.iter().for_each(visit),
            Node::Not(expr) | Node::IsNull(expr, _) => visit(expr),
            Node::Compare(both, _) | Node::Distinct(both, _) | Node::Like(both, _) | Node::Arithmetic(both, _) => {
                visit(&both.0);
                visit(&both.1);
            }
            Node::In(list, _) => {
                visit(&list.0);
                list.1.iter().for_each(visit);
            }
            Node::InQuery(both, _) => visit(&both.0),
            Node::Between(three, _) => three.iter().for_each(visit),
            Node::Call(call) => call.arguments.iter().chain(&call.filter).for_each(visit),
            Node::Case(case) => case.children(visit),
            Node::Cast(cast) => visit(&cast.0),
            Node::Json(json) => json.children(visit),
            Node::Date(date) => date.children(visit),
            Node::Search(search) => search.children(visit),
            Node::Raw(raw) => raw.arguments.iter().for_each(visit),
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Into<Value>> From<T> for Expr {
    #[inline]
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
