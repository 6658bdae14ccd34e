//! Writes expressions, with parentheses where the engines might read them differently.

use super::{NewRow, SqlWriter};
use crate::compile::Problem;
use crate::expr::{Arithmetic, Like, Node, Raw};
use crate::script::{RawPiece, raw_pieces};
use crate::{Comparison, Expr, Name, SelectItem, Value};

/// How tightly an expression holds together; an operand that holds less tightly than its operator goes in parentheses.
mod level {
    pub(super) const LOOSE: u8 = 0;
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const NOT: u8 = 3;
    pub(super) const PREDICATE: u8 = 4;
    /// Where `||` stands among the operators is different in each engine.
    pub(super) const CONCAT: u8 = 5;
    pub(super) const SUM: u8 = 6;
    pub(super) const PRODUCT: u8 = 7;
    pub(super) const ATOM: u8 = 8;
}

fn level(expr: &Expr) -> u8 {
    match &expr.0 {
        Node::Value(_) | Node::Column(_) => level::ATOM,
        Node::And(list) | Node::Or(list) if list.is_empty() => level::PREDICATE,
        Node::Or(_) => level::OR,
        Node::And(_) => level::AND,
        Node::Not(_) | Node::Distinct(..) => level::NOT,
        Node::Compare(..)
        | Node::Like(..)
        | Node::IsNull(..)
        | Node::ColumnIsNull(_)
        | Node::ColumnIsNotNull(_)
        | Node::In(..)
        | Node::InQuery(..)
        | Node::Between(..) => level::PREDICATE,
        Node::Concat(_) => level::CONCAT,
        Node::Arithmetic(_, Arithmetic::Add | Arithmetic::Subtract) => level::SUM,
        Node::Arithmetic(_, Arithmetic::Multiply | Arithmetic::Divide | Arithmetic::Remainder) => level::PRODUCT,
        Node::Raw(raw) if !is_plain(&raw.sql) => level::LOOSE,
        // What a dialect spells stands in parentheses or is a call.
        Node::Row(_)
        | Node::Call(_)
        | Node::Case(_)
        | Node::Cast(_)
        | Node::Json(_)
        | Node::Date(_)
        | Node::Search(_)
        | Node::Exists(_)
        | Node::Query(_)
        | Node::NewValue(_)
        | Node::Raw(_)
        | Node::Invalid(_) => level::ATOM,
    }
}

