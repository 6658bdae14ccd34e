//! An error on its way to the user: what failed, where, why, what to do next, and the exit code.

use crate::exit_code::ExitCode;
use dbkeep::ErrorKind;
use serde_json::json;
use std::fmt;

/// The result of a command.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// An error as a command reports it.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) code: ExitCode,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
    pub(crate) location: Option<Box<Location>>,
}

/// A place in a text file, counted from one, with the line itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) text: Option<String>,
}

impl Error {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), causes: Vec::new(), hint: None, location: None }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Failed, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Refused, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Configuration, message)
    }

    /// A file or folder that cannot be used.
    pub(crate) fn io(doing: impl fmt::Display, error: std::io::Error) -> Self {
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Some("check who owns it and what its mode allows"),
            std::io::ErrorKind::StorageFull => Some("free some space on that disk"),
            std::io::ErrorKind::ReadOnlyFilesystem => Some("the file system is mounted read-only"),
            _ => None,
        };
        let mut out = Self::failed(doing.to_string()).caused_by(&error);
        out.hint = hint.map(str::to_owned);
        out
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As `hint`, unless there is one already.
    pub(crate) fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    pub(crate) fn at(mut self, location: Location) -> Self {
        self.location = Some(Box::new(location));
        self
    }

    /// Adds an error and what lies beneath it.
    pub(crate) fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.add_cause(error.to_string());
            next = error.source();
        }
        self
    }

    /// Says first what was being done.
    pub(crate) fn context(mut self, doing: impl fmt::Display) -> Self {
        let message = std::mem::replace(&mut self.message, doing.to_string());
        self.causes.insert(0, message);
        self
    }

    /// Adds a cause, unless the text above it says the same already.
    fn add_cause(&mut self, cause: String) {
        let above = self.causes.last().unwrap_or(&self.message);
        // A server's own words begin with how bad it is, which adds nothing, and end with details that may hold a row's values.
        let said = ["ERROR: ", "FATAL: "].iter().find_map(|word| cause.strip_prefix(word)).unwrap_or(&cause);
        if !said.lines().next().is_some_and(|first| above.contains(first)) {
            self.causes.push(cause);
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let message =
            std::iter::once(&self.message).chain(&self.causes).map(String::as_str).collect::<Vec<_>>().join(": ");
        let location =
            self.location.as_ref().map(|at| json!({ "file": at.file, "line": at.line, "column": at.column }));
        json!({ "error": { "code": self.code.name(), "message": message, "hint": self.hint, "location": location } })
    }
}

/// The exit code for an error of the engine. What was lost half way was connected before: that is a failure like others.
fn exit_code(kind: ErrorKind) -> ExitCode {
    match kind {
        ErrorKind::Options => ExitCode::Configuration,
        ErrorKind::Refused
        | ErrorKind::TooManyConnections
        | ErrorKind::Authentication
        | ErrorKind::UnknownDatabase
        | ErrorKind::Tls => ExitCode::CannotConnect,
        ErrorKind::NotEmpty => ExitCode::Refused,
        ErrorKind::Damaged => ExitCode::Damaged,
        _ => ExitCode::Failed,
    }
}

impl From<dbkeep::engine::Error> for Error {
    fn from(error: dbkeep::engine::Error) -> Self {
        let mut out = Self::new(exit_code(error.kind()), error.to_string());
        out.hint = error.hint().map(str::to_owned);
        match std::error::Error::source(&error) {
            Some(source) => out.caused_by(source),
            None => out,
        }
    }
}

impl From<dbkeep::Error> for Error {
    fn from(error: dbkeep::Error) -> Self {
        let code = match error.kind().map(exit_code) {
            Some(ExitCode::Failed) | None if error.is_acquire() => ExitCode::CannotConnect,
            Some(code) => code,
            None if error.is_settings() => ExitCode::Configuration,
            None => ExitCode::Failed,
        };
        // Which line of this program ran a statement is nothing to those who use it.
        let message = match error.engine() {
            Some(engine) if !error.is_acquire() => engine.to_string(),
            _ => error.to_string(),
        };
        let mut out = Self::new(code, message);
        out.hint = error.hint().map(str::to_owned);
        match std::error::Error::source(&error) {
            Some(source) => out.caused_by(source),
            None => out,
        }
    }
}

