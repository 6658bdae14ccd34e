//! Writes queries.

use super::SqlWriter;
use crate::expr::Node;
use crate::query::{Combined, Join, JoinOn, Source};
use crate::{AtMost, Cte, Expr, Feature, JoinKind, LockWait, Select, SelectItem, SetOperation, TableRef};

impl SqlWriter<'_> {
    /// Appends a query.
    pub fn select(&mut self, query: &Select) {
        self.limited(query, query.parts.limit);
    }

    pub(super) fn at_most(&mut self, at_most: &AtMost<'_>) {
        let limit = at_most.query.parts.limit.map_or(at_most.rows, |limit| limit.min(at_most.rows));
        self.limited(at_most.query, Some(limit));
    }

    fn limited(&mut self, query: &Select, limit: Option<u64>) {
        if !self.may_go_deeper() {
            return;
        }
        self.depth += 1;
        let outside = self.upsert.as_mut().map(|upsert| std::mem::replace(&mut upsert.is_in_query, true));
        self.whole(query, limit);
        if let (Some(upsert), Some(outside)) = (&mut self.upsert, outside) {
            upsert.is_in_query = outside;
        }
        self.depth -= 1;
    }

    fn whole(&mut self, query: &Select, limit: Option<u64>) {
        let parts = &*query.parts;
        let more = parts.more.as_deref();
        if let Some(more) = more
            && !more.ctes.is_empty()
        {
            self.ctes(&more.ctes);
        }
        match more.and_then(|more| more.combined.as_ref()) {
            Some(combined) => {
                if parts.distinct
                    || !parts.items.is_empty()
                    || parts.from.is_some()
                    || !parts.joins.is_empty()
                    || !parts.filter.is_empty()
                    || more.is_some_and(|more| {
                        !(more.group_by.is_empty()
                            && more.having.is_empty()
                            && more.distinct_on.is_empty()
                            && more.windows.is_empty()
                            && more.lock.is_none())
                    })
                {
                    self.invalid(
                        "a query of queries",
                        "takes an order and a limit, and nothing else: read it as a table, select().from(query.alias(…))",
                    );
                }
                self.combined(combined);
            }
            None => self.body(query),
        }
        if !parts.order_by.is_empty() {
            self.sql(" ");
            // Rows that are made of rows are ordered by what is made of them, and that has to be seen.
            if parts.distinct || more.is_some_and(|more| !more.group_by.is_empty()) {
                let dialect = self.dialect();
                self.sql("ORDER BY ");
                self.list(&parts.order_by, |out, order| match place_of(&order.expr, &parts.items) {
                    Some(place) if order.nulls.is_none() => {
                        out.number(place);
                        out.sql(if order.descending { " DESC" } else { "" });
                    }
                    _ => dialect.write_order(out, order),
                });
            } else {
                self.orders(&parts.order_by);
            }
        }
        if limit.is_some() || parts.offset.is_some() {
            let dialect = self.dialect();
            dialect.write_limit(self, limit, parts.offset);
        }
        let Some(more) = more else { return };
        if let Some(lock) = &more.lock {
            self.require(Feature::RowLocks);
            match lock.wait {
                LockWait::Wait => {}
                LockWait::NoWait => self.require(Feature::NoWait),
                LockWait::SkipLocked => self.require(Feature::SkipLocked),
            }
            if !lock.of.is_empty() {
                self.require(Feature::LockOf);
            }
            let dialect = self.dialect();
            dialect.write_lock(self, lock);
        }
        self.comment(more.comment.as_deref());
    }

    /// Appends a query from its columns to its groups.
    fn body(&mut self, query: &Select) {
        let parts = &*query.parts;
        let more = parts.more.as_deref();
        self.sql("SELECT ");
        if parts.distinct {
            self.sql("DISTINCT ");
        }
        if let Some(more) = more
            && !more.distinct_on.is_empty()
        {
            if parts.distinct {
                self.invalid("SELECT", "is both DISTINCT and DISTINCT ON");
            }
            self.require(Feature::DistinctOn);
            self.sql("DISTINCT ON (");
            self.list(&more.distinct_on, Self::expr);
            self.sql(") ");
        }
        if parts.items.is_empty() {
            if parts.from.is_none() {
                self.invalid("SELECT", "names neither a table nor columns");
            }
            self.sql("*");
        }
        self.list(&parts.items, Self::item);
        if let Some(from) = &parts.from {
            self.sql(" FROM ");
            self.table(from);
        } else if !parts.joins.is_empty() {
            self.invalid("JOIN", "has no table to join to");
        }
        for join in &parts.joins {
            self.join(join);
        }
        self.filter(&parts.filter);
        let Some(more) = more else { return };
        if !more.group_by.is_empty() {
            self.sql(" GROUP BY ");
            self.list(&more.group_by, |out, expr| match place_of(expr, &parts.items) {
                Some(place) => out.number(place),
                None => out.expr(expr),
            });
        }
        if !more.having.is_empty() {
            self.sql(" HAVING ");
            self.conditions(&more.having);
        }
        if !more.windows.is_empty() {
            self.require(Feature::Windows);
            self.sql(" WINDOW ");
            self.list(&more.windows, |out, (name, window)| {
                out.name(name);
                out.sql(" AS ");
                out.window(window);
            });
        }
    }

    fn ctes(&mut self, ctes: &[Cte]) {
        self.require(Feature::With);
        self.sql(if ctes.iter().any(|cte| cte.recursive) { "WITH RECURSIVE " } else { "WITH " });
        self.list(ctes, |out, cte| {
            out.name(&cte.name);
            if !cte.columns.is_empty() {
                out.sql(" ");
                out.names(&cte.columns);
            }
            out.sql(" AS ");
            if let Some(materialized) = cte.materialized {
                out.require(Feature::Materialized);
                out.sql(if materialized { "MATERIALIZED " } else { "NOT MATERIALIZED " });
            }
            out.sql("(");
            out.select(&cte.query);
            out.sql(")");
        });
        self.sql(" ");
    }

    fn combined(&mut self, combined: &Combined) {
        use SetOperation::{Except, ExceptAll, Intersect, IntersectAll, Union, UnionAll};
        match combined.operation {
            Union | UnionAll => {}
            Intersect | Except => self.require(Feature::Intersect),
            IntersectAll | ExceptAll => self.require(Feature::IntersectAll),
        }
        // Of operations in a row, engines work out INTERSECT first, or all from left to right.
        let binds_tighter = matches!(combined.operation, Intersect | IntersectAll);
        let first = combined.first.parts.more.as_deref().and_then(|more| more.combined.as_ref());
        let same = first.is_none_or(|first| {
            binds_tighter == matches!(first.operation, Intersect | IntersectAll) && !binds_tighter
                || first.operation == combined.operation
        });
        self.part_of_query(&combined.first, same);
        self.sql(combined.operation.as_sql());
        let second = combined.second.parts.more.as_deref().is_none_or(|more| more.combined.is_none());
        self.part_of_query(&combined.second, second);
    }

    /// Appends one of several queries, on its own where what is said of it could be read as said of all.
    fn part_of_query(&mut self, query: &Select, is_plain: bool) {
        let parts = &*query.parts;
        let has_ctes = parts.more.as_deref().is_some_and(|more| !more.ctes.is_empty());
        let says_more = has_ctes
            || !parts.order_by.is_empty()
            || parts.limit.is_some()
            || parts.offset.is_some()
            || parts.more.as_deref().is_some_and(|more| more.lock.is_some());
        if is_plain && !says_more {
            return self.select(query);
        }
        let (open, close) = self.dialect().nested_query(has_ctes);
        self.sql(open);
        self.select(query);
        self.sql(close);
    }

    fn join(&mut self, join: &Join) {
        match join.kind {
            JoinKind::Right => self.require(Feature::RightJoin),
            JoinKind::Full => self.require(Feature::FullJoin),
            JoinKind::Inner | JoinKind::Left | JoinKind::Cross => {}
        }
        self.sql(join.kind.as_sql());
        self.table(&join.table);
        match &join.on {
            JoinOn::Nothing => {}
            JoinOn::Condition(on) => {
                self.sql(" ON ");
                self.expr(on);
            }
            JoinOn::Using(columns) => {
                if columns.is_empty() {
                    self.invalid("JOIN", "names no columns that both sides have");
                }
                self.sql(" USING ");
                self.names(columns);
            }
        }
    }

    fn table(&mut self, table: &TableRef) {
        match &table.source {
            Source::Table(path) => self.path(path),
            Source::Query(query) => {
                self.sql("(");
                self.select(query);
                self.sql(")");
            }
            Source::Lateral(query) => {
                self.require(Feature::Lateral);
                self.sql("LATERAL (");
                self.select(query);
                self.sql(")");
            }
        }
        if let Some(alias) = &table.alias {
            self.sql(" AS ");
            self.name(alias);
        }
        if !table.hints.is_empty() {
            let dialect = self.dialect();
            dialect.write_index_hints(self, &table.hints);
        }
    }
}

/// Where among the columns an expression stands that has parameters, from one. Written once more with parameters of its own it would
/// be another expression to the engine.
fn place_of(expr: &Expr, items: &[SelectItem]) -> Option<u32> {
    if !expr.may_hold_parameters() {
        return None;
    }
    let at = items.iter().position(|item| item.expr == *expr)?;
    // How many columns a wildcard stands for, only the engine knows.
    let is_counted = items[..at].iter().all(|item| !matches!(&item.expr.0, Node::Column(path) if path.is_wildcard()));
    is_counted.then(|| u32::try_from(at + 1).ok()).flatten()
}
