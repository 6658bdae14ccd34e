//! What a seed does with rows that are there already.

use serde::Serialize;

/// What a seed does with rows that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mode {
    /// They are made what the seed says, in the columns it fills.
    #[default]
    Upsert,
    /// They are left alone, whatever they hold: for rows that users may change.
    InsertMissing,
}

impl Mode {
    /// The mode of this name: `upsert`, `insert-missing`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "upsert" => Some(Mode::Upsert),
            "insert-missing" | "insert_missing" => Some(Mode::InsertMissing),
            _ => None,
        }
    }
}
