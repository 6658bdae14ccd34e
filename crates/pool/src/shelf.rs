//! Where connections rest between borrowers. Lending one and taking it back needs neither the ledger nor its lock.
//!
//! A [`Shelf`] is a stack of the numbers of places (Treiber's, with a tag in its top against ABA), so the connection used last
//! is lent first. Whoever takes a number off the stack owns the place until it is put back: the lock of a place is never
//! waited for, except by who looks at borrowers.
//!
//! The [`gate`](Shelf::gate) says whether borrowing and returning may go by here at all. The ledger sets its bit of attention
//! before it looks at the shelf a last time, and who returns a connection looks at the gate again after putting it there. Both
//! in one order that all threads agree on, so one of the two sees the other: nobody waits beside a connection that rests
//! ([Dekker's idea](https://www.cs.utexas.edu/~EWD/transcriptions/EWD01xx/EWD123.html)). `tests/shelf_model.rs` walks all
//! interleavings.

use std::panic::Location;
use std::time::Duration;

use crate::clock::Moment;
use crate::sync::{AtomicU32, AtomicU64, Mutex, MutexGuard, OnceLock, Ordering, in_this_order};
use crate::times::{CallSite, Times};

/// The right to say what becomes of one place. There is exactly one for each place that is neither vacant nor on the shelf; it
/// is spent by giving it back.
#[must_use = "a seat that is not given back is a place lost for ever"]
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Seat(pub(crate) usize);

/// What is known of the connection of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    /// The epoch in which opening it began.
    pub(crate) epoch: u64,
    pub(crate) opened_at: Moment,
    /// When it should be replaced.
    pub(crate) aged_at: Option<Moment>,
    /// When it is not lent again even if no replacement has come.
    pub(crate) retired_at: Option<Moment>,
    /// When it last proved to work.
    pub(crate) proven_at: Moment,
    pub(crate) idle_since: Moment,
    pub(crate) uses: u64,
}

impl Card {
    pub(crate) fn is_aged(&self, now: Moment) -> bool {
        self.aged_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn is_retired(&self, now: Moment) -> bool {
        self.retired_at.is_some_and(|at| at <= now)
    }
}

/// Who holds a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loan {
    pub(crate) since: Moment,
    pub(crate) location: &'static Location<'static>,
    pub(crate) waited: Duration,
    /// Whether it has been reported as leaked.
    pub(crate) leaked: bool,
    /// Whether its beginning is known exactly, so that its length is worth to be counted.
    pub(crate) exact: bool,
}

impl Loan {
    /// `exact`: whether `since` is; where it is not, one loan in eight finds out for itself.
    pub(crate) fn new(since: Moment, exact: bool, location: &'static Location<'static>, waited: Duration) -> Self {
        Self { since, location, waited, leaked: false, exact }
    }
}

/// One loan in so many is timed exactly, beginning with the first of a connection.
const SAMPLED: u64 = 8;

/// A connection with its seat: what is handed from one to the next.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Held<C> {
    pub(crate) seat: Seat,
    pub(crate) connection: C,
}

/// What is in a place, and what its borrowers have done so far.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Content<C> {
    rest: Rest<C>,
    card: Option<Card>,
    use_counts: UseCounts,
    held: HeldTimes,
}

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

    fn add(&mut self, other: &Self) {
        self.all.add(&other.all);
        for site in &other.sites {
            self.site(site.location).add(&site.held);
        }
    }
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
enum Rest<C> {
    /// In the ledger's hands, or nothing.
    Away,
    Idle(C),
    Lent(Loan),
}

/// Counted where no two borrowers meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UseCounts {
    pub(crate) acquired: u64,
    pub(crate) acquired_new: u64,
    pub(crate) waited: Duration,
    pub(crate) used: Duration,
}

/// Of its own cache lines: neighbours have other borrowers.
#[derive(Debug)]
#[repr(align(128))]
struct Place<C> {
    /// The next lower place of the stack, plus one; 0: the last.
    below: AtomicU32,
    content: Mutex<Content<C>>,
}

impl<C> Place<C> {
    fn new() -> Self {
        let content =
            Content { rest: Rest::Away, card: None, use_counts: UseCounts::default(), held: HeldTimes::default() };
        Self { below: AtomicU32::new(0), content: Mutex::new(content) }
    }

    fn content(&self) -> MutexGuard<'_, Content<C>> {
        crate::sync::lock(&self.content)
    }
}

impl<C> Content<C> {
    fn card(&mut self) -> &mut Card {
        match &mut self.card {
            Some(card) => card,
            None => unreachable!("a place without a connection was taken for one with"),
        }
    }

