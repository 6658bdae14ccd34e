//! One place for one connection, and what is in it.

use std::mem;
use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

/// The right to say what becomes of one slot. There is exactly one for each slot that is not vacant or idle; it is spent
/// by giving it back to the ledger.
#[must_use = "a seat that is not given back is a place lost for ever"]
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Seat(pub(super) usize);

/// What a slot is used for at the moment.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) enum Phase<C> {
    Vacant,
    Opening,
    Idle(C),
    Lent(Loan),
    /// A round trip is being made before it is lent. `slow` ones are no longer counted on.
    Checking {
        slow: bool,
    },
    /// The session of the last borrower is being cleaned away.
    Resetting {
        slow: bool,
    },
    Closing,
}

impl<C> Phase<C> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Vacant => "vacant",
            Self::Opening => "opening",
            Self::Idle(_) => "idle",
            Self::Lent(_) => "lent",
            Self::Checking { .. } => "checking",
            Self::Resetting { .. } => "resetting",
            Self::Closing => "closing",
        }
    }
}

/// Who holds a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loan {
    pub(super) since: Instant,
    pub(super) location: &'static Location<'static>,
    pub(super) waited: Duration,
    /// Whether it has been reported as leaked.
    pub(super) leaked: bool,
}

/// A slot and the life of the connection in it.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Slot<C> {
    pub(super) phase: Phase<C>,
    /// The generation of the pool in which opening began.
    pub(super) generation: u64,
    pub(super) opened_at: Instant,
    /// When it should be replaced.
    pub(super) aged_at: Option<Instant>,
    /// When it is not lent again even if no replacement has come.
    pub(super) retired_at: Option<Instant>,
    /// When it last proved to work.
    pub(super) proven_at: Instant,
    pub(super) idle_since: Instant,
    pub(super) uses: u64,
}

impl<C> Slot<C> {
    pub(super) fn vacant(now: Instant) -> Self {
        Self {
            phase: Phase::Vacant,
            generation: 0,
            opened_at: now,
            aged_at: None,
            retired_at: None,
            proven_at: now,
            idle_since: now,
            uses: 0,
        }
    }

    pub(super) fn is_aged(&self, now: Instant) -> bool {
        self.aged_at.is_some_and(|at| at <= now)
    }

    pub(super) fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Vacant | Phase::Opening | Phase::Closing)
    }
}

/// How many slots are in which phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) vacant: usize,
    pub(super) opening: usize,
    pub(super) idle: usize,
    pub(super) lent: usize,
    pub(super) checking: usize,
    pub(super) resetting: usize,
    /// Of the checking and resetting ones, those not counted on any more.
    pub(super) slow: usize,
    pub(super) closing: usize,
}

impl Tally {
    fn count<C>(&mut self, phase: &Phase<C>, step: fn(&mut usize)) {
        match phase {
            Phase::Vacant => step(&mut self.vacant),
            Phase::Opening => step(&mut self.opening),
            Phase::Idle(_) => step(&mut self.idle),
            Phase::Lent(_) => step(&mut self.lent),
            Phase::Checking { slow } => {
                step(&mut self.checking);
                if *slow {
                    step(&mut self.slow);
                }
            }
            Phase::Resetting { slow } => {
                step(&mut self.resetting);
                if *slow {
                    step(&mut self.slow);
                }
            }
            Phase::Closing => step(&mut self.closing),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.idle + self.lent + self.checking + self.resetting
    }

    /// Connections a waiter can expect soon without anybody's help.
    pub(super) fn coming(&self) -> usize {
        self.opening + self.checking + self.resetting - self.slow
    }

    /// Places taken, the closing ones included.
    pub(super) fn occupied(&self) -> usize {
        self.open() + self.opening + self.closing
    }
}

/// All slots, with their number in each phase always at hand.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Slots<C> {
    list: Vec<Slot<C>>,
    vacant: Vec<usize>,
    tally: Tally,
}

impl<C> Slots<C> {
    pub(super) fn new() -> Self {
        Self { list: Vec::new(), vacant: Vec::new(), tally: Tally::default() }
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot<C>> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot<C>> {
        self.list.iter_mut()
    }

    pub(super) fn at(&self, place: usize) -> &Slot<C> {
        &self.list[place]
    }

    pub(super) fn at_mut(&mut self, place: usize) -> &mut Slot<C> {
        &mut self.list[place]
    }

    /// Puts a slot into another phase and returns the one it was in. The only way a phase ever changes.
    pub(super) fn turn(&mut self, place: usize, phase: Phase<C>) -> Phase<C> {
        self.tally.count(&phase, |count| *count += 1);
        if matches!(phase, Phase::Vacant) {
            self.vacant.push(place);
        }
        let before = mem::replace(&mut self.list[place].phase, phase);
        self.tally.count(&before, |count| *count -= 1);
        before
    }

    /// Takes a vacant slot, or a new one, for a connection that is about to be opened.
    pub(super) fn claim(&mut self, generation: u64, now: Instant) -> Seat {
        let place = match self.vacant.pop() {
            Some(place) => place,
            None => {
                self.list.push(Slot::vacant(now));
                self.tally.vacant += 1;
                self.list.len() - 1
            }
        };
        self.list[place] = Slot { phase: Phase::Vacant, generation, ..Slot::vacant(now) };
        self.turn(place, Phase::Opening);
        Seat(place)
    }
}
