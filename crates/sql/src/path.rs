//! Names as programs write them: `"id"`, `"users.id"`, `("users", "id")`.

use crate::{Ident, Text};

/// A name as the program gave it. It is checked and quoted when the statement is compiled.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Text);

impl Name {
    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name with the table, and perhaps the schema, it belongs to.
///
/// A string is cut at its dots: `"users.id"` is the column `id` of `users`. Where a name itself holds a dot, a tuple or an
/// [`Ident`] keeps it whole: `("users", "odd.name")`.
///
/// A wrong name is no error here; compiling the statement says what is wrong with it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Path(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Dotted(Text),
    Parts(Box<[Name]>),
}

impl Path {
    /// The parts, from the outermost to the name itself.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let (dotted, parts) = match &self.0 {
            Repr::Dotted(text) => (Some(text.split('.')), [].as_slice()),
            Repr::Parts(parts) => (None, &**parts),
        };
        dotted.into_iter().flatten().chain(parts.iter().map(Name::as_str))
    }

    /// The name itself, without what it belongs to.
    pub fn name(&self) -> &str {
        match &self.0 {
            Repr::Dotted(text) => text.rsplit('.').next().unwrap_or(text),
            Repr::Parts(parts) => parts.last().map_or("", Name::as_str),
        }
    }

    /// The text, where its dots are the only thing that cuts it.
    pub(crate) fn as_dotted(&self) -> Option<&str> {
        match &self.0 {
            Repr::Dotted(text) => Some(text),
            Repr::Parts(_) => None,
        }
    }

    /// Whether this is `*` or `table.*`, which is no name but all columns.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.as_dotted().is_some_and(|text| text == "*" || text.ends_with(".*"))
    }

    /// The table it names, if it names one.
    fn table(&self) -> Option<&str> {
        let mut parts: Vec<&str> = self.parts().collect();
        parts.pop();
        parts.pop()
    }

    /// Whether it belongs to the same table as another, as far as both say one.
    pub(crate) fn has_table_of(&self, other: &Path) -> bool {
        match (self.table(), other.table()) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => true,
        }
    }

    /// Whether it may be the column that another path names.
    pub(crate) fn may_be(&self, other: &Path) -> bool {
        self.name().eq_ignore_ascii_case(other.name()) && self.has_table_of(other)
    }

    /// Parts of which each is one name, whatever it holds.
    fn of_parts<const N: usize>(parts: [Name; N]) -> Self {
        Self(Repr::Parts(parts.into()))
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Repr::Dotted(text) => std::fmt::Debug::fmt(text, f),
            Repr::Parts(parts) => f.debug_list().entries(parts).finish(),
        }
    }
}

macro_rules! from_text {
    ($($from:ty)*) => {$(
        impl From<$from> for Name {
            #[inline]
            fn from(name: $from) -> Self {
                Self(name.into())
            }
        }

        impl From<$from> for Path {
            #[inline]
            fn from(path: $from) -> Self {
                Self(Repr::Dotted(path.into()))
            }
        }
    )*};
}

from_text!(&str String &String Text);

impl From<Ident> for Name {
    fn from(name: Ident) -> Self {
        name.as_str().into()
    }
}

impl From<&Ident> for Name {
    fn from(name: &Ident) -> Self {
        name.as_str().into()
    }
}

impl From<Name> for Path {
    fn from(name: Name) -> Self {
        if name.0.contains('.') || name.0 == "*" { Self::of_parts([name]) } else { Self(Repr::Dotted(name.0)) }
    }
}

impl From<&Name> for Path {
    fn from(name: &Name) -> Self {
        name.clone().into()
    }
}

impl From<Ident> for Path {
    fn from(name: Ident) -> Self {
        Name::from(name).into()
    }
}

impl From<&Ident> for Path {
    fn from(name: &Ident) -> Self {
        Name::from(name).into()
    }
}

impl<A: Into<Name>, B: Into<Name>> From<(A, B)> for Path {
    fn from((table, name): (A, B)) -> Self {
        Self::of_parts([table.into(), name.into()])
    }
}

impl<A: Into<Name>, B: Into<Name>, C: Into<Name>> From<(A, B, C)> for Path {
    fn from((schema, table, name): (A, B, C)) -> Self {
        Self::of_parts([schema.into(), table.into(), name.into()])
    }
}

/// Everything a [`Path`] can be made from makes the type a column, too.
macro_rules! from_path {
    ($type:ident, $path:ident => $into:expr) => {
        crate::path::from_path!(@ $type, $path => $into, [] crate::Path);
        crate::path::from_path!(@ $type, $path => $into, [] crate::Name);
        crate::path::from_path!(@ $type, $path => $into, [] &str);
        crate::path::from_path!(@ $type, $path => $into, [] &String);
        crate::path::from_path!(@ $type, $path => $into, [] String);
        crate::path::from_path!(@ $type, $path => $into, [] crate::Ident);
        crate::path::from_path!(@ $type, $path => $into, [] &crate::Ident);
        crate::path::from_path!(@ $type, $path => $into, [A: Into<crate::Name>, B: Into<crate::Name>] (A, B));
        crate::path::from_path!(@ $type, $path => $into, [A: Into<crate::Name>, B: Into<crate::Name>, C: Into<crate::Name>] (A, B, C));
    };
    (@ $type:ident, $path:ident => $into:expr, [$($generic:tt)*] $from:ty) => {
        impl<$($generic)*> From<$from> for $type {
            #[inline]
            fn from(from: $from) -> Self {
                let $path: crate::Path = from.into();
                $into
            }
        }
    };
}

pub(crate) use from_path;