    fn begin(&mut self, mut loan: Loan) {
        let card = self.card();
        let is_new = card.uses == 0;
        if !loan.exact && card.uses.is_multiple_of(SAMPLED) {
            (loan.since, loan.exact) = (Moment::now(), true);
        }
        card.uses += 1;
        self.use_counts.acquired += 1;
        self.use_counts.acquired_new += u64::from(is_new);
        self.use_counts.waited += loan.waited;
        self.rest = Rest::Lent(loan);
    }

    /// Ends the loan. `proven`: when the connection last worked, if its borrower used it.
    fn end(&mut self, proven: Option<Moment>, now: Moment, next: Rest<C>) -> Loan {
        let Rest::Lent(loan) = std::mem::replace(&mut self.rest, next) else {
            unreachable!("a lease came back to a place that was not lent")
        };
        if loan.exact {
            let length = now.max(Moment::now()).saturating_duration_since(loan.since);
            self.use_counts.used += length;
            self.held.record(loan.location, length);
        } else {
            self.use_counts.used += now.saturating_duration_since(loan.since);
        }
        if let Some(at) = proven {
            let card = self.card();
            card.proven_at = card.proven_at.max(at);
        }
        loan
    }
}

/// How many places the first chunk has; each further one has twice as many as the one before.
const FIRST_CHUNK: usize = 16;
const CHUNKS: usize = 14;

/// Set in the gate while the ledger wants to see every connection that comes back.
const ATTENTION: u64 = 1;

/// What is written all the time, apart from what is only read: in cache lines of its own, two because processors fetch pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

/// Connections at rest.
#[derive(Debug)]
pub(crate) struct Shelf<C> {
    /// The epoch, and [`ATTENTION`] in the lowest bit.
    gate: AtomicU64,
    /// A tag in the upper half; in the lower the place on top, plus one.
    top: Apart<AtomicU64>,
    /// In nanoseconds.
    validate_after: AtomicU64,
    /// When the other side last gave reason for doubt, as a [number](Moment::number); 0: never.
    doubted_at: AtomicU64,
    chunks: [OnceLock<Box<[Place<C>]>>; CHUNKS],
}

/// What became of an attempt to lend without the ledger.
pub(crate) enum Lent<C> {
    Yes(Held<C>),
    /// Nothing rests, or something is to be done first: ask the ledger.
    AskLedger,
}

/// What became of an attempt to take a connection back without the ledger.
pub(crate) enum Back<C> {
    /// It rests. `tidy`: the ledger wants to look at the shelf.
    Rests { loan: Loan, tidy: bool },
    /// The ledger has to say what becomes of it.
    AskLedger(Held<C>),
}

impl<C> Shelf<C> {
    pub(crate) fn new(validate_after: Duration) -> Self {
        let shelf = Self {
            gate: AtomicU64::new(0),
            top: Apart(AtomicU64::new(0)),
            validate_after: AtomicU64::new(0),
            doubted_at: AtomicU64::new(0),
            chunks: [const { OnceLock::new() }; CHUNKS],
        };
        shelf.set_validate_after(validate_after);
        shelf
    }

