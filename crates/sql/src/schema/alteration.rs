//! A table to be changed.

use super::blueprint::{column_indexes, pushed};
use super::columns::{column_methods, every_column_method};
use super::naming::{self, name_of};
use super::{CheckDef, ColumnDef, ForeignKeyDef, IndexDef, IndexRef, Names, TableOption};
use crate::{Expr, Name, Path};

/// A change of a table, in the order in which changes are to take effect.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// A new column.
    AddColumn(ColumnDef),
    /// A column that is there becomes this, in all that is said of it.
    ChangeColumn(ColumnDef),
    /// A column gets another name.
    RenameColumn {
        /// Its name so far.
        from: Name,
        /// Its name from now on.
        to: Name,
    },
    /// A column goes, with what it holds.
    DropColumn(Name),
    /// A column's default changes, or goes.
    SetDefault(Name, Option<Expr>),
    /// A new index.
    AddIndex(IndexDef),
    /// An index goes.
    DropIndex(Name),
    /// An index gets another name.
    RenameIndex {
        /// Its name so far.
        from: Name,
        /// Its name from now on.
        to: Name,
    },
    /// The primary key, of a table that has none.
    AddPrimary(Vec<Name>),
    /// The primary key goes.
    DropPrimary,
    /// A new foreign key.
    AddForeign(ForeignKeyDef),
    /// A foreign key goes.
    DropForeign(Name),
    /// What holds of every row from now on; rows that are there must agree.
    AddCheck(CheckDef),
    /// A check goes.
    DropCheck(Name),
    /// An option of the table as a whole.
    SetOption(TableOption),
}

/// A table being changed: what `t` is in `table("users", |t| { … })`. Changes take effect in the order in which they are
/// written.
///
/// ```
/// use dbkeep_sql::{Ansi, Schema};
///
/// let mut schema = Schema::new();
/// schema.table("users", |t| {
///     t.string("nickname", 40).nullable();
///     t.rename_column("mail", "email");
///     t.drop_index(["age"]);
///     t.unique("email");
/// });
/// let statements: Vec<String> = schema.compile(&Ansi)?.into_iter().map(|ddl| ddl.sql).collect();
/// assert_eq!(
///     statements,
///     [
///         r#"ALTER TABLE "users" ADD COLUMN "nickname" VARCHAR(40) NULL"#,
///         r#"ALTER TABLE "users" RENAME COLUMN "mail" TO "email""#,
///         r#"DROP INDEX "users_age_index""#,
///         r#"CREATE UNIQUE INDEX "users_email_unique" ON "users" ("email")"#,
///     ]
/// );
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Alteration {
    table: Path,
    changes: Vec<Change>,
}

impl Alteration {
    pub(crate) fn new(table: Path) -> Self {
        Self { table, changes: Vec::new() }
    }

    every_column_method!();

    fn add(&mut self, column: ColumnDef) -> &mut ColumnDef {
        match pushed(&mut self.changes, Change::AddColumn(column)) {
            Change::AddColumn(column) => column,
            _ => unreachable!("the change that was just made is a column"),
        }
    }

    fn add_index(&mut self, index: IndexDef) -> &mut IndexDef {
        match pushed(&mut self.changes, Change::AddIndex(index)) {
            Change::AddIndex(index) => index,
            _ => unreachable!("the change that was just made is an index"),
        }
    }

    fn add_foreign(&mut self, key: ForeignKeyDef) -> &mut ForeignKeyDef {
        match pushed(&mut self.changes, Change::AddForeign(key)) {
            Change::AddForeign(key) => key,
            _ => unreachable!("the change that was just made is a foreign key"),
        }
    }

    fn add_check(&mut self, check: CheckDef) {
        self.changes.push(Change::AddCheck(check));
    }

    /// Drops a column, with what it holds.
    pub fn drop_column(&mut self, column: impl Into<Name>) {
        self.changes.push(Change::DropColumn(column.into()));
    }

    /// Gives a column another name. Programs that use the old one fail from then on.
    ///
    /// Indexes and checks keep their names. Where the column's type brought a check (`table_column_check`), drop that by its old
    /// name before the column is [changed](ColumnDef::change): a change looks for it under the new one.
    pub fn rename_column(&mut self, from: impl Into<Name>, to: impl Into<Name>) {
        self.changes.push(Change::RenameColumn { from: from.into(), to: to.into() });
    }

    /// Gives a column that is there this default, for rows to come.
    pub fn set_default(&mut self, column: impl Into<Name>, default: impl Into<Expr>) {
        self.changes.push(Change::SetDefault(column.into(), Some(default.into())));
    }

