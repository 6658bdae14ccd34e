//! Writes statements: text into one buffer, parameters into another, in the same order.

mod call;
mod change;
mod expr;
mod query;

use crate::compile::{CompileError, Compiled, Problem};
use crate::dialect::write_quoted;
use crate::{
    Dialect, Expr, Feature, Ident, IdentError, Lock, LockWait, Name, Nulls, Order, Path, Placeholder, Unsupported,
    Value,
};

/// Where a statement is written to. Dialects append to it what they spell in their own way.
///
/// What is wrong is collected, and comes out of [`Compile::compile`](crate::Compile::compile).
#[derive(Debug)]
pub struct SqlWriter<'d> {
    dialect: &'d dyn Dialect,
    quote: char,
    placeholder: Placeholder,
    sql: String,
    params: Vec<Value>,
    problems: Vec<Problem>,
    /// Values are written into the text, for statements that take no parameters.
    literals: bool,
    /// A literal held a NUL character, however the dialect spelled it.
    wrote_nul: bool,
    /// How many expressions and queries there are around the one that is written.
    depth: u16,
    /// How many parameters were counted, but not kept.
    uncollected: usize,
    /// What new and old values are called in what an upsert sets.
    upsert: Option<Upsert>,
}

/// What the two rows of an upsert are called.
#[derive(Debug, Clone)]
struct Upsert {
    table: Name,
    new_row: NewRow,
    /// A query within is written, which has columns of its own.
    is_in_query: bool,
}

