//! SELECT.

use crate::expr::Node;
use crate::table::{AliasedSelect, Join, Source};
use crate::{
    ColumnExpr, Delete, Expr, JoinKind, Lock, LockWait, Name, Order, Path, SelectItem, TableRef, Update, count_all,
    exists,
};

/// A query. It is a value: cloned, kept, printed, and compiled for any dialect.
///
/// ```
/// use dbkeep_sql::{Ansi, Compile, col, count_all, params, select};
///
/// let query = select()
///     .columns(["users.name"])
///     .column(count_all().alias("orders"))
///     .from("users")
///     .join("orders", col("orders.user_id").eq(col("users.id")))
///     .filter(col("users.age").gt(18).and(col("orders.state").in_list(["paid", "sent"])))
///     .group_by("users.name")
///     .having(count_all().gt(3))
///     .order_by("users.name")
///     .limit(10);
/// let compiled = query.compile(&Ansi)?;
/// assert_eq!(
///     compiled.sql,
///     "SELECT \"users\".\"name\", COUNT(*) AS \"orders\" FROM \"users\" \
///      INNER JOIN \"orders\" ON \"orders\".\"user_id\" = \"users\".\"id\" \
///      WHERE \"users\".\"age\" > ? AND \"orders\".\"state\" IN (?, ?) \
///      GROUP BY \"users\".\"name\" HAVING COUNT(*) > ? ORDER BY \"users\".\"name\" LIMIT ?"
/// );
/// assert_eq!(compiled.params, params![18, "paid", "sent", 3, 10i64]);
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use = "a query does nothing until it is run"]
pub struct Select {
    pub(crate) distinct: bool,
    pub(crate) items: Vec<SelectItem>,
    pub(crate) from: Option<TableRef>,
    pub(crate) joins: Vec<Join>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group_by: Vec<Expr>,
    pub(crate) having: Option<Expr>,
    pub(crate) order_by: Vec<Order>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) lock: Option<Lock>,
}

/// Starts a query. Without columns it reads all of them.
pub fn select() -> Select {
    Select::default()
}

/// Adds a condition to those there are.
pub(crate) fn add_condition(all: &mut Option<Expr>, condition: Expr) {
    *all = Some(match all.take() {
        Some(before) => before.and(condition),
        None => condition,
    });
}

macro_rules! joins {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, table: impl Into<TableRef>, on: Expr) -> Self {
            self.joins.push(Join { kind: JoinKind::$kind, table: table.into(), on: Some(on) });
            self
        }
    )*};
}

impl Select {
    /// Reads these columns, after those named before. A string names a column; `*` and `table.*` name all of them.
    pub fn columns<T: Into<SelectItem>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.items.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Reads this column, after those named before: a column by name, or an expression, perhaps with an alias.
    pub fn column(mut self, column: impl Into<SelectItem>) -> Self {
        self.items.push(column.into());
        self
    }

    /// Forgets the columns named so far, so that all are read, or those named next.
    pub fn clear_columns(mut self) -> Self {
        self.items.clear();
        self
    }

    /// Reads from this table, or from a query with an alias.
    pub fn from(mut self, table: impl Into<TableRef>) -> Self {
        self.from = Some(table.into());
        self
    }

    joins! {
        /// Joins a table; rows without a partner are left out.
        join = Inner;
        /// Joins a table; rows without a partner stay, with NULL in the table's columns.
        left_join = Left;
        /// Joins a table, all of whose rows stay.
        right_join = Right;
        /// Joins a table; all rows of both sides stay.
        full_join = Full;
    }

    /// Puts each row together with each row of a table.
    pub fn cross_join(mut self, table: impl Into<TableRef>) -> Self {
        self.joins.push(Join { kind: JoinKind::Cross, table: table.into(), on: None });
        self
    }

    /// Keeps the rows for which this holds, and all conditions given before.
    pub fn filter(mut self, condition: Expr) -> Self {
        add_condition(&mut self.filter, condition);
        self
    }

    /// Makes one row of all that agree in this column, and in those named before.
    pub fn group_by(mut self, column: impl Into<ColumnExpr>) -> Self {
        self.group_by.push(column.into().0);
        self
    }

    /// Keeps the groups for which this holds, and all conditions given before.
    pub fn having(mut self, condition: Expr) -> Self {
        add_condition(&mut self.having, condition);
        self
    }

    /// Orders by this, after those named before: a column by name, or `col("age").desc()`.
    pub fn order_by(mut self, order: impl Into<Order>) -> Self {
        self.order_by.push(order.into());
        self
    }

