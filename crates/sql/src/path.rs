//! Names as programs write them: `"id"`, `"users.id"`, `("users", "id")`.

use crate::Ident;

/// A name as the program gave it. It is checked and quoted when the statement is compiled.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<str>);

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
    Dotted(Box<str>),
    Parts(Vec<Name>),
}

impl Path {
    /// The parts, from the outermost to the name itself.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let (dotted, parts) = match &self.0 {
            Repr::Dotted(text) => (Some(text.split('.')), [].as_slice()),
            Repr::Parts(parts) => (None, parts.as_slice()),
        };
        dotted.into_iter().flatten().chain(parts.iter().map(Name::as_str))
    }

    /// Whether this is `*` or `table.*`, which is no name but all columns.
    pub(crate) fn is_wildcard(&self) -> bool {
        matches!(&self.0, Repr::Dotted(text) if &**text == "*" || text.ends_with(".*"))
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
            fn from(name: $from) -> Self {
                Self(name.into())
            }
        }

        impl From<$from> for Path {
            fn from(path: $from) -> Self {
                Self(Repr::Dotted(path.into()))
            }
        }
    )*};
}

from_text!(&str String);

impl From<&String> for Name {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}

impl From<&String> for Path {
    fn from(path: &String) -> Self {
        path.as_str().into()
    }
}

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
        Self(Repr::Parts(vec![name]))
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
        Self(Repr::Parts(vec![table.into(), name.into()]))
    }
}

impl<A: Into<Name>, B: Into<Name>, C: Into<Name>> From<(A, B, C)> for Path {
    fn from((schema, table, name): (A, B, C)) -> Self {
        Self(Repr::Parts(vec![schema.into(), table.into(), name.into()]))
    }
}

/// Everything a [`Path`] can be made from makes the type a column, too.
macro_rules! from_path {
    ($type:ident, $path:ident => $into:expr) => {
        crate::path::from_path!(@ $type, $path => $into, [] crate::Path);
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
            fn from(from: $from) -> Self {
                let $path: crate::Path = from.into();
                $into
            }
        }
    };
}

pub(crate) use from_path;
