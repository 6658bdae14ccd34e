//! The pool as its users see it.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::acquire::{self, Limit};
use crate::advice::{Advice, Demand, Room, Sample};
use crate::clock::Moment;
use crate::config::{Config, ConfigError};
use crate::error::AcquireError;
use crate::housekeeper;
use crate::lease::Lease;
use crate::manage::Manage;
use crate::observer::Observer;
use crate::shared::Shared;
use crate::stats::{Borrower, Stats};
use crate::times::PoolTimes;

/// Connections that are opened once and lent many times. Cloning gives another handle to the same pool.
///
/// All background work runs on the runtime the pool was created on, which may be of any flavor and needs its timers
/// enabled. Acquiring and giving back work from any thread and any executor, as long as that runtime is driven: it also keeps the
/// time limits, so on a runtime of one thread whose `block_on` has returned, who waits is not even told that its time is over.
///
/// When the last handle is dropped the pool closes: idle connections at once, borrowed ones when they come back.
pub struct Pool<M: Manage> {
    shared: Arc<Shared<M>>,
    owner: Arc<Owner<M>>,
}

/// What the handles share and leases do not: when the last one goes, nobody can ask any more.
struct Owner<M: Manage>(Arc<Shared<M>>);

impl<M: Manage> Drop for Owner<M> {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

impl<M: Manage> Pool<M> {
    /// Creates a pool on the current runtime and starts opening `min` connections in the background. Nothing is waited
    /// for: whether the server can be reached shows at the first [`acquire`](Self::acquire).
    ///
    /// # Errors
    ///
    /// Settings that do not make sense together, or no tokio runtime to run on.
    pub fn new(manager: M, config: Config) -> Result<Self, ConfigError> {
        Self::builder(manager).config(config).build()
    }

    /// Creates a pool step by step.
    pub fn builder(manager: M) -> Builder<M> {
        Builder { manager, config: Config::default(), name: "default".into(), runtime: None, observer: None }
    }

    /// Takes a connection, waiting at most [`Config::acquire_timeout`] for everything together: for its turn, for a
    /// connection to be opened, and for its check.
    ///
    /// An idle connection is taken at once, the one used last first. Otherwise callers are served in the order they came,
    /// each by whatever is there first: a connection that comes back or one that has been opened.
    ///
    /// # Errors
    ///
    /// See [`AcquireErrorKind`](crate::AcquireErrorKind). An error of opening is told at once when no other connection
    /// can serve the caller.
    ///
    /// # Cancellation
    ///
    /// Safe at any moment. What was begun for the caller (opening, a check) goes on and serves the next one.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<Lease<M>, AcquireError<M::Error>>> + Send {
        acquire::acquire(&self.shared, Limit::Configured, Location::caller())
    }

