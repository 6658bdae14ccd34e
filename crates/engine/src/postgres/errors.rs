//! What kind of error is it, in the words everyone above understands?

use crate::{Error, ErrorKind};
use std::error::Error as StdError;
use std::{fmt, io};
use tokio_postgres::error::{DbError, ErrorPosition};

/// An error of a statement.
pub(super) fn statement(error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => from_server(db, false),
        None => from_driver(error),
    }
}

/// An error while connecting: the same codes, but the server's refusals mean that it may be tried again later.
pub(super) fn connecting(error: tokio_postgres::Error, target: &str) -> Error {
    let mapped = match error.as_db_error() {
        Some(db) => from_server(db, true),
        None => from_driver(error),
    };
    let mapped = match (mapped.kind(), mapped.message()) {
        (ErrorKind::Authentication, "password missing") => {
            mapped.with_hint("the server wants a password, and none was given")
        }
        (ErrorKind::Authentication, _) => mapped
            .with_hint("are user and password right, and does the server's pg_hba.conf let this user in from here?"),
        (ErrorKind::UnknownDatabase, _) => mapped.with_hint("create the database first, or name another"),
        (ErrorKind::TooManyConnections, _) => {
            mapped.with_hint("close other connections, make the pools smaller, or raise max_connections on the server")
        }
        (ErrorKind::ConnectionLost, _) => {
            mapped.with_hint("is it a PostgreSQL server, and is it starting up or out of connections?")
        }
        _ => mapped,
    };
    mapped.context(format_args!("cannot connect to {target}"))
}

fn from_driver(error: tokio_postgres::Error) -> Error {
    if error.is_closed() {
        return Error::new(ErrorKind::ConnectionLost, "the connection was closed").with_source(error);
    }
    let source = error.source();
    let io = source.and_then(|source| source.downcast_ref::<io::Error>());
    let (kind, message) = match (io, source) {
        (Some(io), _) if io.kind() == io::ErrorKind::UnexpectedEof => {
            (ErrorKind::ConnectionLost, "the server closed the connection".to_owned())
        }
        (Some(io), _) if matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
            (ErrorKind::Statement, io.to_string())
        }
        (Some(io), _) => (ErrorKind::ConnectionLost, format!("the connection broke: {io}")),
        (None, Some(source)) if source.to_string() == "password missing" => {
            (ErrorKind::Authentication, "password missing".to_owned())
        }
        (None, Some(source)) => {
            // Its own kinds are private; what it says of authentication is all there is to tell them apart.
            let text = error.to_string();
            let kind =
                if text.starts_with("authentication") { ErrorKind::Authentication } else { ErrorKind::Statement };
            (kind, format!("{text}: {source}"))
        }
        (None, None) => (ErrorKind::Statement, error.to_string()),
    };
    Error::new(kind, message).with_source(error)
}

/// An error as the server reported it.
pub(super) fn from_server(db: &DbError, connecting: bool) -> Error {
    let code = db.code().code();
    let kind = kind(code, db, connecting);
    let mut error = Error::new(kind, message(db)).with_code(code).with_source(Reported(db.clone()));
    if let Some(hint) =
        db.hint().map(str::to_owned).or_else(|| of_key(db)).or_else(|| hint(kind, code).map(str::to_owned))
    {
        error = error.with_hint(hint);
    }
    if let Some(ErrorPosition::Original(position)) = db.position() {
        error = error.with_position((*position as usize).saturating_sub(1));
    }
    // What refuses NULL has no name before version 18, so the column stands for it.
    let nameless = || db.column().filter(|_| kind == ErrorKind::NotNullViolation);
    if let Some(constraint) = db.constraint().or_else(nameless) {
        error = error.with_constraint(constraint);
    }
    error
}

/// What the server reported, for those who know what to look for in it. It holds values of rows and parameters, which may be
/// secret: whoever shows it sees none of them.
pub(super) struct Reported(DbError);

impl Reported {
    /// Where it happened, in the server's words.
    pub(super) fn place(&self) -> Option<&str> {
        self.0.where_()
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&message(&self.0))
    }
}

