//! How SQLite spells changes of its schema.

use super::decimal;
use super::dialect::SqliteDialect;
use dbkeep_sql::{
    AlterTable, Change, ColumnDef, ColumnType, CreateTable, DdlWriter, Expr, ForeignKeyDef, Generation, Impact,
    IndexDef, IndexKind, LockClass, Method, Name, Path, SchemaDialect, SqlWriter, TableOption, Unsupported, Value, col,
    function, raw,
};

/// One writes, and in WAL mode all others read on: <https://www.sqlite.org/wal.html#concurrency>.
pub(super) const SCAN: Impact = Impact {
    locks: LockClass::Writes,
    rewrites: Some(false),
    method: Method::Scan,
    note: "without WAL, readers wait as well",
    source: "https://www.sqlite.org/lang_altertable.html",
};

impl SchemaDialect for SqliteDialect {
    // https://www.sqlite.org/datatype3.html#determination_of_column_affinity
    // A declared type is a name that tells readers what a column holds, and the affinity that its letters give it
    // (https://www.sqlite.org/datatype3.html, section 3.1). With TEXT in its name, a decimal or a document stays the text it
    // is: under NUMERIC affinity, a decimal would become a float of fifteen digits.
    fn write_type(&self, out: &mut SqlWriter<'_>, column: &ColumnDef) {
        match &column.column_type {
            ColumnType::Id
            | ColumnType::TinyInt
            | ColumnType::SmallInt
            | ColumnType::Integer
            | ColumnType::BigInt
            | ColumnType::Year => out.sql("INTEGER"),
            ColumnType::Boolean => out.sql("BOOLEAN"),
            ColumnType::Float | ColumnType::Double => out.sql("REAL"),
            ColumnType::Decimal(precision, scale) => out.decimal_type("DECIMAL TEXT(", *precision, *scale),
            ColumnType::Blob => out.sql("BLOB"),
            ColumnType::Date => out.sql("DATE"),
            ColumnType::Time => out.sql("TIME"),
            ColumnType::DateTime => out.sql("DATETIME"),
            ColumnType::Timestamp => out.sql("TIMESTAMPTZ"),
            ColumnType::Json => out.sql("JSON TEXT"),
            ColumnType::Uuid => out.sql("UUID TEXT"),
            ColumnType::Raw(sql) => out.expr(&raw(sql.as_str(), [])),
            _ => out.sql("TEXT"),
        }
    }

    // Types keep nothing out here.
    fn type_check(&self, column: &ColumnDef) -> Option<Expr> {
        let this = || col(Path::from(column.name.clone()));
        match &column.column_type {
            ColumnType::Boolean => Some(this().in_list([0, 1])),
            ColumnType::Enum(labels) => Some(this().in_list(labels.iter().map(String::as_str))),
            // https://www.sqlite.org/json1.html#jvalid
            ColumnType::Json => Some(function("json_valid", [this()])),
            ColumnType::Id => None,
            _ if column.unsigned => Some(this().ge(0)),
            _ => None,
        }
    }

    // https://www.sqlite.org/autoinc.html: AUTOINCREMENT would only forbid numbers of deleted rows, at a price for every insert.
    fn write_auto_increment(&self, out: &mut SqlWriter<'_>, _: &ColumnDef, _: bool) {
        out.sql("INTEGER PRIMARY KEY");
    }

    // https://www.sqlite.org/datatype3.html: what no parameter may be, no literal is either.
    fn write_default(&self, out: &mut SqlWriter<'_>, column: &ColumnDef, default: &Expr) {
        match default.as_value() {
            Some(Value::UInt(number)) if i64::try_from(*number).is_err() => out.lacks(
                "a number above 9223372036854775807 as a default",
                None,
                "write it as a text or as a decimal, in a column of these",
            ),
            Some(Value::Double(number)) if number.is_nan() => {
                out.lacks("NaN as a default", None, "take NULL: default(Value::Null) of a nullable column");
            }
            Some(Value::Float(number)) if number.is_nan() => {
                out.lacks("NaN as a default", None, "take NULL: default(Value::Null) of a nullable column");
            }
            _ => {}
        }
        dbkeep_sql::StandardSchema.write_default(out, column, default);
    }

    // https://www.sqlite.org/gencol.html
    fn write_generated(&self, out: &mut SqlWriter<'_>, generation: &Generation) {
        if self.version() < (3, 31, 0) {
            out.lacks("GENERATED ALWAYS AS", Some("3.31"), "keep the column with a trigger, or take a view");
        }
        dbkeep_sql::StandardSchema.write_generated(out, generation);
    }