    /// As [`acquire`](Self::acquire), with this time limit instead of the configured one.
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire).
    #[track_caller]
    pub fn acquire_within(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Lease<M>, AcquireError<M::Error>>> + Send {
        acquire::acquire(&self.shared, Limit::Of(limit), Location::caller())
    }

    /// Takes an idle connection without waiting for anything, so without the check that a connection idle for longer than
    /// `validate_after` would get. It never goes ahead of callers who wait.
    ///
    /// # Errors
    ///
    /// [`Exhausted`](crate::AcquireErrorKind::Exhausted) when nothing is idle, or
    /// [`Closed`](crate::AcquireErrorKind::Closed).
    #[track_caller]
    pub fn try_acquire(&self) -> Result<Lease<M>, AcquireError<M::Error>> {
        acquire::try_acquire(&self.shared, Location::caller())
    }

    /// The numbers of the pool at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.look().stats(Moment::now())
    }

    /// How long callers waited, opening took and connections were held, since the pool was created.
    #[must_use]
    pub fn times(&self) -> PoolTimes {
        self.shared.look().times()
    }

    /// The numbers of the pool at this moment, for a later [`advise`](Self::advise).
    #[must_use]
    pub fn sample(&self) -> Sample {
        let ledger = self.shared.look();
        let now = Moment::now();
        Sample { at: now, stats: ledger.stats(now), times: ledger.times() }
    }

    /// What size would fit what was asked of the pool since then. `room`: what the server has to give, where that is known.
    #[must_use]
    pub fn advise(&self, since: &Sample, room: Option<Room>) -> Advice {
        let now = self.sample();
        Advice::new(Demand::between(since, &now), now.stats.max, room)
    }

    /// All leases that are out, the longest held first.
    #[must_use]
    pub fn borrowers(&self) -> Vec<Borrower> {
        self.shared.look().borrowers(Moment::now())
    }

    /// The name given to the [`Builder`]; it stands in errors and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The manager the pool was created with.
    #[must_use]
    pub fn manager(&self) -> &M {
        &self.shared.manager
    }

    /// The settings at this moment.
    #[must_use]
    pub fn config(&self) -> Config {
        self.shared.config()
    }

    /// Changes `max` and `min`; otherwise as [`reconfigure`](Self::reconfigure).
    ///
    /// # Errors
    ///
    /// Sizes that make no sense; nothing is changed then.
    pub fn resize(&self, max: usize, min: usize) -> Result<(), ConfigError> {
        self.change(|config| config.max(max).min(min))
    }

    /// Changes the settings of the running pool. Connections above the new `max` are closed: idle ones now, the coldest first,
    /// borrowed ones when they come back. A new `max_lifetime` holds for connections opened from now on, new time limits for
    /// what begins from now on; the rest holds at once.
    ///
    /// # Errors
    ///
    /// Settings that make no sense together; nothing is changed then.
    pub fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        self.change(|_| config)
    }

    fn change(&self, change: impl FnOnce(Config) -> Config) -> Result<(), ConfigError> {
        self.shared.step(|ledger, tasks| {
            let config = change(*ledger.config());
            config.validate()?;
            ledger.reconfigure(config, Moment::now(), tasks);
            Ok(())
        })?;
        self.shared.news.notify_waiters();
        Ok(())
    }

    /// Stops lending, for example while the server is maintained: who asks waits, until [`resume`](Self::resume) or the end of
    /// its time. Leases that are out stay out.
    pub fn suspend(&self) {
        self.shared.step(|ledger, _| ledger.suspend());
    }

    /// Lends again after [`suspend`](Self::suspend), first to those who have waited.
    pub fn resume(&self) {
        self.shared.step(|ledger, tasks| ledger.resume(Moment::now(), tasks));
        self.shared.news.notify_waiters();
    }

    /// Opens connections until there are `count` (at most `max`), and returns when they are there: for the time before the
    /// first caller. Those above `min` are closed again when they have been idle for `idle_timeout`. While lending is
    /// [suspended](Self::suspend), nothing is opened and this waits.
    ///
    /// # Errors
    ///
    /// The first failure to open, or [`Closed`](crate::AcquireErrorKind::Closed).
    ///
    /// # Cancellation
    ///
    /// Only the waiting ends; the connections are opened all the same.
    #[track_caller]
    pub fn warm_up(&self, count: usize) -> impl Future<Output = Result<(), AcquireError<M::Error>>> + Send {
        acquire::warm_up(&self.shared, count, Location::caller())
    }

    /// Replaces every connection there is, for example after a failover: idle ones are closed now, borrowed ones when they
    /// come back, those being opened as soon as they are there. Past failures to open are forgotten, so that the next
    /// attempt is made at once.
    pub fn reset(&self) {
        self.shared.step(|ledger, tasks| ledger.evict_all(Moment::now(), tasks));
    }

    /// Closes the pool: lends no more, turns away those who wait, and waits at most [`Config::close_timeout`] until every
    /// connection is back and closed. Returns the leases still out then, longest held first; they are closed when they
    /// come back.
    ///
    /// # Cancellation
    ///
    /// The pool is closed from the first poll on; only the waiting ends.
    pub async fn close(&self) -> Vec<Borrower> {
        self.close_within(self.shared.config().close_timeout).await
    }

    /// As [`close`](Self::close), waiting at most `limit`.
    pub async fn close_within(&self, limit: Duration) -> Vec<Borrower> {
        self.shared.shut_down();
        // A task, because a bare timer would panic if the pool's runtime ended meanwhile.
        let mut alarm = self.shared.runtime.spawn(async move { sleep(limit).await });
        tokio::select! {
            biased;
            () = self.shared.until_drained() => alarm.abort(),
            _ = &mut alarm => {}
        }
        self.borrowers()
    }

    /// Whether the pool has been closed, or the runtime it was created on has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.look().mode() == crate::ledger::Mode::Closed
    }
}

impl<M: Manage> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), owner: Arc::clone(&self.owner) }
    }
}

impl<M: Manage> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.stats();
        f.debug_struct("Pool")
            .field("name", &self.shared.name)
            .field("size", &stats.size)
            .field("idle", &stats.idle)
            .field("in_use", &stats.in_use)
            .field("waiting", &stats.waiting)
            .field("max", &stats.max)
            .finish_non_exhaustive()
    }
}

/// Creates a [`Pool`] step by step.
#[must_use = "nothing happens before `build`"]
pub struct Builder<M: Manage> {
    manager: M,
    config: Config,
    name: Arc<str>,
    runtime: Option<Handle>,
    observer: Option<Arc<dyn Observer>>,
}

impl<M: Manage> Builder<M> {
    /// The settings. Default: [`Config::default`].
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The name in errors and logs. Default: `default`.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Who hears what happens. Default: nobody.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The runtime for the background work. Default: the one `build` is called on.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Creates the pool.
    ///
    /// # Errors
    ///
    /// Settings that do not make sense together, or no tokio runtime to run on.
    pub fn build(self) -> Result<Pool<M>, ConfigError> {
        self.config.validate()?;
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => Handle::try_current().map_err(|_| {
                ConfigError::new(
                    "runtime",
                    "is missing: create the pool inside a tokio runtime, or name one to the builder",
                )
            })?,
        };
        let shared = Arc::new(Shared::new(self.manager, self.name, self.config, runtime, self.observer));
        housekeeper::start(&shared);
        let owner = Arc::new(Owner(Arc::clone(&shared)));
        Ok(Pool { shared, owner })
    }
}

impl<M: Manage> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).field("config", &self.config).finish_non_exhaustive()
    }
}
