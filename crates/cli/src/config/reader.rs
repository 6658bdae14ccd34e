//! Reads a TOML table key by key; whatever is wrong is named with its line.

use super::Variables;
use crate::error::{Error, Location, Result};
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Whether a line is not to be shown: it has a URL, or a key whose value is a secret.
fn may_hold_a_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    // Misspelt ones, too.
    ["://", "pas", "pw", "psw", "secret", "token", "key", "auth", "credential", "dsn"]
        .iter()
        .any(|mark| line.contains(mark))
}

/// A text with its name, for messages.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) file: &'s Path,
    pub(super) text: &'s str,
    pub(super) variables: &'s Variables,
}

impl Source<'_> {
    /// Line and column of a byte of the text.
    pub(super) fn location(&self, offset: usize) -> Location {
        let before = &self.text[..offset.min(self.text.len())];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[start..].lines().next().unwrap_or("");
        Location {
            file: self.file.display().to_string(),
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            text: (!may_hold_a_secret(line)).then(|| line.to_owned()),
        }
    }

    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> Error {
        Error::configuration(message).at(self.location(offset))
    }
}

/// One table of the file, with the keys it may have.
pub(super) struct Table<'t, 's> {
    source: Source<'s>,
    path: String,
    table: &'t DeTable<'s>,
}

impl<'t, 's> Table<'t, 's> {
    /// The table at `path`, all of whose keys must be among `known`; an empty list allows any.
    pub(super) fn new(source: Source<'s>, path: &str, table: &'t DeTable<'s>, known: &[&str]) -> Result<Self> {
        for (key, _) in table.iter().filter(|_| !known.is_empty()) {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let place = if path.is_empty() { "dbkeep.toml".to_owned() } else { format!("[{path}]") };
                let error = source.error(key.span().start, format!("the key {name:?} is not known in {place}"));
                return Err(match nearest(name, known.iter().copied()) {
                    Some(near) => error.hint(format!("did you mean {near:?}?")),
                    None => error.hint(format!("the keys are: {}", known.join(", "))),
                });
            }
        }
        Ok(Self { source, path: path.to_owned(), table })
    }

    fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'s>>> {
        self.table.get(key)
    }

    /// Where a key's value stands.
    pub(super) fn offset(&self, key: &str) -> usize {
        self.get(key).map_or(0, |value| value.span().start)
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn wrong(&self, key: &str, wanted: &str) -> Error {
        let found = self.get(key).map_or("nothing", |value| value.get_ref().type_str());
        self.source.error(self.offset(key), format!("{} must be {wanted}, not {found}", self.name(key)))
    }

    /// A complaint about a key's value.
    pub(super) fn complain(&self, key: &str, complaint: impl std::fmt::Display) -> Error {
        self.source.error(self.offset(key), format!("{} {complaint}", self.name(key)))
    }

    pub(super) fn table(&self, key: &str, known: &[&str]) -> Result<Option<Table<'t, 's>>> {
        match self.get(key).map(|value| value.get_ref()) {
            None => Ok(None),
            Some(DeValue::Table(table)) => Self::new(self.source, &self.name(key), table, known).map(Some),
            Some(_) => Err(self.wrong(key, "a table")),
        }
    }

    /// The tables of this table by key.
    pub(super) fn tables(&self, known: &[&str]) -> Result<Vec<(String, Table<'t, 's>)>> {
        self.table
            .iter()
            .map(|(key, _)| {
                let name = key.get_ref().to_string();
                let table = self.table(&name, known)?.ok_or_else(|| self.wrong(&name, "a table"))?;
                Ok((name, table))
            })
            .collect()
    }

    /// A text, with its variables filled in.
    pub(super) fn string(&self, key: &str) -> Result<Option<String>> {
        self.text(key, false)
    }

    /// A URL, with its variables filled in and encoded.
    pub(super) fn url(&self, key: &str) -> Result<Option<String>> {
        self.text(key, true)
    }

    fn text(&self, key: &str, in_url: bool) -> Result<Option<String>> {
        match self.get(key).map(|value| value.get_ref()) {
            None => Ok(None),
            Some(DeValue::String(text)) => self.source.variables.fill(text, in_url).map(Some).map_err(|why| {
                self.complain(key, format_args!("cannot be filled in: {why}"))
                    .hint("set it in the environment or in .env")
            }),
            Some(_) => Err(self.wrong(key, "a text in quotes")),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key).map(|value| value.get_ref()) {
            None => Ok(None),
            Some(DeValue::Boolean(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    /// A whole number from `least` up.
    pub(super) fn number(&self, key: &str, least: u64) -> Result<Option<u64>> {
        match self.get(key).map(|value| value.get_ref()) {
            None => Ok(None),
            Some(DeValue::Integer(number)) => integer(number)
                .filter(|number| *number >= least)
                .map(Some)
                .ok_or_else(|| self.complain(key, format_args!("must be a whole number from {least} up"))),
            Some(_) => Err(self.wrong(key, "a whole number")),
        }
    }

    /// Whether this word stands where a number may stand.
    ///
    /// # Errors
    /// When it is another word.
    pub(super) fn is_word(&self, key: &str, word: &str) -> Result<bool> {
        match self.get(key).map(|value| value.get_ref()) {
            Some(DeValue::String(text)) if text == word => Ok(true),
            Some(DeValue::String(_)) => {
                Err(self.complain(key, format_args!("must be a whole number without quotes, or \"{word}\"")))
            }
            _ => Ok(false),
        }
    }

    /// A number that may have a fraction.
    pub(super) fn percentage(&self, key: &str) -> Result<Option<f64>> {
        let number = match self.get(key).map(|value| value.get_ref()) {
            None => return Ok(None),
            Some(DeValue::Integer(number)) => integer(number).map(|number| number as f64),
            Some(DeValue::Float(number)) => number.as_str().parse().ok(),
            Some(_) => return Err(self.wrong(key, "a number")),
        };
        number
            .filter(|number: &f64| (0.0..=100.0).contains(number))
            .map(Some)
            .ok_or_else(|| self.complain(key, "must be a percentage from 0 to 100"))
    }

    /// A duration: `"500ms"`, `"30s"`, `"5m"`, `"1h"`, `"1d"`, or a number of seconds.
    pub(super) fn duration(&self, key: &str) -> Result<Option<Duration>> {
        let read = match self.get(key).map(|value| value.get_ref()) {
            None => return Ok(None),
            Some(DeValue::Integer(number)) => integer(number).map(Duration::from_secs),
            Some(DeValue::String(text)) => duration(text),
            Some(_) => return Err(self.wrong(key, "a duration such as \"30s\"")),
        };
        read.map(Some)
            .ok_or_else(|| self.complain(key, "is not a duration").hint("as in \"500ms\", \"30s\", \"5m\", \"1h\""))
    }

    /// The folder that relative paths count from.
    pub(super) fn folder(&self) -> &Path {
        self.source.file.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether a list is there and holds anything.
    pub(super) fn has_entries(&self, key: &str) -> Result<bool> {
        match self.get(key).map(|value| value.get_ref()) {
            None => Ok(false),
            Some(DeValue::Array(list)) => Ok(!list.is_empty()),
            Some(_) => Err(self.wrong(key, "a list")),
        }
    }
}

/// A whole number that is not negative, in any of TOML's notations.
fn integer(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Reads a duration; a bare number counts seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let milliseconds = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(milliseconds).map(Duration::from_millis)
}

/// The known word most like this one, if one is like it at all.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(word.len()).div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}
