//! What every benchmark has: what is wanted of it, tasks that work at once, a place on a server, and figures that are told.

mod ground;
pub mod points;
mod report;
mod together;
mod wanted;

pub use ground::{Ground, options};
pub use report::{Figure, Goal, Report, median};
pub use together::{Waits, runtime, seconds, together};
pub use wanted::Wanted;
