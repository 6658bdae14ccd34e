//! How MySQL and MariaDB spell SQL.

use dbkeep_sql::{
    ColumnType, Conflict, Dialect, Expr, Feature, Insert, Lexicon, Lock, Name, Nulls, Order, SqlWriter, Unsupported,
    Value,
};
use std::borrow::Cow;

/// Which of the two products a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// The spelling of MySQL or MariaDB at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MySqlDialect {
    flavor: Flavor,
    version: (u32, u32, u32),
}

impl MySqlDialect {
    /// The spelling of this product at this version (major, minor, patch).
    pub const fn new(flavor: Flavor, version: (u32, u32, u32)) -> Self {
        Self { flavor, version }
    }

    /// The first version of this product that knows something; `None` where none does.
    fn since(self, mysql: Option<Since>, mariadb: Option<Since>) -> Option<Since> {
        match self.flavor {
            Flavor::MySql => mysql,
            Flavor::MariaDb => mariadb,
        }
    }

    /// Whether an insert gives its new row a name, as `VALUES()` is deprecated: MySQL since 8.0.19.
    /// <https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html>
    fn names_new_row(self) -> bool {
        self.flavor == Flavor::MySql && self.version >= (8, 0, 19)
    }
}

/// A version, as numbers and as a text for messages.
type Since = ((u32, u32, u32), &'static str);

const ALWAYS: Option<Since> = Some(((0, 0, 0), "0"));

impl Dialect for MySqlDialect {
    fn engine(&self) -> &'static str {
        match self.flavor {
            Flavor::MySql => "MySQL",
            Flavor::MariaDb => "MariaDB",
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
    fn quote(&self) -> char {
        '`'
    }

    // https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html, https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
    fn name_problem(&self, name: &str) -> Option<&'static str> {
        if name.chars().count() > 64 {
            Some("is longer than 64 characters")
        } else if name.ends_with(' ') {
            Some("ends in a space")
        } else if name.chars().any(|c| c > '\u{ffff}') {
            Some("holds a character beyond U+FFFF")
        } else {
            None
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/comments.html, https://dev.mysql.com/doc/refman/8.4/en/string-literals.html
    fn lexicon(&self) -> Lexicon {
        Lexicon {
            backslash_escapes: true,
            backtick_names: true,
            hash_comments: true,
            dash_comments_need_space: true,
            delimiter_command: true,
            compound_bodies: true,
            version_comments: true,
            ..Lexicon::default()
        }
    }

    fn require(&self, feature: Feature) -> Result<(), Unsupported> {
        let (clause, since, hint) = match feature {
            // https://mariadb.com/kb/en/insertreturning/
            Feature::InsertReturning => (
                "INSERT … RETURNING",
                self.since(None, Some(((10, 5, 0), "10.5"))),
                "read the new row by its key: an insert reports the last number that was given",
            ),
            Feature::UpdateReturning => (
                "UPDATE … RETURNING",
                None,
                "read the rows in the same transaction, with for_update(), before the update",
            ),
            // https://mariadb.com/kb/en/delete/
            Feature::DeleteReturning => (
                "DELETE … RETURNING",
                self.since(None, ALWAYS),
                "read the rows in the same transaction, with for_update(), before the delete",
            ),
            Feature::FullJoin => ("FULL JOIN", None, "ask once with left_join and once with right_join"),
            // https://dev.mysql.com/doc/refman/8.4/en/innodb-locking-reads.html, https://mariadb.com/kb/en/select/
            Feature::NoWait => (
                "FOR UPDATE … NOWAIT",
                self.since(Some(((8, 0, 1), "8.0.1")), Some(((10, 3, 0), "10.3"))),
                "set innodb_lock_wait_timeout for the session",
            ),
            Feature::SkipLocked => (
                "FOR UPDATE … SKIP LOCKED",
                self.since(Some(((8, 0, 1), "8.0.1")), Some(((10, 6, 0), "10.6"))),
                "take rows one by one with no_wait()",
            ),
            _ => return Ok(()),
        };
        match since {
            Some((version, _)) if self.version >= version => Ok(()),
            _ => Err(Unsupported { clause, engine: self.engine(), since: since.map(|(_, text)| text), hint }),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/string-literals.html: a backslash escapes, unless the session says otherwise; a
    // quote is doubled and ends nothing in either case.
    fn write_literal(&self, out: &mut String, value: &Value) {
        match value {
            Value::Text(text) | Value::Json(text) => {
                out.push('\'');
                for c in text.chars() {
                    match c {
                        '\'' => out.push_str("''"),
                        '\\' => out.push_str("\\\\"),
                        c => out.push(c),
                    }
                }
                out.push('\'');
            }
            value => dbkeep_sql::Ansi.write_literal(out, value),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/timestamp-initialization.html: the default of a column has its precision.
    fn current_timestamp(&self) -> &'static str {
        "CURRENT_TIMESTAMP(6)"
    }

    // https://dev.mysql.com/doc/refman/8.4/en/string-functions.html#function_concat: || is OR there.
    fn write_concat(&self, out: &mut SqlWriter<'_>, parts: &[Expr]) {
        out.sql("CONCAT(");
        out.list(parts, SqlWriter::expr);
        out.sql(")");
    }

    // https://dev.mysql.com/doc/refman/8.4/en/working-with-null.html: NULL is less than everything, and there is no NULLS LAST.
    fn write_order(&self, out: &mut SqlWriter<'_>, order: &Order) {
        let comes_by_itself = if order.descending { Nulls::Last } else { Nulls::First };
        if order.nulls.is_some_and(|nulls| nulls != comes_by_itself) {
            out.expr(&order.expr.clone().is_null());
            out.sql(if order.descending { " DESC, " } else { ", " });
        }
        out.order(&Order { nulls: None, ..order.clone() });
    }

    // https://dev.mysql.com/doc/refman/8.4/en/select.html: OFFSET needs a LIMIT; the manual itself gives this number.
    fn write_limit(&self, out: &mut SqlWriter<'_>, limit: Option<u64>, offset: Option<u64>) {
        match limit {
            Some(limit) => {
                out.sql(" LIMIT ");
                out.row_count(limit);
            }
            None => out.sql(" LIMIT 18446744073709551615"),
        }
        if let Some(offset) = offset {
            out.sql(" OFFSET ");
            out.row_count(offset);
        }
    }

    // https://mariadb.com/kb/en/lock-in-share-mode/: MariaDB and old versions of MySQL have no FOR SHARE.
    fn write_lock(&self, out: &mut SqlWriter<'_>, lock: &Lock) {
        if !lock.shared || self.flavor == Flavor::MySql && self.version >= (8, 0, 1) {
            return out.lock(lock);
        }
        out.sql(" LOCK IN SHARE MODE");
        match lock.wait {
            dbkeep_sql::LockWait::Wait => {}
            dbkeep_sql::LockWait::NoWait => out.sql(" NOWAIT"),
            dbkeep_sql::LockWait::SkipLocked => out.sql(" SKIP LOCKED"),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/insert.html
    fn write_default_values(&self, out: &mut SqlWriter<'_>) {
        out.sql(" () VALUES ()");
    }

    // https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html, https://mariadb.com/kb/en/insert-on-duplicate-key-update/
    fn write_conflict(&self, out: &mut SqlWriter<'_>, insert: &Insert, conflict: &Conflict) {
        let columns = match conflict {
            Conflict::Update { columns, .. } => columns.as_slice(),
            _ => &[],
        };
        if columns.is_empty() {
            // INSERT IGNORE would also cut long values short and let rows without a parent pass in silence; giving a column
            // the value it has touches nothing but a taken key.
            let Some(column) = insert.column_names().first() else {
                return out.unsupported(Unsupported {
                    clause: "leaving out rows whose key is taken without naming columns",
                    engine: self.engine(),
                    since: None,
                    hint: "name the columns of the insert",
                });
            };
            out.sql(" ON DUPLICATE KEY UPDATE ");
            return assign(out, column, |out| out.name(column));
        }
        if !self.names_new_row() {
            out.sql(" ON DUPLICATE KEY UPDATE ");
            return out.list(columns, |out, column| {
                assign(out, column, |out| {
                    out.sql("VALUES(");
                    out.name(column);
                    out.sql(")");
                });
            });
        }
        // The new row's name must not be the table's.
        let is_taken = insert.table().parts().last().is_some_and(|table| table.eq_ignore_ascii_case("new"));
        let row = Name::from(if is_taken { "new_row" } else { "new" });
        out.sql(" AS ");
        out.name(&row);
        out.sql(" ON DUPLICATE KEY UPDATE ");
        out.list(columns, |out, column| {
            assign(out, column, |out| {
                out.name(&row);
                out.sql(".");
                out.name(column);
            });
        });
    }

    // https://dev.mysql.com/doc/refman/8.4/en/data-types.html. TIMESTAMP ends in 2038; sessions run in UTC.
    fn column_type(&self, column_type: &ColumnType) -> Cow<'static, str> {
        Cow::Borrowed(match column_type {
            ColumnType::Boolean => "TINYINT(1)",
            ColumnType::Integer => "INT",
            ColumnType::Float => "FLOAT",
            ColumnType::Double => "DOUBLE",
            ColumnType::Text => "LONGTEXT",
            ColumnType::Blob => "LONGBLOB",
            ColumnType::DateTime | ColumnType::Timestamp => "DATETIME(6)",
            other => return dbkeep_sql::Ansi.column_type(other),
        })
    }

    // https://dev.mysql.com/doc/refman/8.4/en/example-auto-increment.html
    fn write_auto_increment(&self, out: &mut SqlWriter<'_>, column_type: &ColumnType) {
        out.column_type(column_type);
        out.sql(" NOT NULL AUTO_INCREMENT PRIMARY KEY");
    }
}

fn assign(out: &mut SqlWriter<'_>, column: &Name, value: impl FnOnce(&mut SqlWriter<'_>)) {
    out.name(column);
    out.sql(" = ");
    value(out);
}
