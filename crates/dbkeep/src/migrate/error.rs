//! What can go wrong with migrations.

use super::Location;
use dbkeep_engine as engine;
use std::error::Error as StdError;
use std::fmt;

/// The result of anything done with migrations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of migrations: of their files, of the ledger, or of a statement that failed.
///
/// One word wide. Ask it for its [`kind`](Error::kind), for the [`location`](Error::location) in a file and for a
/// [`hint`](Error::hint) at the next step. What the server said is in [`source`](StdError::source), not in the text.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    location: Option<Location>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of error a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or folder cannot be read or written.
    Io,
    /// A file's name or content is no migration.
    File,
    /// The files and the ledger disagree.
    Drift,
    /// A migration stopped halfway in an earlier run and cannot go on by itself.
    Unfinished,
    /// A migration to be rolled back has no down part.
    NoDown,
    /// No migration has the wanted name.
    Target,
    /// A migration of this name exists already.
    Exists,
    /// Another run held the lock until the deadline.
    Locked,
    /// A statement of a migration failed.
    Statement,
    /// The ledger or the lock could not be used: the connection, a right, a table that is something else.
    Database,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hint: None, location: None, source: None }))
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(mut self, location: Location) -> Self {
        self.0.location = Some(location);
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without the location.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref().or_else(|| self.engine().and_then(engine::Error::hint))
    }

    /// Where in which file.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// The server's error, where one is behind this.
    pub fn engine(&self) -> Option<&engine::Error> {
        self.0.source.as_ref().and_then(|source| source.downcast_ref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.0.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.to_string());
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

/// Says what was being done with the database when its error came.
pub(crate) trait During<T> {
    fn during(self, what: impl fmt::Display) -> Result<T>;
}

impl<T> During<T> for engine::Result<T> {
    fn during(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::new(ErrorKind::Database, format!("could not {what}")).with_source(error))
    }
}

/// What an error is made of: kind, message, hint, location and source.
pub(crate) type ErrorParts =
    (ErrorKind, String, Option<String>, Option<Location>, Option<Box<dyn StdError + Send + Sync>>);

impl Error {
    /// Takes the error apart, for those who share pieces with migrations.
    pub(crate) fn into_parts(self) -> ErrorParts {
        let Inner { kind, message, hint, location, source } = *self.0;
        (kind, message, hint, location, source)
    }
}
