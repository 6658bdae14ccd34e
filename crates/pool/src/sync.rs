//! The primitives of synchronisation, which a model test replaces by its own.

use std::mem::ManuallyDrop;

use crossbeam_utils::atomic::AtomicCell;

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};

/// Locks. No step under a lock leaves anything half done, so a panic elsewhere makes nothing unusable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Room for one thing, which one thread puts there and another takes. What is put where something lies already is lost.
///
/// By hand, because a cell that drops what it overwrites has to look what that was, and nothing ever is.
pub(crate) struct Slot<T>(AtomicCell<ManuallyDrop<Option<Box<T>>>>);

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        // As wide as a pointer: no lock hides in it.
        const { assert!(AtomicCell::<ManuallyDrop<Option<Box<T>>>>::is_lock_free()) };
        Self(AtomicCell::new(ManuallyDrop::new(None)))
    }

    pub(crate) fn put(&self, thing: Box<T>) {
        self.0.store(ManuallyDrop::new(Some(thing)));
    }

    pub(crate) fn take(&self) -> Option<Box<T>> {
        ManuallyDrop::into_inner(self.0.swap(ManuallyDrop::new(None)))
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T> std::fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // To look is to take.
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
