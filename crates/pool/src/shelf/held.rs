//! A connection with what is known of it: what is handed from one to the next.

use std::panic::Location;
use std::time::Duration;

use crate::clock::Moment;

/// The right to say what becomes of one place. There is exactly one for each place that is neither vacant nor on the shelf; it
/// is spent by giving it back.
#[must_use = "a seat that is not given back is a place lost for ever"]
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Seat(pub(crate) usize);

/// What is known of a connection.
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
    #[inline]
    pub(crate) fn is_aged(&self, now: Moment) -> bool {
        self.aged_at.is_some_and(|at| at <= now)
    }

    #[inline]
    pub(crate) fn is_retired(&self, now: Moment) -> bool {
        self.retired_at.is_some_and(|at| at <= now)
    }
}

/// Who holds a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loan {
    pub(crate) since: Moment,
    pub(crate) location: &'static Location<'static>,
    /// In nanoseconds.
    pub(super) waited: u64,
    /// Whether it has been reported as leaked.
    pub(crate) leaked: bool,
    /// Whether its beginning is known exactly, so that its length is worth to be counted.
    pub(super) exact: bool,
}

impl Loan {
    /// `exact`: whether `since` is; where it is not, one loan in sixteen finds out for itself.
    #[inline]
    pub(crate) fn new(since: Moment, exact: bool, location: &'static Location<'static>) -> Self {
        Self { since, location, waited: 0, leaked: false, exact }
    }
}

/// How long somebody waited, and how many callers that stands for in the counts of single times; 0: another's stands for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) time: Duration,
    pub(crate) stands_for: u64,
}

/// One loan in so many is timed exactly, beginning with the first of a connection.
pub(super) const SAMPLED: u64 = 16;

/// A connection with its seat and its card: what is handed from one to the next.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Held<C> {
    pub(crate) seat: Seat,
    pub(crate) connection: C,
    pub(crate) card: Card,
    /// While it is lent.
    pub(super) loan: Option<Loan>,
}

impl<C> Held<C> {
    pub(crate) fn new(seat: Seat, connection: C, card: Card) -> Box<Self> {
        Box::new(Self { seat, connection, card, loan: None })
    }

    /// A borrower has used it without a fault, or somebody has checked it.
    #[inline]
    pub(crate) fn prove(&mut self, at: Option<Moment>) {
        if let Some(at) = at {
            self.card.proven_at = self.card.proven_at.max(at);
        }
    }
}
