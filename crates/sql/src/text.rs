//! Text that lies inside its value while it is short.

use compact_str::CompactString;
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

/// Text of any length. Up to 24 bytes it lies in place, so that names, codes and short words cost no allocation.
///
/// It reads as a `str`, and a [`String`] is made from it, and it from one, without copying long text.
///
/// ```
/// use dbkeep_sql::Text;
/// let name: Text = "Ada".into();
/// assert!(name.starts_with('A'));
/// assert_eq!(String::from(name), "Ada");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(CompactString);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

macro_rules! from {
    ($($from:ty => |$text:ident| $into:expr;)*) => {$(
        impl From<$from> for Text {
            #[inline]
            fn from($text: $from) -> Self {
                Self($into)
            }
        }
    )*};
}

from! {
    &str => |text| CompactString::new(text);
    &String => |text| CompactString::new(text);
    String => |text| CompactString::from(text);
    Box<str> => |text| CompactString::from(String::from(text));
    Cow<'_, str> => |text| CompactString::from(text);
    char => |text| CompactString::new(text.encode_utf8(&mut [0; 4]));
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.into_string()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}
