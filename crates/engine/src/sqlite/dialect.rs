//! How SQLite spells SQL.

use dbkeep_sql::{Dialect, Lexicon};

/// The spelling of SQLite at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteDialect {
    version: (u32, u32, u32),
}

impl SqliteDialect {
    /// The spelling at this version (major, minor, patch).
    pub const fn new(version: (u32, u32, u32)) -> Self {
        Self { version }
    }
}

impl Dialect for SqliteDialect {
    fn engine(&self) -> &'static str {
        "SQLite"
    }

    // SQLITE_LIMIT_VARIABLE_NUMBER, https://www.sqlite.org/limits.html
    fn max_parameters(&self) -> usize {
        32_766
    }

    // https://www.sqlite.org/lang_keywords.html
    fn lexicon(&self) -> Lexicon {
        Lexicon { backtick_names: true, bracket_names: true, compound_bodies: true, ..Lexicon::default() }
    }
}
