//! Where words go: results to stdout, notes and progress to stderr, colours where they are wanted.

use crate::error::{Error, Location};
use anstream::{AutoStream, ColorChoice};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

/// How a command talks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Results as JSON on stdout.
    pub(crate) json: bool,
    /// No notes on stderr.
    pub(crate) quiet: bool,
    /// More notes.
    pub(crate) verbose: u8,
    color: ColorChoice,
}

/// Why a part of a result could not be written, if one could not.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// The error of a run whose result could not be written whole.
pub(crate) fn unwritten() -> Option<Error> {
    UNWRITTEN.get().map(|why| Error::failed(format!("the result cannot be written: {why}")))
}

/// The choice given by `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Color {
    /// Where the output is a terminal and NO_COLOR is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool, verbose: u8, color: Color) -> Self {
        let color = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { json, quiet, verbose, color }
    }

    /// Standard output, colours taken out where they are not wanted.
    pub(crate) fn stdout(&self) -> AutoStream<io::StdoutLock<'static>> {
        AutoStream::new(io::stdout(), self.color).lock()
    }

    /// Standard error, likewise.
    pub(crate) fn stderr(&self) -> AutoStream<io::StderrLock<'static>> {
        AutoStream::new(io::stderr(), self.color).lock()
    }

    /// One line of a result.
    pub(crate) fn line(&self, text: impl fmt::Display) {
        self.bytes(format!("{text}\n").as_bytes());
    }

    /// A part of a result as it stands. What cannot be written is an error at the end of the run, see [`unwritten`].
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut out = self.stdout();
        if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
            // Output that nobody reads any more (a closed pipe) is no error of ours.
            if error.kind() != io::ErrorKind::BrokenPipe {
                let _ = UNWRITTEN.set(error.to_string());
            }
        }
    }

    /// One JSON document.
    pub(crate) fn document(&self, value: &impl Serialize) -> crate::error::Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Error::failed("the result cannot be written as JSON").caused_by(&error))?;
        self.line(text);
        Ok(())
    }

    /// A note for the person watching.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        if !self.quiet {
            let _ = writeln!(self.stderr(), "{text}");
        }
    }

    /// A warning; `-q` does not silence it.
    pub(crate) fn warn(&self, text: impl fmt::Display) {
        use owo_colors::OwoColorize;
        let _ = writeln!(self.stderr(), "{} {text}", "warning:".yellow().bold());
    }

    /// Whether progress is drawn as bars.
    pub(crate) fn bars(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Whether a question can be asked and answered.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Whether log lines are coloured.
    pub(crate) fn colors_on_stderr(&self) -> bool {
        self.colors(&io::stderr())
    }

    fn colors(&self, stream: &impl IsTerminal) -> bool {
        match self.color {
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
            _ => true,
        }
    }

    /// Reports an error: as JSON on stdout, or for people on stderr.
    pub(crate) fn error(&self, error: &Error) {
        // Where standard output takes nothing, an error is better told the other way than not at all.
        if self.json && writeln!(self.stdout(), "{}", error.to_json()).is_ok() {
            return;
        }
        let theme = match (io::stderr().is_terminal(), self.colors(&io::stderr())) {
            (_, true) => GraphicalTheme::unicode(),
            (true, false) => GraphicalTheme::unicode_nocolor(),
            (false, false) => GraphicalTheme::none(),
        };
        let _ = write!(self.stderr(), "{}", drawn(error, theme));
    }
}

/// An error as people see it.
fn drawn(error: &Error, theme: GraphicalTheme) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
    match handler.render_report(&mut text, &Report::new(error)) {
        Ok(()) => text,
        Err(_) => format!("error: {}\n", error.message),
    }
}

/// An error in the form in which it is drawn.
#[derive(Debug)]
struct Report<'e> {
    error: &'e Error,
    cause: Option<Cause>,
    source: Option<NamedSource<String>>,
}

#[derive(Debug)]
struct Cause {
    message: String,
    next: Option<Box<Cause>>,
}

impl<'e> Report<'e> {
    fn new(error: &'e Error) -> Self {
        let cause = error
            .causes
            .iter()
            .rev()
            .fold(None, |next, message| Some(Cause { message: message.clone(), next: next.map(Box::new) }));
        let source = error.location.as_ref().and_then(|at| {
            // Blank lines before it, so that the line is drawn with its own number.
            let text = at.text.as_ref()?;
            Some(NamedSource::new(&at.file, format!("{}{text}\n", "\n".repeat(at.line.saturating_sub(1)))))
        });
        Self { error, cause, source }
    }

    fn offset(at: &Location) -> usize {
        let line = at.text.as_deref().unwrap_or("");
        let column = line.char_indices().nth(at.column.saturating_sub(1)).map_or(line.len(), |(offset, _)| offset);
        at.line.saturating_sub(1) + column
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)?;
        match &self.error.location {
            Some(at) if at.text.is_none() => write!(f, " ({}:{}:{})", at.file, at.line, at.column),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.as_deref().map(|next| next as _)
    }
}

impl std::error::Error for Report<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

impl Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.error.hint.as_ref().map(|hint| Box::new(hint) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let at = self.error.location.as_ref().filter(|at| at.text.is_some())?;
        Some(Box::new(std::iter::once(LabeledSpan::new(Some("here".to_owned()), Self::offset(at), 1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: &Error) -> String {
        drawn(error, GraphicalTheme::none())
    }

    fn at(text: Option<&str>) -> Location {
        Location { file: "dbkeep.toml".to_owned(), line: 3, column: 7, text: text.map(str::to_owned) }
    }

    #[test]
    fn an_error_is_drawn_with_its_causes_and_the_next_step() {
        let cause = io::Error::other("connection refused");
        let error = Error::failed("the backup failed").caused_by(&cause).hint("is the server running?");
        insta::assert_snapshot!(shown(&error), @r"
        x the backup failed
        `-> connection refused
        help: is the server running?
        ");
    }

    #[test]
    fn a_place_in_a_file_is_drawn_with_its_own_line_number() {
        let error =
            Error::configuration("tls \"maybe\" is not known").at(at(Some("tls = \"maybe\""))).hint("try prefer");
        insta::assert_snapshot!(shown(&error), @r#"
         x tls "maybe" is not known
          ,-[dbkeep.toml:3:7]
        2 | 
        3 | tls = "maybe"
          :       |
          :       `-- here
          `----
         help: try prefer
        "#);
        // Past the end of the line.
        let location = Location { column: 99, ..at(Some("url = ")) };
        insta::assert_snapshot!(shown(&Error::configuration("a value is missing").at(location)), @r"
         x a value is missing
          ,-[dbkeep.toml:3:7]
        2 | 
        3 | url = 
          :       |
          :       `-- here
          `----
        ");
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_only_named() {
        assert_eq!(
            shown(&Error::configuration("the url is wrong").at(at(None))),
            "  x the url is wrong (dbkeep.toml:3:7)\n"
        );
    }
}
