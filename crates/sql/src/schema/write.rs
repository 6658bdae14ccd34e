//! Writes changes of the schema, statement by statement.

use super::dialect::type_check_name;
use super::naming::{self, name_of};
use super::{CheckDef, ColumnDef, ColumnType, CreateTable, Ddl, DropTable, ForeignKeyDef, Impact, IndexDef, IndexKey};
use crate::{CompileError, Dialect, Name, Path, SqlWriter, Unsupported};

/// Where the statements of a change are written to, one after the other. What is wrong with any of them is collected.
#[derive(Debug)]
pub struct DdlWriter<'d> {
    out: SqlWriter<'d>,
    done: Vec<Ddl>,
}

impl<'d> DdlWriter<'d> {
    /// Nothing written yet, for this dialect.
    pub fn new(dialect: &'d dyn Dialect) -> Self {
        Self { out: SqlWriter::with_literals(dialect), done: Vec::new() }
    }

    /// The statements.
    ///
    /// # Errors
    /// [`CompileError`] with everything that is wrong with them.
    pub fn finish(self) -> Result<Vec<Ddl>, CompileError> {
        self.out.finish()?;
        Ok(self.done)
    }

    /// Adds a statement of this impact.
    pub fn statement(&mut self, impact: Impact, write: impl FnOnce(&mut SqlWriter<'d>)) {
        write(&mut self.out);
        let sql = self.out.take_text();
        if self.out.take_wrote_nul() | sql.contains('\0') {
            self.out.invalid("a text in the schema", "holds a NUL character, which ends statements on some engines");
        }
        self.out.dialect().ddl().examine_text(&mut self.out, &sql);
        self.done.push(Ddl { sql, impact });
    }

    /// Where the statement is written to, and what is wrong is noted.
    pub fn out(&mut self) -> &mut SqlWriter<'d> {
        &mut self.out
    }

    /// The impact of the statement before, to be made worse by what it turned out to hold.
    pub fn last_mut(&mut self) -> Option<&mut Ddl> {
        self.done.last_mut()
    }

    pub(crate) fn create_table(&mut self, create: &CreateTable) {
        let CreateTable { table, blueprint } = create;
        let dialect = self.out.dialect().ddl();
        let inside = dialect.indexes_inside();
        self.statement(dialect.create_impact(create), |out| {
            out.sql(if blueprint.if_not_exists { "CREATE TABLE IF NOT EXISTS " } else { "CREATE TABLE " });
            out.path(table);
            out.sql(" (");
            if blueprint.columns.is_empty() {
                out.invalid("CREATE TABLE", "has no columns");
            }
            let mut numbered = blueprint.columns.iter().filter(|column| column.auto_increment);
            let is_numbered = numbered.next().is_some();
            if numbered.next().is_some() {
                out.invalid("CREATE TABLE", "has two columns that number its rows");
            }
            for (at, column) in blueprint.columns.iter().enumerate() {
                out.sql(if at == 0 { "\n  " } else { ",\n  " });
                out.examine(column);
                if column.position.is_some() {
                    out.invalid("AFTER", "has no meaning in a new table: write the columns in their order");
                }
                dialect.write_column(out, table, column);
            }
            if !blueprint.primary_key.is_empty() {
                if is_numbered {
                    out.invalid("PRIMARY KEY", "is asked for twice: the column that numbers the rows is it");
                }
                out.sql(",\n  PRIMARY KEY ");
                out.names(&blueprint.primary_key);
            }
            if inside {
                for index in &blueprint.indexes {
                    out.sql(",\n  ");
                    dialect.write_index(out, table, index, false);
                }
            }
            for key in &blueprint.foreign_keys {
                out.sql(",\n  ");
                out.foreign_key(table, key);
            }
            for check in &blueprint.checks {
                out.sql(",\n  ");
                out.check(check);
            }
            out.sql("\n)");
            dialect.write_table_options(out, &blueprint.options);
        });
        if !inside {
            for index in &blueprint.indexes {
                // Nobody uses the table yet.
                let impact = dialect.create_impact(create).note("");
                self.statement(impact, |out| dialect.write_index(out, table, index, blueprint.if_not_exists));
            }
        }
        dialect.after_create(self, create);
    }

    pub(crate) fn drop_table(&mut self, drop: &DropTable) {
        let impact = self.out.dialect().ddl().drop_impact();
        self.statement(impact, |out| {
            out.sql(if drop.if_exists { "DROP TABLE IF EXISTS " } else { "DROP TABLE " });
            out.path(&drop.table);
        });
    }
}

