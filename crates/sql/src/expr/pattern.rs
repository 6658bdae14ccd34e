//! Texts that match a pattern, and texts put together.

use super::{Expr, Node, val};

/// How LIKE is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Like {
    pub(crate) negated: bool,
    /// The pattern escapes its literal characters with `!`.
    pub(crate) escaped: bool,
    /// Upper and lower case are one.
    pub(crate) any_case: bool,
}

impl Expr {
    /// Matches a pattern in which `%` stands for any text and `_` for one character. Whether case counts, and how a
    /// pattern escapes, is the engine's affair; [`contains`](Expr::contains) and its kin escape rightly everywhere.
    #[must_use]
    pub fn like(self, pattern: impl Into<Expr>) -> Expr {
        self.like_as(pattern, Like { negated: false, escaped: false, any_case: false })
    }

    /// Does not match a pattern; see [`like`](Expr::like).
    #[must_use]
    pub fn not_like(self, pattern: impl Into<Expr>) -> Expr {
        self.like_as(pattern, Like { negated: true, escaped: false, any_case: false })
    }

    /// Matches a pattern whatever the case, as far as the engine knows letters: SQLite only those of ASCII.
    #[must_use]
    pub fn ilike(self, pattern: impl Into<Expr>) -> Expr {
        self.like_as(pattern, Like { negated: false, escaped: false, any_case: true })
    }

    /// Does not match a pattern whatever the case; see [`ilike`](Expr::ilike).
    #[must_use]
    pub fn not_ilike(self, pattern: impl Into<Expr>) -> Expr {
        self.like_as(pattern, Like { negated: true, escaped: false, any_case: true })
    }

    /// Holds this text; `%` and `_` in it stand for themselves.
    #[must_use]
    pub fn contains(self, text: impl AsRef<str>) -> Expr {
        self.like_escaped(format!("%{}%", escape_pattern(text.as_ref())))
    }

    /// Begins with this text; `%` and `_` in it stand for themselves.
    #[must_use]
    pub fn starts_with(self, text: impl AsRef<str>) -> Expr {
        self.like_escaped(format!("{}%", escape_pattern(text.as_ref())))
    }

    /// Ends with this text; `%` and `_` in it stand for themselves.
    #[must_use]
    pub fn ends_with(self, text: impl AsRef<str>) -> Expr {
        self.like_escaped(format!("%{}", escape_pattern(text.as_ref())))
    }

    fn like_escaped(self, pattern: String) -> Expr {
        self.like_as(val(pattern), Like { negated: false, escaped: true, any_case: false })
    }

    fn like_as(self, pattern: impl Into<Expr>, like: Like) -> Expr {
        Expr(Node::Like(Box::new((self, pattern.into())), like))
    }

    /// This text and another one after it. NULL if one of them is.
    #[must_use]
    pub fn concat(self, other: impl Into<Expr>) -> Expr {
        let other = other.into();
        Expr(Node::Concat(match self.0 {
            Node::Concat(mut parts) => {
                parts.push(other);
                parts
            }
            node => vec![Expr(node), other],
        }))
    }
}

/// `!` escapes rather than a backslash, which some engines' strings treat as an escape of their own.
fn escape_pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            out.push('!');
        }
        out.push(c);
    }
    out
}
