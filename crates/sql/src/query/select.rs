//! SELECT.

use super::table::{AliasedSelect, Join, JoinOn, Source};
use super::{Combined, Cte};
use crate::expr::Node;
use crate::{
    ColumnExpr, Delete, Expr, JoinKind, Lock, LockWait, Name, Order, Path, SelectItem, TableRef, Text, Update, Window,
    count_all, exists,
};
use smallvec::{SmallVec, smallvec};

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
    pub(crate) parts: Box<Parts>,
}

/// What a query says. The lists of a short one lie in it, so that it is made in one piece.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Parts {
    pub(crate) distinct: bool,
    pub(crate) items: SmallVec<[SelectItem; 3]>,
    pub(crate) from: Option<TableRef>,
    pub(crate) joins: Vec<Join>,
    /// All of these hold.
    pub(crate) filter: Conditions,
    pub(crate) order_by: SmallVec<[Order; 1]>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) more: Option<Box<More>>,
}

/// What most queries do not have. In a box of its own, it costs them nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct More {
    pub(crate) ctes: Vec<Cte>,
    pub(crate) combined: Option<Combined>,
    pub(crate) distinct_on: Vec<Expr>,
    pub(crate) group_by: Vec<Expr>,
    pub(crate) having: Conditions,
    pub(crate) windows: Vec<(Name, Window)>,
    pub(crate) lock: Option<Lock>,
    pub(crate) comment: Option<Text>,
}

/// Conditions all of which hold.
pub(crate) type Conditions = SmallVec<[Expr; 3]>;

/// Starts a query. Without columns it reads all of them.
pub fn select() -> Select {
    Select::default()
}

/// Adds a condition to those there are.
#[inline]
pub(crate) fn add_condition(all: &mut Conditions, condition: Expr) {
    if matches!(condition.0, Node::And(_)) {
        return add_conditions(all, condition);
    }
    all.push(condition);
}

#[cold]
fn add_conditions(all: &mut Conditions, condition: Expr) {
    match condition.0 {
        Node::And(more) if !more.is_empty() => all.extend(more),
        node => all.push(Expr(node)),
    }
}

/// Makes the conditions so far and another one alternatives.
pub(crate) fn add_alternative(all: &mut Conditions, condition: Expr) {
    let before = crate::all(std::mem::take(all));
    all.push(before.or(condition));
}

macro_rules! joins {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(self, table: impl Into<TableRef>, on: Expr) -> Self {
            self.joined(JoinKind::$kind, table.into(), JoinOn::Condition(on))
        }
    )*};
}

impl Select {
    /// Reads these columns, after those named before. A string names a column; `*` and `table.*` name all of them.
    #[inline]
    pub fn columns<T: Into<SelectItem>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.parts.items.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Reads this column, after those named before: a column by name, or an expression, perhaps with an alias.
    #[inline]
    pub fn column(mut self, column: impl Into<SelectItem>) -> Self {
        self.parts.items.push(column.into());
        self
    }

    /// Forgets the columns named so far, so that all are read, or those named next.
    pub fn clear_columns(mut self) -> Self {
        self.parts.items.clear();
        self
    }

