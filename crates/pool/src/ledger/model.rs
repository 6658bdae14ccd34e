//! Walks the ledger through every small sequence of events, and through long random ones, with a model of the world that
//! carries out its tasks, and checks the rules after each step.

#![allow(clippy::unwrap_used)]

use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::stats::CloseReason;

type TestLedger = Ledger<u32, u32, &'static str>;
type TestTasks = Tasks<u32, u32, &'static str>;

/// Everything outside the ledger: who holds what, and what is being done.
#[derive(Clone)]
struct World {
    ledger: TestLedger,
    now: Instant,
    lent: Vec<(Seat, u32)>,
    opening: Vec<Seat>,
    checking: Vec<(Seat, u32)>,
    resetting: Vec<(Seat, u32)>,
    closing: Vec<Place>,
    /// Handles given to callers that queued; each is answered at most once.
    handles: Vec<(WaiterId, u32)>,
    next_connection: u32,
    next_handle: u32,
    /// When the housekeeper comes next; `None` when it waits to be woken.
    due: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Acquire,
    TryAcquire,
    ReturnClean,
    ReturnUnused,
    ReturnDirty,
    ReturnBroken,
    Discard,
    Detach,
    Undelivered,
    OpenOk,
    OpenFails,
    OpenFailsForGood,
    OpenOrphaned,
    CareOk,
    CareFails,
    CareSlow,
    CareOrphaned,
    CloseDone,
    FirstLeaves,
    LastTimesOut,
    ShortTime,
    LongTime,
    Housekeeping,
    Evict,
    Shrink,
    Grow,
    ClosePool,
}

const EVENTS: [Event; 27] = [
    Event::Acquire,
    Event::TryAcquire,
    Event::ReturnClean,
    Event::ReturnUnused,
    Event::ReturnDirty,
    Event::ReturnBroken,
    Event::Discard,
    Event::Detach,
    Event::Undelivered,
    Event::OpenOk,
    Event::OpenFails,
    Event::OpenFailsForGood,
    Event::OpenOrphaned,
    Event::CareOk,
    Event::CareFails,
    Event::CareSlow,
    Event::CareOrphaned,
    Event::CloseDone,
    Event::FirstLeaves,
    Event::LastTimesOut,
    Event::ShortTime,
    Event::LongTime,
    Event::Housekeeping,
    Event::Evict,
    Event::Shrink,
    Event::Grow,
    Event::ClosePool,
];

