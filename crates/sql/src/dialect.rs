//! How an engine spells SQL: the standard here, the exceptions in each engine's own folder.

use crate::Ident;
use std::fmt;

/// How one engine, at one version, spells SQL.
///
/// The defaults are the standard's; an engine overrides what it does differently.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// The engine's name, for messages.
    fn engine(&self) -> &'static str;

    /// Appends a name in quotes, the quote doubled inside.
    fn write_ident(&self, out: &mut String, name: &Ident) {
        write_quoted(out, name.as_str(), '"');
    }

    /// Appends the placeholder of parameter `number`, counted from one.
    fn write_placeholder(&self, out: &mut String, number: usize) {
        let _ = number;
        out.push('?');
    }

    /// How many parameters one statement may have.
    fn max_parameters(&self) -> usize {
        65_535
    }

    /// How scripts are cut into statements.
    fn lexicon(&self) -> Lexicon {
        Lexicon::default()
    }
}

/// Appends `text` between two `quote` characters, doubling those inside.
pub(crate) fn write_quoted(out: &mut String, text: &str, quote: char) {
    out.push(quote);
    for c in text.chars() {
        if c == quote {
            out.push(quote);
        }
        out.push(c);
    }
    out.push(quote);
}

/// What the text of a script may hold besides the standard's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lexicon {
    /// A backslash escapes the next character in a string.
    pub backslash_escapes: bool,
    /// `$tag$ … $tag$` is a string.
    pub dollar_quotes: bool,
    /// `E'…'` is a string with backslash escapes.
    pub escape_strings: bool,
    /// `` `name` `` is a quoted name.
    pub backtick_names: bool,
    /// `[name]` is a quoted name.
    pub bracket_names: bool,
    /// `#` starts a comment.
    pub hash_comments: bool,
    /// `--` starts a comment only where white space follows.
    pub dash_comments_need_space: bool,
    /// `/* … */` nests.
    pub nested_comments: bool,
    /// Client commands such as `DELIMITER ;;` may stand in a script.
    pub delimiter_command: bool,
    /// Bodies of triggers, routines and events hold statements between `BEGIN` and `END`.
    pub compound_bodies: bool,
    /// Bodies of routines hold statements between `BEGIN ATOMIC` and `END`.
    pub atomic_bodies: bool,
    /// `CREATE RULE … DO (…; …)` holds statements in parentheses.
    pub rule_actions: bool,
    /// `/*!50003 … */` is code for servers from that version on.
    pub version_comments: bool,
    /// A line that starts with a backslash is a command for the client.
    pub backslash_commands: bool,
    /// Data follow `COPY … FROM stdin;` up to a line `\.`.
    pub copy_data: bool,
}

/// A clause the engine does not know, found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// What was asked for, as SQL spells it.
    pub clause: &'static str,
    /// The engine that lacks it.
    pub engine: &'static str,
    /// The version that has it, where one has.
    pub since: Option<&'static str>,
    /// What to do instead.
    pub hint: &'static str,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not know {}", self.engine, self.clause)?;
        match self.since {
            Some(since) => write!(f, " (known since {since})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unsupported {}
