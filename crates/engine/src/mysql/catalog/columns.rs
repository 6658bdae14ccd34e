//! Columns with their exact types, defaults and expressions.

use super::super::dialect::Flavor;
use super::{Reader, maybe, text};
use crate::{ColumnInfo, Generated, Result, Row};
use std::collections::BTreeMap;

/// Every column with the name of its table, in order. `collations` are the tables' own.
pub(super) async fn read(
    reader: &mut Reader<'_>,
    collations: &BTreeMap<String, String>,
) -> Result<Vec<(String, ColumnInfo)>> {
    let flavor = reader.flavor();
    let rows = reader
        .rows_in_order(
            "SELECT table_name, column_name, column_default, is_nullable, column_type, extra, generation_expression, \
             collation_name, column_comment, data_type FROM information_schema.columns WHERE table_schema = ?",
            "table_name",
            " ORDER BY table_name, ordinal_position",
        )
        .await?;
    rows.iter()
        .map(|row| {
            let table = text(row, 0)?;
            let column = column(row, flavor, collations.get(&table))?;
            Ok((table, column))
        })
        .collect()
}

fn column(row: &Row, flavor: Flavor, table_collation: Option<&String>) -> Result<ColumnInfo> {
    let extra = text(row, 5)?;
    let upper = extra.to_ascii_uppercase();
    let nullable = text(row, 3)? == "YES";
    let expression = maybe(row, 6)?.filter(|expression| !expression.is_empty());
    let stored = upper.contains("STORED GENERATED") || upper.contains("PERSISTENT");
    let is_generated = stored || upper.contains("VIRTUAL GENERATED") || upper.contains("VIRTUAL");
    let default = match maybe(row, 2)? {
        Some(value) => default(&value, flavor, &upper, &text(row, 9)?),
        None => None,
    };
    // What stands after DEFAULT: the clause that follows belongs to it.
    let on_update = upper.find("ON UPDATE ").map(|at| &extra[at + "ON UPDATE ".len()..]);
    let default = match on_update {
        Some(update) => Some(format!("{} ON UPDATE {update}", default.as_deref().unwrap_or("NULL"))),
        None => default,
    };
    Ok(ColumnInfo {
        name: text(row, 1)?,
        type_name: text(row, 4)?,
        nullable,
        default,
        auto_increment: upper.contains("AUTO_INCREMENT"),
        generated: expression
            .filter(|_| is_generated)
            .map(|expression| Generated { expression: plain(&expression, flavor), stored }),
        collation: maybe(row, 7)?.filter(|collation| Some(collation) != table_collation),
        comment: maybe(row, 8)?.filter(|comment| !comment.is_empty()),
    })
}

/// A default as an SQL expression. MariaDB keeps expressions; MySQL keeps the bare value of a literal.
fn default(value: &str, flavor: Flavor, extra: &str, data_type: &str) -> Option<String> {
    if flavor == Flavor::MariaDb {
        return (value != "NULL").then(|| value.to_owned());
    }
    let number = matches!(
        data_type,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double" | "year" | "bit"
    );
    let binary = matches!(data_type, "binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob");
    let now = value.to_ascii_uppercase().starts_with("CURRENT_TIMESTAMP");
    if extra.contains("DEFAULT_GENERATED") || now {
        return Some(plain(value, flavor));
    }
    if number || (binary && value.starts_with("0x")) {
        return Some(value.to_owned());
    }
    Some(format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''")))
}

/// An expression as it can be written again: MySQL shows its quotes with backslashes before them.
pub(super) fn plain(expression: &str, flavor: Flavor) -> String {
    if flavor == Flavor::MariaDb || !expression.contains('\\') {
        return expression.to_owned();
    }
    let expression = without_quoted_quotes(expression);
    with_whole_characters(&expression)
}

fn without_quoted_quotes(expression: &str) -> String {
    let mut out = String::with_capacity(expression.len());
    let mut chars = expression.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\'' | '"' | '\\')) => out.push(escaped),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

/// MySQL shows the bytes of texts that name their character set, `_utf8mb4'Ã©'`, as if each were a character of its own.
fn with_whole_characters(expression: &str) -> String {
    const START: &str = "_utf8mb4'";
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression;
    while let Some(at) = rest.find(START) {
        let (before, text) = rest.split_at(at + START.len());
        out.push_str(before);
        let mut escaped = false;
        let end = text.find(|c| {
            let ends = c == '\'' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let (text, after) = text.split_at(end.unwrap_or(text.len()));
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        match bytes.map(String::from_utf8) {
            Some(Ok(text)) => out.push_str(&text),
            _ => out.push_str(text),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_both_flavors_become_expressions() {
        let mysql = |value, extra, data_type| default(value, Flavor::MySql, extra, data_type);
        assert_eq!(mysql("it's", "", "varchar").as_deref(), Some("'it''s'"));
        assert_eq!(mysql("5", "", "int").as_deref(), Some("5"));
        assert_eq!(mysql("b'101'", "", "bit").as_deref(), Some("b'101'"));
        assert_eq!(mysql("0x6162", "", "varbinary").as_deref(), Some("0x6162"));
        assert_eq!(mysql("CURRENT_TIMESTAMP(6)", "", "datetime").as_deref(), Some("CURRENT_TIMESTAMP(6)"));
        assert_eq!(
            mysql(r"concat(_utf8mb4\'a\',\'\\\\\')", "DEFAULT_GENERATED", "varchar").as_deref(),
            Some(r"concat(_utf8mb4'a','\\')")
        );
        assert_eq!(mysql(r"_utf8mb4\'Ã©\\\'Ã¼\'", "DEFAULT_GENERATED", "text").as_deref(), Some(r"_utf8mb4'é\'ü'"));
        assert_eq!(default("'it''s'", Flavor::MariaDb, "", "varchar").as_deref(), Some("'it''s'"));
        assert_eq!(default("NULL", Flavor::MariaDb, "", "varchar"), None);
    }
}
