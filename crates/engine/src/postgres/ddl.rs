//! How PostgreSQL spells changes of its schema.

use super::dialect::PostgresDialect;
use dbkeep_sql::{
    AlterTable, Change, ColumnDef, ColumnType, CreateTable, DdlWriter, Expr, Generation, Impact, IndexDef, IndexKey,
    IndexKind, Name, Path, SchemaDialect, SqlWriter, TableOption, TableOptions, Value, col, raw,
};

impl SchemaDialect for PostgresDialect {
    // https://www.postgresql.org/docs/current/datatype.html. There are no unsigned numbers: the next wider type, with a check,
    // holds as much.
    fn write_type(&self, out: &mut SqlWriter<'_>, column: &ColumnDef) {
        let sized = |out: &mut SqlWriter<'_>, name, length: u32| {
            out.sql(name);
            out.number(length);
            out.sql(")");
        };
        match &column.column_type {
            ColumnType::SmallInt if column.unsigned => out.sql("INTEGER"),
            ColumnType::Integer if column.unsigned => out.sql("BIGINT"),
            ColumnType::BigInt if column.unsigned => out.decimal_type("NUMERIC(", 20, 0),
            ColumnType::Id | ColumnType::BigInt => out.sql("BIGINT"),
            ColumnType::Integer => out.sql("INTEGER"),
            ColumnType::TinyInt | ColumnType::SmallInt | ColumnType::Year => out.sql("SMALLINT"),
            ColumnType::Boolean => out.sql("BOOLEAN"),
            ColumnType::Float => out.sql("REAL"),
            ColumnType::Double => out.sql("DOUBLE PRECISION"),
            ColumnType::Decimal(precision, scale) => out.decimal_type("NUMERIC(", *precision, *scale),
            ColumnType::Char(length) => sized(out, "CHAR(", *length),
            ColumnType::Varchar(length) => sized(out, "VARCHAR(", *length),
            ColumnType::Text | ColumnType::MediumText | ColumnType::LongText => out.sql("TEXT"),
            // Labels can be added, removed and put in order; of CREATE TYPE … AS ENUM, only added.
            ColumnType::Enum(_) => out.sql("TEXT"),
            ColumnType::Blob => out.sql("BYTEA"),
            ColumnType::Date => out.sql("DATE"),
            ColumnType::Time => out.sql("TIME(6)"),
            ColumnType::DateTime => out.sql("TIMESTAMP(6)"),
            ColumnType::Timestamp => out.sql("TIMESTAMPTZ(6)"),
            ColumnType::Json => out.sql("JSONB"),
            ColumnType::Uuid => out.sql("UUID"),
            ColumnType::Raw(sql) => out.expr(&raw(sql.as_str(), [])),
            _ => out.lacks("this type of a column", None, "name the type in the engine's own words: raw_column(…)"),
        }
    }

    // https://www.postgresql.org/docs/current/ddl-generated-columns.html
    fn write_generated(&self, out: &mut SqlWriter<'_>, generation: &Generation) {
        if !generation.stored && self.version() < (18, 0, 0) {
            out.lacks("GENERATED … VIRTUAL", Some("18"), "take stored_as(…), or a view");
        }
        out.sql(" GENERATED ALWAYS AS (");
        out.expr(&generation.expr);
        out.sql(if generation.stored { ") STORED" } else { ") VIRTUAL" });
    }

    // Comments are statements of their own.
    fn write_column_end(&self, out: &mut SqlWriter<'_>, column: &ColumnDef) {
        self.refuse_position(out, column);
    }

    fn write_table_options(&self, out: &mut SqlWriter<'_>, options: &TableOptions) {
        refuse_options(out, options.engine.is_some(), options.charset.is_some(), options.collation.is_some());
        if let Some(text) = &options.raw {
            out.sql(" ");
            out.expr(&raw(text.as_str(), []));
        }
    }

    // https://www.postgresql.org/docs/current/textsearch-tables.html#TEXTSEARCH-TABLES-INDEX. The configuration is named, as
    // an index takes no function that depends on a setting; "simple" knows no language.
    fn write_index(&self, out: &mut SqlWriter<'_>, table: &Path, index: &IndexDef, if_not_exists: bool) {
        out.sql(if index.kind == IndexKind::Unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
        if if_not_exists {
            out.sql("IF NOT EXISTS ");
        }
        out.index_name(table, index);
        out.sql(" ON ");
        out.path(table);
        if index.kind == IndexKind::FullText {
            out.sql(" USING gin (to_tsvector('simple', ");
            for (at, part) in index.parts.iter().enumerate() {
                if at > 0 {
                    out.sql(" || ' ' || ");
                }
                out.sql("coalesce(");
                match &part.key {
                    IndexKey::Column(name) => out.name(name),
                    IndexKey::Expression(expr) => out.expr(expr),
                }
                out.sql(", '')");
            }
            out.sql("))");
        } else {
            out.sql(" (");
            out.list(&index.parts, |out, part| self.write_index_part(out, part));
            out.sql(")");
        }
        if let Some(condition) = &index.condition {
            out.sql(" WHERE ");
            out.expr(condition);
        }
    }

    fn after_create(&self, ddl: &mut DdlWriter<'_>, create: &CreateTable) {
        if let Some(text) = &create.blueprint.options.comment {
            comment(ddl, &create.table, None, Some(text));
        }
        for column in &create.blueprint.columns {
            if let Some(text) = &column.comment {
                comment(ddl, &create.table, Some(&column.name), Some(text));
            }
        }
    }

    fn alter_table(&self, ddl: &mut DdlWriter<'_>, alter: &AlterTable) {
        let table = &alter.table;
        for change in &alter.changes {
            match change {
                Change::AddColumn(column) => {
                    self.change(ddl, table, change);
                    if let Some(text) = &column.comment {
                        comment(ddl, table, Some(&column.name), Some(text));
                    }
                }
                Change::ChangeColumn(column) => {
                    self.change(ddl, table, change);
                    comment(ddl, table, Some(&column.name), column.comment.as_deref());
                }
                Change::SetOption(TableOption::Comment(text)) => comment(ddl, table, None, Some(text)),
                Change::AddForeign(key) => {
                    self.change(ddl, table, change);
                    // What columns there were before are indexed for may not be guessed.
                    let is_new = alter.changes.iter().any(
                        |other| matches!(other, Change::AddColumn(column) if key.columns.first() == Some(&column.name)),
                    );
                    let is_served =
                        alter.changes.iter().any(|other| matches!(other, Change::AddIndex(index) if index.serves(key)));
                    if is_new && !is_served {
                        self.change(ddl, table, &Change::AddIndex(IndexDef::serving(key)));
                    }
                }
                _ => self.change(ddl, table, change),
            }
        }
    }

    // https://www.postgresql.org/docs/current/sql-altertable.html
    fn write_change(&self, out: &mut SqlWriter<'_>, table: &Path, change: &Change) {
        match change {
            Change::AddColumn(column) => {
                out.examine(column);
                out.sql("ADD COLUMN ");
                self.write_column(out, table, column);
            }
            Change::ChangeColumn(column) => self.write_changed(out, table, column),
            Change::RenameColumn { from, to } => {
                verb(out, "RENAME COLUMN ", from);
                verb(out, " TO ", to);
            }
            Change::DropColumn(name) => verb(out, "DROP COLUMN ", name),
            Change::SetDefault(column, default) => {
                verb(out, "ALTER COLUMN ", column);
                match default {
                    Some(default) => {
                        out.sql(" SET DEFAULT ");
                        self.write_default(out, &ColumnDef::new(column.clone(), ColumnType::Text), default);
                    }
                    None => out.sql(" DROP DEFAULT"),
                }
            }
            Change::AddPrimary(columns) => {
                if columns.is_empty() {
                    out.invalid("PRIMARY KEY", "names no columns");
                }
                out.sql("ADD PRIMARY KEY ");
                out.names(columns);
            }
            Change::DropPrimary => verb(out, "DROP CONSTRAINT ", &primary_key_name(table)),
            Change::AddForeign(key) => {
                out.sql("ADD ");
                out.foreign_key(table, key);
            }
            Change::AddCheck(check) => {
                out.sql("ADD ");
                out.check(check);
            }
            Change::DropForeign(name) | Change::DropCheck(name) => verb(out, "DROP CONSTRAINT ", name),
            Change::SetOption(TableOption::Engine(_)) => refuse_options(out, true, false, false),
            Change::SetOption(TableOption::Charset(set, collation)) => {
                refuse_options(out, false, set.is_some(), collation.is_some());
            }
            _ => out.lacks("this change of a table", None, "write it in the engine's own words"),
        }
    }

    // As the standard says it, where MySQL and SQLite have enumerations and unsigned numbers of their own.
    fn type_check(&self, column: &ColumnDef) -> Option<Expr> {
        let this = || col(Path::from(column.name.clone()));
        match &column.column_type {
            ColumnType::Enum(labels) => Some(this().in_list(labels.iter().map(String::as_str))),
            ColumnType::Id => None,
            _ if column.unsigned => Some(this().ge(0)),
            _ => None,
        }
    }

    fn impact(&self, change: &Change) -> Impact {
        super::impact::of(change)
    }

    fn create_impact(&self, create: &CreateTable) -> Impact {
        super::impact::create(create)
    }

    fn rename_impact(&self) -> Impact {
        super::impact::rename()
    }

    fn drop_impact(&self) -> Impact {
        super::impact::drop()
    }
}

