//! Arithmetic of dates, the same on every engine.

use super::function::{Spelled, call};
use super::{CastType, ColumnExpr, Expr, Function, Node};

/// A unit of the calendar or the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateUnit {
    /// Twelve months.
    Year,
    /// Months: the day stays, or is the last of the month where that has fewer.
    Month,
    /// Seven days.
    Week,
    /// Days.
    Day,
    /// Hours.
    Hour,
    /// Minutes.
    Minute,
    /// Seconds.
    Second,
}

/// A part of a date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatePart {
    /// The year.
    Year,
    /// The month, 1 to 12.
    Month,
    /// The day of the month, 1 to 31.
    Day,
    /// The day of the week, 1 for Monday to 7 for Sunday.
    Weekday,
    /// The hour, 0 to 23.
    Hour,
    /// The minute, 0 to 59.
    Minute,
    /// The whole second, 0 to 59.
    Second,
}

/// What is asked of dates, as dialects spell it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DateNode {
    /// So many units later, or earlier.
    Add {
        /// A date, or a date and time.
        from: Expr,
        /// How many; whole.
        amount: Expr,
        /// Of what.
        unit: DateUnit,
        /// Earlier rather than later.
        backwards: bool,
    },
    /// A part of a date and time.
    Part(Expr, DatePart),
    /// How many whole seconds it is from the first to the second.
    Seconds(Expr, Expr),
}

impl DateNode {
    pub(super) fn children(&self, visit: &mut dyn FnMut(&Expr)) {
        match self {
            DateNode::Add { from, amount, .. } => {
                visit(from);
                visit(amount);
            }
            DateNode::Part(expr, _) => visit(expr),
            DateNode::Seconds(from, to) => {
                visit(from);
                visit(to);
            }
        }
    }
}

fn node(date: DateNode) -> Expr {
    Expr(Node::Date(Box::new(date)))
}

/// The time at which the statement, or on some engines the transaction, began.
pub fn current_timestamp() -> Expr {
    call(Function::Spelled(Spelled::CurrentTimestamp), Vec::new())
}

/// Today, in the session's time zone; in UTC on SQLite.
pub fn current_date() -> Expr {
    call(Function::Spelled(Spelled::CurrentDate), Vec::new())
}

/// A date and time so many units later: `date_add("due", 3, DateUnit::Day)`. A month after 31 January is the last day of
/// February, on every engine; a date counts as its midnight, and the result is a date and time.
pub fn date_add(from: impl Into<ColumnExpr>, amount: impl Into<Expr>, unit: DateUnit) -> Expr {
    node(DateNode::Add { from: from.into().0, amount: amount.into(), unit, backwards: false })
}

/// A date and time so many units earlier; see [`date_add`].
pub fn date_sub(from: impl Into<ColumnExpr>, amount: impl Into<Expr>, unit: DateUnit) -> Expr {
    node(DateNode::Add { from: from.into().0, amount: amount.into(), unit, backwards: true })
}

/// A part of a date and time, as a whole number.
pub fn date_part(part: DatePart, of: impl Into<ColumnExpr>) -> Expr {
    node(DateNode::Part(of.into().0, part))
}

/// The date of a date and time.
pub fn date_of(of: impl Into<ColumnExpr>) -> Expr {
    of.into().0.cast(CastType::Date)
}

/// How many whole seconds it is from one date and time to another, negative where that is earlier.
pub fn seconds_between(from: impl Into<ColumnExpr>, to: impl Into<ColumnExpr>) -> Expr {
    node(DateNode::Seconds(from.into().0, to.into().0))
}
