//! The one task a pool keeps: it sleeps until something is due.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::{Calendar, Moment};
use crate::ledger::Mode;
use crate::manage::Manage;
use crate::shared::Shared;

/// A machine's sleep is noticed this long after it at the latest.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Starts the housekeeper, which fills the pool to its `min` first.
pub(crate) fn start<M: Manage>(shared: &Arc<Shared<M>>) {
    let watch = Watch(Arc::downgrade(shared));
    shared.runtime.spawn(run(watch, Arc::clone(&shared.housekeeper)));
}

/// Closes the pool when the housekeeper ends, whatever ended it. When that is the end of the runtime, no task of the pool
/// can serve anybody any more, and those who wait are told so.
struct Watch<M: Manage>(Weak<Shared<M>>);

impl<M: Manage> Drop for Watch<M> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.shut_down();
        }
    }
}

async fn run<M: Manage>(watch: Watch<M>, wake: Arc<Notify>) {
    let mut calendar = Calendar::new(SystemTime::now(), Moment::now());
    loop {
        let due = {
            let Some(shared) = watch.0.upgrade() else { return };
            if shared.look().mode() == Mode::Closed {
                return;
            }
            let now = Moment::now();
            if let Some(jump) = calendar.jump(SystemTime::now(), now) {
                tracing::info!(
                    pool = &*shared.name,
                    ?jump,
                    "the machine has slept, or its clock was set: idle connections are checked before they are lent"
                );
                shared.step(|ledger, _| ledger.doubt(now));
            }
            shared.step(|ledger, tasks| ledger.tick(now, tasks))
        };
        match due {
            Some(at) => tokio::select! {
                () = sleep(at.saturating_duration_since(Moment::now()).min(LONGEST_SLEEP)) => {}
                () = wake.notified() => {}
            },
            None => wake.notified().await,
        }
    }
}
