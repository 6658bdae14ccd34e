//! Where connections rest between borrowers. Lending one and taking it back needs neither the ledger nor its lock.
//!
//! A [`Shelf`] is a stack of the numbers of places (Treiber's, with a tag in its top against ABA), so the connection used last
//! is lent first. Whoever takes a number off the stack owns what lies in that place until it is put back.
//!
//! The same word that names the top says whether the ledger wants to see who comes: it marks the word before it looks at the
//! shelf a last time. What came to rest before is seen there, and who comes later finds the mark, so nobody waits beside a
//! connection that rests. `tests/shelf_model.rs` walks all interleavings.
//!
//! A pool is generic, so its code is compiled into the program that uses it; what is not generic here says `inline` where it is as
//! small as the call of it.

mod held;
mod notes;

use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64 as Count;
use std::time::Duration;

pub(crate) use self::held::{Card, Held, Loan, Seat, Wait};
pub(crate) use self::notes::{HeldTimes, UseCounts};
use self::notes::{Notes, nanos};
use crate::clock::Moment;
use crate::sync::{AtomicU32, AtomicU64, Ordering, Slot};
use crate::times::Times;

/// Of its own cache lines: neighbours have other borrowers.
#[derive(Debug)]
#[repr(align(128))]
struct Place<C> {
    /// The next lower place of the stack, plus one; 0: the last.
    below: AtomicU32,
    resting: Slot<Held<C>>,
    notes: Notes,
}

impl<C> Place<C> {
    fn new() -> Self {
        Self { below: AtomicU32::new(0), resting: Slot::new(), notes: Notes::default() }
    }
}

/// How many places the first chunk has; each further one has twice as many as the one before.
const FIRST_CHUNK: usize = 16;
const CHUNKS: usize = 14;

/// What is written all the time, apart from what is only read: in cache lines of its own, two because processors fetch pairs.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

/// The top of the stack: a tag, the ledger's mark, and the number of a place, plus one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Top(u64);

/// Set while the ledger wants to see every connection that comes back, and everybody who asks for one.
const MARK: u64 = 1 << 32;

impl Top {
    #[inline]
    fn is_marked(self) -> bool {
        self.0 & MARK != 0
    }

    #[inline]
    fn place(self) -> Option<usize> {
        (self.0 as u32).checked_sub(1).map(|number| number as usize)
    }

    /// The next top, with another tag.
    #[inline]
    fn then(self, place: u32, marked: bool) -> Self {
        let tag = (self.0 & !(MARK | u64::from(u32::MAX))).wrapping_add(MARK << 1);
        Self(tag | if marked { MARK } else { 0 } | u64::from(place))
    }
}

/// What became of an attempt to take a connection back without the ledger, which otherwise has to say what becomes of it.
pub(crate) enum Back<C> {
    Rests(Loan),
    /// It is still on loan.
    AskLedger(Box<Held<C>>),
    /// The loan is over, but the ledger was faster.
    Overtaken(Box<Held<C>>, Loan),
}

/// Connections at rest.
#[derive(Debug)]
pub(crate) struct Shelf<C> {
    top: Apart<AtomicU64>,
    epoch: AtomicU64,
    /// In nanoseconds.
    validate_after: Count,
    /// When the other side last gave reason for doubt, as a [number](Moment::number); 0: never.
    doubted_at: Count,
    chunks: [OnceLock<Box<[Place<C>]>>; CHUNKS],
}

impl<C> Shelf<C> {
    pub(crate) fn new(validate_after: Duration) -> Self {
        let shelf = Self {
            top: Apart(AtomicU64::new(0)),
            epoch: AtomicU64::new(0),
            validate_after: Count::new(0),
            doubted_at: Count::new(0),
            chunks: [const { OnceLock::new() }; CHUNKS],
        };
        shelf.set_validate_after(validate_after);
        shelf
    }

    pub(crate) fn set_validate_after(&self, age: Duration) {
        self.validate_after.store(nanos(age), Ordering::Relaxed);
    }

    /// Makes every connection that has not proved to work since then one to be checked before it is lent.
    pub(crate) fn doubt(&self, now: Moment) {
        self.doubted_at.store(now.number(), Ordering::Relaxed);
    }

    /// Whether a connection has to be checked before it is lent.
    pub(crate) fn is_stale(&self, card: &Card, now: Moment) -> bool {
        now.nanos_since(card.proven_at) > self.validate_after.load(Ordering::Relaxed)
            || card.proven_at.number() < self.doubted_at.load(Ordering::Relaxed)
    }

    // ---- borrowers -------------------------------------------------------------------------------------------------