/// An error while connecting, whatever its kind, is a failure to connect unless the configuration is wrong.
pub(crate) fn connecting(error: impl Into<Error>, target: &str) -> Error {
    let mut error = error.into();
    if error.code == ExitCode::Failed {
        error.code = ExitCode::CannotConnect;
    }
    // What is said above is not said again below.
    let doing = format!("cannot connect to {target}");
    if let Some(why) = error.message.strip_prefix(&format!("{target}: ")) {
        error.message = why.to_owned();
    }
    if error.message.starts_with(&doing) { error } else { error.context(doing) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbkeep::engine::Error as EngineError;
    use std::io;

    #[test]
    fn exit_codes_follow_the_kind_of_error() {
        for (kind, while_running, while_connecting) in [
            (ErrorKind::Options, ExitCode::Configuration, ExitCode::Configuration),
            (ErrorKind::Refused, ExitCode::CannotConnect, ExitCode::CannotConnect),
            (ErrorKind::Authentication, ExitCode::CannotConnect, ExitCode::CannotConnect),
            (ErrorKind::UnknownDatabase, ExitCode::CannotConnect, ExitCode::CannotConnect),
            (ErrorKind::Tls, ExitCode::CannotConnect, ExitCode::CannotConnect),
            (ErrorKind::TooManyConnections, ExitCode::CannotConnect, ExitCode::CannotConnect),
            (ErrorKind::ConnectionLost, ExitCode::Failed, ExitCode::CannotConnect),
            (ErrorKind::Unavailable, ExitCode::Failed, ExitCode::CannotConnect),
            (ErrorKind::Timeout, ExitCode::Failed, ExitCode::CannotConnect),
            (ErrorKind::PermissionDenied, ExitCode::Failed, ExitCode::CannotConnect),
            (ErrorKind::Syntax, ExitCode::Failed, ExitCode::CannotConnect),
            (ErrorKind::NotEmpty, ExitCode::Refused, ExitCode::Refused),
            (ErrorKind::Damaged, ExitCode::Damaged, ExitCode::Damaged),
        ] {
            let error = || EngineError::new(kind, "it went wrong");
            assert_eq!(Error::from(error()).code, while_running, "{kind:?}");
            assert_eq!(Error::from(dbkeep::Error::from(error())).code, while_running, "{kind:?}");
            assert_eq!(connecting(error(), "shop on db:3306").code, while_connecting, "{kind:?}");
        }
        assert_eq!(Error::from(dbkeep::Error::settings("min is more than max")).code, ExitCode::Configuration);
    }

    #[test]
    fn a_chain_of_causes_says_nothing_twice() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let error = EngineError::new(ErrorKind::Refused, "shop on db:3306: connection refused")
            .with_source(refused)
            .with_hint("is the server running?");
        let error = connecting(error, "shop on db:3306");
        assert_eq!(
            (error.message.as_str(), &*error.causes),
            ("cannot connect to shop on db:3306", &["connection refused".to_owned()][..])
        );
        assert_eq!(error.hint.as_deref(), Some("is the server running?"));
        let error = connecting(error, "shop on db:3306");
        assert_eq!(error.causes.len(), 1, "nor when it is said on two levels");
    }

    #[test]
    fn an_error_is_a_json_document() {
        let location = Location { file: "m.sql".to_owned(), line: 3, column: 8, text: Some("SELEKT".to_owned()) };
        let error = Error::failed("a migration failed").hint("correct it").at(location).context("nothing was applied");
        assert_eq!(
            error.to_json().to_string(),
            r#"{"error":{"code":"failed","message":"nothing was applied: a migration failed","hint":"correct it","location":{"file":"m.sql","line":3,"column":8}}}"#
        );
        assert_eq!(
            Error::usage("no such command").to_json().to_string(),
            r#"{"error":{"code":"usage","message":"no such command","hint":null,"location":null}}"#
        );
    }
}
