//! Values of one type read as another.

use super::{Expr, Node};

/// What an expression can be cast to, spelled by each dialect in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CastType {
    /// A signed integer of 64 bits.
    Integer,
    /// An unsigned integer of 64 bits. Where there is none, a number with enough digits.
    Unsigned,
    /// A float of double precision.
    Double,
    /// An exact number: digits in all, digits after the point. SQLite has none and is refused.
    Decimal(u16, u16),
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A calendar date.
    Date,
    /// A time of day, to the microsecond.
    Time,
    /// A date and time without a zone, to the microsecond.
    DateTime,
    /// A JSON document.
    Json,
}

impl Expr {
    /// Read as another type: `CAST(… AS …)`. What cannot be read so is an error on some engines, and zero, NULL or the
    /// part that can be read on others.
    #[must_use]
    pub fn cast(self, to: CastType) -> Expr {
        Expr(Node::Cast(Box::new((self, to))))
    }
}
