//! Finds the placeholders in a piece of raw SQL.

use super::token::{self, Kind};
use crate::Lexicon;

/// A part of a piece of raw SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RawPiece<'a> {
    Sql(&'a str),
    Placeholder,
}

/// Cuts raw SQL at its placeholders. The error says what in it could swallow or end what stands around it.
pub(crate) fn raw_pieces<'a>(sql: &'a str, lexicon: &Lexicon) -> Result<Vec<RawPiece<'a>>, String> {
    let mut pieces = Vec::new();
    let mut depth = 0usize;
    let mut written = 0;
    let mut at = 0;
    let mut in_version = false;
    while let Some(byte) = sql.as_bytes().get(at) {
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let token =
            token::read(sql, at, lexicon, ";", in_version).map_err(|error| format!("is not complete: {error}"))?;
        match token.kind {
            Kind::Symbol(b'?') => {
                pieces.push(RawPiece::Sql(&sql[written..at]));
                let is_doubled = sql[token.end..].starts_with('?');
                pieces.push(if is_doubled { RawPiece::Sql("?") } else { RawPiece::Placeholder });
                written = token.end + usize::from(is_doubled);
                at = written;
                continue;
            }
            Kind::Symbol(b'(') => depth += 1,
            Kind::Symbol(b')') => depth = depth.checked_sub(1).ok_or("closes a parenthesis it did not open")?,
            Kind::Symbol(b';') => return Err("holds a semicolon outside of quotes".into()),
            Kind::Symbol(0) => return Err("holds a NUL character".into()),
            Kind::VersionOpen => in_version = true,
            Kind::VersionClose => in_version = false,
            Kind::Comment if token.end == sql.len() && !sql.ends_with("*/") => {
                return Err("ends in a comment, which would swallow what follows".into());
            }
            _ => {}
        }
        at = token.end;
    }
    if depth > 0 || in_version {
        return Err("opens a parenthesis or comment it does not close".into());
    }
    pieces.push(RawPiece::Sql(&sql[written..]));
    Ok(pieces)
}
