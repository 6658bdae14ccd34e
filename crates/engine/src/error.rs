//! What can go wrong with a database, and the questions a caller may ask about it.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

/// The result of anything a connection does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a database, its driver or the way to it.
///
/// One word wide; ask it with [`kind`](Error::kind) and the `is_…` questions. The text never holds a password or a
/// parameter; what lies beneath is in [`source`](StdError::source), not in the text.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    code: Option<String>,
    hint: Option<String>,
    position: Option<usize>,
    constraint: Option<String>,
    caller: Option<&'static Location<'static>>,
    statement: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of error a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL or an option is wrong; nothing was tried.
    Options,
    /// The server cannot be reached now: refused, unreachable, no such host.
    Refused,
    /// The server is starting up, shutting down or recovering.
    Unavailable,
    /// The server has no connection left for us.
    TooManyConnections,
    /// User or password are wrong, or this host may not log in.
    Authentication,
    /// There is no such database.
    UnknownDatabase,
    /// TLS is missing, or the certificate does not hold.
    Tls,
    /// A deadline passed.
    Timeout,
    /// The connection was lost, or was given up because its state is unknown.
    ConnectionLost,
    /// Text that is no SQL.
    Syntax,
    /// A table, column, function or the like that does not exist.
    NotFound,
    /// A table, column or the like that exists already.
    AlreadyExists,
    /// A unique or primary key would hold a value twice.
    UniqueViolation,
    /// A foreign key would point nowhere.
    ForeignKeyViolation,
    /// NULL in a column that takes none.
    NotNullViolation,
    /// A check constraint refused the row.
    CheckViolation,
    /// A value that does not fit the column or the operation.
    InvalidValue,
    /// A deadlock; this transaction was rolled back and may be tried again.
    Deadlock,
    /// The transaction cannot be serialised; it may be tried again.
    Serialization,
    /// A lock was not granted in time.
    LockTimeout,
    /// The database, the server or the transaction is read-only.
    ReadOnly,
    /// The right to do it is missing.
    PermissionDenied,
    /// The disk, the quota or the file size limit is used up.
    DiskFull,
    /// The data or the file is damaged.
    Damaged,
    /// The statement was cancelled.
    Cancelled,
    /// The engine or this version does not know it.
    Unsupported,
    /// A value that the program wanted as another type.
    Decode,
    /// One row was wanted, none or several came.
    RowCount,
    /// A target that should be empty is not.
    NotEmpty,
    /// The file system said no.
    Io,
    /// Any other error of a statement.
    Statement,
}

impl Error {
    /// An error of this kind, with a lower-case fragment that fits after "failed to …: ".
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            code: None,
            hint: None,
            position: None,
            constraint: None,
            caller: None,
            statement: None,
            source: None,
        }))
    }

    /// Adds the server's own code: a SQLSTATE, or the engine's number.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds where in the statement the error lies, in characters from 0.
    #[must_use]
    pub fn with_position(mut self, position: usize) -> Self {
        self.0.position = Some(position);
        self
    }

    /// Adds the name of the constraint that was violated.
    #[must_use]
    pub fn with_constraint(mut self, name: impl Into<String>) -> Self {
        self.0.constraint = Some(name.into());
        self
    }

    /// Adds what lies beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says which line of the program ran which statement. What an error knows of that already stays.
    #[must_use]
    pub fn at(mut self, caller: &'static Location<'static>, sql: &str) -> Self {
        if self.0.caller.is_none() {
            self.0.caller = Some(caller);
            self.0.statement = Some(shortened(sql)).filter(|text| !text.is_empty());
        }
        self
    }

    /// Says what was being done when it happened: `context` is put before the message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The server's own code: a five-character SQLSTATE on PostgreSQL, the error number elsewhere.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref().or(match self.kind() {
            ErrorKind::ConnectionLost => {
                Some("run it again on another connection; whether a write took effect before is not known")
            }
            ErrorKind::Unavailable => Some("the server is starting up or shutting down; run it again in a moment"),
            _ => None,
        })
    }

    /// Where in the statement the error lies, in characters from 0, where the server says so.
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    /// The constraint that was violated, where the server names it.
    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }

    /// The line of the program that ran the statement, of an error of a statement.
    pub fn caller(&self) -> Option<&'static Location<'static>> {
        self.0.caller
    }

    /// The beginning of the statement, of an error of one: on one line, without its parameters and without the texts in it, which
    /// are the users' data.
    pub fn statement(&self) -> Option<&str> {
        self.0.statement.as_deref()
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the whole transaction may succeed when it is run again: deadlock, serialisation failure.
    pub fn is_retryable(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Deadlock | ErrorKind::Serialization)
    }

    /// Whether a later attempt to connect may succeed with nothing changed.
    pub fn is_transient(&self) -> bool {
        use ErrorKind::*;
        matches!(self.0.kind, Refused | Unavailable | TooManyConnections | Timeout | ConnectionLost)
    }

    /// Whether the connection cannot be used any more.
    pub fn is_connection_lost(&self) -> bool {
        matches!(self.0.kind, ErrorKind::ConnectionLost | ErrorKind::Unavailable)
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Timeout | ErrorKind::LockTimeout)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.code {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(code) = &self.0.code {
            out.field("code", code);
        }
        if let Some(caller) = self.0.caller {
            out.field("caller", &format_args!("{}:{}", caller.file(), caller.line()));
        }
        if let Some(statement) = &self.0.statement {
            out.field("statement", statement);
        }
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

/// A statement's beginning on one line, `'…'` in the place of each text. Where the end of a text is not certain, it ends there.
fn shortened(sql: &str) -> String {
    const LONGEST: usize = 160;
    let mut out = String::new();
    let mut chars = sql.trim().chars().peekable();
    let mut length = 0;
    while let Some(c) = chars.next() {
        length += 1;
        let is_long = length > LONGEST;
        if is_long || c == '$' && !chars.peek().is_some_and(char::is_ascii_digit) {
            out.push('…');
            break;
        }
        match c {
            '\'' => {
                out.push_str("'…");
                if chars.by_ref().find(|c| matches!(c, '\'' | '\\')) != Some('\'') {
                    break;
                }
                out.push('\'');
            }
            c if c.is_whitespace() && (out.ends_with(' ') || out.is_empty()) => length -= 1,
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

impl From<dbkeep_sql::Unsupported> for Error {
    fn from(unsupported: dbkeep_sql::Unsupported) -> Self {
        Self::new(ErrorKind::Unsupported, unsupported.to_string()).with_hint(unsupported.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_shown_without_its_texts() {
        for (sql, shown) in [
            ("SELECT 1", "SELECT 1"),
            ("\n SELECT *\n   FROM t\tWHERE a = $1 ", "SELECT * FROM t WHERE a = $1"),
            ("SET PASSWORD = 's3cret', a = ''", "SET PASSWORD = '…', a = '…'"),
            ("SELECT 'it''s', 's3cret'", "SELECT '…''…', '…'"),
            (r"SELECT 'a\', 's3cret'", "SELECT '…"),
            ("SELECT 's3cret", "SELECT '…"),
            ("DO $$ s3cret $$", "DO …"),
        ] {
            assert_eq!(shortened(sql), shown);
        }
        assert_eq!(shortened(&"x".repeat(1_000)).chars().count(), 161);
    }
}