    pub(crate) fn set_validate_after(&self, age: Duration) {
        self.validate_after.store(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Makes every connection that has not proved to work since then one to be checked before it is lent.
    pub(crate) fn doubt(&self, now: Moment) {
        self.doubted_at.store(now.number(), Ordering::Relaxed);
    }

    /// Whether a connection has to be checked before it is lent.
    pub(crate) fn is_stale(&self, card: &Card, now: Moment) -> bool {
        let age = now.saturating_duration_since(card.proven_at);
        age.as_nanos() > u128::from(self.validate_after.load(Ordering::Relaxed))
            || card.proven_at.number() < self.doubted_at.load(Ordering::Relaxed)
    }

    // ---- borrowers -------------------------------------------------------------------------------------------------

    /// Lends the connection on top. `proven`: only one that worked a short time ago.
    pub(crate) fn lend(&self, now: Moment, exact: bool, location: &'static Location<'static>, proven: bool) -> Lent<C> {
        let gate = self.gate.load(Ordering::Acquire);
        if gate & ATTENTION != 0 {
            return Lent::AskLedger;
        }
        let Some(number) = self.pop() else { return Lent::AskLedger };
        let mut content = self.place(number).content();
        let card = *content.card();
        if card.epoch != gate >> 1 || card.is_retired(now) || proven && self.is_stale(&card, now) {
            drop(content);
            self.push(number);
            return Lent::AskLedger;
        }
        let Rest::Idle(connection) = std::mem::replace(&mut content.rest, Rest::Away) else {
            unreachable!("a place on the shelf without a connection")
        };
        content.begin(Loan::new(now, exact, location, Duration::ZERO));
        Lent::Yes(Held { seat: Seat(number), connection })
    }

    /// Takes a clean connection back. `proven`: when it last worked, if its borrower used it.
    pub(crate) fn take_back(&self, held: Held<C>, proven: Option<Moment>, now: Moment) -> Back<C> {
        let gate = self.gate.load(Ordering::Acquire);
        if gate & ATTENTION != 0 {
            return Back::AskLedger(held);
        }
        let mut content = self.place(held.seat.0).content();
        let card = content.card();
        if card.epoch != gate >> 1 || card.is_aged(now) {
            return Back::AskLedger(held);
        }
        card.idle_since = now;
        let loan = content.end(proven, now, Rest::Idle(held.connection));
        drop(content);
        self.push(held.seat.0);
        in_this_order();
        Back::Rests { loan, tidy: self.gate.load(Ordering::SeqCst) != gate }
    }

    /// The epoch that was last published.
    pub(crate) fn epoch(&self) -> u64 {
        self.gate.load(Ordering::Acquire) >> 1
    }

    /// Whether a connection that comes back may go straight to the next borrower.
    pub(crate) fn may_pass_on(&self, seat: &Seat, epoch: u64, proven: Option<Moment>, now: Moment) -> bool {
        let mut content = self.place(seat.0).content();
        let mut card = *content.card();
        card.proven_at = card.proven_at.max(proven.unwrap_or(card.proven_at));
        card.epoch == epoch && !card.is_aged(now) && !self.is_stale(&card, now)
    }

    /// Ends one loan and begins the next.
    pub(crate) fn pass_on(&self, seat: &Seat, proven: Option<Moment>, now: Moment, next: Loan) -> Loan {
        let mut content = self.place(seat.0).content();
        let loan = content.end(proven, now, Rest::Away);
        content.begin(next);
        loan
    }

    // ---- the ledger ------------------------------------------------------------------------------------------------

    /// Opens or shuts the gate. What the caller reads of the shelf afterwards is not missed by who returns a connection.
    pub(crate) fn set_gate(&self, epoch: u64, attention: bool) {
        self.gate.store(epoch << 1 | u64::from(attention), Ordering::SeqCst);
        in_this_order();
    }

    /// Makes sure that there is a place with this number.
    pub(crate) fn make_room(&self, number: usize) {
        let (chunk, _) = locate(number);
        self.chunks[chunk].get_or_init(|| (0..FIRST_CHUNK << chunk).map(|_| Place::new()).collect());
    }

    /// Writes down what is known of a connection that is new.
    pub(crate) fn welcome(&self, seat: &Seat, card: Card) {
        self.place(seat.0).content().card = Some(card);
    }

    /// What is known of the connection of a place.
    pub(crate) fn card(&self, seat: &Seat) -> Card {
        *self.place(seat.0).content().card()
    }

    /// The connection has just worked.
    pub(crate) fn prove(&self, seat: &Seat, now: Moment) {
        self.place(seat.0).content().card().proven_at = now;
    }

    /// Puts a connection to rest that was in the ledger's hands. `since`: only now; otherwise it goes back to its rest.
    pub(crate) fn put(&self, held: Held<C>, since: Option<Moment>) {
        let Held { seat, connection } = held;
        let mut content = self.place(seat.0).content();
        if let Some(now) = since {
            content.card().idle_since = now;
        }
        content.rest = Rest::Idle(connection);
        drop(content);
        self.push(seat.0);
    }

    /// Takes the connection on top into the ledger's hands.
    pub(crate) fn take(&self) -> Option<Held<C>> {
        let number = self.pop()?;
        match std::mem::replace(&mut self.place(number).content().rest, Rest::Away) {
            Rest::Idle(connection) => Some(Held { seat: Seat(number), connection }),
            _ => unreachable!("a place on the shelf without a connection"),
        }
    }

    /// Begins a loan of a connection in the ledger's hands.
    pub(crate) fn begin(&self, seat: &Seat, loan: Loan) {
        self.place(seat.0).content().begin(loan);
    }

    /// Ends a loan: the connection is in the ledger's hands.
    pub(crate) fn end(&self, seat: &Seat, proven: Option<Moment>, now: Moment) -> Loan {
        self.place(seat.0).content().end(proven, now, Rest::Away)
    }

    /// Ends a loan that never reached its borrower: as if it had not been.
    pub(crate) fn undo(&self, seat: &Seat) {
        let mut content = self.place(seat.0).content();
        if let Rest::Lent(loan) = std::mem::replace(&mut content.rest, Rest::Away) {
            let card = content.card();
            card.uses -= 1;
            let was_new = card.uses == 0;
            let counts = &mut content.use_counts;
            counts.acquired -= 1;
            counts.acquired_new -= u64::from(was_new);
            counts.waited = counts.waited.saturating_sub(loan.waited);
        }
    }

    /// Shows everything that rests or is lent, in no order.
    pub(crate) fn each(&self, mut see: impl FnMut(Seen<'_>)) {
        for place in self.chunks.iter().filter_map(OnceLock::get).flat_map(|chunk| chunk.iter()) {
            let Content { rest, card, .. } = &mut *place.content();
            match (rest, card) {
                (Rest::Idle(_), Some(card)) => see(Seen::Idle(card)),
                (Rest::Lent(loan), _) => see(Seen::Lent(loan)),
                _ => {}
            }
        }
    }

    /// What borrowers have done so far, all places together.
    pub(crate) fn use_counts(&self) -> UseCounts {
        let mut sum = UseCounts::default();
        for place in self.chunks.iter().filter_map(OnceLock::get).flat_map(|chunk| chunk.iter()) {
            let counts = place.content().use_counts;
            sum.acquired += counts.acquired;
            sum.acquired_new += counts.acquired_new;
            sum.waited += counts.waited;
            sum.used += counts.used;
        }
        sum
    }

    /// How long loans have lasted so far, all places together.
    pub(crate) fn held_times(&self) -> HeldTimes {
        let mut sum = HeldTimes::default();
        for place in self.chunks.iter().filter_map(OnceLock::get).flat_map(|chunk| chunk.iter()) {
            sum.add(&place.content().held);
        }
        sum
    }

    // ---- the stack -------------------------------------------------------------------------------------------------

    fn push(&self, number: usize) {
        let place = self.place(number);
        let mut top = self.top.0.load(Ordering::Relaxed);
        loop {
            place.below.store(top as u32, Ordering::Relaxed);
            let next = tagged(top, number as u32 + 1);
            match self.top.0.compare_exchange_weak(top, next, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(changed) => top = changed,
            }
        }
    }

    fn pop(&self) -> Option<usize> {
        let mut top = self.top.0.load(Ordering::SeqCst);
        loop {
            let number = (top as u32).checked_sub(1)? as usize;
            // Of a place that somebody else takes now, this is not true any more; the tag shows it.
            let below = self.place(number).below.load(Ordering::Relaxed);
            match self.top.0.compare_exchange_weak(top, tagged(top, below), Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Some(number),
                Err(changed) => top = changed,
            }
        }
    }

    fn place(&self, number: usize) -> &Place<C> {
        let (chunk, offset) = locate(number);
        match self.chunks[chunk].get() {
            Some(places) => &places[offset],
            None => unreachable!("room is made for a place before it is used"),
        }
    }
}

#[cfg(test)]
impl<C: Clone> Clone for Shelf<C> {
    fn clone(&self) -> Self {
        let copy = Self::new(Duration::from_nanos(self.validate_after.load(Ordering::Relaxed)));
        copy.doubted_at.store(self.doubted_at.load(Ordering::Relaxed), Ordering::Relaxed);
        copy.gate.store(self.gate.load(Ordering::Relaxed), Ordering::Relaxed);
        copy.top.0.store(self.top.0.load(Ordering::Relaxed), Ordering::Relaxed);
        for (chunk, places) in self.chunks.iter().enumerate() {
            if let Some(places) = places.get() {
                let place = |place: &Place<C>| Place {
                    below: AtomicU32::new(place.below.load(Ordering::Relaxed)),
                    content: Mutex::new(place.content().clone()),
                };
                copy.chunks[chunk].get_or_init(|| places.iter().map(place).collect());
            }
        }
        copy
    }
}

/// What lies or stands in a place.
pub(crate) enum Seen<'a> {
    Idle(&'a Card),
    Lent(&'a mut Loan),
}

/// The chunk of a place, and where in it.
fn locate(number: usize) -> (usize, usize) {
    if number < FIRST_CHUNK {
        return (0, number);
    }
    let chunk = (number / FIRST_CHUNK + 1).ilog2() as usize;
    (chunk, number - FIRST_CHUNK * ((1 << chunk) - 1))
}

fn tagged(before: u64, place: u32) -> u64 {
    (before >> 32).wrapping_add(1) << 32 | u64::from(place)
}
