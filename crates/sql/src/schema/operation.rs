//! Changes of the schema as values, which know no connection.

use super::{Alteration, Blueprint, Change, Ddl, DdlWriter, Impact};
use crate::{CompileError, Dialect, Path, raw};

/// A change of the schema. One operation is one statement or several, in order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SchemaOperation {
    /// A new table with its indexes.
    CreateTable(CreateTable),
    /// Changes of a table.
    AlterTable(AlterTable),
    /// Another name for a table.
    RenameTable(RenameTable),
    /// A table goes, with its rows.
    DropTable(DropTable),
    /// A statement as it is, for what has no name here.
    Raw(String),
}

/// A table to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// Its name.
    pub table: Path,
    /// What it is made of.
    pub blueprint: Box<Blueprint>,
}

impl CreateTable {
    /// A table of this name, described by the closure.
    pub fn new(table: impl Into<Path>, describe: impl FnOnce(&mut Blueprint)) -> Self {
        let mut blueprint = Box::<Blueprint>::default();
        describe(&mut blueprint);
        blueprint.settle();
        Self { table: table.into(), blueprint }
    }
}

/// A table to be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// Its name.
    pub table: Path,
    /// What changes, in order.
    pub changes: Vec<Change>,
}

impl AlterTable {
    /// The changes that the closure asks for.
    pub fn new(table: impl Into<Path>, describe: impl FnOnce(&mut Alteration)) -> Self {
        let table = table.into();
        let mut alteration = Alteration::new(table.clone());
        describe(&mut alteration);
        Self { table, changes: alteration.into_changes() }
    }
}

/// A table to be renamed.
#[derive(Debug, Clone, PartialEq)]
pub struct RenameTable {
    /// Its name so far.
    pub from: Path,
    /// Its name from now on; in the same schema where it says none.
    pub to: Path,
}

/// A table to be dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct DropTable {
    /// Its name.
    pub table: Path,
    /// Nothing is done where no table of that name is.
    pub if_exists: bool,
}

impl SchemaOperation {
    /// The statements as this dialect spells them, in the order in which they are to be run, each with its impact.
    ///
    /// # Errors
    /// [`CompileError`] with everything that is wrong: names no database takes, clauses this one does not know. Nothing is
    /// ever left out instead.
    pub fn compile(&self, dialect: &dyn Dialect) -> Result<Vec<Ddl>, CompileError> {
        let mut ddl = DdlWriter::new(dialect);
        match self {
            SchemaOperation::CreateTable(create) => ddl.create_table(create),
            SchemaOperation::AlterTable(alter) => {
                if alter.changes.is_empty() {
                    ddl.out().invalid("ALTER TABLE", "changes nothing");
                }
                dialect.ddl().alter_table(&mut ddl, alter);
            }
            SchemaOperation::RenameTable(rename) => dialect.ddl().rename_table(&mut ddl, rename),
            SchemaOperation::DropTable(drop) => ddl.drop_table(drop),
            SchemaOperation::Raw(sql) => ddl.statement(Impact::unknown(), |out| out.expr(&raw(sql.as_str(), []))),
        }
        ddl.finish()
    }
}

macro_rules! operations {
    ($($type:ident)*) => {$(
        impl From<$type> for SchemaOperation {
            fn from(operation: $type) -> Self {
                SchemaOperation::$type(operation)
            }
        }
    )*};
}

operations!(CreateTable AlterTable RenameTable DropTable);

/// Changes of the schema, collected in order: nothing is run here.
///
/// ```
/// use dbkeep_sql::{Ansi, Schema};
///
/// let mut schema = Schema::new();
/// schema
///     .create("users", |t| {
///         t.id();
///         t.string("email", 255).unique();
///     })
///     .drop_if_exists("old_users");
/// let statements = schema.compile(&Ansi)?;
/// assert_eq!(statements.len(), 3);
/// assert_eq!(statements[1].sql, r#"CREATE UNIQUE INDEX "users_email_unique" ON "users" ("email")"#);
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schema {
    operations: Vec<SchemaOperation>,
}

impl Schema {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a table.
    pub fn create(&mut self, table: impl Into<Path>, describe: impl FnOnce(&mut Blueprint)) -> &mut Self {
        self.push(CreateTable::new(table, describe))
    }

    /// Changes a table.
    pub fn table(&mut self, table: impl Into<Path>, describe: impl FnOnce(&mut Alteration)) -> &mut Self {
        self.push(AlterTable::new(table, describe))
    }

    /// Gives a table another name, in the same schema where the new one says none. Its indexes and checks keep theirs, which
    /// later alterations have to say.
    pub fn rename(&mut self, from: impl Into<Path>, to: impl Into<Path>) -> &mut Self {
        self.push(RenameTable { from: from.into(), to: to.into() })
    }

    /// Drops a table, with its rows.
    pub fn drop(&mut self, table: impl Into<Path>) -> &mut Self {
        self.push(DropTable { table: table.into(), if_exists: false })
    }

    /// Drops a table, with its rows, if it is there.
    pub fn drop_if_exists(&mut self, table: impl Into<Path>) -> &mut Self {
        self.push(DropTable { table: table.into(), if_exists: true })
    }

    /// Runs a statement as it is, for what has no name here. This is SQL, checked only for complete quotes and parentheses;
    /// `??` stands for a question mark. Never build it from input.
    pub fn raw(&mut self, sql: impl Into<String>) -> &mut Self {
        self.push(SchemaOperation::Raw(sql.into()))
    }

    /// Adds an operation.
    pub fn push(&mut self, operation: impl Into<SchemaOperation>) -> &mut Self {
        self.operations.push(operation.into());
        self
    }

    /// The changes so far.
    pub fn operations(&self) -> &[SchemaOperation] {
        &self.operations
    }

    /// The changes themselves.
    pub fn into_operations(self) -> Vec<SchemaOperation> {
        self.operations
    }

    /// The statements of all changes; see [`SchemaOperation::compile`].
    ///
    /// # Errors
    /// As there; of the first change that has any.
    pub fn compile(&self, dialect: &dyn Dialect) -> Result<Vec<Ddl>, CompileError> {
        let mut all = Vec::new();
        for operation in &self.operations {
            all.extend(operation.compile(dialect)?);
        }
        Ok(all)
    }
}
