//! One column: its type and everything that is said of it.

use super::{Action, ColumnType, ForeignKeyDef, Names};
use crate::{Expr, Name, Path};

/// A column of a table to be made or changed. NULL is refused unless [`nullable`](ColumnDef::nullable) was said.
///
/// Its methods are chained behind the one that made it: `t.string("email", 255).nullable().unique();`
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ColumnDef {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether a number is never negative.
    pub unsigned: bool,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Whether the engine numbers new rows. It is the primary key then.
    pub auto_increment: bool,
    /// What a new row has where nothing is said.
    pub default: Option<Expr>,
    /// What it is computed from, where it is.
    pub generated: Option<Generation>,
    /// What is said of it for people.
    pub comment: Option<String>,
    /// Its character set, where it is not the table's.
    pub charset: Option<Name>,
    /// Its collation, where it is not the table's.
    pub collation: Option<Path>,
    /// Where it stands among the columns, where that is not the end.
    pub position: Option<Position>,
    pub(crate) keys: Keys,
    /// It is there already and becomes this.
    pub(crate) change: bool,
}

/// What a column computes its value from.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The expression, of columns of the same row.
    pub expr: Expr,
    /// Whether the value is stored, rather than computed on reading.
    pub stored: bool,
}

/// Where a new column stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Position {
    /// Before all others.
    First,
    /// Behind this one.
    After(Name),
}

/// What is said at a column and belongs to the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Keys {
    pub(crate) primary: bool,
    pub(crate) unique: bool,
    pub(crate) index: bool,
    pub(crate) foreign: Option<ForeignKeyDef>,
}

impl ColumnDef {
    /// A column of this name and type, which takes no NULL and has no default.
    pub fn new(name: impl Into<Name>, column_type: ColumnType) -> Self {
        Self {
            name: name.into(),
            column_type,
            unsigned: false,
            nullable: false,
            auto_increment: false,
            default: None,
            generated: None,
            comment: None,
            charset: None,
            collation: None,
            position: None,
            keys: Keys::default(),
            change: false,
        }
    }

    /// Takes NULL.
    pub fn nullable(&mut self) -> &mut Self {
        self.nullable = true;
        self
    }

    /// Never negative; said of integers. Where there are no unsigned integers, the next wider type with a CHECK holds as much:
    /// nothing of the range is lost.
    pub fn unsigned(&mut self) -> &mut Self {
        self.unsigned = true;
        self
    }

    /// The engine numbers new rows by this column, which is the primary key.
    pub fn auto_increment(&mut self) -> &mut Self {
        self.auto_increment = true;
        self
    }

    /// What a new row has where nothing is said: a value, written as a literal, or an expression such as
    /// [`current_timestamp`](crate::current_timestamp).
    pub fn default(&mut self, default: impl Into<Expr>) -> &mut Self {
        self.default = Some(default.into());
        self
    }

    /// A new row has the time of its making: `default(current_timestamp())`.
    pub fn use_current(&mut self) -> &mut Self {
        self.default(crate::current_timestamp())
    }

    /// Is computed from other columns of its row when that is written, and stored. It takes NULL where the expression is NULL.
    pub fn stored_as(&mut self, expr: Expr) -> &mut Self {
        self.generated = Some(Generation { expr, stored: true });
        self
    }

    /// Is computed from other columns of its row whenever it is read. It takes NULL where the expression is NULL.
    pub fn virtual_as(&mut self, expr: Expr) -> &mut Self {
        self.generated = Some(Generation { expr, stored: false });
        self
    }

    /// What is said of it for people. Unsupported where the engine keeps no comments.
    pub fn comment(&mut self, comment: impl Into<String>) -> &mut Self {
        self.comment = Some(comment.into());
        self
    }

    /// Has this character set. Unsupported where a whole database has one.
    pub fn charset(&mut self, charset: impl Into<Name>) -> &mut Self {
        self.charset = Some(charset.into());
        self
    }

    /// Is ordered and compared by this collation, in the engine's words.
    pub fn collation(&mut self, collation: impl Into<Path>) -> &mut Self {
        self.collation = Some(collation.into());
        self
    }

    /// Stands behind this column. Unsupported where new columns always come last.
    pub fn after(&mut self, column: impl Into<Name>) -> &mut Self {
        self.position = Some(Position::After(column.into()));
        self
    }

    /// Stands before all others. Unsupported where new columns always come last.
    pub fn first(&mut self) -> &mut Self {
        self.position = Some(Position::First);
        self
    }

    /// Is the primary key.
    pub fn primary(&mut self) -> &mut Self {
        self.keys.primary = true;
        self
    }

    /// Holds no value twice; NULL may be there more than once. The index behind it is called `table_column_unique`.
    pub fn unique(&mut self) -> &mut Self {
        self.keys.unique = true;
        self
    }

    /// Has an index called `table_column_index`.
    pub fn index(&mut self) -> &mut Self {
        self.keys.index = true;
        self
    }

    /// Points to a row of this table by its `id`.
    pub fn constrained(&mut self, table: impl Into<Path>) -> &mut Self {
        self.references("id").on(table)
    }

    /// Points to this column of the table that [`on`](ColumnDef::on) names.
    pub fn references(&mut self, column: impl Into<Names>) -> &mut Self {
        self.foreign().references(column);
        self
    }

    /// The table it points to.
    pub fn on(&mut self, table: impl Into<Path>) -> &mut Self {
        self.foreign().on(table);
        self
    }

    /// What happens to the row when the one it points to is deleted. Nothing said, that is refused.
    pub fn on_delete(&mut self, action: Action) -> &mut Self {
        self.foreign().on_delete(action);
        self
    }

    /// What happens to the row when the key of the one it points to changes. Nothing said, that is refused.
    pub fn on_update(&mut self, action: Action) -> &mut Self {
        self.foreign().on_update(action);
        self
    }

    fn foreign(&mut self) -> &mut ForeignKeyDef {
        let name = self.name.clone();
        self.keys.foreign.get_or_insert_with(|| ForeignKeyDef::new(vec![name]))
    }

    /// In an alteration: the column is there, and becomes what is said here. All of it is to be said: what is left out (a
    /// default, NULL, a comment) the column has no more.
    pub fn change(&mut self) -> &mut Self {
        self.change = true;
        self
    }
}

impl From<&mut ColumnDef> for ColumnDef {
    fn from(column: &mut ColumnDef) -> Self {
        column.clone()
    }
}
