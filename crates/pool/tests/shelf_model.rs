//! The way past the ledger, in every interleaving that the memory model allows: nothing is lent twice, nothing is lost, and
//! nobody waits beside a connection that rests.
//!
//! The shelf and the queue (with the times they keep) are compiled into this test with loom's atomics and locks in place of the
//! standard library's.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

#[path = "../src/front.rs"]
mod front;
#[path = "../src/shelf/mod.rs"]
mod shelf;
#[path = "../src/times.rs"]
mod times;

/// What the shelf and the queue find as the pool's primitives.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }

    /// What is put here by one and taken by another, without anything else to order them.
    #[derive(Debug)]
    pub(crate) struct Slot<T>(Mutex<Option<Box<T>>>);

    impl<T> Slot<T> {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(None))
        }

        pub(crate) fn put(&self, thing: Box<T>) {
            assert!(lock(&self.0).replace(thing).is_none(), "two things in one place");
        }

        pub(crate) fn take(&self) -> Option<Box<T>> {
            lock(&self.0).take()
        }
    }
}

/// Time plays no part.
mod clock {
    use std::time::Duration;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Moment(pub(crate) u64);

    impl Moment {
        pub(crate) fn now() -> Self {
            super::NOW
        }

        pub(crate) fn number(self) -> u64 {
            self.0
        }

        pub(crate) fn of_number(number: u64) -> Option<Self> {
            (number > 0).then_some(Self(number))
        }

        pub(crate) fn nanos_since(self, earlier: Self) -> u64 {
            self.0.saturating_sub(earlier.0)
        }

        pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
            Duration::from_nanos(self.0.saturating_sub(earlier.0))
        }
    }

    impl std::ops::Add<Duration> for Moment {
        type Output = Self;

        fn add(self, time: Duration) -> Self {
            Self(self.0 + time.as_nanos() as u64)
        }
    }
}

use clock::Moment;
use front::{Caller, Front, PassedOn};
use loom::sync::Arc;
use loom::thread;
use shelf::{Back, Card, Held, Seat, Shelf};
use std::panic::Location;
use std::time::Duration;

const NOW: Moment = Moment(1);
const SECOND: Duration = Duration::from_secs(1);

/// Puts connections on a shelf, each of which is the number of its place.
fn fill(shelf: &Shelf<usize>, connections: usize) {
    for number in 0..connections {
        shelf.make_room(number);
        let card = Card {
            epoch: 0,
            opened_at: NOW,
            aged_at: None,
            retired_at: None,
            proven_at: NOW,
            idle_since: NOW,
            uses: 0,
        };
        shelf.put(Held::new(Seat(number), number, card));
    }
}

fn shelf(connections: usize) -> Arc<Shelf<usize>> {
    let shelf = Shelf::new(SECOND);
    fill(&shelf, connections);
    Arc::new(shelf)
}

fn lend(shelf: &Shelf<usize>) -> Option<Box<Held<usize>>> {
    let held = shelf.lend(NOW, true, Location::caller(), true)?;
    assert_eq!(held.seat.0, held.connection, "a connection in another's place");
    Some(held)
}

/// Gives back, if need be as the ledger does; whether it was needed.
fn give_back(shelf: &Shelf<usize>, held: Box<Held<usize>>) -> bool {
    let held = match shelf.take_back(held, None, NOW) {
        Back::Rests(_) => return false,
        Back::AskLedger(mut held) => {
            shelf.end(&mut held, None, NOW);
            held
        }
        Back::Overtaken(held, _) => held,
    };
    shelf.put(held);
    true
}

fn explore(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(test);
}

#[test]
fn no_connection_is_lent_twice_or_lost() {
    explore(|| {
        let shelf = shelf(1);
        let other = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || lend(&shelf))
        };
        let mine = lend(&shelf);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() != theirs.is_some(), "one connection for two borrowers, or for none");
        assert!(!give_back(&shelf, mine.or(theirs).unwrap()));
        assert_eq!(shelf.take().unwrap().connection, 0);
        assert!(shelf.take().is_none());
    });
}

#[test]
fn what_comes_and_goes_between_two_is_all_there_in_the_end() {
    explore(|| {
        let shelf = shelf(2);
        let other = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || {
                let held = lend(&shelf);
                let lent = held.is_some();
                held.map(|held| give_back(&shelf, held));
                u64::from(lent)
            })
        };
        // Takes both if it can, and puts them back the other way round: what the tag is for.
        let mine = [lend(&shelf), lend(&shelf)];
        let mut loans = mine.iter().flatten().count() as u64;
        assert!(loans > 0, "two connections for two borrowers");
        for held in mine.into_iter().flatten() {
            give_back(&shelf, held);
        }
        loans += other.join().unwrap();
        let mut all = [shelf.take().unwrap().connection, shelf.take().unwrap().connection];
        all.sort_unstable();
        assert_eq!(all, [0, 1]);
        assert!(shelf.take().is_none());
        assert_eq!(shelf.use_counts().acquired, loans);
    });
}

