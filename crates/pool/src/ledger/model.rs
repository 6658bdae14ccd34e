//! Walks the ledger through every small sequence of events, and through long random ones, with a model of the world that
//! carries out its tasks, and checks the rules after each step.

#![allow(clippy::unwrap_used)]

use std::panic::Location;
use std::time::Duration;

use super::*;
use crate::front::{PassedOn, WaiterId};
use crate::shelf::Back;
use crate::stats::CloseReason;

type TestLedger = Ledger<u32, u32, &'static str>;
type TestTasks = Tasks<u32, u32, &'static str>;

/// How long callers wait.
const PATIENCE: Duration = Duration::from_secs(30);

impl<C: Clone, W: Clone, F: Clone> Clone for Ledger<C, W, F> {
    fn clone(&self) -> Self {
        Self {
            config: self.config,
            sizing: self.sizing.clone(),
            mode: self.mode,
            epoch: self.epoch,
            slots: self.slots.clone(),
            front: Arc::new((*self.front).clone()),
            outside: self.outside,
            outage: self.outage.clone(),
            suspecting: self.suspecting,
            told: self.told,
            warm_to: self.warm_to,
            counters: self.counters.clone(),
        }
    }
}

/// Everything outside the ledger: who holds what, and what is being done.
#[derive(Clone)]
#[expect(clippy::vec_box, reason = "as the ledger hands them out")]
struct World {
    ledger: TestLedger,
    now: Moment,
    lent: Vec<Box<Held<u32>>>,
    opening: Vec<Seat>,
    checking: Vec<Box<Held<u32>>>,
    resetting: Vec<Box<Held<u32>>>,
    closing: Vec<Place>,
    /// Handles given to callers that queued; each is answered at most once.
    handles: Vec<(WaiterId, u32)>,
    next_connection: u32,
    next_handle: u32,
    /// When the housekeeper comes next; `None` when it waits to be woken.
    due: Option<Moment>,
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
    LastLeaves,
    ShortTime,
    LongTime,
    Housekeeping,
    Evict,
    Shrink,
    Grow,
    Warm,
    Suspend,
    Resume,
    ClosePool,
}

const EVENTS: [Event; 30] = [
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
    Event::LastLeaves,
    Event::ShortTime,
    Event::LongTime,
    Event::Housekeeping,
    Event::Evict,
    Event::Shrink,
    Event::Grow,
    Event::Warm,
    Event::Suspend,
    Event::Resume,
    Event::ClosePool,
];