    /// Reads from this table, or from a query with an alias.
    #[inline]
    pub fn from(mut self, table: impl Into<TableRef>) -> Self {
        self.parts.from = Some(table.into());
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

    /// Joins a table by columns that both sides have and that must be equal; each comes once.
    pub fn join_using<T: Into<Name>>(self, table: impl Into<TableRef>, columns: impl IntoIterator<Item = T>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        self.joined(JoinKind::Inner, table.into(), JoinOn::Using(columns))
    }

    /// Puts each row together with each row of a table.
    pub fn cross_join(self, table: impl Into<TableRef>) -> Self {
        self.joined(JoinKind::Cross, table.into(), JoinOn::Nothing)
    }

    fn joined(mut self, kind: JoinKind, table: TableRef, on: JoinOn) -> Self {
        self.parts.joins.push(Join { kind, table, on });
        self
    }

    /// Keeps the rows for which this holds, and all conditions given before.
    #[inline]
    pub fn filter(mut self, condition: Expr) -> Self {
        add_condition(&mut self.parts.filter, condition);
        self
    }

    /// Keeps the rows for which this holds, or else all conditions given before: `(all of them) OR this`. Without any before, it is
    /// as [`filter`](Select::filter). Conditions given later hold in both cases.
    pub fn or_filter(mut self, condition: Expr) -> Self {
        if self.parts.filter.is_empty() {
            return self.filter(condition);
        }
        add_alternative(&mut self.parts.filter, condition);
        self
    }

    /// Makes one row of all that agree in this column, and in those named before.
    pub fn group_by(mut self, column: impl Into<ColumnExpr>) -> Self {
        self.more_mut().group_by.push(column.into().0);
        self
    }

    /// Keeps the groups for which this holds, and all conditions given before.
    pub fn having(mut self, condition: Expr) -> Self {
        add_condition(&mut self.more_mut().having, condition);
        self
    }

    /// Names a window, for [`over`](Expr::over) with that name.
    pub fn window(mut self, name: impl Into<Name>, window: Window) -> Self {
        self.more_mut().windows.push((name.into(), window));
        self
    }

    /// Orders by this, after those named before: a column by name, or `col("age").desc()`.
    #[inline]
    pub fn order_by(mut self, order: impl Into<Order>) -> Self {
        self.parts.order_by.push(order.into());
        self
    }

    /// Orders by this column from the greatest to the least, after those named before.
    pub fn order_by_desc(self, column: impl Into<ColumnExpr>) -> Self {
        self.order_by(column.into().0.desc())
    }

    /// Forgets the order said so far.
    pub fn clear_order(mut self) -> Self {
        self.parts.order_by.clear();
        self
    }

    /// Gives at most this many rows.
    #[inline]
    pub fn limit(mut self, rows: u64) -> Self {
        self.parts.limit = Some(rows);
        self
    }

    /// Leaves out this many rows first. Without an order it is left to the engine which.
    #[inline]
    pub fn offset(mut self, rows: u64) -> Self {
        self.parts.offset = Some(rows);
        self
    }

    /// Forgets the limit and the offset said so far.
    pub fn clear_limit(mut self) -> Self {
        (self.parts.limit, self.parts.offset) = (None, None);
        self
    }

    /// This query with at most so many rows, as a statement: it is not copied.
    pub fn at_most(&self, rows: u64) -> AtMost<'_> {
        AtMost { query: self, rows }
    }

    /// The table it reads, where that is a table and has no other name.
    pub fn table_path(&self) -> Option<&Path> {
        match &self.parts.from {
            Some(TableRef { source: Source::Table(path), alias: None, .. }) => Some(path),
            _ => None,
        }
    }

    /// Whether it locks the rows it reads.
    pub fn locks_rows(&self) -> bool {
        self.parts.more.as_deref().is_some_and(|more| more.lock.is_some())
    }

    /// The columns it is ordered by; `None` where it is ordered by anything else.
    pub fn order_columns(&self) -> Option<Vec<Path>> {
        let columns = self.parts.order_by.iter().map(|order| match &order.expr.0 {
            Node::Column(path) => Some(path.clone()),
            _ => None,
        });
        columns.collect()
    }

    /// Gives rows that are all the same only once.
    pub fn distinct(mut self) -> Self {
        self.parts.distinct = true;
        self
    }

