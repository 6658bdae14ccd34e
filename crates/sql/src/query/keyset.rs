//! Going on behind a row, by the keys of the order: pages that cost the same however far they are.

use super::{Nulls, Select};
use crate::expr::Node;
use crate::{Dialect, Expr, Path, Value, all, any};

impl Select {
    /// Only rows that come after the one with these values in the columns that the query is ordered by.
    ///
    /// Unlike an offset, it reads nothing that it leaves out, and rows that come or go in the meantime shift nothing. The order
    /// must tell any two rows apart (end it with the key) and its columns must not hold NULL.
    ///
    /// ```
    /// use dbkeep_sql::{Ansi, Compile, col, params, select};
    ///
    /// let page = select().from("news").order_by(col("day").desc()).order_by("id").limit(20);
    /// let next = page.after(params!["2026-11-22", 7]);
    /// assert_eq!(
    ///     next.compile(&Ansi)?.sql,
    ///     "SELECT * FROM \"news\" WHERE \"day\" <= ? AND (\"day\" < ? OR (\"day\" = ? AND \"id\" > ?)) \
    ///      ORDER BY \"day\" DESC, \"id\" LIMIT ?"
    /// );
    /// # Ok::<(), dbkeep_sql::CompileError>(())
    /// ```
    pub fn after(self, values: impl IntoIterator<Item = Value>) -> Self {
        let condition = self.behind(values.into_iter().collect(), false);
        self.filter(condition)
    }

    /// Only rows that come before the one with these values in the columns that the query is ordered by, nearest last: the
    /// order stays. See [`after`](Select::after).
    pub fn before(self, values: impl IntoIterator<Item = Value>) -> Self {
        let condition = self.behind(values.into_iter().collect(), true);
        self.filter(condition)
    }

    /// The same rows from the last to the first.
    pub fn reversed(mut self) -> Self {
        for order in &mut self.parts.order_by {
            order.descending = !order.descending;
            order.nulls = order.nulls.map(super::Nulls::opposite);
        }
        self
    }

    /// Rows that come behind all that [`after`](Select::after) can name: NULL in a column of the order, where NULL comes after
    /// everything else. `None` where no row does.
    pub fn behind_all(&self, dialect: &dyn Dialect) -> Option<Expr> {
        let nulls = self.parts.order_by.iter().filter(|order| {
            let by_itself = if order.descending == dialect.nulls_last() { Nulls::First } else { Nulls::Last };
            order.nulls.unwrap_or(by_itself) == Nulls::Last
        });
        let nulls: Vec<_> = nulls.map(|order| order.expr.clone().is_null()).collect();
        (!nulls.is_empty()).then(|| any(nulls))
    }

    /// What keeps the value of this column from being found in a row under the column's name, if anything does.
    pub fn key_problem(&self, key: &Path) -> Option<&'static str> {
        let is_key = |expr: &Expr| matches!(&expr.0, Node::Column(path) if path.may_be(key));
        let is_called_so = |name: &str| name.eq_ignore_ascii_case(key.name());
        let mut is_read = self.parts.items.is_empty();
        for item in &self.parts.items {
            match (&item.alias, &item.expr.0) {
                (Some(alias), _) if is_called_so(alias.as_str()) && !is_key(&item.expr) => {
                    return Some("is hidden by an alias of the same name");
                }
                (Some(alias), _) => is_read |= is_called_so(alias.as_str()),
                (None, Node::Column(path)) if path.is_wildcard() => is_read |= path.has_table_of(key),
                (None, Node::Column(path)) if is_called_so(path.name()) => {
                    if !path.may_be(key) {
                        return Some("is not the column of that name that is read");
                    }
                    is_read = true;
                }
                _ => {}
            }
        }
        (!is_read).then_some("is not among the columns that are read")
    }

    fn behind(&self, values: Vec<Value>, before: bool) -> Expr {
        const PAGE: &str = "going on behind a row";
        if self.parts.order_by.is_empty() {
            return Expr::invalid(PAGE, "needs an order: say order_by(…)");
        }
        if values.len() != self.parts.order_by.len() {
            return Expr::invalid(PAGE, "needs a value for each column of the order");
        }
        if values.iter().any(Value::is_null) {
            return Expr::invalid(PAGE, "needs values other than NULL: order by columns that never hold it");
        }
        let keys: Vec<_> = self.parts.order_by.iter().zip(values).collect();
        let beyond = |at: usize| {
            let (order, value) = &keys[at];
            let (key, value) = (order.expr.clone(), value.clone());
            if order.descending == before { key.gt(value) } else { key.lt(value) }
        };
        let cases = (0..keys.len()).map(|at| {
            let equal = keys[..at].iter().map(|(order, value)| order.expr.clone().eq(value.clone()));
            all(equal.chain([beyond(at)]))
        });
        let rows = any(cases);
        if keys.len() == 1 {
            return rows;
        }
        // Said once more of the first key alone: not every engine sees it in the whole, and can look it up in an index.
        let (order, value) = &keys[0];
        let (key, value) = (order.expr.clone(), value.clone());
        (if order.descending == before { key.ge(value) } else { key.le(value) }).and(rows)
    }
}
