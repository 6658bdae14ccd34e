//! Writes statements: text into one buffer, parameters into another, in the same order.

use crate::compile::{CompileError, Compiled, Problem};
use crate::dialect::write_quoted;
use crate::{
    ColumnType, Dialect, Feature, Ident, IdentError, Lock, LockWait, Name, Nulls, Order, Path, Unsupported, Value,
};

/// Where a statement is written to. Dialects append to it what they spell in their own way.
///
/// What is wrong is collected, and comes out of [`Compile::compile`](crate::Compile::compile).
#[derive(Debug)]
pub struct SqlWriter<'d> {
    dialect: &'d dyn Dialect,
    sql: String,
    params: Vec<Value>,
    problems: Vec<Problem>,
    /// Values are written into the text, for statements that take no parameters.
    literals: bool,
}

impl<'d> SqlWriter<'d> {
    pub(crate) fn new(dialect: &'d dyn Dialect) -> Self {
        Self { dialect, sql: String::with_capacity(256), params: Vec::new(), problems: Vec::new(), literals: false }
    }

    pub(crate) fn with_literals(dialect: &'d dyn Dialect) -> Self {
        Self { literals: true, ..Self::new(dialect) }
    }

    pub(crate) fn finish(mut self) -> Result<Compiled, CompileError> {
        let limit = self.dialect.max_parameters();
        if self.params.len() > limit {
            self.problem(Problem::TooManyParameters { count: self.params.len(), limit });
        }
        let mut problems = self.problems.into_iter();
        match problems.next() {
            None => Ok(Compiled { sql: self.sql, params: self.params }),
            Some(first) => Err(CompileError::new(first, problems.collect())),
        }
    }

    /// The text so far, whatever is wrong with it.
    pub(crate) fn into_text(self) -> String {
        self.sql
    }

    /// How many parameters there are so far.
    pub fn parameters(&self) -> usize {
        self.params.len()
    }

    /// The dialect that is written.
    pub fn dialect(&self) -> &'d dyn Dialect {
        self.dialect
    }

    /// Appends SQL that no input has a part in.
    pub fn sql(&mut self, sql: &'static str) {
        self.sql.push_str(sql);
    }

    pub(crate) fn text(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// From here to the end of `write`, values are written as literals.
    pub(crate) fn literally(&mut self, write: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.literals, true);
        write(self);
        self.literals = before;
    }

    /// Appends a value: a placeholder, and the value to the parameters.
    pub fn value(&mut self, value: &Value) {
        if self.literals {
            self.dialect.write_literal(&mut self.sql, value);
        } else {
            self.params.push(value.clone());
            self.dialect.write_placeholder(&mut self.sql, self.params.len());
        }
    }

    /// Appends a number of rows as a parameter. Engines count rows in signed 64 bits; more rows than that do not exist.
    pub fn row_count(&mut self, rows: u64) {
        self.value(&Value::Int(i64::try_from(rows).unwrap_or(i64::MAX)));
    }

    /// Appends a name in quotes.
    pub fn name(&mut self, name: &Name) {
        self.part(name.as_str());
    }

    /// Appends a name with what it belongs to.
    pub fn path(&mut self, path: &Path) {
        self.parts(path, false);
    }

    /// Appends a column, or all of them where the path ends in `*`.
    pub(crate) fn column(&mut self, path: &Path) {
        self.parts(path, path.is_wildcard());
    }

    fn parts(&mut self, path: &Path, wildcard: bool) {
        let mut parts = path.parts().enumerate().peekable();
        while let Some((at, part)) = parts.next() {
            if at == 3 {
                let whole: Vec<&str> = path.parts().collect();
                self.problem(Problem::Name(IdentError::new(&whole.join("."), "has more than three parts")));
                return;
            }
            if at > 0 {
                self.sql.push('.');
            }
            if wildcard && parts.peek().is_none() {
                self.sql.push('*');
            } else {
                self.part(part);
            }
        }
    }

    fn part(&mut self, name: &str) {
        if let Err(error) = Ident::check(name) {
            self.problem(Problem::Name(error));
        } else if let Some(problem) = self.dialect.name_problem(name) {
            self.problem(Problem::Name(IdentError::new(name, problem)));
        }
        write_quoted(&mut self.sql, name, self.dialect.quote());
    }

    /// Notes that the dialect does not know something the statement asks for.
    pub fn unsupported(&mut self, unsupported: Unsupported) {
        self.problem(Problem::Unsupported(unsupported));
    }

    /// Notes whether the dialect knows a feature.
    pub(crate) fn require(&mut self, feature: Feature) {
        if let Err(unsupported) = self.dialect.require(feature) {
            self.unsupported(unsupported);
        }
    }

    pub(crate) fn problem(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(crate) fn invalid(&mut self, statement: &'static str, problem: &'static str) {
        self.problem(Problem::Invalid { statement, problem });
    }

    /// Appends each item, with a comma and a space between two.
    pub fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.sql.push_str(", ");
            }
            write(self, item);
        }
    }

    /// Appends the name of a column's type.
    pub fn column_type(&mut self, column_type: &ColumnType) {
        let name = self.dialect.column_type(column_type);
        self.sql.push_str(&name);
    }

    /// Appends a list of names in parentheses.
    pub fn names(&mut self, names: &[Name]) {
        self.sql("(");
        self.list(names, Self::name);
        self.sql(")");
    }

    /// Appends a key of an ordering as the standard spells it.
    pub fn order(&mut self, order: &Order) {
        self.expr(&order.expr);
        if order.descending {
            self.sql(" DESC");
        }
        match order.nulls {
            None => {}
            Some(Nulls::First) => self.sql(" NULLS FIRST"),
            Some(Nulls::Last) => self.sql(" NULLS LAST"),
        }
    }

    /// Appends a locking clause as most engines spell it.
    pub fn lock(&mut self, lock: &Lock) {
        self.sql(if lock.shared { " FOR SHARE" } else { " FOR UPDATE" });
        match lock.wait {
            LockWait::Wait => {}
            LockWait::NoWait => self.sql(" NOWAIT"),
            LockWait::SkipLocked => self.sql(" SKIP LOCKED"),
        }
    }
}
