//! The names of migrations and of their files.

use super::{Error, ErrorKind, Result};
use jiff::civil::{Date, Time};
use std::fmt;
use std::path::Path;

/// How long the time at the start of a name is: `2026_11_22_120000`.
const VERSION: usize = 17;

/// The name of a migration: the time it was written, to the second, and what it does, as in
/// `2026_11_22_120000_create_users`. Names sort in the order in which migrations run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

impl Name {
    /// A name, if it is one: `YYYY_MM_DD_HHMMSS_` and letters, digits and underscores.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let bytes = text.as_bytes();
        let shape = b"0000_00_00_000000_";
        let fits = |(byte, shape): (&u8, &u8)| match shape {
            b'0' => byte.is_ascii_digit(),
            separator => byte == separator,
        };
        if bytes.len() < shape.len() || !bytes.iter().zip(shape).all(fits) {
            return Err("does not start with a time such as 2026_11_22_120000_");
        }
        let number = |range: std::ops::Range<usize>| text[range].parse::<i16>().unwrap_or(-1);
        let small = |range| i8::try_from(number(range)).unwrap_or(-1);
        if Date::new(number(0..4), small(5..7), small(8..10)).is_err() {
            return Err("starts with a date that no calendar has");
        }
        if Time::new(small(11..13), small(13..15), small(15..17), 0).is_err() {
            return Err("starts with a time that no clock shows");
        }
        let title = &text[VERSION + 1..];
        if title.is_empty() || !title.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err("has other characters than letters, digits and underscores after its time");
        }
        if text.len() > 255 {
            return Err("is longer than 255 characters");
        }
        Ok(Self(text.into()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The time at its start, `2026_11_22_120000`.
    pub fn version(&self) -> &str {
        &self.0[..VERSION]
    }

    /// What it does, `create_users`.
    pub fn title(&self) -> &str {
        &self.0[VERSION + 1..]
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which way a part of a migration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    Up,
    Down,
}

impl Direction {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

/// What the name of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    pub(crate) name: Name,
    /// Of a file that holds one part only.
    pub(crate) direction: Option<Direction>,
    /// Of a file that is for one engine or product only, in lower case.
    pub(crate) engine: Option<String>,
}

impl FileName {
    /// Reads a file's name; `None` when it is no file of ours: hidden, or without `.sql`.
    ///
    /// `known_engine` says whether a word names an engine at all, so that a typing error does not hide a migration.
    pub(crate) fn parse(path: &Path, known_engine: impl Fn(&str) -> bool) -> Result<Option<Self>> {
        let file = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let Some(stem) = strip_sql(&file) else { return Ok(None) };
        if file.starts_with(['.', '_']) {
            return Ok(None);
        }
        let refuse = |problem: &str| {
            Error::new(ErrorKind::File, format!("the file name {file:?} {problem}"))
                .with_hint("a migration is named like 2026_11_22_120000_create_users.sql")
        };
        let mut words = stem.split('.');
        let name = Name::parse(words.next().unwrap_or_default()).map_err(refuse)?;
        let (mut direction, mut engine) = (None, None);
        for word in words {
            let twice = match word.to_ascii_lowercase().as_str() {
                "up" => direction.replace(Direction::Up).is_some(),
                "down" => direction.replace(Direction::Down).is_some(),
                word if known_engine(word) => engine.replace(word.to_owned()).is_some(),
                _ => return Err(refuse(&format!("has an unknown word {word:?} between its points"))),
            };
            if twice {
                return Err(refuse("says the same thing twice"));
            }
        }
        Ok(Some(Self { name, direction, engine }))
    }
}

fn strip_sql(file: &str) -> Option<&str> {
    let at = file.len().checked_sub(4)?;
    let ending = file.get(at..)?;
    ending.eq_ignore_ascii_case(".sql").then(|| &file[..at])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(file: &str) -> Result<Option<FileName>> {
        FileName::parse(Path::new(file), |word| ["alpha", "beta"].contains(&word))
    }

    #[test]
    fn a_name_tells_when_what_and_for_whom() {
        let plain = parse("migrations/2026_11_22_120000_create_users.sql").unwrap().unwrap();
        assert_eq!(plain.name.version(), "2026_11_22_120000");
        assert_eq!(plain.name.title(), "create_users");
        assert_eq!((plain.direction, plain.engine), (None, None));
        for file in ["2026_11_22_120000_x.alpha.up.sql", "2026_11_22_120000_x.up.Alpha.SQL"] {
            let part = parse(file).unwrap().unwrap();
            assert_eq!((part.direction, part.engine.as_deref()), (Some(Direction::Up), Some("alpha")), "{file}");
        }
        for foreign in ["README.md", ".hidden.sql", "_draft.sql", "sql"] {
            assert_eq!(parse(foreign).unwrap(), None);
        }
    }

    #[test]
    fn a_bad_name_is_refused_with_what_is_wrong() {
        for (file, problem) in [
            ("create_users.sql", "does not start with a time such as 2026_11_22_120000_"),
            ("2026_13_22_120000_x.sql", "starts with a date that no calendar has"),
            ("2026_02_30_120000_x.sql", "starts with a date that no calendar has"),
            ("2026_11_22_250000_x.sql", "starts with a time that no clock shows"),
            ("2026_11_22_120000_.sql", "has other characters than letters, digits and underscores after its time"),
            ("2026_11_22_120000_a b.sql", "has other characters than letters, digits and underscores after its time"),
            ("2026_11_22_120000_x.gamma.sql", "has an unknown word \"gamma\" between its points"),
            ("2026_11_22_120000_x.up.down.sql", "says the same thing twice"),
        ] {
            assert_eq!(parse(file).unwrap_err().to_string(), format!("the file name {file:?} {problem}"));
        }
    }
}
