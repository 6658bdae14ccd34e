//! What an expression means: one value, the same on every engine.

#![cfg(all(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used)]

mod fixture;
mod meaning;
