//! From the catalog of MySQL and MariaDB back to a blueprint.

use super::dialect::Flavor;
use crate::blueprint::{
    Keys, Quoting, TableBlueprint, bytes_of, column_of_type, named_index, parts, plain_index, quoted_text,
    quoted_texts, value_of,
};
use crate::{ColumnInfo, Index, Table};
use dbkeep_sql::{ColumnDef, ColumnType, Expr, Generation, IndexKind, Name, Path, Value, current_timestamp, val};

pub(super) fn read(table: &Table, flavor: Flavor) -> TableBlueprint {
    let mut checks: Vec<(String, String)> =
        table.checks.iter().map(|check| (check.name.clone(), check.expression.clone())).collect();
    let mut out = TableBlueprint::default();
    for info in &table.columns {
        let column = column(table, info, &mut checks);
        out.blueprint.columns.push(column);
    }
    read_options(table, &mut out);
    // MariaDB says RESTRICT where nothing was said, which is the same here.
    let silent_actions: &'static [&'static str] = match flavor {
        Flavor::MySql => &["NO ACTION"],
        Flavor::MariaDb => &["NO ACTION", "RESTRICT"],
    };
    let mut own = table.clone();
    own.indexes.retain(|index| !is_made_for_a_key(index, table));
    Keys { table: &own, quoting: Quoting::Backslashes, silent_actions }.add_to(&mut out, &checks, |index| match index
        .method
        .as_str()
    {
        "fulltext" => Some(named_index(index, IndexKind::FullText, parts(index, Quoting::Backslashes))),
        _ => plain_index(index, Quoting::Backslashes),
    });
    out
}

/// The server makes an index for a foreign key, of the key's name.
fn is_made_for_a_key(index: &Index, table: &Table) -> bool {
    !index.unique
        && table
            .foreign_keys
            .iter()
            .any(|key| key.name == index.name && key.columns.iter().eq(index.columns.iter().map(|column| &column.name)))
}

fn read_options(table: &Table, out: &mut TableBlueprint) {
    if let Some(comment) = &table.comment {
        out.blueprint.comment(comment.clone());
    }
    let mut rest = Vec::new();
    for option in table.options.as_deref().unwrap_or_default().split(' ').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("ENGINE", engine)) => out.blueprint.engine(engine),
            Some(("COLLATE", collation)) => out.blueprint.collation(Path::from(Name::from(collation))),
            _ => rest.push(option),
        }
    }
    if !rest.is_empty() {
        out.left_out.push(format!("of the table: {}", rest.join(" ")));
    }
}

fn column(table: &Table, info: &ColumnInfo, checks: &mut Vec<(String, String)>) -> ColumnDef {
    let name = Name::from(&info.name);
    let type_name = info.type_name.as_str();
    if info.default.as_deref().is_some_and(|default| default.contains(" ON UPDATE ")) {
        // No blueprint says ON UPDATE: what stands behind the type goes along with it.
        let default = info.default.as_deref().unwrap_or_default();
        let mut column = column_of_type(&info.name, &format!("{type_name} DEFAULT {default}"), Quoting::Backslashes);
        column.nullable = info.nullable;
        column.comment.clone_from(&info.comment);
        return column;
    }
    let is_json = |checks: &[(String, String)]| {
        let wanted = format!("json_valid(`{}`)", info.name.replace('`', "``"));
        checks.iter().position(|(name, sql)| *name == info.name && *sql == wanted)
    };
    let mut is_document = false;
    let mut column = match with_type(type_name) {
        Some((ColumnType::LongText, _)) if is_json(checks).is_some() => {
            // https://mariadb.com/kb/en/json/: a name for LONGTEXT, with a check.
            if let Some(at) = is_json(checks) {
                checks.remove(at);
            }
            is_document = true;
            ColumnDef::new(name, ColumnType::Json)
        }
        Some((column_type, unsigned)) => {
            let mut column = ColumnDef::new(name, column_type);
            column.unsigned = unsigned;
            column
        }
        None => column_of_type(&info.name, type_name, Quoting::Backslashes),
    };
    let is_key = table.primary_key.len() == 1 && table.primary_key[0] == info.name;
    if info.auto_increment && is_key && column.column_type.is_integer() {
        column.auto_increment();
        if column.column_type == ColumnType::BigInt && column.unsigned {
            (column.column_type, column.unsigned) = (ColumnType::Id, false);
        }
    } else if info.auto_increment {
        column = column_of_type(&info.name, &format!("{type_name} AUTO_INCREMENT"), Quoting::Backslashes);
    }
    if !column.auto_increment {
        column.nullable = info.nullable && info.generated.is_none();
        let default = info.default.as_deref().filter(|_| info.generated.is_none());
        column.default = default.map(|default| default_of(default, &column.column_type));
    }
    if let Some(generated) = &info.generated {
        column.generated =
            Some(Generation { expr: Quoting::Backslashes.expression(&generated.expression), stored: generated.stored });
    }
    let collation = info.collation.as_deref().filter(|_| !is_document);
    column.collation = collation.map(|collation| Path::from(Name::from(collation)));
    column.comment.clone_from(&info.comment);
    column
}

