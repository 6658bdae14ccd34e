//! What a statement does to those who use the table while it runs.

use std::fmt;

/// A statement that changes the schema, and what it does to those who use the table meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ddl {
    /// The text. It has no parameters.
    pub sql: String,
    /// What it does to others while it runs, on this engine at this version.
    pub impact: Impact,
}

/// What a statement does to those who use the table while it runs.
///
/// Every change of a table also waits for a short moment in which nobody uses it, and whoever comes later waits behind it:
/// behind a long transaction, even an instant change stops a busy table. A limit to that wait (`lock_timeout`,
/// `lock_wait_timeout`) is the cure on every engine.
///
/// What the builder cannot know (what a column was before) counts as the worst that can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Impact {
    /// Who has to wait for as long as it runs.
    pub locks: LockClass,
    /// Whether every row is written anew, which takes time and as much space again; `None` where that is not known.
    pub rewrites: Option<bool>,
    /// How the engine goes about it.
    pub method: Method,
    /// What else is to be known; empty where nothing is.
    pub note: &'static str,
    /// Where the vendor says so.
    pub source: &'static str,
}

impl Impact {
    /// Of the definition alone; no row is looked at.
    pub const fn instant(source: &'static str) -> Self {
        Self { locks: LockClass::Nothing, rewrites: Some(false), method: Method::Instant, note: "", source }
    }

    /// Nothing is known.
    pub const fn unknown() -> Self {
        Self { locks: LockClass::Unknown, rewrites: None, method: Method::Unknown, note: "", source: "" }
    }

    /// With this to be known, too.
    #[must_use]
    pub const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }
}

impl fmt::Display for Impact {
    /// In a few words: `locks writes, rewrites the table, by copy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.locks {
            LockClass::Nothing => "locks nobody out",
            LockClass::Writes => "locks writes",
            LockClass::ReadsAndWrites => "locks reads and writes",
            LockClass::Unknown => "may lock anything",
        })?;
        f.write_str(match self.rewrites {
            Some(true) => ", rewrites the table",
            Some(false) => "",
            None => ", may rewrite the table",
        })?;
        f.write_str(match self.method {
            Method::Instant => ", instant",
            Method::InPlace => ", in place",
            Method::Scan => ", reads every row",
            Method::Copy => ", by copy",
            Method::Unknown => "",
        })
    }
}

/// Who has to wait while a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LockClass {
    /// Nobody, but for the moment in which it begins or ends.
    Nothing,
    /// Those who write.
    Writes,
    /// Everybody.
    ReadsAndWrites,
    /// It cannot be told.
    Unknown,
}

/// How an engine goes about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Only the definition changes.
    Instant,
    /// The table stays where it is; something is built or written beside it.
    InPlace,
    /// Every row is read and tested.
    Scan,
    /// Every row goes into a new table.
    Copy,
    /// It cannot be told.
    Unknown,
}
