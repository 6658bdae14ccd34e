//! Values both ways: [`decode`] for results, [`encode`] for parameters, [`text`] for PostgreSQL's own text forms.

pub(super) mod decode;
pub(super) mod encode;
pub(super) mod line;
mod loss;
pub(super) mod name;
mod nested;
pub(super) mod text;

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's day zero.
const EPOCH_DAYS: i64 = 10_957;
/// The same in microseconds.
const EPOCH_MICROS: i128 = EPOCH_DAYS as i128 * 86_400_000_000;
