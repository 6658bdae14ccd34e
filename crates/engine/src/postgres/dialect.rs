//! How PostgreSQL spells SQL.

use dbkeep_sql::{Dialect, Lexicon};
use std::fmt::Write as _;

/// The spelling of PostgreSQL at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresDialect {
    version: (u32, u32, u32),
}

impl PostgresDialect {
    /// The spelling at this version (major, minor, patch; 0 where a version has no third number).
    pub const fn new(version: (u32, u32, u32)) -> Self {
        Self { version }
    }
}

impl Dialect for PostgresDialect {
    fn engine(&self) -> &'static str {
        "PostgreSQL"
    }

    // https://www.postgresql.org/docs/current/sql-prepare.html
    fn write_placeholder(&self, out: &mut String, number: usize) {
        // Writing to a string does not fail.
        let _ = write!(out, "${number}");
    }

    // https://www.postgresql.org/docs/current/sql-syntax-lexical.html, https://www.postgresql.org/docs/current/app-psql.html
    fn lexicon(&self) -> Lexicon {
        Lexicon {
            dollar_quotes: true,
            escape_strings: true,
            nested_comments: true,
            atomic_bodies: true,
            rule_actions: true,
            backslash_commands: true,
            copy_data: true,
            ..Lexicon::default()
        }
    }
}
