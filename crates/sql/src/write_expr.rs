//! Writes expressions, with parentheses where the engines might read them differently.

use crate::compile::Problem;
use crate::expr::{Arithmetic, Call, Function, Node};
use crate::script::{RawPiece, raw_pieces};
use crate::{Expr, IdentError, SelectItem, SqlWriter, Value};

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
        Node::And(list) | Node::Or(list) if list.is_empty() => level::PREDICATE,
        Node::Or(_) => level::OR,
        Node::And(_) => level::AND,
        Node::Not(_) => level::NOT,
        Node::Compare(..)
        | Node::Like(..)
        | Node::IsNull(..)
        | Node::In(..)
        | Node::InQuery(..)
        | Node::Between(..) => level::PREDICATE,
        Node::Concat(_) => level::CONCAT,
        Node::Arithmetic(_, Arithmetic::Add | Arithmetic::Subtract) => level::SUM,
        Node::Arithmetic(_, Arithmetic::Multiply | Arithmetic::Divide | Arithmetic::Remainder) => level::PRODUCT,
        Node::Raw(sql, _) if !is_plain(sql) => level::LOOSE,
        Node::Column(_)
        | Node::Value(_)
        | Node::Call(_)
        | Node::Case(..)
        | Node::Exists(_)
        | Node::Query(_)
        | Node::CurrentTimestamp
        | Node::Raw(..) => level::ATOM,
    }
}

/// A single word, number or placeholder needs no parentheses.
fn is_plain(sql: &str) -> bool {
    sql == "?" || sql.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

impl SqlWriter<'_> {
    /// Appends an expression.
    pub fn expr(&mut self, expr: &Expr) {
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
                self.operand(&both.0, level::CONCAT);
                self.sql(" ");
                self.sql(comparison.as_sql());
                self.sql(" ");
                self.operand(&both.1, level::CONCAT);
            }
            Node::Like(both, like) => {
                self.operand(&both.0, level::CONCAT);
                self.sql(if like.negated { " NOT LIKE " } else { " LIKE " });
                self.operand(&both.1, level::CONCAT);
                if like.escaped {
                    self.sql(" ESCAPE '!'");
                }
            }
            Node::IsNull(expr, negated) => {
                self.operand(expr, level::CONCAT);
                self.sql(if *negated { " IS NOT NULL" } else { " IS NULL" });
            }
            // No engine but one takes an empty list.
            Node::In(_, list, negated) if list.is_empty() => self.sql(if *negated { "1 = 1" } else { "1 = 0" }),
            Node::In(expr, list, negated) => {
                self.operand(expr, level::CONCAT);
                self.sql(if *negated { " NOT IN (" } else { " IN (" });
                self.list(list, Self::expr);
                self.sql(")");
            }
            Node::InQuery(both, negated) => {
                self.operand(&both.0, level::CONCAT);
                self.sql(if *negated { " NOT IN (" } else { " IN (" });
                self.select(&both.1);
                self.sql(")");
            }
            Node::Between(three, negated) => {
                self.operand(&three[0], level::CONCAT);
                self.sql(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                self.operand(&three[1], level::CONCAT);
                self.sql(" AND ");
                self.operand(&three[2], level::CONCAT);
            }
            Node::Arithmetic(both, operator) => {
                let own = level(expr);
                self.operand(&both.0, own);
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
            Node::Case(whens, otherwise) => self.case(whens, otherwise.as_deref()),
            Node::Exists(query) => {
                self.sql("EXISTS (");
                self.select(query);
                self.sql(")");
            }
            Node::Query(query) => {
                self.sql("(");
                self.select(query);
                self.sql(")");
            }
            Node::CurrentTimestamp => self.sql(self.dialect().current_timestamp()),
            Node::Raw(sql, params) => self.raw(sql, params),
        }
    }

    /// Appends an expression, in parentheses unless it is a single thing.
    pub fn atom(&mut self, expr: &Expr) {
        self.operand(expr, level::ATOM);
    }

    fn operand(&mut self, expr: &Expr, least: u8) {
        if level(expr) >= least {
            return self.expr(expr);
        }
        self.sql("(");
        self.expr(expr);
        self.sql(")");
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

    fn call(&mut self, call: &Call) {
        match &call.function {
            Function::Scalar(name) | Function::Aggregate(name) => self.sql(name),
            Function::Other(name) => {
                let name = name.as_str();
                let is_name = |part: &str| {
                    !part.is_empty()
                        && !part.starts_with(|c: char| c.is_ascii_digit())
                        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                };
                if name.split('.').all(is_name) {
                    self.text(name);
                } else {
                    self.problem(Problem::Name(IdentError::new(name, "is no name of a function")));
                }
            }
        }
        self.sql(if call.distinct { "(DISTINCT " } else { "(" });
        if call.arguments.is_empty() && matches!(call.function, Function::Aggregate(_)) {
            self.sql("*");
        }
        if call.arguments.is_empty() && matches!(call.function, Function::Scalar(_)) {
            self.invalid("the function", "has no arguments");
        }
        self.list(&call.arguments, Self::expr);
        self.sql(")");
    }

    fn case(&mut self, whens: &[(Expr, Expr)], otherwise: Option<&Expr>) {
        if whens.is_empty() {
            self.invalid("CASE", "has no choices");
        }
        self.sql("CASE");
        for (condition, then) in whens {
            self.sql(" WHEN ");
            self.expr(condition);
            self.sql(" THEN ");
            self.expr(then);
        }
        if let Some(otherwise) = otherwise {
            self.sql(" ELSE ");
            self.expr(otherwise);
        }
        self.sql(" END");
    }

    fn raw(&mut self, sql: &str, params: &[Value]) {
        let refuse = |problem: String| Problem::Raw { sql: sql.chars().take(80).collect(), problem };
        let pieces = match raw_pieces(sql, &self.dialect().lexicon()) {
            Ok(pieces) => pieces,
            Err(problem) => return self.problem(refuse(problem)),
        };
        let mut placeholder = String::new();
        self.dialect().write_placeholder(&mut placeholder, 1);
        if placeholder == "?" && pieces.contains(&RawPiece::Sql("?")) {
            self.problem(refuse("has a question mark that would be taken for a placeholder here".into()));
        }
        let mut values = params.iter();
        let mut placeholders = 0;
        for piece in pieces {
            match piece {
                RawPiece::Sql(text) => self.text(text),
                RawPiece::Placeholder => {
                    placeholders += 1;
                    if let Some(value) = values.next() {
                        self.value(value);
                    }
                }
            }
        }
        if placeholders != params.len() {
            self.problem(refuse(format!("has {placeholders} placeholders and {} values", params.len())));
        }
    }

    /// Appends an entry of a list of columns.
    pub(crate) fn item(&mut self, item: &SelectItem) {
        self.expr(&item.expr);
        if let Some(alias) = &item.alias {
            self.sql(" AS ");
            self.name(alias);
        }
    }

    /// Appends ` WHERE` and the condition, if there is one.
    pub(crate) fn filter(&mut self, condition: Option<&Expr>) {
        if let Some(condition) = condition {
            self.sql(" WHERE ");
            self.expr(condition);
        }
    }
}