    // https://www.sqlite.org/lang_altertable.html
    fn write_change(&self, out: &mut SqlWriter<'_>, table: &Path, change: &Change) {
        match change {
            Change::RenameColumn { .. } if self.version() < (3, 25, 0) => {
                out.lacks("RENAME COLUMN", Some("3.25"), "add a column and copy the values");
            }
            Change::DropColumn(_) if self.version() < (3, 35, 0) => {
                out.lacks("DROP COLUMN", Some("3.35"), "leave the column, or make a new table and move the rows");
            }
            Change::AddColumn(column) => {
                out.examine(column);
                out.sql("ADD COLUMN ");
                return self.write_column(out, table, column);
            }
            _ => {}
        }
        dbkeep_sql::StandardSchema.write_change(out, table, change);
    }

    // https://www.sqlite.org/datatype3.html#collation. As texts, 100 would come before 9.50, and 9.5 would be another value.
    fn write_collation(&self, out: &mut SqlWriter<'_>, column: &ColumnDef) {
        out.plain_collation(column.collation.as_ref());
        dbkeep_sql::StandardSchema.write_collation(out, column);
        if column.collation.is_none() && matches!(column.column_type, ColumnType::Decimal(..)) {
            out.sql(" COLLATE ");
            out.name(&Name::from(decimal::COLLATION));
        }
    }

    // https://www.sqlite.org/foreignkeys.html: a key points to a table of the same database.
    fn examine_foreign_key(&self, out: &mut SqlWriter<'_>, key: &ForeignKeyDef) {
        if key.table.as_ref().is_some_and(|table| table.parts().count() > 1) {
            out.lacks("REFERENCES schema.table", None, "name the table alone: keys stay in one database");
        }
    }

