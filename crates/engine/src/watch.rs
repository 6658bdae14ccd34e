//! One statement under the eyes of the connection's observer.

use crate::{Error, Observer, Outcome, Result, Statement};
use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

/// An observer about to watch a statement.
pub(crate) struct Watcher {
    observer: Option<Arc<dyn Observer>>,
    caller: &'static Location<'static>,
}

impl Watcher {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>, caller: &'static Location<'static>) -> Self {
        Self { observer, caller }
    }

    /// Who runs it.
    pub(crate) fn caller(&self) -> &'static Location<'static> {
        self.caller
    }

    /// From here the statement is on its way.
    pub(crate) fn started(self, sql: &str) -> Watch<'_> {
        let Self { observer, caller } = self;
        Watch { watched: observer.map(|observer| Watched { observer, caller, sql: sql.into(), since: Instant::now() }) }
    }
}

/// Watches one statement and tells the observer how it ended; dropped before, it tells that too.
#[must_use = "a watch that is not kept ends as dropped"]
pub(crate) struct Watch<'s> {
    watched: Option<Watched<'s>>,
}

struct Watched<'s> {
    observer: Arc<dyn Observer>,
    caller: &'static Location<'static>,
    sql: Cow<'s, str>,
    since: Instant,
}

impl Watch<'_> {
    /// With a text of its own, for statements that outlive the call. It is copied only where somebody listens.
    pub(crate) fn into_owned(mut self) -> Watch<'static> {
        let watched = self.watched.take();
        Watch { watched: watched.map(|watched| Watched { sql: watched.sql.into_owned().into(), ..watched }) }
    }

    pub(crate) fn ended<T>(self, outcome: &Result<T>, rows: impl FnOnce(&T) -> u64) {
        match outcome {
            Ok(value) => self.done(rows(value)),
            Err(error) => self.failed(error),
        }
    }

    /// Tells nobody: the statement never ran.
    pub(crate) fn forget(mut self) {
        self.watched = None;
    }

    pub(crate) fn done(mut self, rows: u64) {
        self.tell(Outcome::Done { rows });
    }

    pub(crate) fn failed(mut self, error: &Error) {
        self.tell(Outcome::Failed(error));
    }

    fn tell(&mut self, outcome: Outcome<'_>) {
        if let Some(Watched { observer, caller, sql, since }) = self.watched.take() {
            observer.statement_finished(&Statement { sql: &sql, duration: since.elapsed(), outcome, caller });
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.tell(Outcome::Dropped);
    }
}
