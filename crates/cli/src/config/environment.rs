//! Environment variables, with those of a `.env` file beneath them.

use crate::error::{Error, Location, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The variables of the process over those of `.env`. An empty variable counts as absent.
#[derive(Clone, Default)]
pub(crate) struct Variables {
    process: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
}

impl Variables {
    /// The process's own variables.
    pub(crate) fn of_process() -> Self {
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { process, dotenv: BTreeMap::new() }
    }

    /// These, as if they were the process's own.
    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let process = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { process, dotenv: BTreeMap::new() }
    }

    /// One variable alone.
    pub(crate) fn one(name: &str, value: &str) -> Self {
        Self { process: BTreeMap::from([(name.to_owned(), value.to_owned())]), dotenv: BTreeMap::new() }
    }

    /// These, with `other`'s above them.
    pub(crate) fn under(mut self, other: &Self) -> Self {
        self.process.extend(other.process.iter().map(|(name, value)| (name.clone(), value.clone())));
        self
    }

    /// Adds those of a `.env` file, if it is there. Values are taken as they stand: `$` in a password means itself inside
    /// single quotes.
    pub(crate) fn with_dotenv(mut self, file: &Path) -> Result<Self> {
        if !file.is_file() {
            return Ok(self);
        }
        let unread = |error| cannot_read(file, &dotenvy::Error::Io(error));
        let bytes = std::fs::read(file).map_err(unread)?;
        // Editors on Windows begin a file with a mark of its encoding.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        for entry in dotenvy::from_read_iter(text) {
            let (name, value) = entry.map_err(|error| cannot_read(file, &error))?;
            self.dotenv.insert(name, value);
        }
        Ok(self)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.process
            .get(name)
            .filter(|value| !value.is_empty())
            .or_else(|| self.dotenv.get(name))
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a variable is the process's own rather than one of `.env`.
    pub(super) fn is_of_process(&self, name: &str) -> bool {
        self.process.get(name).is_some_and(|value| !value.is_empty())
    }

    /// Every variable, for seeds that use them.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        let mut all = self.dotenv.clone();
        all.extend(
            self.process
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        all
    }

    /// The text with each `${NAME}` and `${NAME:-default}` replaced. With `in_url`, a variable that is only a part of the
    /// text is percent-encoded, so that a password may hold any character.
    ///
    /// The error is the name that is missing or the reason.
    pub(crate) fn fill(&self, text: &str, in_url: bool) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let inner = &rest[at + 2..];
            let end = inner.find('}').ok_or("a ${ without its }")?;
            let (name, default) =
                inner[..end].split_once(":-").map_or((&inner[..end], None), |(name, default)| (name, Some(default)));
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                // What stands there may be a part of a password.
                return Err("a ${…} that names no variable".to_owned());
            }
            let value = self.get(name).or(default).ok_or_else(|| format!("the variable {name} is not set"))?;
            let whole = at == 0 && end + 3 == text.len();
            if in_url && !whole {
                out.push_str(&encode(value))
            } else {
                out.push_str(value)
            }
            rest = &inner[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").field("dotenv", &self.dotenv.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3).
pub(super) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// The error without the line's content, which may be a secret.
fn cannot_read(file: &Path, error: &dotenvy::Error) -> Error {
    let shown = file.display().to_string();
    match error {
        dotenvy::Error::LineParse(line, at) => {
            // What cannot be read is the line, or only its value.
            let (number, before) = std::fs::read_to_string(file)
                .ok()
                .and_then(|text| {
                    text.lines().enumerate().find_map(|(index, candidate)| {
                        candidate.trim_end().strip_suffix(line.trim()).map(|before| (index + 1, before.chars().count()))
                    })
                })
                .unwrap_or((1, 0));
            Error::configuration(format!("{shown} is not a list of NAME=value"))
                .hint("put values with spaces or # in quotes, and those with $ or \\ in single quotes")
                .at(Location { file: shown, line: number, column: before + at + 1, text: None })
        }
        other => Error::configuration(format!("{shown} cannot be read")).caused_by(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables::of(pairs)
    }

    #[test]
    fn variables_are_filled_in_and_encoded_inside_a_url() {
        let known = variables(&[("PW", "p@ss/w#rd"), ("URL", "mysql://a:b@c/d"), ("EMPTY", "")]);
        assert_eq!(known.fill("mysql://app:${PW}@db/x", true).unwrap(), "mysql://app:p%40ss%2Fw%23rd@db/x");
        assert_eq!(known.fill("${URL}", true).unwrap(), "mysql://a:b@c/d");
        assert_eq!(known.fill("a ${PW}", false).unwrap(), "a p@ss/w#rd");
        assert_eq!(known.fill("${NONE:-x}${EMPTY:-y}", false).unwrap(), "xy");
        assert_eq!(known.fill("${NONE}", false).unwrap_err(), "the variable NONE is not set");
        assert_eq!(known.fill("${NO NE}", false).unwrap_err(), "a ${…} that names no variable");
        assert_eq!(known.fill("${NONE", false).unwrap_err(), "a ${ without its }");
        assert_eq!(known.fill("$PW {}", false).unwrap(), "$PW {}");
    }

    #[test]
    fn debug_output_shows_no_value() {
        let shown = format!("{:?}", variables(&[("PW", "secret")]));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