impl World {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        let mut world = Self {
            ledger: Ledger::new(config),
            now,
            lent: Vec::new(),
            opening: Vec::new(),
            checking: Vec::new(),
            resetting: Vec::new(),
            closing: Vec::new(),
            handles: Vec::new(),
            next_connection: 0,
            next_handle: 0,
            due: None,
        };
        world.housekeep();
        world
    }

    fn step<R>(&mut self, decide: impl FnOnce(&mut TestLedger, Instant, &mut TestTasks) -> R) -> R {
        let mut tasks = Tasks::new();
        let result = decide(&mut self.ledger, self.now, &mut tasks);
        if tasks.wake_housekeeper {
            self.due = Some(self.now);
        }
        for task in tasks {
            match task {
                Task::Deliver { waiter, seat, connection, .. } => {
                    self.answered(waiter);
                    self.lent.push((seat, connection));
                }
                Task::Refuse { waiter, .. } => self.answered(waiter),
                Task::Open { seat } => self.opening.push(seat),
                Task::Check { seat, connection } => self.checking.push((seat, connection)),
                Task::Reset { seat, connection } => self.resetting.push((seat, connection)),
                Task::Close { place, .. } => self.closing.push(place),
                Task::Leaked(_) => {}
            }
        }
        result
    }

    fn answered(&mut self, handle: u32) {
        let place = self.handles.iter().position(|(_, each)| *each == handle).expect("a caller was answered twice");
        assert_eq!(place, 0, "a caller was served before one who came earlier");
        self.handles.remove(place);
    }

    fn housekeep(&mut self) {
        self.due = self.step(|ledger, now, tasks| ledger.tick(now, tasks));
        assert!(self.due.is_none_or(|due| due > self.now), "the housekeeper would spin");
    }

    /// Makes the event happen; `false`: there is nothing it could happen to.
    fn apply(&mut self, event: Event) -> bool {
        let location = Location::caller();
        match event {
            Event::Acquire => {
                let handle = self.next_handle;
                self.next_handle += 1;
                match self.step(|ledger, now, tasks| {
                    let joined = ledger.join(now, now, location, handle, tasks);
                    if let Join::Queued(id) = joined {
                        return (joined, Some(id));
                    }
                    (joined, None)
                }) {
                    (Join::Lent(seat, connection), _) => self.lent.push((seat, connection)),
                    (Join::Queued(id), _) => self.handles.push((id, handle)),
                    (Join::Refused(_), _) => {}
                }
                true
            }
            Event::TryAcquire => {
                let taken = self.step(|ledger, now, tasks| ledger.take(now, location, Trust::AsIs, tasks));
                let found = taken.is_some();
                self.lent.extend(taken);
                found
            }
            Event::ReturnClean => self.give_back(State::Clean, true),
            Event::ReturnUnused => self.give_back(State::Clean, false),
            Event::ReturnDirty => self.give_back(State::NeedsReset, true),
            Event::ReturnBroken => self.give_back(State::Broken, true),
            Event::Discard => self.lent.pop().is_some_and(|(seat, connection)| {
                self.step(|ledger, now, tasks| ledger.discard(seat, connection, now, tasks));
                true
            }),
            Event::Detach => self.lent.pop().is_some_and(|(seat, _)| {
                self.step(|ledger, now, tasks| ledger.detach(seat, now, tasks));
                true
            }),
            Event::Undelivered => self.lent.pop().is_some_and(|(seat, connection)| {
                self.step(|ledger, now, tasks| ledger.undelivered(seat, connection, State::Clean, now, tasks));
                true
            }),
            Event::OpenOk => self.opening.pop().is_some_and(|seat| {
                let connection = self.next_connection;
                self.next_connection += 1;
                self.step(|ledger, now, tasks| ledger.opened(seat, connection, now, now, 0.0, tasks));
                true
            }),
            Event::OpenFails => self.open_fails(false),
            Event::OpenFailsForGood => self.open_fails(true),
            Event::OpenOrphaned => self.opening.pop().is_some_and(|seat| self.orphan(Place::Seat(seat))),
            Event::CareOk => self.care_done(true),
            Event::CareFails => self.care_done(false),
            Event::CareSlow => {
                let Some((seat, _)) = self.checking.last().or(self.resetting.last()).cloned() else { return false };
                self.step(|ledger, now, tasks| ledger.slow(&seat, now, tasks));
                true
            }
            Event::CareOrphaned => {
                let Some((seat, _)) = self.checking.pop().or_else(|| self.resetting.pop()) else { return false };
                self.orphan(Place::Seat(seat))
            }
            Event::CloseDone => self.closing.pop().is_some_and(|place| {
                self.step(|ledger, now, tasks| ledger.closed(place, now, tasks));
                true
            }),
            Event::FirstLeaves => self.leave(0, Leaving::Gone),
            Event::LastTimesOut => self.leave(self.handles.len().saturating_sub(1), Leaving::OutOfTime),
            Event::ShortTime => self.pass(Duration::from_millis(600)),
            Event::LongTime => self.pass(Duration::from_secs(3300)),
            Event::Housekeeping => self.due.is_some_and(|due| {
                self.now = self.now.max(due);
                self.housekeep();
                true
            }),
            Event::Evict => {
                self.step(|ledger, now, tasks| ledger.evict_all(now, tasks));
                true
            }
            Event::Shrink => {
                self.step(|ledger, now, tasks| ledger.resize(1, 0, now, tasks));
                true
            }
            Event::Grow => {
                self.step(|ledger, now, tasks| ledger.resize(3, 2, now, tasks));
                true
            }
            Event::ClosePool => {
                if self.ledger.mode() == Mode::Closed {
                    return false;
                }
                self.step(|ledger, now, tasks| ledger.close(now, tasks));
                true
            }
        }
    }

    fn pass(&mut self, time: Duration) -> bool {
        self.now += time;
        if self.due.is_some_and(|due| due <= self.now) {
            self.housekeep();
        }
        true
    }

    fn give_back(&mut self, state: State, used: bool) -> bool {
        self.lent.pop().is_some_and(|(seat, connection)| {
            self.step(|ledger, now, tasks| {
                ledger.give_back(seat, connection, state, used.then_some(now), now, tasks);
            });
            true
        })
    }

    fn open_fails(&mut self, permanent: bool) -> bool {
        self.opening.pop().is_some_and(|seat| {
            self.step(|ledger, now, tasks| ledger.open_failed(seat, "refused", permanent, now, 0.5, tasks));
            true
        })
    }

    fn care_done(&mut self, fit: bool) -> bool {
        let Some((seat, connection)) = self.checking.pop().or_else(|| self.resetting.pop()) else { return false };
        self.step(|ledger, now, tasks| {
            if fit {
                ledger.healthy(seat, connection, now, tasks);
            } else {
                ledger.unhealthy(seat, connection, now, tasks);
            }
        });
        true
    }

    fn orphan(&mut self, place: Place) -> bool {
        self.step(|ledger, now, tasks| ledger.orphaned(place, &"interrupted", now, tasks));
        true
    }

    fn leave(&mut self, place: usize, why: Leaving) -> bool {
        let Some(&(id, handle)) = self.handles.get(place) else { return false };
        let left = self.step(|ledger, _, _| ledger.leave(id, why)).expect("a caller who was not answered still waits");
        assert_eq!((left.handle, left.position), (handle, place));
        self.handles.remove(place);
        true
    }

    fn check(&self) {
        let ledger = &self.ledger;
        let tally = *ledger.slots.tally();

        let mut counted = slot::Tally::default();
        let mut idle = Vec::new();
        for (place, slot) in ledger.slots.iter().enumerate() {
            match &slot.phase {
                Phase::Vacant => counted.vacant += 1,
                Phase::Opening => counted.opening += 1,
                Phase::Idle(_) => {
                    counted.idle += 1;
                    idle.push(place);
                }
                Phase::Lent(_) => counted.lent += 1,
                Phase::Checking { slow } => {
                    counted.checking += 1;
                    counted.slow += usize::from(*slow);
                }
                Phase::Resetting { slow } => {
                    counted.resetting += 1;
                    counted.slow += usize::from(*slow);
                }
                Phase::Closing => counted.closing += 1,
            }
        }
        assert_eq!(tally, counted, "the tally differs from the slots");
        let mut listed = ledger.idle.clone();
        listed.sort_unstable();
        assert_eq!(listed, idle, "the idle list differs from the slots");

        assert_eq!(tally.lent, self.lent.len(), "a lease without a seat, or a seat without a lease");
        assert_eq!(tally.opening, self.opening.len());
        assert_eq!(tally.checking, self.checking.len());
        assert_eq!(tally.resetting, self.resetting.len());
        assert_eq!(tally.closing + ledger.outside, self.closing.len());
        assert_eq!(ledger.waiters.len(), self.handles.len());

        // The largest pool there is in these walks.
        assert!(tally.occupied() <= 3, "more places taken than there may be");

        let waiting = ledger.waiters.len();
        let woken = self.due == Some(self.now);
        assert!(waiting <= tally.coming() || ledger.idle.is_empty() || woken, "idle although somebody waits");
        if waiting > 0 {
            let retry = ledger.outage.retry_at.filter(|_| self.due.is_some());
            let hope = tally.coming() + tally.slow + tally.lent + tally.closing;
            assert!(hope > 0 || retry.is_some() || woken, "somebody waits for nothing");
            if tally.coming() == 0 && tally.lent == 0 && tally.occupied() < ledger.config.max {
                let due = self.due.expect("somebody waits for a pause to end and nobody will notice");
                let retry = ledger.outage.retry_at.unwrap_or(due);
                assert!(due <= retry.max(self.now), "the housekeeper oversleeps the next attempt");
            }
        }

        let stats = ledger.stats(self.now);
        let left: u64 = stats.closed_total();
        assert!(stats.opened >= left, "more connections left than came");
        assert!(stats.acquired >= stats.acquired_new);
    }

    /// Lets everything that is under way end well, and sees that the pool is whole again.
    fn recover(mut self) {
        for round in 0.. {
            assert!(round < 200, "the pool does not come to rest");
            let mut moved = false;
            for event in [Event::OpenOk, Event::CareOk, Event::CloseDone, Event::ReturnClean] {
                while self.apply(event) {
                    self.check();
                    moved = true;
                }
            }
            if moved {
                continue;
            }
            let lending = self.ledger.mode() == Mode::Lending;
            let below = self.ledger.fresh(self.now) < self.ledger.config.min && !self.ledger.outage.permanent;
            if lending && (below || !self.handles.is_empty()) {
                assert!(self.apply(Event::Housekeeping), "nothing will ever happen again");
                self.check();
                continue;
            }
            break;
        }
        assert!(self.handles.is_empty());
        let tally = self.ledger.slots.tally();
        assert_eq!(tally.occupied(), tally.idle, "a place was lost");
        assert_eq!(self.ledger.outside, 0);
        if self.ledger.mode() == Mode::Closed {
            assert!(self.ledger.is_drained());
            return;
        }
        // All of it can be lent again.
        let max = self.ledger.config.max;
        self.step(|ledger, now, tasks| ledger.evict_all(now, tasks));
        while self.apply(Event::CloseDone) {}
        for _ in 0..max {
            self.apply(Event::Acquire);
        }
        while self.apply(Event::OpenOk) {}
        assert_eq!(self.lent.len(), max, "the pool does not come back to its full size");
        self.check();
    }
}

