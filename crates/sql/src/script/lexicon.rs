//! What scripts of an engine are made of.

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
