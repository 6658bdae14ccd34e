//! How SQLite spells SQL.

use dbkeep_sql::{Ansi, ColumnType, Dialect, Feature, Lexicon, SqlWriter, Unsupported, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The spelling of SQLite at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteDialect {
    version: (u32, u32, u32),
}

impl SqliteDialect {
    /// The spelling at this version (major, minor, patch).
    pub const fn new(version: (u32, u32, u32)) -> Self {
        Self { version }
    }
}

impl Dialect for SqliteDialect {
    fn engine(&self) -> &'static str {
        "SQLite"
    }

    // SQLITE_LIMIT_VARIABLE_NUMBER, https://www.sqlite.org/limits.html
    fn max_parameters(&self) -> usize {
        32_766
    }

    // https://www.sqlite.org/lang_keywords.html
    fn lexicon(&self) -> Lexicon {
        Lexicon { backtick_names: true, bracket_names: true, compound_bodies: true, ..Lexicon::default() }
    }

    fn require(&self, feature: Feature) -> Result<(), Unsupported> {
        const RETURNING: ((u32, u32, u32), &str) = ((3, 35, 0), "3.35");
        const JOINS: ((u32, u32, u32), &str) = ((3, 39, 0), "3.39");
        let read_rows = "read the rows in the same transaction";
        let (clause, since, hint) = match feature {
            // https://www.sqlite.org/lang_returning.html
            Feature::InsertReturning => ("INSERT … RETURNING", Some(RETURNING), read_rows),
            Feature::UpdateReturning => ("UPDATE … RETURNING", Some(RETURNING), read_rows),
            Feature::DeleteReturning => ("DELETE … RETURNING", Some(RETURNING), read_rows),
            // https://www.sqlite.org/lang_upsert.html
            Feature::Upsert => ("INSERT … ON CONFLICT", Some(((3, 24, 0), "3.24")), "ask first which rows there are"),
            // https://www.sqlite.org/releaselog/3_39_0.html
            Feature::RightJoin => ("RIGHT JOIN", Some(JOINS), "write it as a left_join the other way round"),
            Feature::FullJoin => ("FULL JOIN", Some(JOINS), "ask once with each table on the left"),
            // https://www.sqlite.org/lockingv3.html
            Feature::RowLocks | Feature::NoWait | Feature::SkipLocked => {
                ("SELECT … FOR UPDATE", None, "a transaction that begins IMMEDIATE keeps all other writers out")
            }
            _ => return Ok(()),
        };
        match since {
            Some((version, _)) if self.version >= version => Ok(()),
            _ => Err(Unsupported { clause, engine: self.engine(), since: since.map(|(_, text)| text), hint }),
        }
    }

    // https://www.sqlite.org/lang_select.html#limitoffset: OFFSET needs a LIMIT, and a negative one is none.
    fn write_limit(&self, out: &mut SqlWriter<'_>, limit: Option<u64>, offset: Option<u64>) {
        match limit {
            Some(limit) => {
                out.sql(" LIMIT ");
                out.row_count(limit);
            }
            None => out.sql(" LIMIT -1"),
        }
        if let Some(offset) = offset {
            out.sql(" OFFSET ");
            out.row_count(offset);
        }
    }

    // https://www.sqlite.org/datatype3.html: no types for times; decimals as numbers would be floats.
    fn write_literal(&self, out: &mut String, value: &Value) {
        let _ = match value {
            Value::Bool(value) => write!(out, "{}", u8::from(*value)),
            Value::Decimal(number) => write!(out, "'{number}'"),
            Value::Bit(bits) => write!(out, "'{bits}'"),
            Value::Date(date) => write!(out, "'{date}'"),
            Value::Time(time) => write!(out, "'{time}'"),
            Value::DateTime(time) | Value::Timestamp(time) => write!(out, "'{time}'"),
            Value::Interval(interval) => write!(out, "'{interval}'"),
            value => {
                Ansi.write_literal(out, value);
                Ok(())
            }
        };
    }

    // https://www.sqlite.org/datatype3.html#determination_of_column_affinity
    // A declared type is a name that tells readers what a column holds, and the affinity that its letters give it
    // (https://www.sqlite.org/datatype3.html, section 3.1). With TEXT in its name, a decimal or a document stays the text it
    // is: under NUMERIC affinity, a decimal would become a float of fifteen digits.
    fn column_type(&self, column_type: &ColumnType) -> Cow<'static, str> {
        Cow::Borrowed(match column_type {
            ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt => "INTEGER",
            ColumnType::Boolean => "BOOLEAN",
            ColumnType::Float | ColumnType::Double => "REAL",
            ColumnType::Decimal(precision, scale) => return Cow::Owned(format!("DECIMAL TEXT({precision}, {scale})")),
            ColumnType::Blob => "BLOB",
            ColumnType::Date => "DATE",
            ColumnType::Time => "TIME",
            ColumnType::DateTime => "DATETIME",
            ColumnType::Timestamp => "TIMESTAMPTZ",
            ColumnType::Json => "JSON TEXT",
            ColumnType::Uuid => "UUID TEXT",
            _ => "TEXT",
        })
    }

    // https://www.sqlite.org/autoinc.html: AUTOINCREMENT would only forbid numbers of deleted rows, at a price for every insert.
    fn write_auto_increment(&self, out: &mut SqlWriter<'_>, _: &ColumnType) {
        out.sql("INTEGER PRIMARY KEY");
    }
}