    /// Of rows that agree in these columns, gives only the first in the order, which must begin with the same columns. PostgreSQL only;
    /// elsewhere, number the rows with [`row_number`](crate::row_number) and keep the first.
    pub fn distinct_on<T: Into<ColumnExpr>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.more_mut().distinct_on.extend(columns.into_iter().map(|column| column.into().0));
        self
    }

    /// Names a query in front of this one, which reads it like a table; see [`cte`](crate::cte).
    pub fn with(mut self, cte: Cte) -> Self {
        self.more_mut().ctes.push(cte);
        self
    }

    /// Says something about the query to whoever reads the server's log: `/* … */` at its end. What would end the comment is
    /// taken apart.
    pub fn comment(mut self, comment: impl Into<Text>) -> Self {
        self.more_mut().comment = Some(comment.into());
        self
    }

    /// Locks the rows against changes and other locks until the transaction ends.
    pub fn for_update(self) -> Self {
        self.locking(|lock| lock.shared = false)
    }

    /// Locks the rows against changes until the transaction ends.
    pub fn for_share(self) -> Self {
        self.locking(|lock| lock.shared = true)
    }

    /// Locks, and leaves out rows that another transaction holds. [`for_update`](Select::for_update) where nothing else
    /// was said.
    pub fn skip_locked(self) -> Self {
        self.locking(|lock| lock.wait = LockWait::SkipLocked)
    }

    /// Locks, and fails at once when another transaction holds a row. [`for_update`](Select::for_update) where nothing
    /// else was said.
    pub fn no_wait(self) -> Self {
        self.locking(|lock| lock.wait = LockWait::NoWait)
    }

    /// Locks only rows of these tables of the query. [`for_update`](Select::for_update) where nothing else was said.
    pub fn lock_of<T: Into<Name>>(self, tables: impl IntoIterator<Item = T>) -> Self {
        self.locking(|lock| lock.of.extend(tables.into_iter().map(Into::into)))
    }

    fn locking(mut self, change: impl FnOnce(&mut Lock)) -> Self {
        change(self.more_mut().lock.get_or_insert_default());
        self
    }

    pub(crate) fn more_mut(&mut self) -> &mut More {
        self.parts.more.get_or_insert_default()
    }

    /// Gives back a box that holds nothing, so that equal queries are equal.
    pub(crate) fn tidy(&mut self) {
        if self.parts.more.as_deref() == Some(&More::default()) {
            self.parts.more = None;
        }
    }

    /// Does something to the query where the condition holds: `.when(only_adults, |q| q.filter(col("age").ge(18)))`.
    pub fn when(self, condition: bool, then: impl FnOnce(Self) -> Self) -> Self {
        if condition { then(self) } else { self }
    }

    /// Does something to the query, as a step in the chain: `.tap(newest_first)`.
    pub fn tap(self, change: impl FnOnce(Self) -> Self) -> Self {
        change(self)
    }

    /// This query under a name: as a table in FROM and JOIN, or as a column.
    pub fn alias(self, name: impl Into<Name>) -> AliasedSelect {
        AliasedSelect { query: self, alias: name.into() }
    }

    /// The query that counts this one's rows: one row with one column, `count`. Groups, DISTINCT, LIMIT and OFFSET are
    /// counted as they are, order and locks do not matter.
    pub fn to_count(&self) -> Select {
        self.to_aggregate(count_all().alias("count"), false)
    }

    /// The query that sums this one's rows up: one row with the column `aggregate`, an expression over this query's columns. Groups,
    /// DISTINCT, LIMIT and OFFSET count as they are, and then only the columns that are read can be summed up.
    pub fn to_aggregated(&self, aggregate: Expr) -> Select {
        self.to_aggregate(aggregate.alias("aggregate"), true)
    }

    fn to_aggregate(&self, item: SelectItem, reads_columns: bool) -> Select {
        let is_limited = self.parts.limit.is_some() || self.parts.offset.is_some();
        let mut rows = self.clone().without_locks();
        // Of which rows a limit or DISTINCT ON leaves, the order decides; of how many, it says nothing.
        if !reads_columns || !is_limited && self.parts.more.as_ref().is_none_or(|more| more.distinct_on.is_empty()) {
            rows.parts.order_by.clear();
        }
        let (comment, ctes) = match &mut rows.parts.more {
            Some(more) => (more.comment.take(), std::mem::take(&mut more.ctes)),
            None => (None, Vec::new()),
        };
        rows.tidy();
        let mut whole = if self.makes_rows_of_rows() || is_limited && reads_columns {
            select().column(item).from(rows.alias("counted"))
        } else if is_limited {
            // Only the number of rows matters, and a table of rows cannot have two columns of one name.
            rows.parts.items = smallvec![one().alias("one")];
            select().column(item).from(rows.alias("counted"))
        } else {
            rows.parts.items = smallvec![item];
            rows
        };
        if comment.is_some() || !ctes.is_empty() {
            let more = whole.more_mut();
            more.comment = comment;
            more.ctes = ctes;
        }
        whole
    }

    /// The query that asks whether this one has a row: one row with one boolean column, `exists`.
    pub fn to_exists(&self) -> Select {
        let mut rows = self.clone().without_locks().clear_order();
        let comment = rows.parts.more.as_mut().and_then(|more| more.comment.take());
        rows.tidy();
        if !rows.makes_rows_of_rows() {
            rows.parts.items = smallvec![one().into()];
        } else if rows.parts.offset.is_some() {
            // Within EXISTS, engines forget DISTINCT, and find rows where the offset leaves none.
            rows = select().column(one()).from(rows.alias("counted"));
        }
        let mut whole = select().column(exists(rows).alias("exists"));
        if let Some(comment) = comment {
            whole = whole.comment(comment);
        }
        whole
    }

    /// Whether it reads from a table that is called so in it, the tables of queries within not asked.
    pub fn reads_from(&self, name: &str) -> bool {
        let tables = self.parts.from.iter().chain(self.parts.joins.iter().map(|join| &join.table));
        tables.into_iter().any(|table| match (&table.alias, &table.source) {
            (Some(alias), _) => alias.as_str().eq_ignore_ascii_case(name),
            (None, Source::Table(path)) => path.name().eq_ignore_ascii_case(name),
            (None, Source::Query(_) | Source::Lateral(_)) => false,
        })
    }

    /// Whether it is put together from others.
    pub(crate) fn is_combined(&self) -> bool {
        self.parts.more.as_deref().is_some_and(|more| more.combined.is_some())
    }

    /// Whether it, or one of those it is put together from, has a limit or an offset.
    pub(crate) fn is_limited(&self) -> bool {
        self.parts.limit.is_some()
            || self.parts.offset.is_some()
            || self
                .parts
                .more
                .as_deref()
                .and_then(|more| more.combined.as_ref())
                .is_some_and(|combined| combined.first.is_limited() || combined.second.is_limited())
    }

    fn without_locks(mut self) -> Self {
        if let Some(more) = &mut self.parts.more {
            more.lock = None;
        }
        self
    }

    /// Whether its rows are not those of its tables, one by one.
    fn makes_rows_of_rows(&self) -> bool {
        let more = self.parts.more.as_deref();
        self.parts.distinct
            || more.is_some_and(|more| {
                !more.group_by.is_empty()
                    || !more.having.is_empty()
                    || more.combined.is_some()
                    || !more.distinct_on.is_empty()
            })
            || self.parts.items.iter().any(|item| item.expr.may_aggregate())
    }

    /// An update of the rows this query would read. Compiling it fails if the query says more than a table and
    /// conditions, since that would be lost.
    pub fn into_update(self) -> Update {
        let (table, filter, comment, is_plain) = self.into_target();
        Update { table, filter, comment, is_plain, ..Update::default() }
    }

    /// A delete of the rows this query would read. Compiling it fails if the query says more than a table and
    /// conditions, since that would be lost.
    pub fn into_delete(self) -> Delete {
        let (table, filter, comment, is_plain) = self.into_target();
        Delete { table, filter, comment, is_plain, ..Delete::default() }
    }

    fn into_target(mut self) -> (Path, Conditions, Option<Text>, bool) {
        let filter = std::mem::take(&mut self.parts.filter);
        let from = self.parts.from.take();
        let comment = self.parts.more.as_mut().and_then(|more| more.comment.take());
        self.tidy();
        let is_plain = self == Select::default();
        match from {
            Some(TableRef { source: Source::Table(path), alias: None, hints }) if hints.is_empty() => {
                (path, filter, comment, is_plain)
            }
            _ => (Path::from(""), filter, comment, false),
        }
    }
}

/// A query of which only the first rows are wanted; see [`Select::at_most`].
#[derive(Debug, Clone, Copy)]
#[must_use = "a query does nothing until it is run"]
pub struct AtMost<'q> {
    pub(crate) query: &'q Select,
    pub(crate) rows: u64,
}

/// The number one, which no value could change into something else.
fn one() -> Expr {
    crate::raw("1", [])
}
