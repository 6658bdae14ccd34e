//! The primitives of synchronisation, or their models in a walk of all interleavings.

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard, OnceLock,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Locks. No step under a lock leaves anything half done, so a panic elsewhere makes nothing unusable.
#[cfg(not(loom))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
