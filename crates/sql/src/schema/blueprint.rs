//! A table to be made.

use super::columns::{column_methods, every_column_method};
use super::{CheckDef, ColumnDef, ForeignKeyDef, IndexDef, IndexKind, IndexPart, Names, TableOptions};
use crate::{Name, Path};

/// A table being described: what `t` is in `create("users", |t| { … })`.
///
/// ```
/// use dbkeep_sql::{Action, Ansi, Schema, col};
///
/// let mut schema = Schema::new();
/// schema.create("posts", |t| {
///     t.id();
///     t.foreign_id("user_id").constrained("users").on_delete(Action::Cascade);
///     t.string("title", 200);
///     t.enum_of("state", ["draft", "published"]).default("draft");
///     t.timestamps();
///     t.index(["state", "created_at"]);
///     t.check("titled", col("title").ne(""));
/// });
/// assert_eq!(schema.operations().len(), 1);
/// # schema.compile(&Ansi)?;
/// # Ok::<(), dbkeep_sql::CompileError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Blueprint {
    /// Its columns in order.
    pub columns: Vec<ColumnDef>,
    /// The columns of the primary key, where that is not the one column which numbers the rows.
    pub primary_key: Vec<Name>,
    /// Its indexes, unique ones included.
    pub indexes: Vec<IndexDef>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKeyDef>,
    /// What holds of every row.
    pub checks: Vec<CheckDef>,
    /// What is said of the table as a whole.
    pub options: TableOptions,
    /// Nothing is done where a table of that name is, whatever its columns are.
    pub if_not_exists: bool,
}

impl Blueprint {
    every_column_method!();

    fn add(&mut self, column: ColumnDef) -> &mut ColumnDef {
        pushed(&mut self.columns, column)
    }

    fn add_index(&mut self, index: IndexDef) -> &mut IndexDef {
        pushed(&mut self.indexes, index)
    }

    fn add_foreign(&mut self, key: ForeignKeyDef) -> &mut ForeignKeyDef {
        pushed(&mut self.foreign_keys, key)
    }

    fn add_check(&mut self, check: CheckDef) {
        self.checks.push(check);
    }

    /// The primary key: these columns together.
    pub fn primary(&mut self, columns: impl Into<Names>) {
        self.primary_key = columns.into().0;
    }

    /// Does nothing where a table of that name is, whatever its columns are.
    pub fn if_not_exists(&mut self) {
        self.if_not_exists = true;
    }

    /// Keeps the table in this storage engine. Unsupported where there is but one.
    pub fn engine(&mut self, engine: impl Into<Name>) {
        self.options.engine = Some(engine.into());
    }

    /// Its texts have this character set. Unsupported where a whole database has one.
    pub fn charset(&mut self, charset: impl Into<Name>) {
        self.options.charset = Some(charset.into());
    }

    /// Its texts are ordered and compared by this collation. Unsupported where only columns have collations.
    pub fn collation(&mut self, collation: impl Into<Path>) {
        self.options.collation = Some(collation.into());
    }

    /// What is said of it for people. Unsupported where the engine keeps no comments.
    pub fn comment(&mut self, comment: impl Into<String>) {
        self.options.comment = Some(comment.into());
    }

    /// Further options as the engine spells them, behind the closing parenthesis: `STRICT`, `WITH (fillfactor = 70)`. This is
    /// SQL: never build it from input.
    pub fn raw_options(&mut self, sql: impl Into<String>) {
        self.options.raw = Some(sql.into());
    }

    /// What was said at columns and belongs to the table moves there, in the order of the columns and before the rest.
    pub(crate) fn settle(&mut self) {
        let (mut indexes, mut foreign) = (Vec::new(), Vec::new());
        for column in &mut self.columns {
            let keys = std::mem::take(&mut column.keys);
            if keys.primary && !column.auto_increment {
                self.primary_key.push(column.name.clone());
            }
            indexes.extend(column_indexes(column.name.clone(), keys.unique, keys.index));
            foreign.extend(keys.foreign);
        }
        indexes.append(&mut self.indexes);
        foreign.append(&mut self.foreign_keys);
        (self.indexes, self.foreign_keys) = (indexes, foreign);
        self.index_foreign_keys();
    }

    /// Adds indexes for the foreign keys that no other index serves. Only some engines would make them by themselves, and under
    /// names of their own.
    fn index_foreign_keys(&mut self) {
        let numbered = self.columns.iter().find(|column| column.auto_increment).map(|column| column.name.clone());
        for key in &self.foreign_keys {
            let is_served = self.indexes.iter().any(|index| index.serves(key))
                || self.primary_key.starts_with(&key.columns)
                || numbered.as_ref().is_some_and(|numbered| key.columns.iter().eq([numbered]));
            if !is_served && !key.columns.is_empty() {
                self.indexes.push(IndexDef::serving(key));
            }
        }
    }
}

/// The indexes that were asked for at a column.
pub(super) fn column_indexes(name: Name, unique: bool, index: bool) -> impl Iterator<Item = IndexDef> {
    let wanted = [(unique, IndexKind::Unique), (index, IndexKind::Plain)];
    wanted
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .map(move |(_, kind)| IndexDef::new(kind, IndexPart::column(name.clone())))
}

/// Appends, and gives what was appended to be changed.
pub(super) fn pushed<T>(list: &mut Vec<T>, item: T) -> &mut T {
    let at = list.len();
    list.push(item);
    &mut list[at]
}
