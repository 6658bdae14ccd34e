//! How MySQL and MariaDB spell changes of the schema.

use super::dialect::{Flavor, MySqlDialect};
use dbkeep_sql::{
    Action, AlterTable, Change, ColumnDef, ColumnType, CreateTable, DdlWriter, Expr, ForeignKeyDef, Impact, IndexDef,
    IndexKey, IndexKind, IndexPart, Name, Path, Position, RenameTable, SchemaDialect, SqlWriter, TableOption,
    TableOptions, Value, current_timestamp,
};

impl SchemaDialect for MySqlDialect {
    // https://dev.mysql.com/doc/refman/8.4/en/data-types.html. TIMESTAMP ends in 2038; sessions run in UTC.
    fn write_type(&self, out: &mut SqlWriter<'_>, column: &ColumnDef) {
        let sized = |out: &mut SqlWriter<'_>, name, length: u32| {
            out.sql(name);
            out.number(length);
            out.sql(")");
        };
        match &column.column_type {
            ColumnType::Id => return out.sql("BIGINT UNSIGNED"),
            ColumnType::Boolean => out.sql("TINYINT(1)"),
            ColumnType::TinyInt => out.sql("TINYINT"),
            ColumnType::SmallInt => out.sql("SMALLINT"),
            ColumnType::Integer => out.sql("INT"),
            ColumnType::BigInt => out.sql("BIGINT"),
            ColumnType::Float => out.sql("FLOAT"),
            ColumnType::Double => out.sql("DOUBLE"),
            ColumnType::Decimal(precision, scale) => out.decimal_type("DECIMAL(", *precision, *scale),
            ColumnType::Char(length) => sized(out, "CHAR(", *length),
            ColumnType::Varchar(length) => sized(out, "VARCHAR(", *length),
            ColumnType::Text => out.sql("TEXT"),
            ColumnType::MediumText => out.sql("MEDIUMTEXT"),
            ColumnType::LongText => out.sql("LONGTEXT"),
            ColumnType::Blob => out.sql("LONGBLOB"),
            ColumnType::Date => out.sql("DATE"),
            ColumnType::Time => out.sql("TIME(6)"),
            ColumnType::DateTime | ColumnType::Timestamp => out.sql("DATETIME(6)"),
            ColumnType::Year => out.sql("YEAR"),
            ColumnType::Json => out.sql("JSON"),
            ColumnType::Uuid => out.sql("CHAR(36)"),
            ColumnType::Enum(labels) => enumeration(out, labels),
            ColumnType::Raw(sql) => out.expr(&dbkeep_sql::raw(sql.as_str(), [])),
            _ => out.lacks("this type of a column", None, "name the type in the engine's own words: raw_column(…)"),
        }
        if column.unsigned {
            out.sql(" UNSIGNED");
        }
    }

    // Enumerations and unsigned numbers are types here.
    fn type_check(&self, _: &ColumnDef) -> Option<Expr> {
        None
    }

    // https://dev.mysql.com/doc/refman/8.4/en/example-auto-increment.html
    fn write_auto_increment(&self, out: &mut SqlWriter<'_>, column: &ColumnDef, key: bool) {
        self.write_type(out, column);
        out.sql(" NOT NULL AUTO_INCREMENT");
        if key {
            out.sql(" PRIMARY KEY");
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/charset-column.html
    fn write_collation(&self, out: &mut SqlWriter<'_>, column: &ColumnDef) {
        out.plain_collation(column.collation.as_ref());
        charset(out, column.charset.as_ref(), column.collation.as_ref(), " CHARACTER SET ");
    }

    // https://dev.mysql.com/doc/refman/8.4/en/data-type-defaults.html: an expression stands in parentheses, and for texts and
    // documents of any length even a literal is one.
    fn write_default(&self, out: &mut SqlWriter<'_>, column: &ColumnDef, default: &Expr) {
        let long = matches!(
            column.column_type,
            ColumnType::Text | ColumnType::MediumText | ColumnType::LongText | ColumnType::Blob | ColumnType::Json
        );
        // A literal with DATE or TIMESTAMP before it is taken for an invalid default of a column of that very type.
        if let Some(Value::Date(_) | Value::Time(_) | Value::DateTime(_) | Value::Timestamp(_)) = default.as_value() {
            return out.value(&plain(default.as_value()));
        }
        let is_literal = default.as_value().is_some_and(|value| !long || *value == Value::Null);
        let is_time = matches!(column.column_type, ColumnType::DateTime | ColumnType::Timestamp | ColumnType::Raw(_));
        if is_literal || (is_time && *default == current_timestamp()) {
            return out.expr(default);
        }
        self.expression_default(out, default);
    }

    // https://dev.mysql.com/doc/refman/8.4/en/create-table.html
    fn write_column_end(&self, out: &mut SqlWriter<'_>, column: &ColumnDef) {
        if let Some(comment) = &column.comment {
            out.sql(" COMMENT ");
            out.value(&Value::from(comment));
        }
        match &column.position {
            None => {}
            Some(Position::First) => out.sql(" FIRST"),
            Some(Position::After(name)) => {
                out.sql(" AFTER ");
                out.name(name);
            }
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/create-table.html#create-table-options
    fn write_table_options(&self, out: &mut SqlWriter<'_>, options: &TableOptions) {
        if let Some(engine) = &options.engine {
            out.sql(" ENGINE = ");
            out.name(engine);
        }
        out.plain_collation(options.collation.as_ref());
        charset(out, options.charset.as_ref(), options.collation.as_ref(), " DEFAULT CHARACTER SET ");
        if let Some(comment) = &options.comment {
            out.sql(" COMMENT = ");
            out.value(&Value::from(comment));
        }
        if let Some(raw) = &options.raw {
            out.sql(" ");
            out.expr(&dbkeep_sql::raw(raw.as_str(), []));
        }
    }

    fn indexes_inside(&self) -> bool {
        true
    }

    // https://dev.mysql.com/doc/refman/8.4/en/create-table-foreign-keys.html: InnoDB refuses it.
    fn examine_foreign_key(&self, out: &mut SqlWriter<'_>, key: &ForeignKeyDef) {
        if [key.on_delete, key.on_update].contains(&Some(Action::SetDefault)) {
            out.lacks("ON DELETE SET DEFAULT", None, "take Action::SetNull, or a trigger");
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/create-table-check-constraints.html, https://mariadb.com/kb/en/constraint/: servers
    // without checks take the word and leave the check out.
    fn examine_check(&self, out: &mut SqlWriter<'_>) {
        if !self.knows((8, 0, 16), Some((10, 2, 22))) {
            out.lacks("CHECK", Some(self.either("8.0.16", "10.2.22")), "test in the program, or with a trigger");
        }
    }

    // As it stands in CREATE TABLE and, behind ADD, in ALTER TABLE.
    fn write_index(&self, out: &mut SqlWriter<'_>, table: &Path, index: &IndexDef, _: bool) {
        out.sql(match index.kind {
            IndexKind::Plain => "INDEX ",
            IndexKind::Unique => "UNIQUE INDEX ",
            IndexKind::FullText => "FULLTEXT INDEX ",
        });
        out.index_name(table, index);
        out.sql(" (");
        out.list(&index.parts, |out, part| self.write_index_part(out, part));
        out.sql(")");
        if index.condition.is_some() {
            out.lacks(
                "CREATE INDEX … WHERE",
                None,
                "index a generated column that is NULL for the rows that are to be left out",
            );
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/create-index.html, https://mariadb.com/kb/en/create-index/
    fn write_index_part(&self, out: &mut SqlWriter<'_>, part: &IndexPart) {
        match &part.key {
            IndexKey::Column(name) => {
                out.name(name);
                if let Some(length) = part.prefix {
                    out.sql("(");
                    out.number(length);
                    out.sql(")");
                }
            }
            IndexKey::Expression(expr) => {
                if !self.knows((8, 0, 13), None) {
                    let since = (self.flavor() == Flavor::MySql).then_some("8.0.13");
                    out.lacks(
                        "an index of an expression",
                        since,
                        "index a column that is generated from the expression",
                    );
                }
                out.sql("(");
                out.expr(expr);
                out.sql(")");
            }
        }
        if part.descending {
            // Older servers take the word and leave it out.
            if !self.knows((8, 0, 1), Some((10, 8, 1))) {
                out.lacks("CREATE INDEX … DESC", Some(self.either("8.0.1", "10.8")), "leave desc() out");
            }
            out.sql(" DESC");
        }
    }

    fn alter_table(&self, ddl: &mut DdlWriter<'_>, alter: &AlterTable) {
        for group in self.groups(&alter.changes) {
            let impact = group.iter().map(|change| self.impact(change)).reduce(super::impact::worse);
            ddl.statement(impact.unwrap_or_else(Impact::unknown), |out| {
                out.sql("ALTER TABLE ");
                out.path(&alter.table);
                out.sql(" ");
                out.list(&group, |out, change| self.write_change(out, &alter.table, change));
            });
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/alter-table.html, https://mariadb.com/kb/en/alter-table/
    fn write_change(&self, out: &mut SqlWriter<'_>, table: &Path, change: &Change) {
        match change {
            Change::AddColumn(column) => {
                out.examine(column);
                out.sql("ADD COLUMN ");
                self.write_column(out, table, column);
            }
            Change::ChangeColumn(column) => {
                out.examine(column);
                out.sql("MODIFY COLUMN ");
                if column.auto_increment {
                    out.name(&column.name);
                    out.sql(" ");
                    self.write_auto_increment(out, column, false);
                    self.write_column_end(out, column);
                } else {
                    self.write_column(out, table, column);
                }
            }
            Change::RenameColumn { from, to } => {
                if !self.knows((8, 0, 3), Some((10, 5, 2))) {
                    let since = self.either("8.0.3", "10.5.2");
                    out.lacks("RENAME COLUMN", Some(since), "write CHANGE COLUMN with the whole definition");
                }
                rename(out, "RENAME COLUMN ", from, to);
            }
            Change::DropColumn(name) => named(out, "DROP COLUMN ", name),
            Change::SetDefault(column, default) => {
                named(out, "ALTER COLUMN ", column);
                match default {
                    Some(default) if default.as_value().is_some() => {
                        out.sql(" SET DEFAULT ");
                        out.value(&plain(default.as_value()));
                    }
                    Some(default) => {
                        out.sql(" SET DEFAULT ");
                        self.expression_default(out, default);
                    }
                    None => out.sql(" DROP DEFAULT"),
                }
            }
            Change::AddIndex(index) => {
                out.sql("ADD ");
                self.write_index(out, table, index, false);
            }
            Change::DropIndex(name) => named(out, "DROP INDEX ", name),
            Change::RenameIndex { from, to } => {
                if !self.knows((5, 7, 1), Some((10, 5, 2))) {
                    let since = self.either("5.7", "10.5.2");
                    out.lacks("RENAME INDEX", Some(since), "add an index of the new name and drop the old one");
                }
                rename(out, "RENAME INDEX ", from, to);
            }
            Change::AddPrimary(columns) => {
                if columns.is_empty() {
                    out.invalid("PRIMARY KEY", "names no columns");
                }
                out.sql("ADD PRIMARY KEY ");
                out.names(columns);
            }
            Change::DropPrimary => out.sql("DROP PRIMARY KEY"),
            Change::AddForeign(key) => {
                out.sql("ADD ");
                out.foreign_key(table, key);
            }
            Change::DropForeign(name) => named(out, "DROP FOREIGN KEY ", name),
            Change::AddCheck(check) => {
                out.sql("ADD ");
                out.check(check);
            }
            Change::DropCheck(name) => {
                self.examine_check(out);
                let verb = if self.flavor() == Flavor::MySql { "DROP CHECK " } else { "DROP CONSTRAINT " };
                named(out, verb, name);
            }
            Change::SetOption(TableOption::Engine(engine)) => named(out, "ENGINE = ", engine),
            Change::SetOption(TableOption::Charset(set, collation)) => {
                charset(out, set.as_ref(), collation.as_ref(), "DEFAULT CHARACTER SET ");
            }
            Change::SetOption(TableOption::Comment(comment)) => {
                out.sql("COMMENT = ");
                out.value(&Value::from(comment));
            }
            _ => out.lacks("this change of a table", None, "write it in the engine's own words"),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/rename-table.html: a name without a schema is taken in the session's, not in the
    // table's.
    fn rename_table(&self, ddl: &mut DdlWriter<'_>, rename: &RenameTable) {
        ddl.statement(self.rename_impact(), |out| {
            out.sql("RENAME TABLE ");
            out.path(&rename.from);
            out.sql(" TO ");
            match rename.to.parts().count() {
                1 => out.beside(&rename.from, &Name::from(rename.to.parts().next().unwrap_or_default())),
                _ => out.path(&rename.to),
            }
        });
    }

    // https://dev.mysql.com/doc/refman/8.4/en/charset-metadata.html, https://mariadb.com/kb/en/unicode/: what a server keeps of its
    // schema is utf8mb3, and a question mark takes the place of all else, without an error.
    fn examine_text(&self, out: &mut SqlWriter<'_>, sql: &str) {
        if sql.chars().any(|c| c > '\u{ffff}') {
            out.lacks(
                "a character beyond U+FFFF in the schema",
                None,
                "leave it out of labels, defaults and comments; rows may hold it",
            );
        }
    }

    fn impact(&self, change: &Change) -> Impact {
        self.impact_of(change)
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

impl MySqlDialect {
    /// Whether this server is at least of the version of its product; `None` where no version of MariaDB is.
    pub(super) fn knows(&self, mysql: (u32, u32, u32), mariadb: Option<(u32, u32, u32)>) -> bool {
        match self.flavor() {
            Flavor::MySql => self.version() >= mysql,
            Flavor::MariaDb => mariadb.is_some_and(|since| self.version() >= since),
        }
    }

    fn either(&self, mysql: &'static str, mariadb: &'static str) -> &'static str {
        if self.flavor() == Flavor::MySql { mysql } else { mariadb }
    }

    fn expression_default(&self, out: &mut SqlWriter<'_>, default: &Expr) {
        if !self.knows((8, 0, 13), Some((10, 2, 1))) {
            let since = self.either("8.0.13", "10.2.1");
            out.lacks("an expression as DEFAULT", Some(since), "give the value with each insert");
        }
        out.sql("(");
        out.expr(default);
        out.sql(")");
    }
}

/// Appends an enumeration with its labels as literals.
/// <https://dev.mysql.com/doc/refman/8.4/en/enum.html>: spaces at the end of a label are cut off without a word.
fn enumeration(out: &mut SqlWriter<'_>, labels: &[String]) {
    if labels.iter().any(|label| label.ends_with(' ')) {
        out.lacks("a label that ends in a space", None, "trim the labels, or take a string with a check");
    }
    if labels.iter().any(|label| label.chars().count() > 255) {
        out.lacks("a label of more than 255 characters", None, "shorten the labels, or take a string with a check");
    }
    out.sql("ENUM(");
    out.list(labels, |out, label| out.value(&Value::from(label)));
    out.sql(")");
}

/// The value of a default as a server reads it there: times as plain texts.
fn plain(value: Option<&Value>) -> Value {
    match value {
        Some(Value::Date(date)) => Value::from(date.to_string()),
        Some(Value::Time(time)) => Value::from(time.to_string()),
        Some(Value::DateTime(time) | Value::Timestamp(time)) => Value::from(time.to_string()),
        value => value.cloned().unwrap_or_default(),
    }
}

fn charset(out: &mut SqlWriter<'_>, set: Option<&Name>, collation: Option<&Path>, clause: &'static str) {
    if let Some(set) = set {
        out.sql(clause);
        out.name(set);
    }
    if let Some(collation) = collation {
        out.sql(if clause.starts_with(' ') || set.is_some() { " COLLATE " } else { "COLLATE " });
        out.path(collation);
    }
}

fn named(out: &mut SqlWriter<'_>, clause: &'static str, name: &Name) {
    out.sql(clause);
    out.name(name);
}

fn rename(out: &mut SqlWriter<'_>, clause: &'static str, from: &Name, to: &Name) {
    named(out, clause, from);
    named(out, " TO ", to);
}
