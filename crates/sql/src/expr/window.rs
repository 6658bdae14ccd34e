//! Windows: what a function sees of the rows around a row.

use super::function::call;
use super::{ColumnExpr, Expr, Function, Node};
use crate::{Name, Order, Value};

/// The rows around each row that a function with [`over`](Expr::over) looks at.
///
/// ```
/// use dbkeep_sql::{Ansi, Bound, Compile, col, select, sum, window};
///
/// let so_far = window().partition_by("account").order_by("day").rows(Bound::UnboundedPreceding, Bound::CurrentRow);
/// let query = select().column("day").column(sum("amount").over(so_far).alias("balance")).from("bookings");
/// assert_eq!(
///     query.compile(&Ansi)?.sql,
///     "SELECT \"day\", SUM(\"amount\") OVER (PARTITION BY \"account\" ORDER BY \"day\" \
///      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS \"balance\" FROM \"bookings\""
/// );
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use = "a window is used with over()"]
pub struct Window {
    pub(crate) partition_by: Vec<Expr>,
    pub(crate) order_by: Vec<Order>,
    pub(crate) frame: Option<Frame>,
}

/// Starts a window: all rows of the query, until it is cut and ordered.
pub fn window() -> Window {
    Window::default()
}

/// Which of the rows of a window count, seen from each row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frame {
    pub(crate) unit: FrameUnit,
    pub(crate) from: Bound,
    pub(crate) to: Bound,
}

/// What a frame counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameUnit {
    Rows,
    Range,
    Groups,
}

/// Where a frame begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bound {
    /// At the first row.
    UnboundedPreceding,
    /// So many before the row.
    Preceding(u32),
    /// At the row itself.
    CurrentRow,
    /// So many after the row.
    Following(u32),
    /// At the last row.
    UnboundedFollowing,
}

impl Window {
    /// Only rows that agree with the row in this column, and in those named before.
    pub fn partition_by(mut self, column: impl Into<ColumnExpr>) -> Self {
        self.partition_by.push(column.into().0);
        self
    }

    /// In this order; called again, by this where the first are equal.
    pub fn order_by(mut self, order: impl Into<Order>) -> Self {
        self.order_by.push(order.into());
        self
    }

    /// From this row to that one, counted in rows.
    pub fn rows(self, from: Bound, to: Bound) -> Self {
        self.framed(FrameUnit::Rows, from, to)
    }

    /// From this row to that one, counted by the value they are ordered by; rows of equal value count together.
    pub fn range(self, from: Bound, to: Bound) -> Self {
        self.framed(FrameUnit::Range, from, to)
    }

    /// From this row to that one, counted in groups of rows of equal value.
    pub fn groups(self, from: Bound, to: Bound) -> Self {
        self.framed(FrameUnit::Groups, from, to)
    }

    fn framed(mut self, unit: FrameUnit, from: Bound, to: Bound) -> Self {
        self.frame = Some(Frame { unit, from, to });
        self
    }
}

/// A window, or the name of one that the query defines with [`Select::window`](crate::Select::window).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Over {
    /// A window of its own.
    Window(Window),
    /// A window of the query.
    Named(Name),
}

impl From<Window> for Over {
    fn from(window: Window) -> Self {
        Over::Window(window)
    }
}

impl From<&str> for Over {
    fn from(name: &str) -> Self {
        Over::Named(name.into())
    }
}

impl From<Name> for Over {
    fn from(name: Name) -> Self {
        Over::Named(name)
    }
}

impl Expr {
    /// Of a function: worked out for each row over the rows of a window.
    #[must_use]
    pub fn over(self, window: impl Into<Over>) -> Expr {
        match self.0 {
            Node::Call(mut call) if !matches!(call.function, Function::Scalar(_) | Function::Spelled(_)) => {
                call.over = Some(Box::new(window.into()));
                Expr(Node::Call(call))
            }
            invalid @ Node::Invalid(_) => Expr(invalid),
            _ => Expr::invalid("OVER", "follows something that is worked out for one row alone"),
        }
    }
}

macro_rules! windows {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name() -> Expr {
            call(Function::Window($sql), Vec::new())
        }
    )*};
}

windows! {
    /// The number of the row in its window, from 1.
    row_number = "ROW_NUMBER";
    /// The rank of the row, from 1; equal rows share one, and the next is as many higher.
    rank = "RANK";
    /// The rank of the row, from 1; equal rows share one, and the next is one higher.
    dense_rank = "DENSE_RANK";
    /// The rank from 0 to 1.
    percent_rank = "PERCENT_RANK";
    /// The share of rows that come before the row or are equal to it.
    cume_dist = "CUME_DIST";
}

/// Which of so many parts of equal size the row is in, from 1.
pub fn ntile(parts: u32) -> Expr {
    call(Function::Window("NTILE"), vec![super::function::number(parts)])
}

fn shifted(name: &'static str, column: ColumnExpr, rows: u32, default: impl Into<Value>) -> Expr {
    let default = default.into();
    let mut arguments = vec![column.0, super::function::number(rows)];
    if !default.is_null() {
        arguments.push(super::val(default));
    }
    call(Function::Window(name), arguments)
}

/// The value of a column so many rows before the row; `default` where there is no such row. MariaDB knows no default.
pub fn lag(column: impl Into<ColumnExpr>, rows: u32, default: impl Into<Value>) -> Expr {
    shifted("LAG", column.into(), rows, default)
}

/// The value of a column so many rows after the row; `default` where there is no such row. MariaDB knows no default.
pub fn lead(column: impl Into<ColumnExpr>, rows: u32, default: impl Into<Value>) -> Expr {
    shifted("LEAD", column.into(), rows, default)
}

/// The value of a column in the first row of the frame.
pub fn first_value(column: impl Into<ColumnExpr>) -> Expr {
    call(Function::Window("FIRST_VALUE"), vec![column.into().0])
}

/// The value of a column in the last row of the frame. In an ordered window without a frame, that is the row itself.
pub fn last_value(column: impl Into<ColumnExpr>) -> Expr {
    call(Function::Window("LAST_VALUE"), vec![column.into().0])
}

/// The value of a column in the so-manyth row of the frame, from 1.
pub fn nth_value(column: impl Into<ColumnExpr>, nth: u32) -> Expr {
    call(Function::Window("NTH_VALUE"), vec![column.into().0, super::function::number(nth)])
}