/// What schemas are made of.
impl SqlWriter<'_> {
    /// Notes that this engine lacks a clause; `since` is the version that has it, where one has.
    pub fn lacks(&mut self, clause: &'static str, since: Option<&'static str>, hint: &'static str) {
        let engine = self.dialect().engine();
        self.unsupported(Unsupported { clause, engine, since, hint });
    }

    /// Appends a type with precision and scale; `name` ends in the opening parenthesis.
    pub fn decimal_type(&mut self, name: &'static str, precision: u16, scale: u16) {
        if precision == 0 || scale > precision {
            self.invalid("DECIMAL", "has fewer digits in all than after the point");
        }
        self.sql(name);
        self.number(precision.into());
        self.sql(", ");
        self.number(scale.into());
        self.sql(")");
    }

    /// Notes what contradicts itself in a column.
    pub fn examine(&mut self, column: &ColumnDef) {
        if column.auto_increment && (column.default.is_some() || column.nullable || column.generated.is_some()) {
            self.invalid("a column that numbers its rows", "takes neither NULL nor a default");
        }
        if column.auto_increment && !column.column_type.is_integer() {
            self.invalid("a column that numbers its rows", "is an integer");
        }
        if column.generated.is_some() && column.default.is_some() {
            self.invalid("a generated column", "takes no default");
        }
        if column.unsigned && !column.column_type.is_integer() {
            self.invalid("UNSIGNED", "is said of integers; give other numbers a check");
        }
        if let ColumnType::Enum(labels) = &column.column_type {
            if labels.is_empty() {
                self.invalid("an enumeration", "has no labels");
            }
            if (1..labels.len()).any(|at| labels[..at].contains(&labels[at])) {
                self.invalid("an enumeration", "has a label twice");
            }
        }
        if let ColumnType::Char(0) | ColumnType::Varchar(0) = column.column_type {
            self.invalid("a text column", "has no length");
        }
    }

    /// Notes that a collation lies in a schema, where there are no schemas of collations.
    pub fn plain_collation(&mut self, collation: Option<&Path>) {
        if collation.is_some_and(|collation| collation.parts().count() > 1) {
            self.lacks("COLLATE schema.name", None, "name the collation alone");
        }
    }

    /// Appends `CONSTRAINT name CHECK (condition)`.
    pub fn check(&mut self, check: &CheckDef) {
        self.dialect().ddl().examine_check(self);
        self.sql("CONSTRAINT ");
        self.name(&check.name);
        self.sql(" CHECK (");
        self.expr(&check.condition);
        self.sql(")");
    }

    /// Appends `CONSTRAINT name FOREIGN KEY …`.
    pub fn foreign_key(&mut self, table: &Path, key: &ForeignKeyDef) {
        self.sql("CONSTRAINT ");
        match &key.name {
            Some(name) => self.name(name),
            None => self.name(&name_of(table, &key.columns, naming::FOREIGN)),
        }
        self.sql(" FOREIGN KEY ");
        self.names(&key.columns);
        self.references(key);
    }

    /// Appends ` REFERENCES …`, as it also stands behind a column.
    pub fn references(&mut self, key: &ForeignKeyDef) {
        self.dialect().ddl().examine_foreign_key(self, key);
        let Some(table) = &key.table else {
            return self.invalid("FOREIGN KEY", "does not say which table it points to: add on(…)");
        };
        if key.columns.is_empty() || key.columns.len() != key.references.len() {
            self.invalid("FOREIGN KEY", "does not name as many columns there as here");
        }
        self.sql(" REFERENCES ");
        self.path(table);
        self.sql(" ");
        self.names(&key.references);
        for (clause, action) in [(" ON DELETE ", key.on_delete), (" ON UPDATE ", key.on_update)] {
            if let Some(action) = action {
                self.sql(clause);
                self.sql(action.as_sql());
            }
        }
    }

    /// Appends the name of an index, its own or one made of table, columns and kind.
    pub fn index_name(&mut self, table: &Path, index: &IndexDef) {
        if index.parts.is_empty() {
            self.invalid("an index", "names no columns");
        }
        if let Some(name) = &index.name {
            return self.name(name);
        }
        let mut columns = Vec::with_capacity(index.parts.len());
        for part in &index.parts {
            match &part.key {
                IndexKey::Column(name) => columns.push(name),
                IndexKey::Expression(_) => {
                    self.invalid("an index of an expression", "has no name: add name(…)");
                }
            }
        }
        self.name(&name_of(table, columns, index.kind.name_end()));
    }

    /// Appends a name in the schema in which the table is.
    pub fn beside(&mut self, table: &Path, name: &Name) {
        let mut parts: Vec<Name> = table.parts().map(Name::from).collect();
        parts.pop();
        for part in &parts {
            self.name(part);
            self.sql(".");
        }
        self.name(name);
    }

    /// Appends the new name of a table where it stays in its schema.
    pub fn new_name(&mut self, from: &Path, to: &Path) {
        let here: Vec<&str> = from.parts().collect();
        let there: Vec<&str> = to.parts().collect();
        let Some((name, schema)) = there.split_last() else { return };
        if !schema.is_empty() && !here.ends_with(&[schema, &here[here.len() - 1..]].concat()) {
            self.lacks("RENAME TO another schema", None, "rename it in its schema");
        }
        self.name(&Name::from(*name));
    }

    /// The name of the check that a column's type brings.
    pub fn type_check_name(&mut self, table: &Path, column: &Name) {
        self.name(&type_check_name(table, column));
    }
}
