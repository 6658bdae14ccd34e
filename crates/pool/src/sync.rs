//! The primitives of synchronisation, which a model test replaces by its own.

pub(crate) use std::sync::{
    Mutex, MutexGuard, OnceLock,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Locks. No step under a lock leaves anything half done, so a panic elsewhere makes nothing unusable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Between two operations that are sequentially consistent, where their order counts. That is order enough, so there is nothing
/// to do; but loom takes such operations for weaker ones and needs a fence
/// (<https://docs.rs/loom/0.7/loom/index.html#limitations-and-caveats>).
pub(crate) fn in_this_order() {}
