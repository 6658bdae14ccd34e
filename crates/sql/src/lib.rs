//! The language of dbkeep: values, identifiers, expressions, statements and the [`Dialect`] trait.
//!
//! Text and parameters come out; nothing here does I/O or waits.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod convert;
mod datetime;
mod decimal;
mod dialect;
mod ident;
mod script;
mod value;

pub use convert::{FromValue, FromValueError};
pub use datetime::{Date, DateTime, Interval, ParseDateTimeError, Time};
pub use decimal::{Decimal, ParseDecimalError};
pub use dialect::{Dialect, Lexicon, Unsupported};
pub use ident::{Ident, IdentError};
pub use script::{ScriptError, Splitter, Statement, split};
pub use value::{Bits, Value};