    /// Orders by this column from the greatest to the least, after those named before.
    pub fn order_by_desc(self, column: impl Into<ColumnExpr>) -> Self {
        self.order_by(column.into().0.desc())
    }

    /// Gives at most this many rows.
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Leaves out this many rows first. Without an order it is left to the engine which.
    pub fn offset(mut self, rows: u64) -> Self {
        self.offset = Some(rows);
        self
    }

    /// Gives rows that are all the same only once.
    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    /// Locks the rows against changes and other locks until the transaction ends.
    pub fn for_update(mut self) -> Self {
        self.lock = Some(Lock { shared: false, wait: self.lock_wait() });
        self
    }

    /// Locks the rows against changes until the transaction ends.
    pub fn for_share(mut self) -> Self {
        self.lock = Some(Lock { shared: true, wait: self.lock_wait() });
        self
    }

    /// Locks, and leaves out rows that another transaction holds. [`for_update`](Select::for_update) where nothing else
    /// was said.
    pub fn skip_locked(self) -> Self {
        self.with_wait(LockWait::SkipLocked)
    }

    /// Locks, and fails at once when another transaction holds a row. [`for_update`](Select::for_update) where nothing
    /// else was said.
    pub fn no_wait(self) -> Self {
        self.with_wait(LockWait::NoWait)
    }

    fn lock_wait(&self) -> LockWait {
        self.lock.map_or(LockWait::Wait, |lock| lock.wait)
    }

    fn with_wait(mut self, wait: LockWait) -> Self {
        self.lock = Some(Lock { shared: self.lock.is_some_and(|lock| lock.shared), wait });
        self
    }

    /// Does something to the query where the condition holds: `.when(only_adults, |q| q.filter(col("age").ge(18)))`.
    pub fn when(self, condition: bool, then: impl FnOnce(Self) -> Self) -> Self {
        if condition { then(self) } else { self }
    }

    /// This query under a name: as a table in FROM and JOIN, or as a column.
    pub fn alias(self, name: impl Into<Name>) -> AliasedSelect {
        AliasedSelect { query: self, alias: name.into() }
    }

    /// The query that counts this one's rows: one row with one column, `count`. Groups, DISTINCT, LIMIT and OFFSET are
    /// counted as they are, order and locks do not matter.
    pub fn to_count(&self) -> Select {
        let mut rows = self.clone();
        rows.order_by.clear();
        rows.lock = None;
        let makes_rows_of_rows = self.distinct
            || !self.group_by.is_empty()
            || self.having.is_some()
            || self.items.iter().any(|item| item.expr.may_aggregate());
        let item: SelectItem = count_all().alias("count");
        if makes_rows_of_rows {
            return select().column(item).from(rows.alias("counted"));
        }
        if self.limit.is_some() || self.offset.is_some() {
            // Only the number of rows matters, and a table of rows cannot have two columns of one name.
            rows.items = vec![one().alias("one")];
            return select().column(item).from(rows.alias("counted"));
        }
        rows.items = vec![item];
        rows
    }

    /// The query that asks whether this one has a row: one row with one boolean column, `exists`.
    pub fn to_exists(&self) -> Select {
        let mut rows = self.clone();
        rows.order_by.clear();
        rows.lock = None;
        if !rows.distinct
            && rows.group_by.is_empty()
            && rows.having.is_none()
            && !rows.items.iter().any(|i| i.expr.may_aggregate())
        {
            rows.items = vec![one().into()];
        }
        select().column(exists(rows).alias("exists"))
    }

    /// An update of the rows this query would read. Compiling it fails if the query says more than a table and
    /// conditions, since that would be lost.
    pub fn into_update(self) -> Update {
        let (table, filter, is_plain) = self.into_target();
        Update { table, filter, is_plain, ..Update::default() }
    }

    /// A delete of the rows this query would read. Compiling it fails if the query says more than a table and
    /// conditions, since that would be lost.
    pub fn into_delete(self) -> Delete {
        let (table, filter, is_plain) = self.into_target();
        Delete { table, filter, is_plain, ..Delete::default() }
    }

    fn into_target(mut self) -> (Path, Option<Expr>, bool) {
        let filter = self.filter.take();
        let from = self.from.take();
        let is_plain = self == Select::default();
        match from {
            Some(TableRef { source: Source::Table(path), alias: None }) => (path, filter, is_plain),
            _ => (Path::from(""), filter, false),
        }
    }
}

/// The number one, which no value could change into something else.
fn one() -> Expr {
    Expr(Node::Raw("1".into(), Vec::new()))
}