    /// Lends the connection on top. `proven`: only one that worked a short time ago. `None`: nothing rests, or something is to be
    /// done first; the ledger knows.
    pub(crate) fn lend(
        &self,
        now: Moment,
        exact: bool,
        location: &'static Location<'static>,
        proven: bool,
    ) -> Option<Box<Held<C>>> {
        let mut held = self.pop(false)?;
        let card = &held.card;
        if card.epoch != self.epoch() || card.is_retired(now) || proven && self.is_stale(card, now) {
            self.put(held);
            return None;
        }
        self.begin(&mut held, Loan::new(now, exact, location));
        Some(held)
    }

    /// Takes a clean connection back. `proven`: when it last worked, if its borrower used it.
    pub(crate) fn take_back(&self, mut held: Box<Held<C>>, proven: Option<Moment>, now: Moment) -> Back<C> {
        let mut top = Top(self.top.0.load(Ordering::Acquire));
        // The epoch is looked at after the top: were it changed after this look, so would be the top's tag.
        if top.is_marked() || held.card.epoch != self.epoch() || held.card.is_aged(now) {
            return Back::AskLedger(held);
        }
        let (number, epoch) = (held.seat.0, held.card.epoch);
        let place = self.place(number);
        let loan = place.notes.end(&mut held, proven, now);
        held.card.idle_since = now;
        place.resting.put(held);
        loop {
            place.below.store(top.0 as u32, Ordering::Relaxed);
            let next = top.then(number as u32 + 1, false);
            match self.top.0.compare_exchange_weak(top.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Back::Rests(loan),
                Err(changed) => top = Top(changed),
            }
            if top.is_marked() || epoch != self.epoch() {
                let Some(held) = place.resting.take() else {
                    unreachable!("what has not come onto the stack is nobody else's")
                };
                return Back::Overtaken(held, loan);
            }
        }
    }

    /// The epoch that was last published.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    // ---- the ledger ------------------------------------------------------------------------------------------------

    /// Whether the ledger wants to see who comes. What the caller reads of the shelf afterwards is all there is.
    pub(crate) fn mark(&self, epoch: u64, marked: bool) {
        self.epoch.store(epoch, Ordering::Release);
        let mut top = Top(self.top.0.load(Ordering::Relaxed));
        loop {
            let next = top.then(top.0 as u32, marked);
            match self.top.0.compare_exchange_weak(top.0, next.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(changed) => top = Top(changed),
            }
        }
    }

    /// Makes sure that there is a place with this number.
    pub(crate) fn make_room(&self, number: usize) {
        let (chunk, _) = locate(number);
        self.chunks[chunk].get_or_init(|| (0..FIRST_CHUNK << chunk).map(|_| Place::new()).collect());
    }

    /// Puts a connection to rest.
    pub(crate) fn put(&self, held: Box<Held<C>>) {
        let number = held.seat.0;
        let place = self.place(number);
        place.resting.put(held);
        let mut top = Top(self.top.0.load(Ordering::Relaxed));
        loop {
            place.below.store(top.0 as u32, Ordering::Relaxed);
            let next = top.then(number as u32 + 1, top.is_marked());
            match self.top.0.compare_exchange_weak(top.0, next.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(changed) => top = Top(changed),
            }
        }
    }

    /// Takes the connection on top into the ledger's hands.
    pub(crate) fn take(&self) -> Option<Box<Held<C>>> {
        self.pop(true)
    }

    pub(crate) fn is_empty(&self) -> bool {
        Top(self.top.0.load(Ordering::Acquire)).place().is_none()
    }

    /// Begins a loan of a connection in somebody's hands.
    pub(crate) fn begin(&self, held: &mut Held<C>, loan: Loan) {
        self.place(held.seat.0).notes.begin(held, loan);
    }

    /// Begins the loan of somebody who waited for it.
    pub(crate) fn begin_after(&self, wait: Wait, held: &mut Held<C>, loan: Loan) {
        self.place(held.seat.0).notes.begin_after(wait, held, loan);
    }

    /// Ends a loan: the connection is in the ledger's hands. `proven`: when it last worked, if its borrower used it.
    pub(crate) fn end(&self, held: &mut Held<C>, proven: Option<Moment>, now: Moment) -> Loan {
        self.place(held.seat.0).notes.end(held, proven, now)
    }

    /// Ends a loan that never reached its borrower: as if it had not been.
    pub(crate) fn undo(&self, held: &mut Held<C>) {
        self.place(held.seat.0).notes.undo(held);
    }

    // ---- who looks on ----------------------------------------------------------------------------------------------

