//! A place in a file of SQL, for messages.

use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a file: where a migration or a seed went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one.
    pub line: usize,
    /// The column in characters, counted from one.
    pub column: usize,
    /// The line itself, without its end.
    pub text: String,
}

impl Location {
    /// The place of a byte of a text. Past its end counts as its end, inside a character as its start.
    pub(crate) fn of_byte(file: &Path, text: &str, byte: usize) -> Self {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let start = text[..byte].rfind('\n').map_or(0, |at| at + 1);
        let end = text[byte..].find('\n').map_or(text.len(), |at| byte + at);
        Self {
            file: file.to_owned(),
            line: text[..start].bytes().filter(|b| *b == b'\n').count() + 1,
            column: text[start..byte].chars().count() + 1,
            text: text[start..end].trim_end().to_owned(),
        }
    }

    /// The start of a line, counted from one.
    pub(crate) fn of_line(file: &Path, text: &str, line: usize) -> Self {
        let content = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
        Self { file: file.to_owned(), line, column: 1, text: content.trim_end().to_owned() }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let text = "eins\r\nzwei ü drei\n";
        let at = |byte| Location::of_byte(Path::new("a.sql"), text, byte);
        assert_eq!(at(0).to_string(), "a.sql:1:1");
        let behind_umlaut = text.find("drei").unwrap_or_default();
        assert_eq!((at(behind_umlaut).line, at(behind_umlaut).column), (2, 8));
        assert_eq!(at(behind_umlaut).text, "zwei ü drei");
        assert_eq!(at(0).text, "eins");
        assert_eq!(at(999).to_string(), "a.sql:3:1");
    }
}
