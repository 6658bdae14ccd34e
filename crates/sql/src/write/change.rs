//! Writes INSERT, UPDATE, DELETE and TRUNCATE, and what all statements have in common.

use super::{NewRow, SqlWriter, Upsert};
use crate::change::{Rows, Values};
use crate::compile::Problem;
use crate::{
    Ansi, AtMost, Compile, CompileError, Compiled, Conflict, Delete, Dialect, Expr, Feature, Insert, Name, Path,
    Select, SelectItem, Truncate, Unsupported, Update, Value,
};
use std::collections::HashSet;
use std::fmt;

const INSERT: &str = "INSERT";

impl SqlWriter<'_> {
    fn insert(&mut self, insert: &Insert) {
        self.insert_with(insert, |out, values| {
            for (at, value) in values.list.iter().enumerate() {
                out.between_values(at, values.width);
                out.expr(value);
            }
        });
    }

    fn between_values(&mut self, at: usize, width: usize) {
        if at > 0 {
            self.sql(if at.is_multiple_of(width) { "), (" } else { ", " });
        }
    }

    fn insert_with(&mut self, insert: &Insert, write_values: impl FnOnce(&mut Self, &Values)) {
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
                self.sql(" ");
                dialect.write_insert_query(self, insert, query);
            }
            Rows::Values(values) => {
                if has_duplicates(&insert.columns) {
                    self.invalid(INSERT, "names a column twice: say which value is meant");
                }
                let columns = insert.columns.len();
                if values.rows == 0 {
                    self.invalid(INSERT, "has no rows: give it values, or default_values()");
                } else if values.ragged || values.width == 0 || columns > 0 && columns != values.width {
                    self.invalid(
                        INSERT,
                        "has a row whose number of values is not the number of columns: give each row one for each",
                    );
                } else {
                    self.sql(" VALUES (");
                    write_values(self, values);
                    self.sql(")");
                }
            }
        }
        if let Some(conflict) = &insert.conflict {
            self.require(Feature::Upsert);
            if let Conflict::Update { filter, set, keys } = conflict {
                if !filter.is_empty() {
                    if set.is_empty() && keys.is_empty() {
                        self.conditions(filter);
                    }
                    self.require(Feature::UpsertWhere);
                }
                if keys.is_empty() {
                    self.invalid("an upsert", "names no key");
                }
            }
            dialect.write_conflict(self, insert, conflict);
        }
        self.returning(&insert.returning, Feature::InsertReturning);
        self.comment(insert.comment.as_deref());
    }

    /// Appends what an upsert sets: each column and its value, in which a column is that of the row there, and
    /// [`new_value`](crate::new_value) that of the row that would have been inserted. In queries within, columns are the query's.
    pub fn upsert_set(&mut self, table: &Path, new_row: NewRow, set: &[(Name, Expr)]) {
        self.upsert = Some(Upsert { table: table.name().into(), new_row, is_in_query: false });
        self.assignments("an upsert", set);
        self.upsert = None;
    }

    /// Appends ` WHERE` and when an upsert changes the row there, if it does not always.
    pub fn upsert_filter(&mut self, table: &Path, new_row: NewRow, filter: &[Expr]) {
        self.upsert = Some(Upsert { table: table.name().into(), new_row, is_in_query: false });
        self.filter(filter);
        self.upsert = None;
    }

    fn update(&mut self, update: &Update) {
        self.sql("UPDATE ");
        self.target(&update.table, update.is_plain, "UPDATE");
        if update.assignments.is_empty() {
            self.invalid("UPDATE", "sets no column: give it one and its value");
        }
        self.sql(" SET ");
        self.assignments("UPDATE", &update.assignments);
        if !update.all_rows && update.is_plain && holds_of_all(&update.filter) {
            self.problem(Problem::NoCondition { statement: "UPDATE" });
        }
        self.filter(&update.filter);
        self.returning(&update.returning, Feature::UpdateReturning);
        self.comment(update.comment.as_deref());
    }

    /// Appends which columns are set, and to what: of the row as it was, whatever is set beside it.
    fn assignments(&mut self, statement: &'static str, set: &[(Name, Expr)]) {
        if has_duplicates(set.iter().map(|(column, _)| column)) {
            self.invalid(statement, "sets a column twice: say which value is meant");
        }
        let computed = set.iter().any(|(_, value)| value.as_value().is_none());
        let order = match self.dialect().sets_one_by_one() && computed && set.len() > 1 {
            true => in_order_of_reading(set),
            false => Some(set.iter().collect()),
        };
        let Some(order) = order else {
            return self.unsupported(Unsupported {
                clause: "setting columns from each other",
                engine: self.dialect().engine(),
                since: None,
                hint: "read the row in the transaction, and set the values",
            });
        };
        self.list(order, |out, (column, value)| {
            out.name(column);
            out.sql(" = ");
            out.expr(value);
        });
    }

    fn delete(&mut self, delete: &Delete) {
        self.sql("DELETE FROM ");
        self.target(&delete.table, delete.is_plain, "DELETE");
        if !delete.all_rows && delete.is_plain && holds_of_all(&delete.filter) {
            self.problem(Problem::NoCondition { statement: "DELETE" });
        }
        self.filter(&delete.filter);
        self.returning(&delete.returning, Feature::DeleteReturning);
        self.comment(delete.comment.as_deref());
    }

    fn truncate(&mut self, truncate: &Truncate) {
        let dialect = self.dialect();
        dialect.write_truncate(self, &truncate.table);
    }

    fn target(&mut self, table: &Path, is_plain: bool, statement: &'static str) {
        if is_plain {
            self.path(table);
        } else {
            self.invalid(
                statement,
                "is made from a query with more than a table and conditions: say which rows with in_query(…)",
            );
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

/// Whether no row is left out by these conditions, whatever is in it.
fn holds_of_all(conditions: &[Expr]) -> bool {
    conditions.iter().all(|condition| condition.constant() == Some(true))
}

/// Whether a name stands twice.
fn has_duplicates<'n>(names: impl IntoIterator<Item = &'n Name> + Clone) -> bool {
    // Most often a few bits tell them apart already.
    let mut seen = 0_u64;
    let alike = names.clone().into_iter().any(|name| {
        let bytes = name.as_str().as_bytes();
        let ends =
            bytes.first().zip(bytes.last()).map_or(0, |(first, last)| usize::from(*first) + 7 * usize::from(*last));
        let bit = 1_u64 << ((ends + 29 * bytes.len()) % 64);
        let is_seen = seen & bit != 0;
        seen |= bit;
        is_seen
    });
    alike && {
        let mut seen = HashSet::new();
        names.into_iter().any(|name| !seen.insert(name.as_str()))
    }
}

/// Assignments in an order in which each reads only columns that are not set yet; `None` where there is no such order.
fn in_order_of_reading(set: &[(Name, Expr)]) -> Option<Vec<&(Name, Expr)>> {
    let mut rest: Vec<_> = set.iter().collect();
    let mut order = Vec::with_capacity(set.len());
    while !rest.is_empty() {
        let next = rest.iter().position(|(column, _)| {
            let others = rest.iter().filter(|(other, _)| other != column);
            !others.into_iter().any(|(_, value)| value.reads(column))
        });
        order.push(rest.remove(next?));
    }
    Some(order)
}

impl Insert {
    /// As [`compile`](Compile::compile), its values handed over rather than copied.
    ///
    /// # Errors
    /// As [`compile`](Compile::compile).
    pub fn into_compiled(mut self, dialect: &dyn Dialect) -> Result<Compiled, CompileError> {
        let list = match &mut self.source {
            Rows::Values(values) if self.returning.is_empty() && self.conflict.is_none() && values.is_plain() => {
                std::mem::take(&mut values.list)
            }
            _ => return self.compile(dialect),
        };
        let mut out = SqlWriter::new(dialect);
        out.insert_with(&self, |out, values| {
            for at in 0..list.len() {
                out.between_values(at, values.width);
                out.placeholder_alone();
            }
        });
        let Compiled { sql, .. } = out.finish()?;
        Ok(Compiled { sql, params: list.into_iter().map(Expr::into_value).collect() })
    }
}

impl Expr {
    /// The value it is; NULL where it is more than one.
    fn into_value(self) -> Value {
        match self.0 {
            crate::expr::Node::Value(value) => value,
            _ => Value::Null,
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
    Truncate truncate;
}

impl Compile for AtMost<'_> {
    fn write_sql(&self, out: &mut SqlWriter<'_>) {
        out.at_most(self);
    }
}
