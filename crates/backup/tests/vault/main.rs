//! The vault from the outside: what is written comes back, and what goes wrong is said.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod damage;
mod failure;
mod killed;
mod opening;
mod round_trip;
mod stock_restic;
mod support;