    // https://www.sqlite.org/lang_createindex.html: the schema stands before the name of the index, and not before the table's.
    fn write_index(&self, out: &mut SqlWriter<'_>, table: &Path, index: &IndexDef, if_not_exists: bool) {
        if index.kind == IndexKind::FullText {
            // https://www.sqlite.org/fts5.html
            out.lacks("a full-text index", None, "make an FTS5 table beside it: CREATE VIRTUAL TABLE … USING fts5(…)");
        }
        out.sql(if index.kind == IndexKind::Unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
        if if_not_exists {
            out.sql("IF NOT EXISTS ");
        }
        let mut parts: Vec<Name> = table.parts().map(Name::from).collect();
        let name = parts.pop();
        for schema in &parts {
            out.name(schema);
            out.sql(".");
        }
        out.index_name(table, index);
        out.sql(" ON ");
        if let Some(name) = &name {
            out.name(name);
        }
        out.sql(" (");
        out.list(&index.parts, |out, part| self.write_index_part(out, part));
        out.sql(")");
        if let Some(condition) = &index.condition {
            out.sql(" WHERE ");
            out.expr(condition);
        }
    }

    fn alter_table(&self, ddl: &mut DdlWriter<'_>, alter: &AlterTable) {
        let table = &alter.table;
        let mut rest = alter.changes.iter().peekable();
        while let Some(change) = rest.next() {
            if let Some(lacks) = self.needs_rebuild(change) {
                ddl.out().unsupported(lacks);
                continue;
            }
            // A foreign key comes with the column it is of, or not at all.
            let inline = match (change, rest.peek()) {
                (Change::AddColumn(column), Some(Change::AddForeign(key)))
                    if key.columns == [column.name.clone()] && may_be_added_with_key(column) =>
                {
                    rest.next();
                    Some((column, key))
                }
                (Change::AddForeign(_), _) => {
                    ddl.out().unsupported(self.rebuild("ALTER TABLE … ADD FOREIGN KEY", None));
                    continue;
                }
                _ => None,
            };
            let Some((column, key)) = inline else {
                self.change(ddl, table, change);
                continue;
            };
            ddl.statement(self.impact(change), |out| {
                out.examine(column);
                out.sql("ALTER TABLE ");
                out.path(table);
                out.sql(" ADD COLUMN ");
                self.write_column(out, table, column);
                out.references(key);
            });
        }
    }

    fn impact(&self, change: &Change) -> Impact {
        match change {
            Change::AddColumn(column) if self.type_check(column).is_none() && column.generated.is_none() => {
                Impact::instant("https://www.sqlite.org/lang_altertable.html#altertabaddcol")
            }
            Change::DropColumn(_) => Impact {
                rewrites: Some(true),
                method: Method::InPlace,
                source: "https://www.sqlite.org/lang_altertable.html#altertabdropcol",
                ..SCAN
            },
            Change::RenameColumn { .. } => {
                Impact::instant("https://www.sqlite.org/lang_altertable.html#altertabrename")
                    .note("programs that use the old name fail at once")
            }
            Change::AddIndex(_) => {
                Impact { method: Method::InPlace, source: "https://www.sqlite.org/lang_createindex.html", ..SCAN }
            }
            Change::DropIndex(_) => Impact::instant("https://www.sqlite.org/lang_dropindex.html"),
            Change::DropCheck(_) => Impact::instant("https://www.sqlite.org/lang_altertable.html"),
            _ => SCAN,
        }
    }

    fn create_impact(&self, _: &CreateTable) -> Impact {
        Impact::instant("https://www.sqlite.org/lang_createtable.html")
    }

    fn rename_impact(&self) -> Impact {
        Impact::instant("https://www.sqlite.org/lang_altertable.html#altertabrename")
            .note("programs that use the old name fail at once")
    }

    fn drop_impact(&self) -> Impact {
        Impact {
            locks: LockClass::Writes,
            rewrites: Some(false),
            method: Method::InPlace,
            note: "the rows are gone for good; the file does not shrink",
            source: "https://www.sqlite.org/lang_droptable.html",
        }
    }
}

impl SqliteDialect {
    /// What keeps a change from being one ALTER TABLE; the table is rebuilt then, which takes a connection.
    /// <https://www.sqlite.org/lang_altertable.html>
    pub(super) fn needs_rebuild(&self, change: &Change) -> Option<Unsupported> {
        let constraints = (self.version() < (3, 53, 0)).then_some("3.53");
        let (clause, since) = match change {
            Change::AddColumn(column) => (column_needs_rebuild(column)?, None),
            Change::ChangeColumn(_) => ("ALTER TABLE … ALTER COLUMN", None),
            Change::SetDefault(..) => ("ALTER TABLE … ALTER COLUMN … SET DEFAULT", None),
            Change::AddPrimary(_) => ("ALTER TABLE … ADD PRIMARY KEY", None),
            Change::DropPrimary => ("ALTER TABLE … DROP PRIMARY KEY", None),
            Change::DropForeign(_) => ("ALTER TABLE … DROP FOREIGN KEY", None),
            Change::AddCheck(_) if constraints.is_some() => ("ALTER TABLE … ADD CHECK", constraints),
            Change::DropCheck(_) if constraints.is_some() => ("ALTER TABLE … DROP CONSTRAINT", constraints),
            Change::RenameIndex { .. } => ("ALTER INDEX … RENAME", None),
            Change::SetOption(TableOption::Engine(_)) => return Some(self.never("ENGINE")),
            Change::SetOption(TableOption::Charset(..)) => {
                return Some(self.never("CHARACTER SET and COLLATE of a table"));
            }
            Change::SetOption(_) => return Some(self.never("COMMENT")),
            _ => return None,
        };
        Some(self.rebuild(clause, since))
    }

    fn rebuild(&self, clause: &'static str, since: Option<&'static str>) -> Unsupported {
        Unsupported {
            clause,
            engine: "SQLite",
            since,
            hint: "run it on a connection: the table is rebuilt from its definition there",
        }
    }

    fn never(&self, clause: &'static str) -> Unsupported {
        Unsupported { clause, engine: "SQLite", since: None, hint: "leave it out" }
    }
}

/// <https://www.sqlite.org/lang_altertable.html#altertabaddcol>
fn column_needs_rebuild(column: &ColumnDef) -> Option<&'static str> {
    let constant = column.default.as_ref().is_none_or(|default| default.as_value().is_some());
    if column.auto_increment {
        Some("ADD COLUMN … PRIMARY KEY")
    } else if column.generated.as_ref().is_some_and(|generation| generation.stored) {
        Some("ADD COLUMN … GENERATED … STORED")
    } else if !constant {
        Some("ADD COLUMN … DEFAULT of an expression")
    } else if column.generated.is_none() && !column.nullable && is_null(column) {
        Some("ADD COLUMN … NOT NULL without a default")
    } else {
        None
    }
}

/// Whether a row gets NULL where nothing is said.
fn is_null(column: &ColumnDef) -> bool {
    column.default.as_ref().is_none_or(|default| default.as_value() == Some(&Value::Null))
}

/// With foreign keys on, a column that points somewhere begins as NULL.
pub(super) fn may_be_added_with_key(column: &ColumnDef) -> bool {
    column.generated.is_none() && column.nullable && is_null(column)
}
