//! Foreign keys and checks: what holds of every row.

use crate::{Expr, Name, Path};

/// Columns that point to a row of another table, or of the same.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ForeignKeyDef {
    /// Its name; `table_columns_foreign` where none is given.
    pub name: Option<Name>,
    /// The columns that point.
    pub columns: Vec<Name>,
    /// The table pointed to.
    pub table: Option<Path>,
    /// The columns pointed to, which are a key there.
    pub references: Vec<Name>,
    /// What happens to the row when the one pointed to is deleted; that is refused where nothing is said.
    pub on_delete: Option<Action>,
    /// What happens to the row when the key of the one pointed to changes; that is refused where nothing is said.
    pub on_update: Option<Action>,
}

impl ForeignKeyDef {
    pub(crate) fn new(columns: Vec<Name>) -> Self {
        Self { name: None, columns, table: None, references: Vec::new(), on_delete: None, on_update: None }
    }

    /// Gives it a name.
    pub fn name(&mut self, name: impl Into<Name>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    /// The columns pointed to, which are a key of the table that [`on`](ForeignKeyDef::on) names.
    pub fn references(&mut self, columns: impl Into<Names>) -> &mut Self {
        self.references = columns.into().0;
        self
    }

    /// The table pointed to.
    pub fn on(&mut self, table: impl Into<Path>) -> &mut Self {
        self.table = Some(table.into());
        self
    }

    /// What happens to the row when the one pointed to is deleted.
    pub fn on_delete(&mut self, action: Action) -> &mut Self {
        self.on_delete = Some(action);
        self
    }

    /// What happens to the row when the key of the one pointed to changes.
    pub fn on_update(&mut self, action: Action) -> &mut Self {
        self.on_update = Some(action);
        self
    }
}

/// What happens to a row when the one it points to goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is refused, at the end of the statement or, where keys are deferred, of the transaction.
    NoAction,
    /// It is refused at once.
    Restrict,
    /// The row goes along.
    Cascade,
    /// The row points nowhere: its columns become NULL.
    SetNull,
    /// The row points to its default.
    SetDefault,
}

impl Action {
    /// As SQL spells it.
    pub const fn as_sql(self) -> &'static str {
        match self {
            Action::NoAction => "NO ACTION",
            Action::Restrict => "RESTRICT",
            Action::Cascade => "CASCADE",
            Action::SetNull => "SET NULL",
            Action::SetDefault => "SET DEFAULT",
        }
    }

    /// The action that is spelled like this.
    pub fn parse(sql: &str) -> Option<Self> {
        [Action::NoAction, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault]
            .into_iter()
            .find(|action| action.as_sql().eq_ignore_ascii_case(sql))
    }
}

/// What holds of every row.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckDef {
    /// Its name, which messages repeat.
    pub name: Name,
    /// What holds, or is NULL.
    pub condition: Expr,
}

/// Names of columns: one, or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub(crate) Vec<Name>);

macro_rules! one_name {
    ($($from:ty)*) => {$(
        impl From<$from> for Names {
            fn from(name: $from) -> Self {
                Self(vec![name.into()])
            }
        }
    )*};
}

one_name!(&str String &String Name crate::Ident &crate::Ident);

impl<T: Into<Name>, const N: usize> From<[T; N]> for Names {
    fn from(names: [T; N]) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Name>> From<Vec<T>> for Names {
    fn from(names: Vec<T>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}
