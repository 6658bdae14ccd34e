//! What borrowers have done with the connections of one place, for who looks on.

use std::panic::Location;
use std::sync::atomic::{AtomicU64 as Count, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_utils::atomic::AtomicCell;

use super::held::{Held, Loan, SAMPLED, Wait};
use crate::clock::Moment;
use crate::times::{CallSite, Times};

/// How long loans lasted, in all and by who asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeldTimes {
    pub(crate) all: Times,
    pub(crate) sites: Vec<CallSite>,
}

impl HeldTimes {
    fn record(&mut self, location: &'static Location<'static>, time: Duration) {
        self.all.record(time);
        self.site(location).record(time);
    }

    fn site(&mut self, location: &'static Location<'static>) -> &mut Times {
        let at = match self.sites.iter().position(|site| site.location == location) {
            Some(at) => at,
            None => {
                self.sites.push(CallSite { location, held: Times::default() });
                self.sites.len() - 1
            }
        };
        &mut self.sites[at].held
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.all.add(&other.all);
        for site in &other.sites {
            self.site(site.location).add(&site.held);
        }
    }
}

/// What borrowers have done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UseCounts {
    pub(crate) acquired: u64,
    pub(crate) acquired_new: u64,
    pub(crate) waited: Duration,
    pub(crate) used: Duration,
}

/// For who looks on. Written only by whoever has the connection, so nothing here need be added to by two at once, and read
/// without any order: who looks on may see a loan that has just ended.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Since when it is lent, as a [number](Moment::number); 0: it is not.
    pub(super) lent_since: Count,
    pub(super) location: AtomicCell<Option<&'static Location<'static>>>,
    /// The `lent_since` of the loan that was reported as leaked.
    pub(super) leaked: Count,
    pub(super) acquired: Count,
    pub(super) acquired_new: Count,
    /// In nanoseconds.
    pub(super) waited: Count,
    pub(super) used: Count,
    held: Mutex<HeldTimes>,
    /// How long those waited who did.
    waits: Mutex<Times>,
}

#[inline]
fn add(count: &Count, more: u64) {
    count.store(count.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}

fn subtract(count: &Count, less: u64) {
    count.store(count.load(Ordering::Relaxed).saturating_sub(less), Ordering::Relaxed);
}

#[inline]
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Notes {
    pub(super) fn begin<C>(&self, held: &mut Held<C>, mut loan: Loan) {
        if !loan.exact && held.card.uses.is_multiple_of(SAMPLED) {
            (loan.since, loan.exact) = (Moment::now(), true);
        }
        add(&self.acquired, 1);
        if held.card.uses == 0 {
            add(&self.acquired_new, 1);
        }
        held.card.uses += 1;
        self.location.store(Some(loan.location));
        self.lent_since.store(loan.since.number(), Ordering::Release);
        held.loan = Some(loan);
    }

    pub(super) fn end<C>(&self, held: &mut Held<C>, proven: Option<Moment>, now: Moment) -> Loan {
        let Some(mut loan) = held.loan.take() else { unreachable!("a lease came back that was none") };
        self.lent_since.store(0, Ordering::Relaxed);
        loan.leaked = self.leaked.load(Ordering::Relaxed) == loan.since.number();
        let length = if loan.exact {
            let length = now.max(Moment::now()).nanos_since(loan.since);
            self.held().record(loan.location, Duration::from_nanos(length));
            length
        } else {
            now.nanos_since(loan.since)
        };
        add(&self.used, length);
        held.prove(proven);
        loan
    }

    /// As [`begin`](Self::begin), for somebody who waited.
    pub(super) fn begin_after<C>(&self, wait: Wait, held: &mut Held<C>, mut loan: Loan) {
        loan.waited = nanos(wait.time);
        add(&self.waited, loan.waited);
        if wait.stands_for > 0 {
            self.waits().record_as(wait.time, wait.stands_for);
        }
        self.begin(held, loan);
    }

    /// As if the loan had not been.
    pub(super) fn undo<C>(&self, held: &mut Held<C>) {
        if let Some(loan) = held.loan.take() {
            self.lent_since.store(0, Ordering::Relaxed);
            held.card.uses -= 1;
            subtract(&self.acquired, 1);
            if held.card.uses == 0 {
                subtract(&self.acquired_new, 1);
            }
            subtract(&self.waited, loan.waited);
        }
    }

    pub(super) fn held(&self) -> MutexGuard<'_, HeldTimes> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn waits(&self) -> MutexGuard<'_, Times> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn loan(&self) -> Option<(Moment, &'static Location<'static>)> {
        let since = Moment::of_number(self.lent_since.load(Ordering::Acquire))?;
        Some((since, self.location.load()?))
    }
}

#[cfg(test)]
impl Clone for Notes {
    fn clone(&self) -> Self {
        let copied = |count: &Count| Count::new(count.load(Ordering::Relaxed));
        Self {
            lent_since: copied(&self.lent_since),
            location: AtomicCell::new(self.location.load()),
            leaked: copied(&self.leaked),
            acquired: copied(&self.acquired),
            acquired_new: copied(&self.acquired_new),
            waited: copied(&self.waited),
            used: copied(&self.used),
            held: Mutex::new(self.held().clone()),
            waits: Mutex::new(self.waits().clone()),
        }
    }
}
