//! What can go wrong between an application and its database.

use dbkeep_engine as engine;
use dbkeep_pool::{AcquireError, AcquirePhase};
use std::fmt::{self, Write as _};
use std::panic::Location;

/// The result of anything a database does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a database: of a statement, of the pool, of a query that could not be built, of the configuration.
///
/// One word wide. Ask it with the `is_…` questions, [`hint`](Error::hint) and [`engine`](Error::engine).
pub struct Error(Box<Kind>);

enum Kind {
    Engine(engine::Error),
    Acquire { error: AcquireError<engine::Error>, hint: Option<&'static str> },
    Build(dbkeep_sql::CompileError),
    Settings { message: String, hint: Option<String> },
}

impl Error {
    /// A setting that cannot be.
    pub fn settings(message: impl Into<String>) -> Self {
        Self(Box::new(Kind::Settings { message: message.into(), hint: None }))
    }

    /// Adds what to do next, where the error has no hint of its own.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Kind::Settings { hint, .. } = &mut *self.0 {
            *hint = Some(text.into());
        }
        self
    }

    /// No connection to write with could be had, of a database that has one.
    pub(crate) fn no_writer(error: AcquireError<engine::Error>) -> Self {
        let queued = error.phase() == AcquirePhase::Queue && !error.is_closed() && !error.stats().suspended;
        let hint = queued.then_some(
            "this database takes one writer at a time: see what the borrower above does for so long; inside a transaction and \
             beside a lease of one's own, write through that connection and not through the database, which waits for it",
        );
        Self(Box::new(Kind::Acquire { error, hint }))
    }

    /// The engine's error, where one is behind this: of a statement, or of opening a connection.
    pub fn engine(&self) -> Option<&engine::Error> {
        match &*self.0 {
            Kind::Engine(error) => Some(error),
            Kind::Acquire { error, .. } => error.open_error(),
            Kind::Build(_) | Kind::Settings { .. } => None,
        }
    }

    /// The kind of the engine's error, where one is behind this; `Unsupported` of a statement that the engine does not know.
    pub fn kind(&self) -> Option<engine::ErrorKind> {
        match &*self.0 {
            Kind::Build(error) if error.unsupported().is_some() => Some(engine::ErrorKind::Unsupported),
            _ => self.engine().map(engine::Error::kind),
        }
    }

    /// Whether no connection could be had.
    pub fn is_acquire(&self) -> bool {
        matches!(&*self.0, Kind::Acquire { .. })
    }

    /// Whether a setting is wrong, of a connection's name or of the pool. What is wrong with a URL has the kind `Options`.
    pub fn is_settings(&self) -> bool {
        matches!(&*self.0, Kind::Settings { .. })
    }

    /// Whether the whole transaction may succeed when it is run again.
    pub fn is_retryable(&self) -> bool {
        self.engine().is_some_and(engine::Error::is_retryable)
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        match &*self.0 {
            Kind::Acquire { error, .. } => error.is_timeout(),
            _ => self.engine().is_some_and(engine::Error::is_timeout),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        match &*self.0 {
            Kind::Settings { hint, .. } => hint.as_deref(),
            Kind::Build(error) => Some(error.hint()).filter(|hint| !hint.is_empty()),
            Kind::Acquire { error, hint } => {
                self.engine().and_then(engine::Error::hint).or(*hint).or(Some(error.hint()))
            }
            Kind::Engine(_) => self.engine().and_then(engine::Error::hint),
        }
    }

    /// The line of the program that ran the statement, of an error of a statement.
    pub fn caller(&self) -> Option<&'static Location<'static>> {
        match &*self.0 {
            Kind::Engine(error) => error.caller(),
            _ => None,
        }
    }

    /// More than one line about it, where there is more to say: of a statement, which and where, without its parameters and the texts
    /// in it; for the pool, who holds its connections.
    pub fn details(&self) -> Option<String> {
        match &*self.0 {
            Kind::Engine(error) => {
                let caller = error.caller()?;
                let mut out = format!("{error}\n  at {}:{}", caller.file(), caller.line());
                for (what, told) in [("statement", error.statement()), ("hint", error.hint())] {
                    if let Some(told) = told {
                        let _ = write!(out, "\n  {what}: {told}");
                    }
                }
                Some(out)
            }
            Kind::Acquire { error, hint: None } => Some(error.details()),
            Kind::Acquire { error, hint: Some(hint) } => {
                let details = error.details();
                let told = details.rsplit_once("\n  hint: ").map_or(details.as_str(), |(told, _)| told);
                Some(format!("{told}\n  hint: {hint}"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Engine(error) => match (error.caller(), error.code()) {
                (Some(at), Some(code)) => write!(f, "{} ({code}, {}:{})", error.message(), at.file(), at.line()),
                (Some(at), None) => write!(f, "{} ({}:{})", error.message(), at.file(), at.line()),
                (None, _) => fmt::Display::fmt(error, f),
            },
            Kind::Acquire { error, .. } => fmt::Display::fmt(error, f),
            Kind::Build(error) => fmt::Display::fmt(error, f),
            Kind::Settings { message, .. } => f.write_str(message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Engine(error) => fmt::Debug::fmt(error, f),
            Kind::Acquire { error, .. } => fmt::Debug::fmt(error, f),
            Kind::Build(error) => fmt::Debug::fmt(error, f),
            Kind::Settings { message, .. } => write!(f, "Settings({message:?})"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Engine(error) => error.source(),
            Kind::Acquire { error, .. } => std::error::Error::source(error),
            Kind::Build(error) => std::error::Error::source(error),
            Kind::Settings { .. } => None,
        }
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        Self(Box::new(Kind::Engine(error)))
    }
}

impl From<AcquireError<engine::Error>> for Error {
    fn from(error: AcquireError<engine::Error>) -> Self {
        Self(Box::new(Kind::Acquire { error, hint: None }))
    }
}

impl From<dbkeep_sql::CompileError> for Error {
    fn from(error: dbkeep_sql::CompileError) -> Self {
        Self(Box::new(Kind::Build(error)))
    }
}

impl From<dbkeep_pool::ConfigError> for Error {
    fn from(error: dbkeep_pool::ConfigError) -> Self {
        Self::settings(error.to_string())
    }
}
