//! How PostgreSQL spells SQL.

use dbkeep_sql::{Ansi, ColumnType, Dialect, Lexicon, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The spelling of PostgreSQL at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresDialect {
    version: (u32, u32, u32),
}

impl PostgresDialect {
    /// The spelling at this version (major, minor, patch; 0 where a version has no third number).
    pub const fn new(version: (u32, u32, u32)) -> Self {
        Self { version }
    }

    /// The version whose spelling this is.
    pub const fn version(&self) -> (u32, u32, u32) {
        self.version
    }
}

impl Dialect for PostgresDialect {
    fn engine(&self) -> &'static str {
        "PostgreSQL"
    }

    // https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS: the server cuts longer names short
    // without an error.
    fn name_problem(&self, name: &str) -> Option<&'static str> {
        (name.len() > 63).then_some("is longer than 63 bytes")
    }

    // https://www.postgresql.org/docs/current/sql-prepare.html
    fn write_placeholder(&self, out: &mut String, number: usize) {
        // Writing to a string does not fail.
        let _ = write!(out, "${number}");
    }

    // https://www.postgresql.org/docs/current/sql-syntax-lexical.html, https://www.postgresql.org/docs/current/app-psql.html
    fn lexicon(&self) -> Lexicon {
        Lexicon {
            dollar_quotes: true,
            escape_strings: true,
            nested_comments: true,
            atomic_bodies: true,
            rule_actions: true,
            backslash_commands: true,
            copy_data: true,
            ..Lexicon::default()
        }
    }

    // https://www.postgresql.org/docs/current/datatype-binary.html, https://www.postgresql.org/docs/current/datatype-datetime.html
    fn write_literal(&self, out: &mut String, value: &Value) {
        let _ = match value {
            Value::Bytes(bytes) => {
                out.push_str("'\\x");
                let digits = bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"));
                digits.and_then(|()| write!(out, "'::bytea"))
            }
            Value::Timestamp(time) => write!(out, "TIMESTAMPTZ '{time}+00'"),
            Value::Uuid(uuid) => write!(out, "'{uuid}'::uuid"),
            value => {
                Ansi.write_literal(out, value);
                Ok(())
            }
        };
    }

    // https://www.postgresql.org/docs/current/datatype.html
    fn column_type(&self, column_type: &ColumnType) -> Cow<'static, str> {
        Cow::Borrowed(match column_type {
            ColumnType::Decimal(precision, scale) => return Cow::Owned(format!("NUMERIC({precision}, {scale})")),
            ColumnType::Text => "TEXT",
            ColumnType::Blob => "BYTEA",
            ColumnType::Timestamp => "TIMESTAMPTZ(6)",
            ColumnType::Json => "JSONB",
            ColumnType::Uuid => "UUID",
            other => return Ansi.column_type(other),
        })
    }
}
