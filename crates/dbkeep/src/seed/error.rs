//! What can go wrong with seeds.

use crate::migrate::{self, Location};
use dbkeep_engine as engine;
use std::error::Error as StdError;
use std::fmt;

/// The result of anything done with seeds.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of seeds: of their files, of a row, or of the database.
///
/// One word wide. Ask it for its [`kind`](Error::kind), the [`location`](Error::location) in a file, the
/// [`row`](Error::row) and the [`column`](Error::column), and for a [`hint`](Error::hint) at the next step. What the server
/// said is in [`source`](StdError::source), not in the text.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    location: Option<Location>,
    row: Option<u64>,
    column: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of error a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or folder cannot be read.
    Io,
    /// A file's name or content is no seed.
    File,
    /// No seed has the wanted name.
    Target,
    /// The database has no such table or column, or none that fits.
    Table,
    /// Seeds need each other's rows in a circle.
    Cycle,
    /// A row cannot be written: a value does not fit, or the server refused it.
    Row,
    /// A statement of an SQL seed failed.
    Statement,
    /// Another run held the lock until the deadline.
    Locked,
    /// The database could not be used.
    Database,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            location: None,
            row: None,
            column: None,
            source: None,
        }))
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(mut self, location: Location) -> Self {
        self.0.location = Some(location);
        self
    }

    pub(crate) fn of_row(mut self, row: u64) -> Self {
        self.0.row = Some(row);
        self
    }

    pub(crate) fn of_column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
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

    /// The message with row and column, without the location.
    pub fn message(&self) -> String {
        match (self.0.row, &self.0.column) {
            (Some(row), Some(column)) => format!("row {row}, column {column}: {}", self.0.message),
            (Some(row), None) => format!("row {row}: {}", self.0.message),
            (None, Some(column)) => format!("column {column}: {}", self.0.message),
            (None, None) => self.0.message.clone(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref().or_else(|| self.engine().and_then(engine::Error::hint))
    }

    /// Where in which file.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// The row of the file, counted from one, without the header.
    pub fn row(&self) -> Option<u64> {
        self.0.row
    }

    /// The column of the table.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
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
        f.write_str(&self.message())
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

/// Errors of the pieces that seeds share with migrations: the lock, and files of SQL.
impl From<migrate::Error> for Error {
    fn from(error: migrate::Error) -> Self {
        let (kind, message, hint, location, source) = error.into_parts();
        let kind = match kind {
            migrate::ErrorKind::Io => ErrorKind::Io,
            migrate::ErrorKind::Locked => ErrorKind::Locked,
            migrate::ErrorKind::File => ErrorKind::File,
            migrate::ErrorKind::Statement => ErrorKind::Statement,
            _ => ErrorKind::Database,
        };
        Self(Box::new(Inner { kind, message, hint, location, row: None, column: None, source }))
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
