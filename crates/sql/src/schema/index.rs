//! Indexes, unique ones included.

use super::{ForeignKeyDef, naming};
use crate::{Expr, Name, Names, Order};

/// An index to be made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IndexDef {
    /// Its name; made of table, columns and kind where none is given.
    pub name: Option<Name>,
    /// What kind it is.
    pub kind: IndexKind,
    /// What it is made of, in order.
    pub parts: Vec<IndexPart>,
    /// Only rows for which this holds are in it.
    pub condition: Option<Expr>,
}

/// Kinds of index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// Finds rows.
    Plain,
    /// Finds rows, and lets no two agree.
    Unique,
    /// Finds words in texts.
    FullText,
}

impl IndexKind {
    /// What names end in that are made for it.
    pub(crate) fn name_end(self) -> &'static str {
        match self {
            IndexKind::Plain => naming::PLAIN,
            IndexKind::Unique => naming::UNIQUE,
            IndexKind::FullText => naming::FULL_TEXT,
        }
    }
}

impl IndexDef {
    pub(crate) fn new(kind: IndexKind, parts: impl Into<IndexParts>) -> Self {
        Self { name: None, kind, parts: parts.into().0, condition: None }
    }

    /// Gives it a name. One of expressions needs it.
    pub fn name(&mut self, name: impl Into<Name>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    /// Only rows for which this holds are in it: a partial index. Unsupported on MySQL and MariaDB.
    pub fn where_(&mut self, condition: Expr) -> &mut Self {
        self.condition = Some(condition);
        self
    }

    /// The index that serves a foreign key: of its columns, in their order.
    pub fn serving(key: &ForeignKeyDef) -> Self {
        Self::new(IndexKind::Plain, key.columns.iter().cloned().map(IndexPart::column).collect::<Vec<_>>())
    }

    /// Whether it finds rows by the columns of this key, so that the key needs no other index.
    pub fn serves(&self, key: &ForeignKeyDef) -> bool {
        self.begins_with(&key.columns)
    }

    /// Whether it begins with these columns, and so serves to find rows by them.
    fn begins_with(&self, columns: &[Name]) -> bool {
        self.condition.is_none()
            && self.kind != IndexKind::FullText
            && self.parts.len() >= columns.len()
            && columns.iter().zip(&self.parts).all(|(column, part)| {
                part.prefix.is_none() && matches!(&part.key, IndexKey::Column(name) if name == column)
            })
    }
}

/// One part of an index.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IndexPart {
    /// What it orders by.
    pub key: IndexKey,
    /// From the greatest to the least.
    pub descending: bool,
    /// Only so many characters of it count.
    pub prefix: Option<u32>,
}

/// What a part of an index orders by.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexKey {
    /// A column.
    Column(Name),
    /// An expression of columns.
    Expression(Expr),
}

impl IndexPart {
    /// A column.
    pub fn column(name: impl Into<Name>) -> Self {
        Self { key: IndexKey::Column(name.into()), descending: false, prefix: None }
    }

    /// The first so many characters (of bytes, bytes) of a column. Unsupported but on MySQL and MariaDB.
    pub fn prefix(name: impl Into<Name>, length: u32) -> Self {
        Self { prefix: Some(length), ..Self::column(name) }
    }

    /// From the greatest to the least.
    #[must_use]
    pub fn desc(mut self) -> Self {
        self.descending = true;
        self
    }
}

/// Parts of an index: one, or a list.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexParts(pub(crate) Vec<IndexPart>);

impl From<Expr> for IndexPart {
    fn from(expr: Expr) -> Self {
        // A column that stands alone is one, also where a dot in its name was not meant to cut it.
        let key = match expr.as_column().map(|path| path.parts().collect::<Vec<_>>()) {
            Some(parts) if parts.len() == 1 => IndexKey::Column(parts[0].into()),
            _ => IndexKey::Expression(expr),
        };
        Self { key, descending: false, prefix: None }
    }
}

impl From<Order> for IndexPart {
    fn from(order: Order) -> Self {
        Self { descending: order.descending, ..order.expr.into() }
    }
}

macro_rules! one_part {
    ($($from:ty => $make:expr;)*) => {$(
        impl From<$from> for IndexParts {
            fn from(part: $from) -> Self {
                let make: fn($from) -> IndexPart = $make;
                Self(vec![make(part)])
            }
        }
    )*};
}

one_part! {
    &str => |name| IndexPart::column(name);
    String => IndexPart::column;
    Name => IndexPart::column;
    Expr => Into::into;
    Order => Into::into;
    IndexPart => |part| part;
}

impl From<&str> for IndexPart {
    fn from(name: &str) -> Self {
        Self::column(name)
    }
}

impl From<String> for IndexPart {
    fn from(name: String) -> Self {
        Self::column(name)
    }
}

impl From<Name> for IndexPart {
    fn from(name: Name) -> Self {
        Self::column(name)
    }
}

impl<T: Into<IndexPart>, const N: usize> From<[T; N]> for IndexParts {
    fn from(parts: [T; N]) -> Self {
        Self(parts.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<IndexPart>> From<Vec<T>> for IndexParts {
    fn from(parts: Vec<T>) -> Self {
        Self(parts.into_iter().map(Into::into).collect())
    }
}

/// An index or constraint that is there: by its name (`"users_email_unique"`), or by its columns (`["email"]`) where its name
/// was made of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexRef {
    /// By its name.
    Named(Name),
    /// By its columns.
    Of(Vec<Name>),
}

impl<T: Into<Name>, const N: usize> From<[T; N]> for IndexRef {
    fn from(columns: [T; N]) -> Self {
        Self::Of(Names::from(columns).0)
    }
}

impl<T: Into<Name>> From<Vec<T>> for IndexRef {
    fn from(columns: Vec<T>) -> Self {
        Self::Of(Names::from(columns).0)
    }
}

macro_rules! by_name {
    ($($from:ty)*) => {$(
        impl From<$from> for IndexRef {
            fn from(name: $from) -> Self {
                Self::Named(name.into())
            }
        }
    )*};
}

by_name!(&str String &String Name);