fn config() -> Config {
    Config::new().max(2).min(1).max_connecting(1).idle_timeout(Duration::from_secs(300))
}

#[test]
fn every_short_sequence_of_events_keeps_the_rules() {
    fn walk(world: &World, depth: usize, visited: &mut u64) {
        for event in EVENTS {
            let mut next = world.clone();
            if !next.apply(event) {
                continue;
            }
            *visited += 1;
            next.check();
            if depth == 1 {
                next.recover();
            } else {
                walk(&next, depth - 1, visited);
            }
        }
    }
    let mut visited = 0;
    walk(&World::new(config()), 4, &mut visited);
    assert!(visited > 10_000, "the walk is too short to prove anything: {visited}");
}

#[test]
fn every_short_sequence_from_a_busy_pool_keeps_the_rules() {
    let mut busy = World::new(config());
    for event in [Event::OpenOk, Event::Acquire, Event::Acquire, Event::OpenOk, Event::Acquire, Event::Acquire] {
        assert!(busy.apply(event), "{event:?} should be possible");
        busy.check();
    }
    assert_eq!((busy.lent.len(), busy.handles.len()), (2, 2));
    for first in EVENTS {
        for second in EVENTS {
            for third in EVENTS {
                let mut world = busy.clone();
                for event in [first, second, third] {
                    world.apply(event);
                    world.check();
                }
                world.recover();
            }
        }
    }
}