/// How an engine names the row that an upsert would have inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewRow {
    /// By a word of its own: `excluded."age"`.
    Word(&'static str),
    /// By a function: ``VALUES(`age`)``.
    Function(&'static str),
}

impl<'d> SqlWriter<'d> {
    pub(crate) fn new(dialect: &'d dyn Dialect) -> Self {
        Self {
            dialect,
            quote: dialect.quote(),
            placeholder: dialect.placeholder(),
            sql: String::with_capacity(256),
            params: Vec::with_capacity(4),
            problems: Vec::new(),
            literals: false,
            wrote_nul: false,
            depth: 0,
            uncollected: 0,
            upsert: None,
        }
    }

    pub(crate) fn with_literals(dialect: &'d dyn Dialect) -> Self {
        Self { literals: true, ..Self::new(dialect) }
    }

    pub(crate) fn finish(mut self) -> Result<Compiled, CompileError> {
        let (count, limit) = (self.parameters(), self.dialect.max_parameters());
        if count > limit {
            self.problem(Problem::TooManyParameters { count, limit });
        }
        if self.problems.is_empty() {
            return Ok(Compiled { sql: self.sql, params: self.params });
        }
        Err(CompileError::new(self.problems))
    }

    /// The text so far, whatever is wrong with it.
    pub(crate) fn into_text(self) -> String {
        self.sql
    }

    /// Takes the text so far; problems stay.
    pub(crate) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.sql)
    }

    /// How many parameters there are so far.
    pub fn parameters(&self) -> usize {
        self.params.len() + self.uncollected
    }

    /// The dialect that is written.
    pub fn dialect(&self) -> &'d dyn Dialect {
        self.dialect
    }

    /// Appends SQL that no input has a part in.
    #[inline]
    pub fn sql(&mut self, sql: &'static str) {
        self.sql.push_str(sql);
    }

    pub(crate) fn text(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Appends a value: a placeholder, and the value to the parameters.
    pub fn value(&mut self, value: &Value) {
        if self.literals {
            self.literal(value);
        } else {
            self.params.push(value.clone());
            self.write_placeholder();
        }
    }

    /// Whether values are written as literals, which tell their type, and not as parameters.
    pub(crate) fn writes_literals(&self) -> bool {
        self.literals
    }

    /// Appends a value as a literal in the text, where the engine takes no parameter.
    pub fn literal(&mut self, value: &Value) {
        self.wrote_nul |= matches!(value, Value::Text(text) | Value::Json(text) if text.contains('\0'));
        self.dialect.write_literal(&mut self.sql, value);
    }

    /// Whether a literal held a NUL character since this was last asked.
    pub(crate) fn take_wrote_nul(&mut self) -> bool {
        std::mem::take(&mut self.wrote_nul)
    }

    /// Appends a value that is made for the statement; see [`value`](SqlWriter::value).
    pub fn owned_value(&mut self, value: Value) {
        if self.literals {
            self.literal(&value);
        } else {
            self.params.push(value);
            self.write_placeholder();
        }
    }

    /// Appends a placeholder whose value whoever runs the statement holds already.
    fn placeholder_alone(&mut self) {
        self.uncollected += 1;
        self.write_placeholder();
    }

    #[inline]
    fn write_placeholder(&mut self) {
        self.placeholder.write(&mut self.sql, self.params.len() + self.uncollected);
    }

    /// Appends a whole number as digits in the text, for places where engines take no parameter.
    pub fn number(&mut self, number: u32) {
        self.sql.push_str(itoa::Buffer::new().format(number));
    }

    /// Appends a number of rows as a parameter. Engines count rows in signed 64 bits; more rows than that do not exist.
    pub fn row_count(&mut self, rows: u64) {
        self.owned_value(Value::Int(i64::try_from(rows).unwrap_or(i64::MAX)));
    }

    /// Appends how many rows a query gives at most: one and two as digits in the text, more as a parameter. A planner that does
    /// not know the limit of a prepared statement plans for many rows, for a tenth of them on PostgreSQL (`preprocess_limit` in
    /// <https://github.com/postgres/postgres/blob/master/src/backend/optimizer/plan/planner.c>).
    pub fn most_rows(&mut self, rows: u64) {
        match rows {
            1 | 2 => self.row_digits(rows),
            _ => self.row_count(rows),
        }
    }

    /// Appends a number of rows as digits in the text. More rows than a signed number of 64 bits counts do not exist.
    pub fn row_digits(&mut self, rows: u64) {
        self.sql.push_str(itoa::Buffer::new().format(rows.min(i64::MAX.cast_unsigned())));
    }

    /// Appends a name in quotes.
    pub fn name(&mut self, name: &Name) {
        self.part(name.as_str());
    }

    /// Appends a name with what it belongs to.
    pub fn path(&mut self, path: &Path) {
        if !self.plain_path(path) {
            self.parts(path, false);
        }
    }

    /// Appends a column, or all of them where the path ends in `*`.
    pub(crate) fn column(&mut self, path: &Path) {
        if self.upsert.is_some() {
            self.qualify(path);
        }
        if !self.plain_path(path) {
            self.parts(path, path.is_wildcard());
        }
    }

    /// Appends a path of one or two plain names, as nearly all are; `false` where it is another.
    #[inline]
    fn plain_path(&mut self, path: &Path) -> bool {
        let Some(text) = path.as_dotted() else { return false };
        if is_plain(text) {
            self.quoted_plain(text);
            return true;
        }
        let dot = text.bytes().position(|byte| byte == b'.');
        let Some((table, name)) = dot.map(|dot| (&text[..dot], &text[dot + 1..])) else { return false };
        let both = is_plain(table) && is_plain(name);
        if both {
            self.quoted_plain(table);
            self.sql.push('.');
            self.quoted_plain(name);
        }
        both
    }

    /// Appends the table of an upsert in front of a column that names none: two rows have one of that name.
    fn qualify(&mut self, path: &Path) {
        if let Some(upsert) = self.upsert.as_ref().filter(|upsert| !upsert.is_in_query && path.parts().count() == 1) {
            let table = upsert.table.clone();
            self.name(&table);
            self.sql(".");
        }
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
        if is_plain(name) {
            return self.quoted_plain(name);
        }
        if let Err(error) = Ident::check(name) {
            self.problem(Problem::Name(error));
        } else if let Some(problem) = self.dialect.name_problem(name) {
            self.problem(Problem::Name(IdentError::new(name, problem)));
        }
        write_quoted(&mut self.sql, name, self.quote);
    }

    #[inline]
    fn quoted_plain(&mut self, name: &str) {
        self.quote();
        self.sql.push_str(name);
        self.quote();
    }

    #[inline]
    fn quote(&mut self) {
        // A character that is known when this is compiled is one byte to store.
        match self.quote {
            '"' => self.sql.push('"'),
            '`' => self.sql.push('`'),
            other => self.sql.push(other),
        }
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

    /// Whether what is written may hold something else that is put together. Deeper than this, and longer, no engine reads it, and
    /// whoever writes it runs out of memory first.
    fn may_go_deeper(&mut self) -> bool {
        const DEEPEST: u16 = 500;
        const LONGEST: usize = 16 << 20;
        if self.depth >= DEEPEST {
            self.invalid("a statement", "is nested more than 500 deep: join conditions with all(…) and any(…)");
        } else if self.sql.len() > LONGEST {
            self.invalid("a statement", "is longer than 16 MiB: send it in parts");
        }
        self.depth < DEEPEST && self.sql.len() <= LONGEST
    }

    pub(crate) fn problem(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Notes that a statement is not complete, or contradicts itself.
    pub fn invalid(&mut self, statement: &'static str, problem: &'static str) {
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

    /// Appends an expression cast to a type of this name.
    pub fn cast(&mut self, expr: &Expr, type_name: &str) {
        self.sql("CAST(");
        self.expr(expr);
        self.sql(" AS ");
        self.sql.push_str(type_name);
        self.sql(")");
    }

    /// Appends a list of names in parentheses.
    pub fn names(&mut self, names: &[Name]) {
        self.sql("(");
        self.list(names, Self::name);
        self.sql(")");
    }

    /// Appends a key of an ordering as the standard spells it.
    pub fn order(&mut self, order: &Order) {
        self.ordered(&order.expr, order.descending, order.nulls);
    }

    /// Appends a key of an ordering as the standard spells it.
    pub fn ordered(&mut self, expr: &Expr, descending: bool, nulls: Option<Nulls>) {
        self.expr(expr);
        if descending {
            self.sql(" DESC");
        }
        match nulls {
            None => {}
            Some(Nulls::First) => self.sql(" NULLS FIRST"),
            Some(Nulls::Last) => self.sql(" NULLS LAST"),
        }
    }

    /// Appends keys of an ordering as the dialect spells them.
    pub fn orders(&mut self, order_by: &[Order]) {
        let dialect = self.dialect;
        self.sql("ORDER BY ");
        self.list(order_by, |out, order| dialect.write_order(out, order));
    }

    /// Appends a locking clause as most engines spell it.
    pub fn lock(&mut self, lock: &Lock) {
        self.sql(if lock.shared { " FOR SHARE" } else { " FOR UPDATE" });
        if !lock.of.is_empty() {
            self.sql(" OF ");
            self.list(&lock.of, Self::name);
        }
        self.lock_wait(lock.wait);
    }

    /// Appends what happens when another transaction holds a row.
    pub fn lock_wait(&mut self, wait: LockWait) {
        match wait {
            LockWait::Wait => {}
            LockWait::NoWait => self.sql(" NOWAIT"),
            LockWait::SkipLocked => self.sql(" SKIP LOCKED"),
        }
    }

    /// Appends a remark, after which the statement goes on unharmed.
    fn comment(&mut self, comment: Option<&str>) {
        let Some(comment) = comment else { return };
        if comment.contains('\0') {
            return self.invalid("a comment", "holds a NUL character");
        }
        // The blank keeps the text from being read as a hint or as code for some versions (`/*+`, `/*!`, `/*M!`).
        self.sql.push_str(" /* ");
        let mut before = ' ';
        for c in comment.chars() {
            // Neither may begin or end there: PostgreSQL's comments nest.
            if matches!((before, c), ('*', '/') | ('/', '*')) {
                self.sql.push(' ');
            }
            self.sql.push(c);
            before = c;
        }
        self.sql.push_str(" */");
    }
}

/// Whether a text is a name that every dialect takes and that needs no look inside: letters, digits and underscores of ASCII, at
/// most 63 of them.
#[inline]
fn is_plain(name: &str) -> bool {
    (1..=63).contains(&name.len()) && name.bytes().all(|byte| PLAIN[usize::from(byte)])
}

/// The bytes of plain names.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        plain[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    plain
};