/// <https://dev.mysql.com/doc/refman/8.4/en/data-types.html>, as `information_schema.columns.column_type` spells them. Widths of
/// integers are for showing only, and newer servers of MySQL leave them out.
fn with_type(type_name: &str) -> Option<(ColumnType, bool)> {
    if type_name.contains("zerofill") {
        return None;
    }
    let (signed, unsigned) = match type_name.strip_suffix(" unsigned") {
        Some(name) => (name, true),
        None => (type_name, false),
    };
    let (word, arguments) = match signed.split_once('(') {
        Some((word, rest)) => (word, rest.strip_suffix(')')?),
        None => (signed, ""),
    };
    let integer = match word {
        "tinyint" if arguments == "1" && !unsigned => return Some((ColumnType::Boolean, false)),
        "tinyint" => Some(ColumnType::TinyInt),
        "smallint" => Some(ColumnType::SmallInt),
        "int" => Some(ColumnType::Integer),
        "bigint" => Some(ColumnType::BigInt),
        _ => None,
    };
    if let Some(integer) = integer {
        return Some((integer, unsigned));
    }
    if unsigned {
        return None;
    }
    let column_type = match (word, arguments) {
        ("float", "") => ColumnType::Float,
        ("double", "") => ColumnType::Double,
        ("decimal", arguments) => {
            let (precision, scale) = arguments.split_once(',')?;
            ColumnType::Decimal(precision.parse().ok()?, scale.parse().ok()?)
        }
        ("char", length) => ColumnType::Char(length.parse().ok()?),
        ("varchar", length) => ColumnType::Varchar(length.parse().ok()?),
        ("text", "") => ColumnType::Text,
        ("mediumtext", "") => ColumnType::MediumText,
        ("longtext", "") => ColumnType::LongText,
        ("longblob", "") => ColumnType::Blob,
        ("date", "") => ColumnType::Date,
        ("time", "6") => ColumnType::Time,
        ("datetime", "6") => ColumnType::DateTime,
        ("year", "" | "4") => ColumnType::Year,
        ("json", "") => ColumnType::Json,
        ("enum", labels) => ColumnType::Enum(quoted_texts(labels, Quoting::Backslashes)?),
        _ => return None,
    };
    Some((column_type, false))
}

/// A default, which the catalog gives as SQL.
fn default_of(sql: &str, column_type: &ColumnType) -> Expr {
    let lower = sql.to_ascii_lowercase();
    if lower == "current_timestamp(6)" {
        return current_timestamp();
    }
    let digits = match lower.strip_prefix("0x") {
        Some(digits) => Some(digits),
        None => lower.strip_prefix("x'").and_then(|rest| rest.strip_suffix('\'')),
    };
    let bytes = || digits.and_then(bytes_of);
    // A literal of an expression names its character set.
    let bare = ["_utf8mb4", "_utf8mb3", "_latin1"].iter().find_map(|set| sql.strip_prefix(set)).unwrap_or(sql);
    let literal = match quoted_text(bare, Quoting::Backslashes) {
        Some((text, "")) => value_of(&text, column_type),
        Some(_) => None,
        None => bytes()
            .or_else(|| value_of(sql, column_type).filter(|value| !matches!(value, Value::Text(_) | Value::Json(_)))),
    };
    literal.map_or_else(|| Quoting::Backslashes.expression(sql), val)
}