#[test]
fn long_random_sequences_keep_the_rules() {
    for seed in 0..3000 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let config = Config::new()
            .max(chance.usize(1..=3))
            .min(chance.usize(0..=1))
            .max_connecting(chance.usize(1..=3))
            .max_waiters(if chance.bool() { Some(chance.usize(0..=2)) } else { None })
            .max_lifetime(if chance.bool() { Some(Duration::from_secs(3600)) } else { None })
            .leak_threshold(if chance.bool() { Some(Duration::from_secs(1)) } else { None });
        let mut world = World::new(config);
        let mut happened = Vec::new();
        for _ in 0..120 {
            let mut event = EVENTS[chance.usize(..EVENTS.len())];
            // Closing ends the story, so it comes seldom.
            if event == Event::ClosePool && chance.u8(..20) > 0 {
                event = Event::Acquire;
            }
            happened.push(event);
            world.apply(event);
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.check()));
            assert!(checked.is_ok(), "seed {seed}, after {happened:?}");
        }
        world.recover();
    }
}

#[test]
fn reasons_are_counted() {
    let mut world = World::new(config());
    world.apply(Event::OpenOk);
    world.apply(Event::Acquire);
    world.apply(Event::Discard);
    let stats = world.ledger.stats(world.now);
    assert_eq!((stats.closed(CloseReason::Discarded), stats.closed_total(), stats.acquired), (1, 1, 1));
}
