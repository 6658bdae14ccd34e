//! What every benchmark has: what is wanted of it, and figures that are told.

mod report;
mod wanted;

pub use report::{Figure, Goal, Report, median};
pub use wanted::Wanted;
