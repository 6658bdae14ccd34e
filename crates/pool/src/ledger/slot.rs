//! The places there are, and what each is used for at the moment.

use crate::clock::Moment;
use crate::error::AcquirePhase;
use crate::progress::Progress;
use crate::shelf::Seat;

/// What a place is used for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Vacant,
    Opening,
    /// Its connection is lent, or rests on the shelf.
    Live,
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

/// A place and the life of the connection in it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) phase: Phase,
    /// The epoch of the pool in which opening began.
    pub(super) epoch: u64,
    /// When its connection should be replaced.
    pub(super) aged_at: Option<Moment>,
    /// How far opening it has come.
    progress: Progress,
}

impl Slot {
    fn vacant() -> Self {
        Self { phase: Phase::Vacant, epoch: 0, aged_at: None, progress: Progress::default() }
    }

    pub(super) fn is_aged(&self, now: Moment) -> bool {
        self.aged_at.is_some_and(|at| at <= now)
    }

    pub(super) fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Vacant | Phase::Opening | Phase::Closing)
    }
}

/// How many places are in which phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) vacant: usize,
    pub(super) opening: usize,
    pub(super) live: usize,
    pub(super) checking: usize,
    pub(super) resetting: usize,
    /// Of the checking and resetting ones, those not counted on any more.
    pub(super) slow: usize,
    pub(super) closing: usize,
}

impl Tally {
    pub(super) fn count(&mut self, phase: Phase, step: fn(&mut usize)) {
        match phase {
            Phase::Vacant => step(&mut self.vacant),
            Phase::Opening => step(&mut self.opening),
            Phase::Live => step(&mut self.live),
            Phase::Checking { slow } => {
                step(&mut self.checking);
                if slow {
                    step(&mut self.slow);
                }
            }
            Phase::Resetting { slow } => {
                step(&mut self.resetting);
                if slow {
                    step(&mut self.slow);
                }
            }
            Phase::Closing => step(&mut self.closing),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.live + self.checking + self.resetting
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

/// All places, with their number in each phase always at hand.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Slots {
    list: Vec<Slot>,
    vacant: Vec<usize>,
    tally: Tally,
    /// No connection reaches its age before.
    first_age: Option<Moment>,
}

impl Slots {
    /// No connection reaches its age before. `None`: none ever does.
    pub(super) fn first_age(&self) -> Option<Moment> {
        self.first_age
    }

    /// Forgets the ages of connections that are gone.
    pub(super) fn look_at_ages(&mut self) {
        self.first_age = self.list.iter().filter(|slot| slot.is_open()).filter_map(|slot| slot.aged_at).min();
    }

    /// What opening is at, of all that are being opened the one that has come furthest.
    pub(super) fn opening_phase(&self) -> AcquirePhase {
        let opening = self.list.iter().filter(|slot| matches!(slot.phase, Phase::Opening));
        opening.map(|slot| slot.progress.phase()).max().unwrap_or(AcquirePhase::Open)
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.list.iter()
    }

    pub(super) fn at(&self, seat: &Seat) -> &Slot {
        &self.list[seat.0]
    }

    pub(super) fn set_age(&mut self, seat: &Seat, aged_at: Option<Moment>) {
        self.list[seat.0].aged_at = aged_at;
        if let Some(at) = aged_at {
            self.first_age = Some(self.first_age.map_or(at, |first| first.min(at)));
        }
    }

    /// Puts a place into another phase. The only way a phase ever changes.
    pub(super) fn turn(&mut self, seat: &Seat, phase: Phase) {
        let before = std::mem::replace(&mut self.list[seat.0].phase, phase);
        self.tally.count(phase, |count| *count += 1);
        self.tally.count(before, |count| *count -= 1);
    }

    /// Frees a place.
    pub(super) fn vacate(&mut self, seat: Seat) {
        self.turn(&seat, Phase::Vacant);
        self.vacant.push(seat.0);
    }

    /// Takes a vacant place, or a new one, for a connection that is about to be opened.
    pub(super) fn claim(&mut self, epoch: u64) -> (Seat, Progress) {
        let number = match self.vacant.pop() {
            Some(number) => number,
            None => {
                self.list.push(Slot::vacant());
                self.tally.vacant += 1;
                self.list.len() - 1
            }
        };
        let progress = Progress::default();
        let slot = &mut self.list[number];
        (slot.epoch, slot.aged_at, slot.progress) = (epoch, None, progress.clone());
        let seat = Seat(number);
        self.turn(&seat, Phase::Opening);
        (seat, progress)
    }
}
