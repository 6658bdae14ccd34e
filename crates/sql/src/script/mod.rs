//! Cuts the text of a script into its statements, as the engine's own client would.

mod body;
mod lexicon;
mod raw;
mod token;

pub use lexicon::Lexicon;

use body::Body;
pub(crate) use raw::{RawPiece, raw_pieces};
use std::fmt;
use token::{Kind, Token, line_end};

/// One statement of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement<'a> {
    /// The statement from its first to its last token, without its delimiter and without comments before or after it.
    pub text: &'a str,
    /// Where it starts in the script, in bytes.
    pub offset: usize,
    /// The line it starts on, counted from one.
    pub line: usize,
    /// The column it starts at, in characters, counted from one.
    pub column: usize,
    /// The lines that follow `COPY … FROM stdin;` up to the closing `\.`, where the script's language has them.
    pub data: Option<&'a str>,
}

/// A script that cannot be cut: a string, comment or body without an end, or a command for a client we are not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptError {
    /// Where the trouble starts, in bytes.
    pub offset: usize,
    /// The line, counted from one.
    pub line: usize,
    /// The column in characters, counted from one.
    pub column: usize,
    /// What is wrong, a fragment.
    pub message: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ScriptError {}

/// Cuts a script into its statements.
///
/// Semicolons in strings, comments, quoted names and bodies of triggers, routines and events end nothing. Comments between
/// statements are dropped; those within are kept, and version comments (`/*!50003 … */`) are statements of their own. The
/// last statement needs no semicolon.
///
/// ```
/// use dbkeep_sql::{Lexicon, split};
///
/// let script = "-- the first\nINSERT INTO t VALUES ('a;b');\nSELECT 1";
/// let statements = split(script, &Lexicon::default())?;
/// assert_eq!(statements.len(), 2);
/// assert_eq!(statements[0].text, "INSERT INTO t VALUES ('a;b')");
/// assert_eq!((statements[1].line, statements[1].column), (3, 1));
/// # Ok::<(), dbkeep_sql::ScriptError>(())
/// ```
///
/// # Errors
/// [`ScriptError`] where a string, comment or body has no end, or a line is a client's command that no server knows. It
/// stands where the trouble starts.
pub fn split<'a>(text: &'a str, lexicon: &Lexicon) -> Result<Vec<Statement<'a>>, ScriptError> {
    Splitter::new(text, lexicon).collect()
}

/// The statements of a script one by one, for scripts too long to hold all of them; see [`split`].
///
/// After an error there are no more.
#[derive(Debug)]
pub struct Splitter<'a> {
    text: &'a str,
    lexicon: Lexicon,
    delimiter: &'a str,
    at: usize,
    lines: Lines,
}

/// The commands of a client that dumps hold and that change nothing for us.
const IGNORED_COMMANDS: [&str; 2] = ["\\restrict", "\\unrestrict"];

impl<'a> Splitter<'a> {
    /// Starts at the beginning of the text.
    pub fn new(text: &'a str, lexicon: &Lexicon) -> Self {
        Self { text, lexicon: *lexicon, delimiter: ";", at: after_mark(text), lines: Lines::new(text) }
    }

    /// Reads what follows by other rules: after a statement that changed them, as a change of the session's SQL mode does.
    pub fn set_lexicon(&mut self, lexicon: &Lexicon) {
        self.lexicon = *lexicon;
    }