    /// Takes a column's default away.
    pub fn drop_default(&mut self, column: impl Into<Name>) {
        self.changes.push(Change::SetDefault(column.into(), None));
    }

    /// Drops an index: by its name, or `["a", "b"]` where it was made by [`index`](Alteration::index) of these columns.
    pub fn drop_index(&mut self, index: impl Into<IndexRef>) {
        let name = self.named(index.into(), naming::PLAIN);
        self.changes.push(Change::DropIndex(name));
    }

    /// Drops a unique index: by its name, or by its columns.
    pub fn drop_unique(&mut self, index: impl Into<IndexRef>) {
        let name = self.named(index.into(), naming::UNIQUE);
        self.changes.push(Change::DropIndex(name));
    }

    /// Gives an index another name.
    pub fn rename_index(&mut self, from: impl Into<Name>, to: impl Into<Name>) {
        self.changes.push(Change::RenameIndex { from: from.into(), to: to.into() });
    }

    /// Makes these columns the primary key of a table that has none.
    pub fn primary(&mut self, columns: impl Into<Names>) {
        self.changes.push(Change::AddPrimary(columns.into().0));
    }

    /// Drops the primary key.
    pub fn drop_primary(&mut self) {
        self.changes.push(Change::DropPrimary);
    }

    /// Drops a foreign key: by its name, or by its columns. The index that serves it stays.
    pub fn drop_foreign(&mut self, key: impl Into<IndexRef>) {
        let name = self.named(key.into(), naming::FOREIGN);
        self.changes.push(Change::DropForeign(name));
    }

    /// Drops a check by its name.
    pub fn drop_check(&mut self, name: impl Into<Name>) {
        self.changes.push(Change::DropCheck(name.into()));
    }

    /// Moves the table into this storage engine. Unsupported where there is but one.
    pub fn engine(&mut self, engine: impl Into<Name>) {
        self.changes.push(Change::SetOption(TableOption::Engine(engine.into())));
    }

    /// The character set of columns to come; those there are keep theirs. Unsupported where a whole database has one.
    pub fn charset(&mut self, charset: impl Into<Name>) {
        self.changes.push(Change::SetOption(TableOption::Charset(Some(charset.into()), None)));
    }

    /// The collation of columns to come; those there are keep theirs. Unsupported where only columns have collations.
    pub fn collation(&mut self, collation: impl Into<Path>) {
        self.changes.push(Change::SetOption(TableOption::Charset(None, Some(collation.into()))));
    }

    /// What is said of the table for people. Unsupported where the engine keeps no comments.
    pub fn comment(&mut self, comment: impl Into<String>) {
        self.changes.push(Change::SetOption(TableOption::Comment(comment.into())));
    }

    fn named(&self, index: IndexRef, kind: &str) -> Name {
        match index {
            IndexRef::Named(name) => name,
            IndexRef::Of(columns) => name_of(&self.table, &columns, kind),
        }
    }

    /// The changes, with what was said at a column behind it.
    pub(crate) fn into_changes(self) -> Vec<Change> {
        let mut changes = Vec::with_capacity(self.changes.len());
        for change in self.changes {
            let Change::AddColumn(mut column) = change else {
                changes.push(change);
                continue;
            };
            let (name, keys) = (column.name.clone(), std::mem::take(&mut column.keys));
            let is_key = keys.primary && !column.auto_increment;
            changes.push(match std::mem::take(&mut column.change) {
                true => Change::ChangeColumn(column),
                false => Change::AddColumn(column),
            });
            if is_key {
                changes.push(Change::AddPrimary(vec![name.clone()]));
            }
            changes.extend(column_indexes(name, keys.unique, keys.index).map(Change::AddIndex));
            changes.extend(keys.foreign.map(Change::AddForeign));
        }
        index_foreign_keys(changes)
    }
}

/// Adds indexes for the foreign keys of new columns that no other index serves, right behind them. How columns are indexed that
/// were there before cannot be known here.
fn index_foreign_keys(changes: Vec<Change>) -> Vec<Change> {
    let is_new = |key: &ForeignKeyDef| {
        let first = key.columns.first();
        changes.iter().any(|change| matches!(change, Change::AddColumn(column) if Some(&column.name) == first))
    };
    let is_served = |key: &ForeignKeyDef| {
        changes.iter().any(|change| matches!(change, Change::AddIndex(index) if index.serves(key)))
    };
    let mut out = Vec::with_capacity(changes.len());
    for change in &changes {
        out.push(change.clone());
        if let Change::AddForeign(key) = change
            && is_new(key)
            && !is_served(key)
        {
            out.push(Change::AddIndex(IndexDef::serving(key)));
        }
    }
    out
}
