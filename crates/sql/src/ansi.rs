//! The standard's own spelling.

use crate::Dialect;

/// A dialect with no exceptions: the standard, as far as the engines agree on it. For documentation, tests and printing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ansi;

impl Dialect for Ansi {
    fn engine(&self) -> &'static str {
        "the SQL standard"
    }
}