    fn read(&mut self) -> Result<Option<Statement<'a>>, ScriptError> {
        let Some(first) = self.find_start()? else { return Ok(None) };
        let mut body = Body::new(&self.lexicon);
        // Under a delimiter of its own, a script says itself where a body ends.
        let tracks_bodies = self.delimiter == ";";
        let mut version_comment = None;
        let mut end = first;
        loop {
            self.skip_white_space();
            if self.at == self.text.len() {
                break;
            }
            let complete = version_comment.is_none() && (!tracks_bodies || body.ends_at_semicolon());
            if complete && self.at_delimiter() {
                self.at += self.delimiter.len();
                return self.statement(first, end, body.has_copy_data()).map(Some);
            }
            let token = self.token(version_comment.is_some())?;
            match token.kind {
                Kind::VersionOpen => version_comment = Some(token.start),
                Kind::VersionClose => version_comment = None,
                Kind::Symbol(b'\\') if self.lexicon.backslash_commands => return Err(self.refused_command(token.start)),
                _ => {}
            }
            self.at = token.end;
            if token.kind != Kind::Comment {
                end = token.end;
            }
            if tracks_bodies {
                body.take(&token, self.text);
            }
        }
        if let Some(start) = version_comment {
            return Err(self.error(start, "the comment that starts here is not closed"));
        }
        if let Some(start) = body.open_block() {
            return Err(self.error(start, "the body that starts here is not closed with END"));
        }
        self.statement(first, end, body.has_copy_data()).map(Some)
    }

    /// Goes to the first token of the next statement, past comments, empty statements and client commands.
    fn find_start(&mut self) -> Result<Option<usize>, ScriptError> {
        loop {
            self.skip_white_space();
            if self.at == self.text.len() {
                return Ok(None);
            }
            if self.at_delimiter() {
                self.at += self.delimiter.len();
                continue;
            }
            let token = self.token(false)?;
            let text = &self.text[token.start..token.end];
            match token.kind {
                Kind::Comment => self.at = token.end,
                Kind::Symbol(b'\\') if self.lexicon.backslash_commands => {
                    let end = line_end(self.text.as_bytes(), self.at);
                    let command = self.text[self.at..end].split_whitespace().next();
                    if !command.is_some_and(|command| IGNORED_COMMANDS.contains(&command)) {
                        return Err(self.refused_command(self.at));
                    }
                    self.at = end;
                }
                Kind::Word if self.lexicon.delimiter_command && text.eq_ignore_ascii_case("delimiter") => {
                    self.take_delimiter(token)?;
                }
                _ => return Ok(Some(token.start)),
            }
        }
    }

    /// Reads `DELIMITER ;;` up to the end of its line.
    fn take_delimiter(&mut self, command: Token) -> Result<(), ScriptError> {
        let end = line_end(self.text.as_bytes(), command.end);
        let line = &self.text[command.end..end];
        let mut words = line.split_whitespace();
        let (Some(delimiter), rest) = (words.next(), words.next()) else {
            return Err(self.error(command.start, "DELIMITER names no delimiter"));
        };
        if delimiter.contains('\\') {
            return Err(self.error(command.start, "a delimiter cannot hold a backslash"));
        }
        if rest.is_some_and(|rest| !rest.starts_with("--") && !rest.starts_with('#')) {
            return Err(self.error(command.start, "DELIMITER stands on a line of its own"));
        }
        self.delimiter = delimiter;
        self.at = end;
        Ok(())
    }

    fn at_delimiter(&self) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let Some(after) = rest.strip_prefix(self.delimiter.as_bytes()) else { return false };
        // `go` ends a statement, the start of `gopher` does not.
        let in_word =
            self.delimiter.ends_with(token::is_word) && after.first().is_some_and(|b| token::is_word((*b).into()));
        !in_word && !rest.starts_with(b"/*")
    }

    fn token(&self, in_version: bool) -> Result<Token, ScriptError> {
        token::read(self.text, self.at, &self.lexicon, self.delimiter, in_version)
    }

    fn skip_white_space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at +=
            rest.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)).unwrap_or(rest.len());
    }

    fn statement(&mut self, first: usize, end: usize, has_data: bool) -> Result<Statement<'a>, ScriptError> {
        let (line, column) = self.lines.position(self.text, first);
        let data = if has_data { Some(self.copy_data(first)?) } else { None };
        Ok(Statement { text: &self.text[first..end], offset: first, line, column, data })
    }

    /// Reads the lines of data after a `COPY` statement.
    fn copy_data(&mut self, statement: usize) -> Result<&'a str, ScriptError> {
        let bytes = self.text.as_bytes();
        let start = (line_end(bytes, self.at) + 1).min(bytes.len());
        let mut at = start;
        while at < bytes.len() {
            let end = line_end(bytes, at);
            if self.text[at..end].trim_end_matches('\r') == "\\." {
                self.at = end;
                return Ok(&self.text[start..at]);
            }
            at = (end + 1).min(bytes.len());
        }
        Err(self.error(statement, "the data of this COPY is not closed with a line \\."))
    }

    fn refused_command(&self, at: usize) -> ScriptError {
        let word: String = self.text[at..].chars().take_while(|c| !c.is_whitespace()).take(40).collect();
        self.error(at, format!("{word} is a command of a client, not SQL; take it out of the script"))
    }

    fn error(&self, at: usize, message: impl Into<String>) -> ScriptError {
        ScriptError::new(self.text, at, message)
    }
}

impl<'a> Iterator for Splitter<'a> {
    type Item = Result<Statement<'a>, ScriptError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read().transpose();
        if let Some(Err(_)) = next {
            self.at = self.text.len();
        }
        next
    }
}

/// Counts lines forwards, so that a long script is read once.
#[derive(Debug)]
struct Lines {
    counted: usize,
    line: usize,
    column: usize,
}

impl Lines {
    fn new(text: &str) -> Self {
        Self { counted: after_mark(text), line: 1, column: 1 }
    }

    fn position(&mut self, text: &str, offset: usize) -> (usize, usize) {
        let passed = &text[self.counted..offset];
        match passed.rfind('\n') {
            Some(last) => {
                self.line += passed.bytes().filter(|b| *b == b'\n').count();
                self.column = passed[last + 1..].chars().count() + 1;
            }
            None => self.column += passed.chars().count(),
        }
        self.counted = offset;
        (self.line, self.column)
    }
}

/// Where the text starts after a byte order mark, which editors on Windows write.
fn after_mark(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}