impl fmt::Debug for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Reported");
        out.field("severity", &self.0.severity()).field("code", &self.0.code().code());
        for (name, told) in [
            ("schema", self.0.schema()),
            ("table", self.0.table()),
            ("column", self.0.column()),
            ("datatype", self.0.datatype()),
            ("constraint", self.0.constraint()),
            ("routine", self.0.routine()),
        ] {
            if let Some(told) = told {
                out.field(name, &told);
            }
        }
        out.finish_non_exhaustive()
    }
}

impl StdError for Reported {}

/// The message, and the detail where it says what the message does not, both without values of rows and parameters.
fn message(db: &DbError) -> String {
    let code = db.code().code();
    let told = shown(code, db.message());
    match db.detail() {
        Some(detail) if shows_detail(code) => format!("{told} ({})", shown(code, &detail.replace('\n', " "))),
        _ => told,
    }
}

/// The details of class 23 (integrity) and of a view's condition hold the whole row, those of class 22 (data) the value.
fn shows_detail(code: &str) -> bool {
    match code {
        // How many digits there may be; what of an array or a JSON text is wrong.
        "22003" | "22P02" => true,
        "44000" => false,
        _ => !code.starts_with("22") && !code.starts_with("23"),
    }
}

/// What class 22 puts into quotes, of whatever language, is the value, but for the names of encodings and settings.
fn shown(code: &str, text: &str) -> String {
    const QUOTES: [char; 7] = ['"', '«', '»', '„', '“', '”', '\u{300c}'];
    let from = match code {
        "22021" | "22P05" => None,
        "22023" => text.find(": \"").map(|at| at + 2),
        _ if code.starts_with("22") => text.find(QUOTES),
        _ => None,
    };
    let to = text.char_indices().rev().find(|(_, c)| QUOTES.contains(c) || *c == '\u{300d}');
    match (from, to) {
        (Some(from), Some((to, last))) if from < to => {
            format!("{}\"…\"{}", &text[..from], &text[to + last.len_utf8()..])
        }
        // One that is not closed.
        (Some(from), _) => format!("{}\"…\"", &text[..from]),
        _ => text.to_owned(),
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn kind(code: &str, db: &DbError, connecting: bool) -> ErrorKind {
    use ErrorKind::*;
    match code {
        "28P01" | "28000" => Authentication,
        "3D000" => UnknownDatabase,
        "53300" => TooManyConnections,
        "57P03" => Unavailable,
        "57P01" | "57P02" if connecting => Unavailable,
        "57P01" | "57P02" | "57P05" | "25P03" => ConnectionLost,
        "57P04" => UnknownDatabase,
        "23505" => UniqueViolation,
        "23503" | "23001" => ForeignKeyViolation,
        "23502" => NotNullViolation,
        "23514" | "23P01" | "44000" => CheckViolation,
        "42601" | "42602" | "42622" => Syntax,
        "42P01" | "42703" | "42883" | "42704" | "3F000" | "26000" | "34000" => NotFound,
        "42P07" | "42701" | "42710" | "42P04" | "42P06" | "42723" | "42712" => AlreadyExists,
        "40P01" => Deadlock,
        "40001" => Serialization,
        "55P03" => LockTimeout,
        "25006" => ReadOnly,
        "42501" => PermissionDenied,
        "53100" => DiskFull,
        // A cancel request and a statement timeout share this code, and only the text tells them apart. On a server that
        // speaks another language than English a timeout therefore counts as cancelled.
        "57014" if db.message().contains("timeout") => Timeout,
        "57014" => Cancelled,
        "0A000" => Unsupported,
        "XX001" | "XX002" => Damaged,
        "58030" => Io,
        _ if code.starts_with("22") => InvalidValue,
        _ if code.starts_with("08") => ConnectionLost,
        _ => Statement,
    }
}

/// What to do about a key that points nowhere, or that is there already.
fn of_key(db: &DbError) -> Option<String> {
    match db.code().code() {
        // Only the text tells the two sides apart, on a server that speaks English.
        "23503" => Some(
            match db.message() {
                message if message.starts_with("update or delete") => {
                    "other rows still point to this one: delete or change them first"
                }
                message if message.starts_with("insert or update") => {
                    "the row it points to does not exist: store that first"
                }
                _ => "the row it points to does not exist, or other rows still point to this one",
            }
            .to_owned(),
        ),
        "23505" => {
            let table = db.table()?;
            if db.constraint()? != format!("{table}_pkey") {
                return None;
            }
            // `Key (id)=(7) already exists.`: of it no more than the name.
            let (_, rest) = db.detail()?.split_once('(')?;
            let column = rest.split_once(")=(")?.0;
            if column.contains([',', '(']) {
                return None;
            }
            let (name, quoted) =
                (|text: &str| super::session::quoted(text), |text: &str| super::session::literal(text));
            let relation = match db.schema() {
                Some(schema) => format!("{}.{}", name(schema), name(table)),
                None => name(table),
            };
            Some(format!(
                "where the server counts this key, its sequence is behind rows that were stored with keys of their own: SELECT \
                 setval(pg_get_serial_sequence({}, {}), (SELECT max({column}) FROM {relation}))",
                quoted(&relation),
                quoted(&column.replace('"', "")),
            ))
        }
        _ => None,
    }
}

/// Says what a `?` for a parameter's place is to PostgreSQL, where one may be what is wrong.
pub(super) fn with_placeholders(error: Error, sql: &str) -> Error {
    let is_suspect = error.kind() == ErrorKind::Syntax || error.code() == Some("42883");
    if is_suspect && has_question_mark(sql) {
        return error.with_hint("PostgreSQL's parameters are $1, $2 and so on; a ? is an operator there");
    }
    error
}

/// Whether there is a `?` outside of quotes, as far as plain quotes go.
fn has_question_mark(sql: &str) -> bool {
    let mut within = None;
    sql.chars().any(|c| match within {
        Some(quote) => {
            if c == quote {
                within = None;
            }
            false
        }
        None if matches!(c, '\'' | '"') => {
            within = Some(c);
            false
        }
        None => c == '?',
    })
}

fn hint(kind: ErrorKind, code: &str) -> Option<&'static str> {
    Some(match (kind, code) {
        (ErrorKind::Deadlock | ErrorKind::Serialization, _) => "run the whole transaction again",
        (ErrorKind::LockTimeout, _) => "another session holds the lock; raise lock_timeout, or end that session",
        (ErrorKind::ReadOnly, _) => "connect to the primary, or without the read-only option",
        (ErrorKind::DiskFull, _) => "free space on the server's disk",
        (ErrorKind::Damaged, _) => {
            "the server found damaged data: take a copy of its files before anything else, then restore a backup"
        }
        (ErrorKind::PermissionDenied, _) => "GRANT the right to this user, or connect as another",
        (ErrorKind::Timeout, "57014") => "raise statement_timeout, or make the statement faster",
        (_, "25P02") => "an earlier statement of this transaction failed: roll it back",
        (_, "53200") => "the server is out of memory or of room for locks: see max_locks_per_transaction and work_mem",
        (_, "25001") => "this statement cannot run inside a transaction",
        _ => return None,
    })
}

/// Whether a schema change has made a prepared statement stale for certain, so that a new one would do.
pub(super) fn is_stale(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| match db.code().code() {
        // "cached plan must not change result type"; the routine's name does not depend on the server's language.
        "0A000" => db.routine() == Some("RevalidateCachedQuery"),
        // The statement is not there any more: DEALLOCATE ALL, DISCARD ALL, or a pooler's other server.
        code => code == "26000",
    })
}

/// Whether that is possible: its parameters' types, fixed when it was prepared, may no longer fit the columns.
pub(super) fn may_be_stale(error: &tokio_postgres::Error) -> bool {
    let of_types = |code: &str| code.starts_with("22") || code.starts_with("42") || code == "08P01";
    is_stale(error) || error.code().is_some_and(|code| of_types(code.code()))
}
