//! The configuration of one database.

use crate::Result;
use dbkeep_engine::{ConnectOptions, Location};
use dbkeep_pool::WhenDown;
use std::time::Duration;

/// How many connections a database has and how long they live. The same settings under the same names as in
/// `[connections.NAME.pool]` of dbkeep.toml.
///
/// A SQLite file takes one writer at a time. With a `max` of 2 or more, one of its connections writes and the others read; see
/// [`Database`](crate::Database).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSettings {
    /// The most connections. Default 10.
    pub max: usize,
    /// Whether it finds its size by itself, with `max` as the most it may try; see
    /// [`Config`](dbkeep_pool::Config#structfield.auto_size). `max = "auto"` in dbkeep.toml, with a `max` of
    /// [`AUTO_MAX`](Self::AUTO_MAX). Default `false`.
    pub auto_size: bool,
    /// How many are kept open at least. Default 2.
    pub min: usize,
    /// How long to wait for a connection in all. Default 30 s.
    pub acquire_timeout: Duration,
    /// After how much idleness a connection above `min` is closed. Default 5 min; zero never closes one for that.
    pub idle_timeout: Duration,
    /// How old a connection gets, with up to 10 % less for each by chance. Default 1 h; zero sets no limit.
    pub max_lifetime: Duration,
    /// How long after its last answer a connection is checked before it is lent. Default 500 ms.
    pub validate_after: Duration,
    /// After how much idleness a connection is checked although nobody asks for it. Default zero: never.
    pub keepalive: Duration,
    /// A connection that is held for longer is reported in the log, with the place that took it. Default zero: never, but for
    /// the one that writes to a SQLite file beside others that read, which all writing waits for: 30 s.
    pub leak_threshold: Duration,
    /// How many may wait for somebody else's connection before the next is turned away. Default `None`: any number.
    pub max_waiters: Option<usize>,
    /// What callers get while the database cannot be reached. Default: the reason, at once.
    pub when_down: WhenDown,
}

/// Who keeps the only connection that writes keeps all others from writing.
const WRITER_LEAKS_AFTER: Duration = Duration::from_secs(30);

impl PoolSettings {
    /// The most connections a pool tries that finds its size by itself, unless it is told another number.
    pub const AUTO_MAX: usize = 100;
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max: 10,
            auto_size: false,
            min: 2,
            acquire_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            max_lifetime: Duration::from_secs(3600),
            validate_after: Duration::from_millis(500),
            keepalive: Duration::ZERO,
            leak_threshold: Duration::ZERO,
            max_waiters: None,
            when_down: WhenDown::Fail,
        }
    }
}

/// The configuration of one database.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The name it goes by, in messages and logs. Default `default`.
    pub name: String,
    /// Where it is.
    pub options: ConnectOptions,
    /// Its pool.
    pub pool: PoolSettings,
    /// Statements that take longer are logged as slow. Default 1 s; `None` logs none.
    pub slow_query: Option<Duration>,
    /// Whether every statement is logged, never with its parameters. Default `false`.
    pub log_queries: bool,
}

impl Settings {
    /// Every default, for a database at this URL.
    ///
    /// # Errors
    /// When the URL is wrong; the error does not repeat it.
    pub fn from_url(url: &str) -> Result<Self> {
        Ok(Self::new(url.parse()?))
    }

    /// Every default, for a database at this place.
    pub fn new(options: ConnectOptions) -> Self {
        Self {
            name: "default".to_owned(),
            options,
            pool: PoolSettings::default(),
            slow_query: Some(Duration::from_secs(1)),
            log_queries: false,
        }
    }

    /// Under this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With a pool of at most `max` connections, of which `min` stay open.
    #[must_use]
    pub fn pool_size(mut self, min: usize, max: usize) -> Self {
        (self.pool.min, self.pool.max) = (min, max);
        self
    }

    /// Whether the pool's settings fit together. [`Database::open`](crate::Database::open) asks first thing.
    ///
    /// # Errors
    /// Naming the setting and what to do about it.
    pub fn validate(&self) -> Result<()> {
        Ok(self.pool_config().validate()?)
    }

    pub(crate) fn pool_config(&self) -> dbkeep_pool::Config {
        let pool = &self.pool;
        let limit = |limit: Duration| (!limit.is_zero()).then_some(limit);
        let config = dbkeep_pool::Config::new()
            .acquire_timeout(pool.acquire_timeout)
            .validate_after(pool.validate_after)
            .leak_threshold(limit(pool.leak_threshold))
            .max_waiters(pool.max_waiters)
            .when_down(pool.when_down)
            // One attempt and no more: the pool itself tries again, with backoff.
            .connect_timeout(self.options.connect_timeout);
        if self.is_private() {
            // A database in memory belongs to its one connection and is gone with it.
            return config.max(1).min(1).idle_timeout(None).max_lifetime(None);
        }
        config
            .keepalive(limit(pool.keepalive))
            .max(pool.max)
            .auto_size(pool.auto_size)
            .min(pool.min)
            .idle_timeout(limit(pool.idle_timeout))
            .max_lifetime(limit(pool.max_lifetime))
    }

    /// For the one connection that writes, beside others that read.
    pub(crate) fn writer_config(&self) -> dbkeep_pool::Config {
        let config = self.pool_config();
        // No longer than the connection lives, which the pool would not have.
        let leak =
            config.leak_threshold.unwrap_or(WRITER_LEAKS_AFTER.min(config.max_lifetime.unwrap_or(Duration::MAX)));
        config.max(1).min(self.pool.min.min(1)).leak_threshold(leak)
    }

    /// For the connections that read, beside the one that writes.
    pub(crate) fn readers_config(&self) -> dbkeep_pool::Config {
        self.pool_config().max(self.pool.max.saturating_sub(1)).min(self.pool.min.saturating_sub(1))
    }

    /// Whether the database lives and dies with its one connection.
    pub(crate) fn is_private(&self) -> bool {
        self.options.engine.location() == Location::File && self.options.database == ":memory:"
    }
}
