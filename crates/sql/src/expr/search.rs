//! Words looked for in texts, by an index made for that.

use super::{ColumnExpr, Expr, Node};
use crate::Text;

/// A search by words; see [`matches()`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a search is used as a condition"]
pub struct Search {
    /// The columns, or expressions, that are searched together.
    pub columns: Vec<Expr>,
    /// The words.
    pub words: Expr,
    /// How the words are read.
    pub mode: SearchMode,
    /// The language whose words and endings are known, where the engine has several.
    pub language: Option<Text>,
}

/// How the words of a search are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SearchMode {
    /// As plain words.
    #[default]
    Natural,
    /// With operators in the engine's own language, such as `+must -not "as a phrase"`.
    Boolean,
}

/// Rows in whose columns these words are: MySQL's and MariaDB's `MATCH … AGAINST`, which needs a full-text index over just these
/// columns, and PostgreSQL's `@@`. SQLite has tables of their own for that (FTS5) and is refused.
///
/// MySQL and MariaDB find rows with any of the words, PostgreSQL those with all of them.
pub fn matches<T: Into<ColumnExpr>>(columns: impl IntoIterator<Item = T>, words: impl Into<Expr>) -> Search {
    Search {
        columns: columns.into_iter().map(|column| column.into().0).collect(),
        words: words.into(),
        mode: SearchMode::Natural,
        language: None,
    }
}

impl Search {
    /// Reads operators in the words, in the engine's own language.
    pub fn boolean(mut self) -> Self {
        self.mode = SearchMode::Boolean;
        self
    }

    /// Knows the words and endings of this language, on PostgreSQL: a text search configuration such as `english`, the one its index
    /// was made with. Default: the session's.
    pub fn language(mut self, language: impl Into<Text>) -> Self {
        self.language = Some(language.into());
        self
    }

    pub(super) fn children(&self, visit: &mut dyn FnMut(&Expr)) {
        self.columns.iter().for_each(&mut *visit);
        visit(&self.words);
    }
}

impl From<Search> for Expr {
    fn from(search: Search) -> Self {
        Expr(Node::Search(Box::new(search)))
    }
}