    /// Shows every loan, in no order: since when, and who has it.
    pub(crate) fn each_loan(&self, mut see: impl FnMut(Moment, &'static Location<'static>)) {
        for (since, location) in self.notes().filter_map(Notes::loan) {
            see(since, location);
        }
    }

    /// Notes down which loans have lasted too long, and shows each once.
    pub(crate) fn find_leaks(
        &self,
        is_leak: impl Fn(Moment) -> bool,
        mut found: impl FnMut(Moment, &'static Location<'static>),
    ) {
        for notes in self.notes() {
            let Some((since, location)) = notes.loan().filter(|(since, _)| is_leak(*since)) else { continue };
            if notes.leaked.swap(since.number(), Ordering::Relaxed) != since.number() {
                found(since, location);
            }
        }
    }

    /// What borrowers have done so far, all places together.
    pub(crate) fn use_counts(&self) -> UseCounts {
        let mut sum = UseCounts::default();
        for notes in self.notes() {
            sum.acquired += notes.acquired.load(Ordering::Relaxed);
            sum.acquired_new += notes.acquired_new.load(Ordering::Relaxed);
            sum.waited += Duration::from_nanos(notes.waited.load(Ordering::Relaxed));
            sum.used += Duration::from_nanos(notes.used.load(Ordering::Relaxed));
        }
        sum
    }

    /// How long loans have lasted so far, all places together.
    pub(crate) fn held_times(&self) -> HeldTimes {
        let mut sum = HeldTimes::default();
        self.notes().for_each(|notes| sum.add(&notes.held()));
        sum
    }

    /// How long those waited who did, all places together.
    pub(crate) fn waits(&self) -> Times {
        let mut sum = Times::default();
        self.notes().for_each(|notes| sum.add(&notes.waits()));
        sum
    }

    fn notes(&self) -> impl Iterator<Item = &Notes> {
        self.chunks.iter().filter_map(OnceLock::get).flat_map(|chunk| chunk.iter()).map(|place| &place.notes)
    }

    // ---- the stack -------------------------------------------------------------------------------------------------

    /// `always`: whether it is marked or not.
    fn pop(&self, always: bool) -> Option<Box<Held<C>>> {
        let mut top = Top(self.top.0.load(Ordering::Acquire));
        loop {
            if top.is_marked() && !always {
                return None;
            }
            let place = self.place(top.place()?);
            // Of a place that somebody else takes now, this is not true any more; the tag shows it.
            let next = top.then(place.below.load(Ordering::Relaxed), top.is_marked());
            match self.top.0.compare_exchange_weak(top.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => match place.resting.take() {
                    Some(held) => return Some(held),
                    None => unreachable!("a place on the shelf without a connection"),
                },
                Err(changed) => top = Top(changed),
            }
        }
    }

    #[inline]
    fn place(&self, number: usize) -> &Place<C> {
        let (chunk, offset) = locate(number);
        match self.chunks[chunk].get() {
            Some(places) => &places[offset],
            None => unreachable!("room is made for a place before it is used"),
        }
    }
}

#[cfg(test)]
impl<C> Shelf<C> {
    #[inline]
    pub(crate) fn is_marked(&self) -> bool {
        Top(self.top.0.load(Ordering::Acquire)).is_marked()
    }
}

#[cfg(test)]
impl<C: Clone> Clone for Shelf<C> {
    fn clone(&self) -> Self {
        let value = |count: &Count| count.load(Ordering::Relaxed);
        let copy = Self::new(Duration::from_nanos(value(&self.validate_after)));
        copy.doubted_at.store(value(&self.doubted_at), Ordering::Relaxed);
        copy.epoch.store(self.epoch(), Ordering::Relaxed);
        copy.top.0.store(self.top.0.load(Ordering::Relaxed), Ordering::Relaxed);
        for (chunk, places) in self.chunks.iter().enumerate() {
            let place = |place: &Place<C>| {
                let resting = Slot::new();
                if let Some(held) = place.resting.take() {
                    resting.put(held.clone());
                    place.resting.put(held);
                }
                let notes = place.notes.clone();
                Place { below: AtomicU32::new(place.below.load(Ordering::Relaxed)), resting, notes }
            };
            if let Some(places) = places.get() {
                copy.chunks[chunk].get_or_init(|| places.iter().map(place).collect());
            }
        }
        copy
    }
}

/// The chunk of a place, and where in it.
#[inline]
fn locate(number: usize) -> (usize, usize) {
    if number < FIRST_CHUNK {
        return (0, number);
    }
    let chunk = (number / FIRST_CHUNK + 1).ilog2() as usize;
    (chunk, number - FIRST_CHUNK * ((1 << chunk) - 1))
}