impl PostgresDialect {
    /// Everything that a column shall be from now on, in one statement: a default that does not fit the new type goes first.
    fn write_changed(&self, out: &mut SqlWriter<'_>, table: &Path, column: &ColumnDef) {
        out.examine(column);
        if column.charset.is_some() {
            refuse_options(out, false, true, false);
        }
        self.refuse_position(out, column);
        let alter = |out: &mut SqlWriter<'_>, what: &'static str| {
            verb(out, "ALTER COLUMN ", &column.name);
            out.sql(what);
        };
        out.sql("DROP CONSTRAINT IF EXISTS ");
        out.type_check_name(table, &column.name);
        // A number that counts up keeps doing so, and is never NULL.
        let is_plain = column.generated.is_none() && !column.auto_increment;
        if is_plain {
            out.sql(", ");
            alter(out, " DROP DEFAULT");
        }
        out.sql(", ");
        alter(out, " TYPE ");
        self.write_type(out, column);
        self.write_collation(out, column);
        if is_plain {
            out.sql(", ");
            alter(out, if column.nullable { " DROP NOT NULL" } else { " SET NOT NULL" });
        }
        if let Some(default) = &column.default {
            out.sql(", ");
            alter(out, " SET DEFAULT ");
            self.write_default(out, column, default);
        }
        if let Some(generation) = &column.generated {
            if self.version() < (17, 0, 0) {
                out.lacks("SET EXPRESSION", Some("17"), "drop the generated column and add it again");
            }
            out.sql(", ");
            alter(out, " SET EXPRESSION AS (");
            out.expr(&generation.expr);
            out.sql(")");
        }
        if let Some(condition) = self.type_check(column) {
            out.sql(", ADD CONSTRAINT ");
            out.type_check_name(table, &column.name);
            out.sql(" CHECK (");
            out.expr(&condition);
            out.sql(")");
        }
    }
}

