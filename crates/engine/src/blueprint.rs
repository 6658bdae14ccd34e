//! From a catalog back to a blueprint: what every engine's folder does in the same way.

use crate::catalog::{ForeignKey, Index, Table};
use dbkeep_sql::{
    Action, Blueprint, CheckDef, ColumnDef, ColumnType, Expr, ForeignKeyDef, IndexDef, IndexKind, IndexPart, Name,
    Path, Value, raw,
};

/// A table of the catalog as the blueprint that would make it.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TableBlueprint {
    /// What it is made of. Types that have no name here are kept as the engine spells them, and so are expressions.
    pub blueprint: Blueprint,
    /// What no blueprint can say, in words for people: indexes of a kind that is not known here, and the like.
    pub left_out: Vec<String>,
}

/// How an engine quotes in what its catalog shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// A quote is doubled.
    #[cfg(any(feature = "postgres", feature = "sqlite", test))]
    Standard,
    /// A quote is doubled, and in texts a backslash escapes.
    Backslashes,
}

impl Quoting {
    /// SQL of the catalog as an expression: nothing in it is a placeholder.
    pub(crate) fn expression(self, sql: &str) -> Expr {
        raw(self.verbatim(sql), [])
    }

    /// SQL in which every question mark outside of quotes stands for itself.
    pub(crate) fn verbatim(self, sql: &str) -> String {
        let mut out = String::with_capacity(sql.len());
        let mut quote = None;
        let mut chars = sql.chars();
        while let Some(c) = chars.next() {
            out.push(c);
            match quote {
                Some('\'') if c == '\\' && self == Quoting::Backslashes => out.extend(chars.next()),
                Some(open) if c == open => quote = None,
                None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
                None if c == '?' => out.push('?'),
                _ => {}
            }
        }
        out
    }
}

/// A column whose type is the engine's own.
pub(crate) fn column_of_type(name: &str, type_name: &str, quoting: Quoting) -> ColumnDef {
    ColumnDef::new(Name::from(name), ColumnType::Raw(quoting.verbatim(type_name)))
}

/// A text in single quotes at the start, and what follows it.
pub(crate) fn quoted_text(sql: &str, quoting: Quoting) -> Option<(String, &str)> {
    let mut rest = sql.strip_prefix('\'')?.char_indices().peekable();
    let mut text = String::new();
    while let Some((at, c)) = rest.next() {
        match c {
            '\'' if rest.peek().is_some_and(|(_, next)| *next == '\'') => {
                rest.next();
                text.push('\'');
            }
            '\'' => return Some((text, &sql[at + 2..])),
            '\\' if quoting == Quoting::Backslashes => {
                let (_, escaped) = rest.next()?;
                text.push(match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'b' => '\u{8}',
                    'Z' => '\u{1a}',
                    '0' => '\0',
                    other => other,
                });
            }
            c => text.push(c),
        }
    }
    None
}

/// A list of texts in single quotes with commas between them, and nothing else.
#[cfg(any(feature = "mysql", feature = "sqlite", test))]
pub(crate) fn quoted_texts(sql: &str, quoting: Quoting) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    let mut rest = sql.trim();
    loop {
        let (text, after) = quoted_text(rest, quoting)?;
        texts.push(text);
        match after.trim_start().strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.trim().is_empty() => return Some(texts),
            None => return None,
        }
    }
}

/// The value that the text of a literal stands for in a column of this type; `None` where it would not be written like that.
pub(crate) fn value_of(text: &str, column_type: &ColumnType) -> Option<Value> {
    let fits = |value: Value, again: String| (again == text).then_some(value);
    match column_type {
        ColumnType::Boolean => match text {
            "1" | "true" => Some(Value::Bool(true)),
            "0" | "false" => Some(Value::Bool(false)),
            _ => None,
        },
        column_type if column_type.is_integer() || *column_type == ColumnType::Year => match text.parse::<i64>() {
            Ok(number) => fits(Value::Int(number), number.to_string()),
            Err(_) => text.parse::<u64>().ok().map(Value::UInt),
        },
        ColumnType::Decimal(..) => {
            let number: dbkeep_sql::Decimal = text.parse().ok()?;
            fits(Value::Decimal(number.clone()), number.to_string())
        }
        ColumnType::Float | ColumnType::Double => {
            let number: f64 = text.parse().ok()?;
            Some(Value::Double(number))
        }
        ColumnType::Date => text.parse().ok().map(Value::Date),
        ColumnType::Time => text.parse().ok().map(Value::Time),
        ColumnType::DateTime => text.parse().ok().map(Value::DateTime),
        ColumnType::Timestamp => text.parse().ok().map(Value::Timestamp),
        ColumnType::Json => Some(Value::Json(text.into())),
        ColumnType::Uuid => text.parse().ok().map(Value::Uuid),
        ColumnType::Char(_)
        | ColumnType::Varchar(_)
        | ColumnType::Text
        | ColumnType::MediumText
        | ColumnType::LongText
        | ColumnType::Enum(_) => Some(Value::from(text)),
        _ => None,
    }
}

/// Bytes from hexadecimal digits.
pub(crate) fn bytes_of(digits: &str) -> Option<Value> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().map(Value::Bytes)
}

