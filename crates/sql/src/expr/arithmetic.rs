//! Numbers put together.

use super::{Expr, Node};
use std::ops;

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(crate) const fn as_sql(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $operator:ident: $doc:literal;)*) => {
        $(
            impl<T: Into<Expr>> ops::$trait<T> for Expr {
                type Output = Expr;

                fn $method(self, other: T) -> Expr {
                    Expr::$method(self, other)
                }
            }
        )*

        impl Expr {
            $(
                #[doc = $doc]
                #[must_use]
                // It does what the trait's method does, and reads on in a chain without importing the trait.
                #[allow(clippy::should_implement_trait)]
                pub fn $method(self, other: impl Into<Expr>) -> Expr {
                    Expr(Node::Arithmetic(Box::new((self, other.into())), Arithmetic::$operator))
                }
            )*
        }
    };
}

arithmetic! {
    Add add Add: "The sum; `+` does the same.";
    Sub sub Subtract: "The difference; `-` does the same.";
    Mul mul Multiply: "The product; `*` does the same.";
    Div div Divide: "The quotient; `/` does the same. Of integers, some engines give an integer.";
    Rem rem Remainder: "The remainder; `%` does the same.";
}
