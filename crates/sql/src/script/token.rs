//! Cuts SQL text into tokens, only as fine as finding the ends of statements needs.

use super::{Lines, ScriptError};
use crate::Lexicon;

/// What a piece of the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a bare name.
    Word,
    /// A number, or anything else that starts with a digit.
    Number,
    /// A string or a quoted name.
    Quoted,
    /// A comment.
    Comment,
    /// `/*!50003` or `/*M!`: what follows is code for some servers.
    VersionOpen,
    /// The `*/` that ends such code.
    VersionClose,
    /// One character of anything else.
    Symbol(u8),
}

/// A piece of the text from `start` to before `end`, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Reads the token that starts at `at`, which must not be at white space or the end of the text.
///
/// `delimiter` ends a word early, since `END$$` is a word and a delimiter; `in_version` says that a `*/` closes code.
pub(super) fn read(
    text: &str,
    at: usize,
    lexicon: &Lexicon,
    delimiter: &str,
    in_version: bool,
) -> Result<Token, ScriptError> {
    let bytes = text.as_bytes();
    let token = |kind, end| Ok(Token { kind, start: at, end });
    let unclosed = |what: &str| Err(ScriptError::new(text, at, format!("{what} that starts here is not closed")));
    let quoted = |end: Option<usize>, what: &str| match end {
        Some(end) => token(Kind::Quoted, end),
        None => unclosed(what),
    };
    let rest = &bytes[at..];
    match rest[0] {
        b'\'' => quoted(quote_end(bytes, at + 1, b'\'', lexicon.backslash_escapes), "the string"),
        b'"' => quoted(quote_end(bytes, at + 1, b'"', lexicon.backslash_escapes), "the quoted text"),
        b'`' if lexicon.backtick_names => quoted(quote_end(bytes, at + 1, b'`', false), "the quoted name"),
        b'[' if lexicon.bracket_names => {
            quoted(rest.iter().position(|b| *b == b']').map(|len| at + len + 1), "the quoted name")
        }
        b'$' if lexicon.dollar_quotes => match dollar_tag(rest) {
            Some(tag) => {
                let body = at + tag;
                let end = text[body..].find(&text[at..body]).map(|len| body + len + tag);
                quoted(end, &format!("the {} string", &text[at..body]))
            }
            None => token(Kind::Symbol(b'$'), at + 1),
        },
        b'-' if rest.starts_with(b"--")
            && (!lexicon.dash_comments_need_space || rest.get(2).is_none_or(|b| *b <= b' ')) =>
        {
            token(Kind::Comment, line_end(bytes, at))
        }
        b'#' if lexicon.hash_comments => token(Kind::Comment, line_end(bytes, at)),
        b'/' if lexicon.version_comments && (rest.starts_with(b"/*!") || rest.starts_with(b"/*M!")) => {
            let mark = if rest[2] == b'!' { 3 } else { 4 };
            let digits = rest[mark..].iter().take_while(|b| b.is_ascii_digit()).count();
            token(Kind::VersionOpen, at + mark + digits)
        }
        b'/' if rest.starts_with(b"/*") => match comment_end(bytes, at + 2, lexicon.nested_comments) {
            Some(end) => token(Kind::Comment, end),
            None => unclosed("the comment"),
        },
        b'*' if in_version && rest.starts_with(b"*/") => token(Kind::VersionClose, at + 2),
        b'E' | b'e' if lexicon.escape_strings && rest.get(1) == Some(&b'\'') => {
            quoted(quote_end(bytes, at + 2, b'\'', true), "the string")
        }
        b'0'..=b'9' => token(Kind::Number, word_end(bytes, at, delimiter)),
        first if is_word_start(first) => token(Kind::Word, word_end(bytes, at, delimiter)),
        first => token(Kind::Symbol(first), at + 1),
    }
}

/// After the quote that closes, a doubled one standing for itself.
fn quote_end(bytes: &[u8], mut at: usize, quote: u8, backslash: bool) -> Option<usize> {
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == quote || (backslash && *b == b'\\'))?;
        if bytes[at] == quote && bytes.get(at + 1) != Some(&quote) {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The length of `$$` or `$tag$` at the start of `bytes`.
fn dollar_tag(bytes: &[u8]) -> Option<usize> {
    let len = bytes[1..].iter().position(|b| !is_word_start(*b) && !b.is_ascii_digit())?;
    (bytes[len + 1] == b'$' && !bytes[1].is_ascii_digit()).then_some(len + 2)
}

fn comment_end(bytes: &[u8], mut at: usize, nested: bool) -> Option<usize> {
    let mut depth = 1usize;
    loop {
        at += bytes.get(at..)?.iter().position(|b| *b == b'*' || *b == b'/')?;
        if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else if nested && bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else {
            at += 1;
        }
    }
}

/// Where the line that holds `at` ends, before its line feed.
pub(super) fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |len| at + len)
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// Whether a word may go on with this character.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn word_end(bytes: &[u8], start: usize, delimiter: &str) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        let belongs = is_word_start(*byte) || byte.is_ascii_digit() || *byte == b'$';
        // A delimiter made of letters ends nothing in the middle of a word, as `go` in `cargo`.
        let delimited = !byte.is_ascii_alphanumeric() && bytes[at..].starts_with(delimiter.as_bytes());
        if !belongs || delimited {
            break;
        }
        at += 1;
    }
    at
}

impl ScriptError {
    pub(super) fn new(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = Lines::new(text).position(text, offset);
        Self { offset, line, column, message: message.into() }
    }
}