#[test]
fn nobody_waits_beside_a_connection_that_rests() {
    explore(|| {
        let shelf = shelf(1);
        let held = lend(&shelf).unwrap();
        let borrower = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || give_back(&shelf, held))
        };
        // Somebody comes to wait: first the mark, then the last look.
        shelf.mark(0, true);
        let found = shelf.take();
        let told = borrower.join().unwrap();
        assert!(found.is_some() || told, "the connection rests, somebody waits, and nobody knows");
    });
}

#[test]
fn what_is_evicted_while_it_comes_back_is_noticed() {
    explore(|| {
        let shelf = shelf(1);
        let held = lend(&shelf).unwrap();
        let borrower = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || give_back(&shelf, held))
        };
        shelf.mark(1, false);
        let found = shelf.take();
        let told = borrower.join().unwrap();
        assert!(found.is_some() || told, "a connection of the past rests, and nobody knows");
        if found.is_none() {
            assert!(lend(&shelf).is_none(), "a connection of the past is lent");
        }
    });
}

#[test]
fn who_looks_on_sees_each_loan_once() {
    explore(|| {
        let shelf = shelf(1);
        let held = lend(&shelf).unwrap();
        let other = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || drop(lend(&shelf)))
        };
        let mut seen = 0;
        shelf.each_loan(|since, _| {
            assert_eq!(since, NOW);
            seen += 1;
        });
        assert_eq!(seen, 1);
        give_back(&shelf, held);
        other.join().unwrap();
    });
}

fn caller() -> Caller {
    Caller { since: NOW, exact: true, timed: true, limit: None, location: Location::caller() }
}

/// Gives back as a lease does: the caller who gets it, or none if it rests or is the ledger's.
fn pass(front: &Front<usize, u32>, held: Box<Held<usize>>) -> Result<Option<u32>, Box<Held<usize>>> {
    match front.shelf.take_back(held, None, NOW) {
        Back::Rests(_) => Ok(None),
        Back::AskLedger(held) => front.pass_on(held, None, NOW).map(|passed| Some(passed.waiter)),
        Back::Overtaken(mut held, _) => {
            front.shelf.begin(&mut held, shelf::Loan::new(NOW, true, Location::caller()));
            Err(held)
        }
    }
}

#[test]
fn the_first_who_waits_gets_what_comes_back_or_finds_it() {
    explore(|| {
        let front = Arc::new(Front::<usize, u32>::new(SECOND, SECOND));
        fill(&front.shelf, 1);
        let held = lend(&front.shelf).unwrap();
        let borrower = {
            let front = Arc::clone(&front);
            thread::spawn(move || pass(&front, held))
        };
        // As the ledger does: first into the queue, then the last look.
        front.push(caller(), 7);
        let found = front.shelf.take();
        let passed = borrower.join().unwrap();
        let served = found.is_some() || matches!(passed, Ok(Some(7))) || passed.is_err();
        assert!(served, "somebody waits beside a connection that rests");
    });
}

#[test]
fn whoever_comes_to_wait_without_the_ledger_is_served_or_told_of() {
    explore(|| {
        let front = Arc::new(Front::<usize, u32>::new(SECOND, SECOND));
        fill(&front.shelf, 1);
        let held = lend(&front.shelf).unwrap();
        // The pool is full and somebody waits: there is room for more.
        front.push(caller(), 1);
        front.arrange(0, false, usize::MAX);
        let other = {
            let front = Arc::clone(&front);
            thread::spawn(move || front.join(caller(), 2).is_ok())
        };
        // The first is served, and the ledger finds that more could be done: a place is free.
        let PassedOn { waiter, held, .. } = front.pass_on(held, None, NOW).ok().unwrap();
        assert_eq!(waiter, 1);
        front.arrange(0, false, 0);
        let told = front.queue().has_outgrown();
        let joined = other.join().unwrap();
        let waiting = front.queue().len();
        assert_eq!(waiting, usize::from(joined));
        assert!(!joined || told, "somebody came to wait and the ledger does not know");
        assert_eq!(front.pass_on(held, None, NOW).is_ok(), joined);
    });
}
