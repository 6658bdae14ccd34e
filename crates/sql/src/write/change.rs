//! Writes INSERT, UPDATE, DELETE and TRUNCATE, and what all statements have in common.

use super::{NewRow, SqlWriter, Upsert};
use crate::change::{Rows, Values};
use crate::compile::Problem;
use crate::{
    Ansi, AtMost, Compile, CompileError, Compiled, Conflict, Delete, Dialect, Expr, Feature, Insert, Name, Path,
    Select, SelectItem, Truncate, Update, Value,
};
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
                let columns = insert.columns.len();
                if values.rows == 0 {
                    self.invalid(INSERT, "has no rows");
                } else if values.ragged || values.width == 0 || columns > 0 && columns != values.width {
                    self.invalid(INSERT, "has a row whose number of values is not the number of columns");
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
        self.list(set, |out, (column, value)| {
            out.name(column);
            out.sql(" = ");
            out.expr(value);
        });
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
            self.invalid("UPDATE", "sets no column");
        }
        self.sql(" SET ");
        self.list(&update.assignments, |out, (column, value)| {
            out.name(column);
            out.sql(" = ");
            out.expr(value);
        });
        if update.filter.is_empty() && !update.all_rows && update.is_plain {
            self.problem(Problem::NoCondition { statement: "UPDATE" });
        }
        self.filter(&update.filter);
        self.returning(&update.returning, Feature::UpdateReturning);
        self.comment(update.comment.as_deref());
    }

    fn delete(&mut self, delete: &Delete) {
        self.sql("DELETE FROM ");
        self.target(&delete.table, delete.is_plain, "DELETE");
        if delete.filter.is_empty() && !delete.all_rows && delete.is_plain {
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
