//! Functions that sum up rows. A string names a column: `sum("amount")` sums the column.

use super::function::call;
use super::{Call, ColumnExpr, Expr, Function, Node};
use crate::Order;

macro_rules! aggregates {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(column: impl Into<ColumnExpr>) -> Expr {
            call(Function::Aggregate($sql), vec![column.into().0])
        }
    )*};
}

aggregates! {
    /// How many rows hold something other than NULL there; [`count_all`] counts rows.
    count = "COUNT";
    /// The sum; NULL of no rows.
    sum = "SUM";
    /// The average; NULL of no rows.
    avg = "AVG";
    /// The least.
    min = "MIN";
    /// The greatest.
    max = "MAX";
}

/// How many rows there are: `COUNT(*)`.
pub fn count_all() -> Expr {
    call(Function::Aggregate("COUNT"), Vec::new())
}

/// How many different values there are, NULL not counted.
pub fn count_distinct(column: impl Into<ColumnExpr>) -> Expr {
    count(column).distinct()
}

/// The texts of all rows one after another, `separator` between two, NULL left out; NULL of no rows. Say the order with
/// [`ordered_by`](Expr::ordered_by): without, it is any.
///
/// MySQL and MariaDB cut the result at `group_concat_max_len` bytes (1,024 by default, 1 MiB in newer MariaDB) with a warning:
/// raise it in the session where it may be longer, and know no [`over`](Expr::over) of it. <https://dev.mysql.com/doc/refman/8.4/en/aggregate-functions.html>
pub fn string_agg(column: impl Into<ColumnExpr>, separator: impl Into<Expr>) -> Expr {
    call(Function::StringAgg, vec![column.into().0, separator.into()])
}

impl Expr {
    /// Of an aggregate: of different values only.
    #[must_use]
    pub fn distinct(self) -> Expr {
        self.aggregate("DISTINCT", |call| call.distinct = true)
    }

    /// Of an aggregate: of the rows for which this holds, `FILTER (WHERE …)`. Where the engine has no such clause, the
    /// same is said with `CASE`.
    ///
    /// ```
    /// use dbkeep_sql::{Ansi, Compile, col, count_all, select};
    /// let query = select().column(count_all().filter_where(col("age").lt(18)).alias("minors")).from("users");
    /// assert_eq!(
    ///     query.compile(&Ansi)?.sql,
    ///     r#"SELECT COUNT(*) FILTER (WHERE "age" < ?) AS "minors" FROM "users""#
    /// );
    /// # Ok::<(), dbkeep_sql::CompileError>(())
    /// ```
    #[must_use]
    pub fn filter_where(self, condition: Expr) -> Expr {
        self.aggregate("FILTER", |call| {
            call.filter = Some(match call.filter.take() {
                Some(before) => before.and(condition),
                None => condition,
            });
        })
    }

    /// Of an aggregate to which it matters: the order in which it takes its rows.
    #[must_use]
    pub fn ordered_by(self, order: impl Into<Order>) -> Expr {
        self.aggregate("ORDER BY of an aggregate", |call| call.order_by.push(order.into()))
    }

    fn aggregate(self, clause: &'static str, change: impl FnOnce(&mut Call)) -> Expr {
        match self.0 {
            Node::Call(mut call) if !matches!(call.function, Function::Scalar(_) | Function::Spelled(_)) => {
                change(&mut call);
                Expr(Node::Call(call))
            }
            invalid @ Node::Invalid(_) => Expr(invalid),
            _ => Expr::invalid(clause, "follows something that sums up no rows"),
        }
    }
}
