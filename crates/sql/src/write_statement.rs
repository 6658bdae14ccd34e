//! Writes SELECT, INSERT, UPDATE and DELETE.

use crate::compile::Problem;
use crate::insert::Rows;
use crate::table::Source;
use crate::{
    Ansi, Compile, Delete, Feature, Insert, JoinKind, LockWait, Path, Select, SelectItem, SqlWriter, TableRef, Update,
};
use std::fmt;

impl SqlWriter<'_> {
    /// Appends a query.
    pub fn select(&mut self, query: &Select) {
        self.sql(if query.distinct { "SELECT DISTINCT " } else { "SELECT " });
        if query.items.is_empty() {
            if query.from.is_none() {
                self.invalid("SELECT", "names neither a table nor columns");
            }
            self.sql("*");
        }
        self.list(&query.items, Self::item);
        if let Some(from) = &query.from {
            self.sql(" FROM ");
            self.table(from);
        } else if !query.joins.is_empty() {
            self.invalid("JOIN", "has no table to join to");
        }
        for join in &query.joins {
            match join.kind {
                JoinKind::Right => self.require(Feature::RightJoin),
                JoinKind::Full => self.require(Feature::FullJoin),
                JoinKind::Inner | JoinKind::Left | JoinKind::Cross => {}
            }
            self.sql(join.kind.as_sql());
            self.table(&join.table);
            if let Some(on) = &join.on {
                self.sql(" ON ");
                self.expr(on);
            }
        }
        self.filter(query.filter.as_ref());
        if !query.group_by.is_empty() {
            self.sql(" GROUP BY ");
            self.list(&query.group_by, Self::expr);
        }
        if let Some(having) = &query.having {
            self.sql(" HAVING ");
            self.expr(having);
        }
        let dialect = self.dialect();
        if !query.order_by.is_empty() {
            self.sql(" ORDER BY ");
            self.list(&query.order_by, |out, order| dialect.write_order(out, order));
        }
        if query.limit.is_some() || query.offset.is_some() {
            dialect.write_limit(self, query.limit, query.offset);
        }
        if let Some(lock) = &query.lock {
            self.require(Feature::RowLocks);
            match lock.wait {
                LockWait::Wait => {}
                LockWait::NoWait => self.require(Feature::NoWait),
                LockWait::SkipLocked => self.require(Feature::SkipLocked),
            }
            dialect.write_lock(self, lock);
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
        }
        if let Some(alias) = &table.alias {
            self.sql(" AS ");
            self.name(alias);
        }
    }

    fn insert(&mut self, insert: &Insert) {
        const INSERT: &str = "INSERT";
        let dialect = self.dialect();
        self.sql("INSERT INTO ");
        self.path(&insert.table);
        if !insert.columns.is_empty() {
            self.sql(" ");
            self.names(&insert.columns);
        }
        match &insert.source {
            Rows::Default => {
                if !insert.columns.is_empty() {
                    self.invalid(INSERT, "names columns and default values at once");
                }
                dialect.write_default_values(self);
            }
            Rows::Query(query) => {
                if insert.conflict.is_some() {
                    self.invalid(INSERT, "of a query cannot look at keys that are taken");
                }
                self.sql(" ");
                self.select(query);
            }
            Rows::Values(rows) => {
                let width = match (insert.columns.len(), rows.first()) {
                    (_, None) => {
                        self.invalid(INSERT, "has no rows");
                        0
                    }
                    (0, Some(first)) => first.len(),
                    (width, Some(_)) => width,
                };
                self.sql(" VALUES ");
                self.list(rows, |out, row| {
                    if row.len() != width || row.is_empty() {
                        out.invalid(INSERT, "has a row whose number of values is not the number of columns");
                    }
                    out.sql("(");
                    out.list(row, Self::expr);
                    out.sql(")");
                });
            }
        }
        if let Some(conflict) = &insert.conflict {
            self.require(Feature::Upsert);
            dialect.write_conflict(self, insert, conflict);
        }
        self.returning(&insert.returning, Feature::InsertReturning);
    }

    fn update(&mut self, update: &Update) {
        self.sql("UPDATE ");
        self.target(&update.table, update.is_plain, "UPDATE");
        if update.assignments.is_empty() {
            self.invalid("UPDATE", "sets no column");
        }
        self.sql(" SET ");
        self.list(&update.assignments, |out, (column, value)| {
            out.name(column);
            out.sql(" = ");
            out.expr(value);
        });
        if update.filter.is_none() && !update.all_rows {
            self.problem(Problem::NoCondition { statement: "UPDATE" });
        }
        self.filter(update.filter.as_ref());
        self.returning(&update.returning, Feature::UpdateReturning);
    }

    fn delete(&mut self, delete: &Delete) {
        self.sql("DELETE FROM ");
        self.target(&delete.table, delete.is_plain, "DELETE");
        if delete.filter.is_none() && !delete.all_rows {
            self.problem(Problem::NoCondition { statement: "DELETE" });
        }
        self.filter(delete.filter.as_ref());
        self.returning(&delete.returning, Feature::DeleteReturning);
    }

    fn target(&mut self, table: &Path, is_plain: bool, statement: &'static str) {
        if is_plain {
            self.path(table);
        } else {
            self.invalid(statement, "is made from a query with more than a table and conditions");
        }
    }

    fn returning(&mut self, items: &[SelectItem], feature: Feature) {
        if !items.is_empty() {
            self.require(feature);
            self.sql(" RETURNING ");
            self.list(items, Self::item);
        }
    }
}

macro_rules! statements {
    ($($type:ident $method:ident;)*) => {$(
        impl Compile for $type {
            fn write_sql(&self, out: &mut SqlWriter<'_>) {
                out.$method(self);
            }
        }

        /// The statement in the standard's spelling, without its values: what it looks like, not what to send.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut out = SqlWriter::new(&Ansi);
                self.write_sql(&mut out);
                f.write_str(&out.into_text())
            }
        }
    )*};
}

statements! {
    Select select;
    Insert insert;
    Update update;
    Delete delete;
}
