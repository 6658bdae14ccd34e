//! From SQLite's catalog back to a blueprint. Definitions are kept as they were written, so that what a blueprint wrote is found again word
//! for word.

use super::{SqliteDialect, decimal};
use crate::blueprint::{
    Keys, Quoting, TableBlueprint, bytes_of, column_of_type, plain_index, quoted_text, quoted_texts, value_of,
};
use crate::{ColumnInfo, Table};
use dbkeep_sql::{
    Blueprint, ColumnDef, ColumnType, DdlWriter, Expr, Generation, Impact, Name, Path, SchemaDialect as _, Value,
    current_timestamp, val,
};

pub(super) fn read(table: &Table, dialect: SqliteDialect) -> TableBlueprint {
    let mut checks: Vec<(String, String)> =
        table.checks.iter().map(|check| (check.name.clone(), check.expression.clone())).collect();
    let mut out = TableBlueprint::default();
    for info in &table.columns {
        let column = column(table, info, &mut checks, dialect);
        out.blueprint.columns.push(column);
    }
    out.blueprint.options = options(table);
    Keys { table, quoting: Quoting::Standard, silent_actions: &["NO ACTION"] }.add_to(&mut out, &checks, |index| {
        let mut def = plain_index(index, Quoting::Standard)?;
        // Behind a UNIQUE in the table's own text; the name is SQLite's, and no other index may have such.
        if index.name.starts_with("sqlite_") {
            def.name = None;
        }
        Some(def)
    });
    out
}

fn options(table: &Table) -> dbkeep_sql::TableOptions {
    let mut out = Blueprint::default();
    if let Some(options) = table.options.as_deref().filter(|options| !options.is_empty()) {
        out.raw_options(Quoting::Standard.verbatim(options));
    }
    out.options
}

fn column(table: &Table, info: &ColumnInfo, checks: &mut Vec<(String, String)>, dialect: SqliteDialect) -> ColumnDef {
    let name = Name::from(&info.name);
    if info.auto_increment {
        let mut column = ColumnDef::new(name, ColumnType::Id);
        column.auto_increment();
        return column;
    }
    let mut column = with_type(table, info, checks, dialect);
    column.nullable = info.nullable;
    if let Some(generated) = &info.generated {
        column.generated =
            Some(Generation { expr: Quoting::Standard.expression(&generated.expression), stored: generated.stored });
    }
    column.default = info.default.as_deref().map(|default| default_of(default, &column.column_type));
    column.collation = collation(info, &column.column_type).map(|collation| Path::from(Name::from(collation)));
    column
}

/// The collation that a blueprint says. A decimal has its own by itself; one that was made without compares as bytes, which has to
/// be said to stay so.
fn collation<'i>(info: &'i ColumnInfo, column_type: &ColumnType) -> Option<&'i str> {
    match (column_type, info.collation.as_deref()) {
        (ColumnType::Decimal(..), Some(collation)) if collation.eq_ignore_ascii_case(decimal::COLLATION) => None,
        (ColumnType::Decimal(..), None) => Some("BINARY"),
        (_, collation) => collation,
    }
}

/// The type, with the check that it brings, which is a check of the table no more then.
fn with_type(
    table: &Table,
    info: &ColumnInfo,
    checks: &mut Vec<(String, String)>,
    dialect: SqliteDialect,
) -> ColumnDef {
    let path = Path::from(Name::from(&table.name));
    let name = Name::from(&info.name);
    let named = |checks: &[(String, String)]| {
        let wanted = dbkeep_sql::type_check_name(&path, &name);
        checks.iter().position(|(name, _)| name == wanted.as_str())
    };
    let at = named(checks);
    let plain = |column_type| ColumnDef::new(name.clone(), column_type);
    let unsigned = || {
        let mut column = plain(ColumnType::Integer);
        column.unsigned();
        column
    };
    let labels = || {
        let (_, text) = at.and_then(|at| checks.get(at))?;
        let list = text.split_once(" IN (")?.1.strip_suffix(')')?;
        quoted_texts(list, Quoting::Standard).map(|labels| plain(ColumnType::Enum(labels)))
    };
    let type_name = info.type_name.as_str();
    let (candidates, otherwise) = match type_name {
        "INTEGER" => (vec![unsigned()], plain(ColumnType::Integer)),
        "TEXT" => (labels().into_iter().collect(), plain(ColumnType::Text)),
        "BOOLEAN" => (vec![plain(ColumnType::Boolean)], column_of_type(&info.name, type_name, Quoting::Standard)),
        "JSON TEXT" => (vec![plain(ColumnType::Json)], column_of_type(&info.name, type_name, Quoting::Standard)),
        "REAL" => (vec![], plain(ColumnType::Double)),
        "BLOB" => (vec![], plain(ColumnType::Blob)),
        "DATE" => (vec![], plain(ColumnType::Date)),
        "TIME" => (vec![], plain(ColumnType::Time)),
        "DATETIME" => (vec![], plain(ColumnType::DateTime)),
        "TIMESTAMPTZ" => (vec![], plain(ColumnType::Timestamp)),
        "UUID TEXT" => (vec![], plain(ColumnType::Uuid)),
        _ => (
            vec![],
            decimal_column(&info.name, type_name)
                .unwrap_or_else(|| column_of_type(&info.name, type_name, Quoting::Standard)),
        ),
    };
    for candidate in candidates {
        // The check must be the very one that the type would bring.
        if let Some(at) = at
            && dialect.type_check(&candidate).is_some_and(|check| text_of(dialect, &check) == checks[at].1)
        {
            checks.remove(at);
            return candidate;
        }
    }
    otherwise
}

fn decimal_column(name: &str, type_name: &str) -> Option<ColumnDef> {
    let (precision, scale) = type_name.strip_prefix("DECIMAL TEXT(")?.strip_suffix(')')?.split_once(", ")?;
    let column_type = ColumnType::Decimal(precision.parse().ok()?, scale.parse().ok()?);
    Some(ColumnDef::new(Name::from(name), column_type))
}

fn default_of(sql: &str, column_type: &ColumnType) -> Expr {
    if sql == "CURRENT_TIMESTAMP" {
        return current_timestamp();
    }
    let bytes = || bytes_of(sql.strip_prefix("X'")?.strip_suffix('\'')?);
    let literal = match quoted_text(sql, Quoting::Standard) {
        Some((text, "")) => value_of(&text, column_type).or(Some(Value::from(text))),
        _ if sql == "NULL" => Some(Value::Null),
        _ => bytes().or_else(|| value_of(sql, column_type).filter(|_| is_number(sql))),
    };
    literal.map_or_else(|| Quoting::Standard.expression(sql), val)
}

fn is_number(sql: &str) -> bool {
    sql.starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

fn text_of(dialect: SqliteDialect, expr: &Expr) -> String {
    let mut ddl = DdlWriter::new(&dialect);
    ddl.statement(Impact::unknown(), |out| out.expr(expr));
    ddl.finish().into_iter().flatten().map(|ddl| ddl.sql).collect()
}