/// A single word, number or placeholder needs no parentheses.
fn is_plain(sql: &str) -> bool {
    sql == "?" || sql.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

impl SqlWriter<'_> {
    /// Appends an expression.
    #[inline]
    pub fn expr(&mut self, expr: &Expr) {
        match &expr.0 {
            Node::Column(path) => self.column(path),
            Node::Value(value) => self.value(value),
            _ => self.composed(expr),
        }
    }

    fn composed(&mut self, expr: &Expr) {
        if !self.may_go_deeper() {
            return;
        }
        self.depth += 1;
        self.node(expr);
        self.depth -= 1;
    }

    fn node(&mut self, expr: &Expr) {
        match &expr.0 {
            Node::Column(path) => self.column(path),
            Node::Value(value) => self.value(value),
            Node::And(list) => self.joined(list, " AND ", level::NOT, "1 = 1"),
            Node::Or(list) => self.joined(list, " OR ", level::NOT, "1 = 0"),
            Node::Not(condition) => {
                self.sql("NOT ");
                self.atom(condition);
            }
            Node::Compare(both, comparison) => {
                self.first_side(&both.0, std::slice::from_ref(&both.1));
                self.sql(comparison.between_sides());
                self.against(&both.1, &both.0);
            }
            Node::Distinct(both, negated) => {
                let dialect = self.dialect();
                dialect.write_distinct(self, &both.0, &both.1, *negated);
            }
            Node::Like(both, like) => self.like(&both.0, &both.1, *like),
            Node::IsNull(expr, negated) => {
                self.operand(expr, level::CONCAT);
                self.sql(if *negated { " IS NOT NULL" } else { " IS NULL" });
            }
            Node::ColumnIsNull(path) => {
                self.column(path);
                self.sql(" IS NULL");
            }
            Node::ColumnIsNotNull(path) => {
                self.column(path);
                self.sql(" IS NOT NULL");
            }
            Node::In(list, negated) => self.in_list(&list.0, &list.1, *negated),
            Node::InQuery(both, negated) => {
                self.operand(&both.0, level::CONCAT);
                self.sql(if *negated { " NOT IN (" } else { " IN (" });
                let (open, close) = if both.1.is_limited() { self.dialect().limited_in_list() } else { ("", "") };
                self.sql(open);
                self.select(&both.1);
                self.sql(close);
                self.sql(")");
            }
            Node::Between(three, negated) => {
                self.first_side(&three[0], &three[1..]);
                self.sql(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                self.operand(&three[1], level::CONCAT);
                self.sql(" AND ");
                self.operand(&three[2], level::CONCAT);
            }
            Node::Row(parts) => {
                if parts.is_empty() {
                    self.invalid("a row", "has no parts");
                }
                self.sql("(");
                self.list(parts, Self::expr);
                self.sql(")");
            }
            Node::Arithmetic(both, operator) => {
                let own = level(expr);
                if both.0.as_value().is_some() && both.1.as_value().is_some() {
                    self.standalone(&both.0);
                } else {
                    self.operand(&both.0, own);
                }
                self.sql(" ");
                self.sql(operator.as_sql());
                self.sql(" ");
                self.operand(&both.1, own + 1);
            }
            Node::Concat(parts) => {
                let dialect = self.dialect();
                dialect.write_concat(self, parts);
            }
            Node::Call(call) => self.call(call),
            Node::Case(case) => self.case(case),
            Node::Cast(cast) => {
                let dialect = self.dialect();
                dialect.write_cast(self, &cast.0, cast.1);
            }
            Node::Json(json) => {
                let dialect = self.dialect();
                dialect.write_json(self, json);
            }
            Node::Date(date) => {
                let dialect = self.dialect();
                dialect.write_date(self, date);
            }
            Node::Search(search) => {
                if search.columns.is_empty() {
                    self.invalid("a search", "names no columns");
                }
                let dialect = self.dialect();
                dialect.write_search(self, search);
            }
            Node::Exists(query) => {
                self.sql("EXISTS (");
                let (open, close) = if query.is_combined() { self.dialect().combined_in_exists() } else { ("", "") };
                self.sql(open);
                self.select(query);
                self.sql(close);
                self.sql(")");
            }
            Node::Query(query) => {
                self.sql("(");
                self.select(query);
                self.sql(")");
            }
            Node::NewValue(column) => self.new_value(column),
            Node::Raw(raw) => self.raw(raw),
            Node::Invalid(problem) => self.invalid(problem.0, problem.1),
        }
    }

    /// Appends an expression that stands where nothing around it tells its type.
    pub(super) fn standalone(&mut self, expr: &Expr) {
        match &expr.0 {
            Node::Value(value) if !self.writes_literals() => {
                let dialect = self.dialect();
                dialect.write_standalone(self, value);
            }
            _ => self.expr(expr),
        }
    }

    /// Appends the first side of a comparison. Beside values only, one has to tell their type.
    fn first_side(&mut self, first: &Expr, others: &[Expr]) {
        match first.as_value() {
            Some(value) if !self.writes_literals() && others.iter().all(|other| other.as_value().is_some()) => {
                let dialect = self.dialect();
                dialect.write_compared(self, value);
            }
            _ => self.against(first, others.first().unwrap_or(first)),
        }
    }

    /// Appends an expression that is compared with another one.
    fn against(&mut self, expr: &Expr, other: &Expr) {
        match expr.as_value() {
            Some(value) if !value.is_null() && (other.is_json() || matches!(value, Value::Json(_))) => {
                let dialect = self.dialect();
                dialect.write_json_value(self, value, other.is_json());
            }
            _ => self.operand(expr, level::CONCAT),
        }
    }

    /// Appends an expression, in parentheses unless it is a single thing.
    pub fn atom(&mut self, expr: &Expr) {
        self.operand(expr, level::ATOM);
    }

    /// Appends an expression as one side of a comparison.
    pub fn side(&mut self, expr: &Expr) {
        self.against(expr, expr);
    }

    #[inline]
    fn operand(&mut self, expr: &Expr, least: u8) {
        match &expr.0 {
            Node::Column(path) => self.column(path),
            Node::Value(value) => self.value(value),
            _ if level(expr) >= least => self.composed(expr),
            _ => {
                self.sql("(");
                self.composed(expr);
                self.sql(")");
            }
        }
    }

    fn joined(&mut self, list: &[Expr], operator: &'static str, least: u8, of_none: &'static str) {
        if list.is_empty() {
            self.sql(of_none);
        }
        for (at, expr) in list.iter().enumerate() {
            if at > 0 {
                self.sql(operator);
            }
            self.operand(expr, least);
        }
    }

    /// Appends conditions all of which hold; one alone without parentheses.
    pub(super) fn conditions(&mut self, list: &[Expr]) {
        match list {
            [only] => self.expr(only),
            list => self.joined(list, " AND ", level::NOT, "1 = 1"),
        }
    }

    fn like(&mut self, text: &Expr, pattern: &Expr, like: Like) {
        if like.any_case {
            let dialect = self.dialect();
            return dialect.write_ilike(self, text, pattern, like.negated);
        }
        self.side(text);
        self.sql(if like.negated { " NOT LIKE " } else { " LIKE " });
        self.side(pattern);
        if like.escaped {
            self.sql(" ESCAPE '!'");
        }
    }

    fn in_list(&mut self, expr: &Expr, list: &[Expr], negated: bool) {
        if list.is_empty() {
            // No engine but one takes an empty list.
            return self.sql(if negated { "1 = 1" } else { "1 = 0" });
        }
        if expr.is_json() {
            // Beside `=`, MariaDB takes the quotes off JSON's strings; in lists it does not.
            let comparison = if negated { Comparison::Ne } else { Comparison::Eq };
            let each =
                list.iter().map(|value| Expr(Node::Compare(Box::new((expr.clone(), value.clone())), comparison)));
            let whole = if negated { crate::all(each) } else { crate::any(each) };
            return self.atom(&whole);
        }
        self.first_side(expr, list);
        self.sql(if negated { " NOT IN (" } else { " IN (" });
        if matches!(expr.0, Node::Row(_)) {
            self.sql(self.dialect().rows_in_list());
        }
        self.list(list, |out, each| out.against(each, expr));
        self.sql(")");
    }

    fn new_value(&mut self, column: &Name) {
        match self.upsert.as_ref().map(|upsert| upsert.new_row) {
            None => self.invalid("new_value()", "stands outside of what an upsert sets"),
            Some(NewRow::Word(word)) => {
                self.sql(word);
                self.sql(".");
                self.name(column);
            }
            Some(NewRow::Function(name)) => {
                self.sql(name);
                self.sql("(");
                self.name(column);
                self.sql(")");
            }
        }
    }

    fn raw(&mut self, raw: &Raw) {
        let sql = &*raw.sql;
        if raw.arguments.is_empty() && is_plain(sql) && sql != "?" {
            return self.text(sql);
        }
        let refuse = |problem: String| Problem::Raw { sql: sql.chars().take(80).collect(), problem };
        let pieces = match raw_pieces(sql, &self.dialect().lexicon()) {
            Ok(pieces) => pieces,
            Err(problem) => return self.problem(refuse(problem)),
        };
        if self.placeholder == crate::Placeholder::QuestionMark && pieces.contains(&RawPiece::Sql("?")) {
            self.problem(refuse("has a question mark that would be taken for a placeholder here".into()));
        }
        let mut arguments = raw.arguments.iter();
        let mut placeholders = 0;
        for piece in pieces {
            match piece {
                RawPiece::Sql(text) => self.text(text),
                RawPiece::Placeholder => {
                    placeholders += 1;
                    if let Some(argument) = arguments.next() {
                        self.atom(argument);
                    }
                }
            }
        }
        let given = raw.arguments.len();
        if placeholders != given {
            self.problem(refuse(format!("has {placeholders} placeholders and {given} values")));
        }
    }

    /// Appends an entry of a list of columns.
    pub(crate) fn item(&mut self, item: &SelectItem) {
        self.standalone(&item.expr);
        if let Some(alias) = &item.alias {
            self.sql(" AS ");
            self.name(alias);
        }
    }

    /// Appends ` WHERE` and the conditions, if there are any.
    pub(crate) fn filter(&mut self, conditions: &[Expr]) {
        if !conditions.is_empty() {
            self.sql(" WHERE ");
            self.conditions(conditions);
        }
    }
}

impl Expr {
    /// About how many bytes it takes on its way to the server.
    pub(crate) fn estimated_bytes(&self) -> usize {
        fn of(value: &Value) -> usize {
            match value {
                Value::Text(text) | Value::Json(text) => text.len() + 8,
                Value::Bytes(bytes) => bytes.len() + 8,
                Value::Decimal(number) => number.as_str().len() + 8,
                Value::Array(elements) => elements.iter().map(of).sum::<usize>() + 8,
                _ => 12,
            }
        }
        match &self.0 {
            Node::Value(value) => of(value),
            Node::Raw(raw) => raw.sql.len() + raw.arguments.iter().map(Expr::estimated_bytes).sum::<usize>(),
            // Not worth a look: few rows hold anything else.
            _ => 256,
        }
    }
}