/// Adds the statement that comments on a table or a column of it; with no text, takes the comment away.
/// <https://www.postgresql.org/docs/current/sql-comment.html>
fn comment(ddl: &mut DdlWriter<'_>, table: &Path, column: Option<&Name>, text: Option<&str>) {
    let impact = Impact::instant("https://www.postgresql.org/docs/current/sql-comment.html");
    ddl.statement(impact, |out| {
        out.sql(if column.is_some() { "COMMENT ON COLUMN " } else { "COMMENT ON TABLE " });
        out.path(table);
        if let Some(column) = column {
            verb(out, ".", column);
        }
        out.sql(" IS ");
        out.value(&text.map_or(Value::Null, Value::from));
    });
}

fn refuse_options(out: &mut SqlWriter<'_>, engine: bool, charset: bool, collation: bool) {
    if engine {
        out.lacks("ENGINE", None, "leave it out: there is one storage engine");
    }
    if charset {
        out.lacks("CHARACTER SET", None, "leave it out: the database has one character set");
    }
    if collation {
        out.lacks("COLLATE of a table", None, "give the columns a collation");
    }
}

fn verb(out: &mut SqlWriter<'_>, clause: &'static str, name: &Name) {
    out.sql(clause);
    out.name(name);
}

/// The name that PostgreSQL itself gives a primary key: `makeObjectName` in `src/backend/commands/indexcmds.c`.
fn primary_key_name(table: &Path) -> Name {
    const LONGEST: usize = 63 - "_pkey".len();
    let table = table.parts().last().unwrap_or_default();
    let mut end = table.len().min(LONGEST);
    while !table.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_pkey", &table[..end]).into()
}