impl World {
    fn new(config: Config) -> Self {
        let now = Moment::now();
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

    fn step<R>(&mut self, decide: impl FnOnce(&mut TestLedger, Moment, &mut TestTasks) -> R) -> R {
        let mut tasks = Tasks::new();
        let result = decide(&mut self.ledger, self.now, &mut tasks);
        assert!(!self.ledger.publish(), "nobody comes at the same time here");
        let mut all = Vec::new();
        let mut woken = false;
        tasks.carry_out(|task| all.push(task), || woken = true);
        if woken {
            self.due = Some(self.now);
        }
        for task in all {
            match task {
                Task::Deliver { waiter, held, .. } => {
                    self.answered(waiter);
                    self.lent.push(held);
                }
                Task::Refuse { waiter, .. } => self.answered(waiter),
                Task::Open { seat, .. } => self.opening.push(seat),
                Task::Check(held) => self.checking.push(held),
                Task::Reset(held) => self.resetting.push(held),
                Task::Close { place, .. } => self.closing.push(place),
                Task::Leaked(_) | Task::Resized { .. } => {}
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
                // As a caller does: past the ledger where that is possible.
                if let Some(held) = self.ledger.front.shelf.lend(self.now, true, location, true) {
                    self.lent.push(held);
                    return true;
                }
                let handle = self.next_handle;
                self.next_handle += 1;
                let caller = Caller { since: self.now, exact: true, timed: true, limit: Some(PATIENCE), location };
                let joined = match self.ledger.front.join(caller, handle) {
                    Ok(queued) => {
                        if queued.wake_housekeeper {
                            self.due = Some(self.now);
                        }
                        // What a step of the ledger could do for this caller.
                        let mut copy = self.ledger.clone();
                        let mut tasks = Tasks::new();
                        copy.pump(self.now, &mut tasks);
                        tasks.carry_out(|task| panic!("there was something to do: {task:?}"), || ());
                        assert!(!self.ledger.publish(), "nothing can be done for one caller more");
                        Join::Queued(queued)
                    }
                    Err(handle) => self.step(|ledger, now, tasks| ledger.join(now, caller, handle, tasks)),
                };
                match joined {
                    Join::Lent(held) => self.lent.push(held),
                    Join::Queued(queued) => self.handles.push((queued.id, handle)),
                    Join::Refused(_) => {}
                }
                true
            }
            Event::TryAcquire => {
                if let Some(held) = self.ledger.front.shelf.lend(self.now, true, location, false) {
                    self.lent.push(held);
                    return true;
                }
                let taken = self.step(|ledger, now, tasks| ledger.take(now, location, Trust::AsIs, tasks));
                let found = taken.is_some();
                self.lent.extend(taken);
                found
            }
            Event::ReturnClean => self.give_back(State::Clean, true),
            Event::ReturnUnused => self.give_back(State::Clean, false),
            Event::ReturnDirty => self.give_back(State::NeedsReset, true),
            Event::ReturnBroken => self.give_back(State::Broken, true),
            Event::Discard => self.lent.pop().is_some_and(|held| {
                self.step(|ledger, now, tasks| ledger.discard(held, now, tasks));
                true
            }),
            Event::Detach => self.lent.pop().is_some_and(|held| {
                self.step(|ledger, now, tasks| ledger.detach(held, now, tasks));
                true
            }),
            Event::Undelivered => self.lent.pop().is_some_and(|held| {
                self.step(|ledger, now, tasks| ledger.undelivered(held, State::Clean, now, tasks));
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
                let Some(held) = self.checking.last().or(self.resetting.last()).cloned() else { return false };
                self.step(|ledger, now, tasks| ledger.slow(&held.seat, now, tasks));
                true
            }
            Event::CareOrphaned => {
                let Some(held) = self.checking.pop().or_else(|| self.resetting.pop()) else { return false };
                self.orphan(Place::Seat(held.seat))
            }
            Event::CloseDone => self.closing.pop().is_some_and(|place| {
                self.step(|ledger, now, tasks| ledger.closed(place, now, tasks));
                true
            }),
            Event::FirstLeaves => self.leave(0),
            Event::LastLeaves => self.leave(self.handles.len().saturating_sub(1)),
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
                let config = self.ledger.config.max(1).min(0);
                self.step(|ledger, now, tasks| ledger.reconfigure(config, now, tasks));
                true
            }
            Event::Grow => {
                let config = self.ledger.config.max(3).min(2);
                self.step(|ledger, now, tasks| ledger.reconfigure(config, now, tasks));
                true
            }
            Event::Warm => {
                self.step(|ledger, now, tasks| _ = ledger.warm(3, now, tasks));
                true
            }
            Event::Suspend => {
                self.step(|ledger, _, _| ledger.suspend());
                true
            }
            Event::Resume => {
                self.step(|ledger, now, tasks| ledger.resume(now, tasks));
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
        self.now = self.now + time;
        if self.due.is_some_and(|due| due <= self.now) {
            self.housekeep();
        }
        true
    }

    fn give_back(&mut self, state: State, used: bool) -> bool {
        let Some(held) = self.lent.pop() else { return false };
        let proven = used.then_some(self.now);
        // As a lease does: past the ledger where that is possible.
        let back = match state {
            State::Clean => self.ledger.front.shelf.take_back(held, proven, self.now),
            _ => Back::AskLedger(held),
        };
        let held = match back {
            Back::Rests(_) => return true,
            Back::AskLedger(held) => held,
            Back::Overtaken(..) => unreachable!("nothing happens at the same time here"),
        };
        let passed = match state {
            State::Clean => self.ledger.front.pass_on(held, proven, self.now),
            _ => Err(held),
        };
        let held = match passed {
            Ok(PassedOn { waiter, held, .. }) => {
                self.answered(waiter);
                self.lent.push(held);
                return true;
            }
            Err(held) => held,
        };
        self.step(|ledger, now, tasks| ledger.give_back(held, state, proven, now, tasks));
        true
    }

    fn open_fails(&mut self, permanent: bool) -> bool {
        self.opening.pop().is_some_and(|seat| {
            self.step(|ledger, now, tasks| ledger.open_failed(seat, "refused", permanent, now, 0.5, tasks));
            true
        })
    }

    fn care_done(&mut self, fit: bool) -> bool {
        let Some(held) = self.checking.pop().or_else(|| self.resetting.pop()) else { return false };
        self.step(|ledger, now, tasks| {
            if fit {
                ledger.healthy(held, now, tasks);
            } else {
                ledger.unhealthy(*held, now, tasks);
            }
        });
        true
    }

    fn orphan(&mut self, place: Place) -> bool {
        self.step(|ledger, now, tasks| ledger.orphaned(place, &"interrupted", now, tasks));
        true
    }

    fn leave(&mut self, place: usize) -> bool {
        let Some(&(id, handle)) = self.handles.get(place) else { return false };
        let left = self.ledger.front.leave(id).expect("a caller who was not answered still waits");
        assert_eq!(left, handle);
        self.handles.remove(place);
        true
    }

    fn check(&self) {
        let ledger = &self.ledger;
        let tally = *ledger.slots.tally();

        let mut counted = slot::Tally::default();
        for slot in ledger.slots.iter() {
            counted.count(slot.phase, |count| *count += 1);
        }
        assert_eq!(tally, counted, "the tally differs from the slots");

        let mut lent = 0;
        ledger.front.shelf.each_loan(|_, _| lent += 1);
        assert_eq!(lent, self.lent.len(), "a lease nobody sees, or a loan without a lease");
        let front = (*ledger.front).clone();
        let idle = std::iter::from_fn(|| front.shelf.take()).count();
        assert_eq!(tally.live, idle + lent, "what the shelf holds differs from the slots");
        let queue = ledger.front.queue();
        let attention = queue.len() > 0 || ledger.mode != Mode::Lending || ledger.is_oversized();
        assert_eq!(queue.told(), (ledger.epoch, attention), "the shelf does not know how it stands");
        assert_eq!(ledger.front.shelf.is_marked(), attention);

        assert_eq!(tally.opening, self.opening.len());
        assert_eq!(tally.checking, self.checking.len());
        assert_eq!(tally.resetting, self.resetting.len());
        assert_eq!(tally.closing + ledger.outside, self.closing.len());
        assert_eq!(queue.len(), self.handles.len());

        // The largest pool there is in these walks.
        assert!(tally.occupied() <= 3, "more places taken than there may be");

        // While lending is suspended, waiting beside idle connections is what is wanted.
        let waiting = if ledger.mode == Mode::Suspended { 0 } else { queue.len() };
        let woken = self.due == Some(self.now);
        assert!(waiting <= tally.coming() || idle == 0 || woken, "idle although somebody waits");
        if waiting > 0 {
            let retry = ledger.outage.retry_at.filter(|_| self.due.is_some());
            let hope = tally.coming() + tally.slow + lent + tally.closing;
            assert!(hope > 0 || retry.is_some() || woken, "somebody waits for nothing");
            let first = queue.iter().map(|waiter| waiter.deadline).min();
            assert!(woken || first >= self.due && self.due.is_some(), "nobody watches the time of who waits");
            if tally.coming() == 0 && lent == 0 && tally.occupied() < ledger.config.max {
                let due = self.due.expect("somebody waits for a pause to end and nobody will notice");
                let retry = ledger.outage.retry_at.unwrap_or(due);
                assert!(due <= retry.max(self.now), "the housekeeper oversleeps the next attempt");
            }
        }

        drop(queue);
        let stats = ledger.stats(self.now);
        let left: u64 = stats.closed_total();
        assert!(stats.opened >= left, "more connections left than came");
        assert!(stats.acquired >= stats.acquired_new);
    }

    /// Lets everything that is under way end well, and sees that the pool is whole again.
    fn recover(mut self) {
        self.apply(Event::Resume);
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
        assert_eq!(self.ledger.slots.tally().occupied(), self.ledger.idle(), "a place was lost");
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
            .leak_threshold(if chance.bool() { Some(Duration::from_secs(1)) } else { None })
            .auto_size(chance.bool())
            .keepalive(if chance.bool() { Some(Duration::from_secs(60)) } else { None })
            .when_down(if chance.bool() { WhenDown::Wait } else { WhenDown::Fail });
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
