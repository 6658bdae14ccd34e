//! Names of tables, columns and the like, checked once.

use std::fmt;

/// The name of a table, column, index or the like.
///
/// A name is checked when it is made and always quoted when it is written, so no text can leave the place of a name.
///
/// ```
/// use dbkeep_sql::Ident;
/// assert!(Ident::new("order items").is_ok());
/// assert!(Ident::new("").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident(Box<str>);

/// The longest name any of our engines takes, in bytes: MySQL's 64 characters of up to three bytes (its names are limited
/// to the Basic Multilingual Plane). The dialects hold the exact limits.
const LONGEST: usize = 192;

impl Ident {
    /// A name, if it can be one: not empty, no NUL, at most 192 bytes.
    ///
    /// # Errors
    /// [`IdentError`] says what is wrong with it.
    pub fn new(name: impl AsRef<str>) -> Result<Self, IdentError> {
        let name = name.as_ref();
        Self::check(name)?;
        Ok(Self(name.into()))
    }

    /// What [`new`](Ident::new) checks, without making one.
    pub(crate) fn check(name: &str) -> Result<(), IdentError> {
        let problem = if name.is_empty() {
            "is empty"
        } else if name.contains('\0') {
            "holds a NUL character"
        } else if name.len() > LONGEST {
            "is longer than 192 bytes"
        } else {
            return Ok(());
        };
        Err(IdentError::new(name, problem))
    }

    /// The name, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<&str> for Ident {
    type Error = IdentError;

    fn try_from(name: &str) -> Result<Self, IdentError> {
        Self::new(name)
    }
}

/// A text that can be no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentError {
    name: String,
    problem: &'static str,
}

impl IdentError {
    pub(crate) fn new(name: &str, problem: &'static str) -> Self {
        Self { name: name.chars().take(80).collect(), problem }
    }
}

impl fmt::Display for IdentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name {:?} {}", self.name, self.problem)
    }
}

impl std::error::Error for IdentError {}
