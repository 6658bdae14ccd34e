//! What is said of a table as a whole.

use crate::{Name, Path};

/// What is said of a new table as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct TableOptions {
    /// The storage engine.
    pub engine: Option<Name>,
    /// The character set of its texts.
    pub charset: Option<Name>,
    /// The collation of its texts.
    pub collation: Option<Path>,
    /// What is said of it for people.
    pub comment: Option<String>,
    /// Further options as the engine spells them.
    pub raw: Option<String>,
}

/// One of a table's options, to be changed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TableOption {
    /// The storage engine.
    Engine(Name),
    /// The character set and the collation of columns to come.
    Charset(Option<Name>, Option<Path>),
    /// What is said of it for people.
    Comment(String),
}
