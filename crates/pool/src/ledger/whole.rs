//! What is done to the pool as a whole: closed, suspended, evicted, warmed up, given other settings or another size.

use super::sizing::{Reading, Sizing};
use super::task::{Refusal, Task, Tasks};
use super::{Ledger, Mode, Outage, Warmth};
use crate::clock::Moment;
use crate::config::Config;
use crate::stats::CloseReason;

impl<C, W, F: Clone> Ledger<C, W, F> {
    /// Stops lending: callers who wait are refused, idle connections closed, borrowed ones closed when they come back.
    pub(crate) fn close(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        if self.mode == Mode::Closed {
            return;
        }
        self.mode = Mode::Closed;
        self.arrange();
        tasks.wake_housekeeper = true;
        self.refuse_all(&Refusal::Closed, tasks);
        self.close_all_idle(CloseReason::PoolClosed, now, tasks);
    }

    /// Whether a closed pool holds nothing any more.
    pub(crate) fn is_drained(&self) -> bool {
        self.mode == Mode::Closed && self.slots.tally().occupied() == 0 && self.outside == 0
    }

    /// Evicts every connection opened before now and forgets past failures.
    pub(crate) fn evict_all(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        self.epoch += 1;
        self.arrange();
        self.outage = Outage::NONE;
        self.close_all_idle(CloseReason::Evicted, now, tasks);
        self.pump(now, tasks);
    }

    /// Stops lending until [`resume`](Self::resume): callers wait, and what comes back rests.
    pub(crate) fn suspend(&mut self) {
        if self.mode == Mode::Lending {
            self.mode = Mode::Suspended;
        }
    }

    /// Lends again, to those who waited first.
    pub(crate) fn resume(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        if self.mode == Mode::Suspended {
            self.mode = Mode::Lending;
            tasks.wake_housekeeper = true;
            self.tidy(now, tasks);
        }
    }

    /// Asks for so many connections at least, this once.
    pub(crate) fn warm(&mut self, count: usize, now: Moment, tasks: &mut Tasks<C, W, F>) -> Warmth<F> {
        let count = count.min(self.limit());
        if self.mode == Mode::Closed {
            return Warmth::Closed;
        }
        if self.fresh(now) - self.slots.tally().opening >= count {
            return Warmth::Warm;
        }
        if let Some(failure) = self.outage.last.clone().filter(|_| self.outage.retry_at.is_some_and(|at| at > now)) {
            return Warmth::Failed(failure);
        }
        self.warm_to = self.warm_to.max(count);
        self.pump(now, tasks);
        Warmth::Warming
    }

    /// Changes the settings. Connections above the new `max` are closed: idle ones now, borrowed ones when they come back.
    pub(crate) fn reconfigure(&mut self, config: Config, now: Moment, tasks: &mut Tasks<C, W, F>) {
        self.config = config;
        let sizing = self
            .sizing
            .take()
            .map_or_else(|| Sizing::new(config.min, config.max), |sizing| sizing.between(config.min, config.max));
        self.sizing = config.auto_size.then_some(sizing);
        self.front.shelf.set_validate_after(config.validate_after);
        self.front.queue().set_patience(config.acquire_timeout);
        tasks.wake_housekeeper = true;
        self.keep_to_limit(now, tasks);
        self.pump(now, tasks);
    }

    /// Closes what lies idle beyond the limit, the coldest first.
    fn keep_to_limit(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        self.arrange();
        if !self.is_oversized() {
            return;
        }
        let mut idle = self.take_all();
        while self.is_oversized() {
            let Some(coldest) = idle.pop_front() else { break };
            self.close_in_place(*coldest, CloseReason::Resized, now, tasks);
        }
        self.put_all(idle);
    }

    /// Looks whether another size would be better.
    pub(super) fn size_up(&mut self, now: Moment, tasks: &mut Tasks<C, W, F>) {
        let uses = self.front.shelf.use_counts();
        let waiting = self.waiting();
        let before = self.limit();
        let Some(sizing) = &mut self.sizing else { return };
        let reading = Reading { at: now, acquired: uses.acquired, waited: uses.waited, used: uses.used, waiting };
        if sizing.look(reading).is_some() {
            tasks.push(Task::Resized { before, now: self.limit() });
            self.keep_to_limit(now, tasks);
        }
    }

    /// Turns away everybody who waits; how many they were.
    pub(super) fn refuse_all(&mut self, refusal: &Refusal<F>, tasks: &mut Tasks<C, W, F>) -> u64 {
        let all = self.front.drain();
        let count = all.len() as u64;
        for waiter in all {
            tasks.push(Task::Refuse { waiter, refusal: refusal.clone() });
        }
        count
    }
}
