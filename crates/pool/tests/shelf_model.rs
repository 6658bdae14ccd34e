//! The way past the ledger, in every interleaving that the memory model allows: nothing is lent twice, nothing is lost, and
//! nobody waits beside a connection that rests.
//!
//! The shelf (with the times it keeps) is compiled into this test with loom's atomics and locks in place of the standard library's.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

#[path = "../src/shelf.rs"]
mod shelf;
#[path = "../src/times.rs"]
mod times;

/// What the shelf finds as the pool's primitives.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    /// Written before a place is used for the first time, so there is nothing to explore.
    pub(crate) use std::sync::OnceLock;

    pub(crate) fn in_this_order() {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
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

        pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
            Duration::from_nanos(self.0.saturating_sub(earlier.0))
        }
    }
}

use clock::Moment;
use loom::sync::Arc;
use loom::thread;
use shelf::{Back, Card, Held, Lent, Seat, Shelf};
use std::panic::Location;
use std::time::Duration;

const NOW: Moment = Moment(1);

/// A shelf with connections at rest, each of which is the number of its place.
fn shelf(connections: usize) -> Arc<Shelf<usize>> {
    let shelf = Shelf::new(Duration::from_secs(1));
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
        shelf.welcome(&Seat(number), card);
        shelf.put(Held { seat: Seat(number), connection: number }, Some(NOW));
    }
    Arc::new(shelf)
}

fn lend(shelf: &Shelf<usize>) -> Option<Held<usize>> {
    match shelf.lend(NOW, true, Location::caller(), true) {
        Lent::Yes(held) => {
            assert_eq!(held.seat.0, held.connection, "a connection in another's place");
            Some(held)
        }
        Lent::AskLedger => None,
    }
}

/// Gives back; whether the ledger has to be told.
fn give_back(shelf: &Shelf<usize>, held: Held<usize>) -> bool {
    match shelf.take_back(held, None, NOW) {
        Back::Rests { tidy, .. } => tidy,
        Back::AskLedger(held) => {
            // As the ledger does, for which the connection is one it has in hand.
            shelf.end(&held.seat, None, NOW);
            shelf.put(held, Some(NOW));
            true
        }
    }
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
        // Somebody comes to wait: first the word of it, then the last look.
        shelf.set_gate(0, true);
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
        shelf.set_gate(1, false);
        let found = shelf.take();
        let told = borrower.join().unwrap();
        assert!(found.is_some() || told, "a connection of the past rests, and nobody knows");
        if found.is_none() {
            assert!(lend(&shelf).is_none(), "a connection of the past is lent");
        }
    });
}

#[test]
fn who_looks_at_borrowers_sees_each_connection_once() {
    explore(|| {
        let shelf = shelf(1);
        let other = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || {
                let held = lend(&shelf).unwrap();
                give_back(&shelf, held);
            })
        };
        let mut seen = 0;
        shelf.each(|_| seen += 1);
        assert_eq!(seen, 1);
        other.join().unwrap();
    });
}
