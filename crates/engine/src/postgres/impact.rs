//! What changes of the schema do to others on PostgreSQL.

use dbkeep_sql::{Change, ColumnDef, ColumnType, CreateTable, Impact, LockClass, Method, current_timestamp};

const ALTER: &str = "https://www.postgresql.org/docs/current/sql-altertable.html";
const LOCKS: &str = "https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES";
const INDEX: &str = "https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY";

/// Keeps everybody out and reads every row.
const SCAN: Impact =
    Impact { locks: LockClass::ReadsAndWrites, rewrites: Some(false), method: Method::Scan, note: "", source: ALTER };

pub(super) fn of(change: &Change) -> Impact {
    match change {
        Change::AddColumn(column) => added(column),
        Change::DropColumn(_) => Impact::instant(ALTER).note("its space comes back when rows are written anew"),
        Change::RenameColumn { .. } => Impact::instant(ALTER).note("programs that use the old name fail at once"),
        Change::SetDefault(..) | Change::DropForeign(_) | Change::DropCheck(_) | Change::DropPrimary => {
            Impact::instant(ALTER)
        }
        Change::ChangeColumn(_) => Impact {
            locks: LockClass::ReadsAndWrites,
            rewrites: None,
            method: Method::Copy,
            note: "another type is a rewrite, unless it only widens (VARCHAR to a longer one or TEXT, NUMERIC to more digits); NOT \
                   NULL reads every row",
            source: ALTER,
        },
        Change::AddIndex(_) => Impact {
            locks: LockClass::Writes,
            rewrites: Some(false),
            method: Method::InPlace,
            note: "CREATE INDEX CONCURRENTLY, outside of a transaction, lets writers in",
            source: INDEX,
        },
        Change::DropIndex(_) => Impact::instant("https://www.postgresql.org/docs/current/sql-dropindex.html"),
        Change::RenameIndex { .. } => Impact::instant("https://www.postgresql.org/docs/current/sql-alterindex.html"),
        Change::AddPrimary(_) => Impact {
            method: Method::InPlace,
            note: "build a unique index CONCURRENTLY and add the key USING INDEX to keep nobody out",
            ..SCAN
        },
        Change::AddForeign(_) => Impact {
            locks: LockClass::Writes,
            note: "writers of both tables wait; NOT VALID and, later, VALIDATE CONSTRAINT let them in",
            source: LOCKS,
            ..SCAN
        },
        Change::AddCheck(_) => Impact { note: "NOT VALID and, later, VALIDATE CONSTRAINT keep nobody out", ..SCAN },
        Change::SetOption(_) => Impact::instant("https://www.postgresql.org/docs/current/sql-comment.html"),
        _ => Impact::unknown(),
    }
}

/// A constant, and a function that is stable, are worked out once and not written into the rows.
fn added(column: &ColumnDef) -> Impact {
    let rewrite = Impact { method: Method::Copy, rewrites: Some(true), ..SCAN };
    if column.auto_increment || column.generated.as_ref().is_some_and(|generation| generation.stored) {
        return rewrite;
    }
    match &column.default {
        Some(default) if default.as_value().is_none() && *default != current_timestamp() => Impact {
            rewrites: None,
            ..rewrite.note("a default that is volatile, such as random(), rewrites the table")
        },
        // Their check is tested against every row.
        Some(_) if column.unsigned || matches!(column.column_type, ColumnType::Enum(_)) => SCAN,
        None if !column.nullable && column.generated.is_none() => {
            Impact::instant(ALTER).note("fails where rows are there")
        }
        _ => Impact::instant(ALTER),
    }
}

pub(super) fn create(create: &CreateTable) -> Impact {
    let impact = Impact::instant("https://www.postgresql.org/docs/current/sql-createtable.html");
    if create.blueprint.foreign_keys.is_empty() {
        return impact;
    }
    impact.note("waits for those who write the tables that its foreign keys point to")
}

pub(super) fn rename() -> Impact {
    Impact::instant(ALTER).note("programs that use the old name fail at once")
}

pub(super) fn drop() -> Impact {
    Impact::instant("https://www.postgresql.org/docs/current/sql-droptable.html")
        .note("waits for all who read it; the rows are gone for good")
}