/// What is written of keys, once the columns are there.
pub(crate) struct Keys<'t> {
    pub(crate) table: &'t Table,
    pub(crate) quoting: Quoting,
    /// Which actions are what happens when nothing is said.
    pub(crate) silent_actions: &'static [&'static str],
}

impl Keys<'_> {
    /// Adds primary key, foreign keys, indexes and checks. `index` makes an index of one of the engine's own kinds.
    pub(crate) fn add_to(
        &self,
        out: &mut TableBlueprint,
        checks: &[(String, String)],
        index: impl Fn(&Index) -> Option<IndexDef>,
    ) {
        let numbered = out.blueprint.columns.iter().any(|column| column.auto_increment);
        if !numbered {
            out.blueprint.primary_key = self.table.primary_key.iter().map(Name::from).collect();
        }
        for found in &self.table.indexes {
            match index(found) {
                Some(index) => out.blueprint.indexes.push(index),
                None => out.left_out.push(format!("the index {}, by {}", found.name, found.method)),
            }
        }
        out.blueprint.foreign_keys = self.table.foreign_keys.iter().map(|key| self.foreign_key(key)).collect();
        for (at, (name, sql)) in checks.iter().enumerate() {
            let name = if name.is_empty() {
                let number = if at == 0 { String::new() } else { (at + 1).to_string() };
                Name::from(format!("{}_check{number}", self.table.name))
            } else {
                Name::from(name)
            };
            out.blueprint.checks.push(CheckDef { name, condition: self.quoting.expression(sql) });
        }
    }

    fn foreign_key(&self, key: &ForeignKey) -> ForeignKeyDef {
        let columns: Vec<Name> = key.columns.iter().map(Name::from).collect();
        let mut out = Blueprint::default();
        let def = out.foreign(columns);
        def.references(key.referenced_columns.clone());
        def.on(match &key.referenced_schema {
            Some(schema) if Some(schema) != self.table.schema.as_ref() => {
                Path::from((schema.as_str(), key.referenced_table.as_str()))
            }
            _ => Path::from(Name::from(&key.referenced_table)),
        });
        if !key.name.is_empty() {
            def.name(&key.name);
        }
        let action = |sql: &str| Action::parse(sql).filter(|_| !self.silent_actions.contains(&sql));
        def.on_delete = action(&key.on_delete);
        def.on_update = action(&key.on_update);
        def.clone()
    }
}

/// An index that finds rows by columns and expressions, as most are. `None` of another method.
pub(crate) fn plain_index(index: &Index, quoting: Quoting) -> Option<IndexDef> {
    if index.method != "btree" {
        return None;
    }
    let kind = if index.unique { IndexKind::Unique } else { IndexKind::Plain };
    let mut def = named_index(index, kind, parts(index, quoting));
    if let Some(predicate) = &index.predicate {
        def.where_(quoting.expression(predicate));
    }
    Some(def)
}

pub(crate) fn parts(index: &Index, quoting: Quoting) -> Vec<IndexPart> {
    let part = |column: &crate::IndexColumn| {
        let part = match column.prefix {
            _ if column.expression => IndexPart::from(quoting.expression(without_parentheses(&column.name))),
            Some(length) => IndexPart::prefix(Name::from(&column.name), length),
            None => IndexPart::column(Name::from(&column.name)),
        };
        if column.descending { part.desc() } else { part }
    };
    index.columns.iter().map(part).collect()
}

/// An expression without the parentheses around the whole of it, which are written anew.
fn without_parentheses(sql: &str) -> &str {
    let Some(inside) = sql.strip_prefix('(').and_then(|sql| sql.strip_suffix(')')) else { return sql };
    let (mut depth, mut quote) = (0_i32, None);
    for c in inside.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return sql;
        }
    }
    without_parentheses(inside)
}

pub(crate) fn named_index(index: &Index, kind: IndexKind, parts: Vec<IndexPart>) -> IndexDef {
    let mut out = Blueprint::default();
    let def = match kind {
        IndexKind::Plain => out.index(parts),
        IndexKind::Unique => out.unique(parts),
        IndexKind::FullText => out.full_text(parts),
    };
    def.name(&index.name);
    def.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_each_engine_quotes_them() {
        use Quoting::{Backslashes, Standard};
        assert_eq!(quoted_text(r"'it''s \ '::text", Standard), Some((r"it's \ ".into(), "::text")));
        assert_eq!(quoted_text(r"'it''s \\ \''", Backslashes), Some((r"it's \ '".into(), "")));
        assert_eq!(quoted_text("'open", Standard), None);
        assert_eq!(quoted_texts("'a', 'b,c','''' ", Standard), Some(vec!["a".into(), "b,c".into(), "'".into()]));
        assert_eq!(quoted_texts("'a' 'b'", Standard), None);
        assert_eq!(Standard.verbatim("a ? '?' \"?\""), "a ?? '?' \"?\"");
        assert_eq!(Backslashes.verbatim(r"'it\'s ?' ? '\\'?"), r"'it\'s ?' ?? '\\'??");
        assert_eq!(without_parentheses("((lower(a)))"), "lower(a)");
        assert_eq!(without_parentheses("(a) + (b)"), "(a) + (b)");
        assert_eq!(bytes_of("00ff"), Some(Value::Bytes(vec![0, 255])));
        assert_eq!(bytes_of("0"), None);
        assert_eq!(bytes_of("zz"), None);
    }
}
