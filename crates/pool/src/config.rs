//! What a pool can be told, with what it does when it is told nothing.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The settings of a [`Pool`](crate::Pool).
///
/// ```
/// use dbkeep_pool::Config;
/// use std::time::Duration;
///
/// let config = Config::new().max(20).min(5).acquire_timeout(Duration::from_secs(3));
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The most connections there may be at once, those being opened or closed included, broken ones not. Default 10:
    /// databases answer fastest with few connections, about twice the server's cores.
    pub max: usize,
    /// Whether the pool finds its size by itself, with [`max`](Config#structfield.max) as the most it may try. It begins with ten and
    /// allows itself a quarter more while callers wait for more than a tenth of the time they use a connection; if that makes
    /// every use longer and no more gets done, the server was busy already and the pool goes back. What is not used for long is
    /// given up slowly. Default `false`.
    pub auto_size: bool,
    /// How many connections are kept open even when nobody needs them. Default 2.
    pub min: usize,
    /// The longest [`acquire`](crate::Pool::acquire) takes, whatever it waits for. Default 30 s.
    pub acquire_timeout: Duration,
    /// How long a connection above `min` may lie idle before it is closed. Default 5 min; `None` keeps it for ever.
    pub idle_timeout: Option<Duration>,
    /// The age at which a connection is replaced. Each connection draws its own lifetime between 90 and 100 % of this, so
    /// that connections opened together are not replaced together. The replacement is opened first where there is room,
    /// for which the old one may stay up to `connect_timeout` longer. Default 1 h; `None` keeps it for ever.
    pub max_lifetime: Option<Duration>,
    /// A connection is checked by a round trip before it is lent when its last successful use is longer ago than this.
    /// Default 500 ms: a busy pool never checks.
    pub validate_after: Duration,
    /// An idle connection is checked by a round trip when it has not been used for so long, so that nothing between here and
    /// the server forgets it. Default `None`: never.
    pub keepalive: Option<Duration>,
    /// The longest a check, a reset or a polite close may take. Default 5 s.
    pub validate_timeout: Duration,
    /// The longest opening one connection may take. Default 10 s.
    pub connect_timeout: Duration,
    /// How many connections are opened at the same time at most. Default 2: enough to grow, too few for a storm.
    pub max_connecting: usize,
    /// How many callers may wait for somebody else's connection; one more is turned away at once. Default `None`: no limit.
    pub max_waiters: Option<usize>,
    /// A lease held longer than this is reported to the [`Observer`](crate::Observer) and the log, with the place in the
    /// program that took it. Default `None`: never.
    pub leak_threshold: Option<Duration>,
    /// What callers get while the server cannot be reached. Default [`WhenDown::Fail`].
    pub when_down: WhenDown,
    /// How long [`close`](crate::Pool::close) waits for borrowers. Default 10 s.
    pub close_timeout: Duration,
}

/// What callers get while no connection works and none can be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhenDown {
    /// The reason, at once: a program that answers its own callers keeps answering. While somebody asks, attempts are a quarter of
    /// a second apart at most, and who asks while one is being made hears what comes of it.
    #[default]
    Fail,
    /// A connection as soon as the server is back, or an error once their time is over. While somebody waits, attempts are a
    /// quarter of a second apart at most. What cannot pass by itself (a wrong password) fails at once all the same.
    Wait,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max: 10,
            auto_size: false,
            min: 2,
            acquire_timeout: Duration::from_secs(30),
            idle_timeout: Some(Duration::from_secs(300)),
            max_lifetime: Some(Duration::from_secs(3600)),
            validate_after: Duration::from_millis(500),
            keepalive: None,
            validate_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            max_connecting: 2,
            max_waiters: None,
            leak_threshold: None,
            when_down: WhenDown::Fail,
            close_timeout: Duration::from_secs(10),
        }
    }
}

/// Each of these replaces one setting and returns the rest unchanged; the fields say what the settings mean.
impl Config {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`max`](Config#structfield.max).
    #[must_use]
    pub fn max(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    /// Sets [`auto_size`](Config#structfield.auto_size).
    #[must_use]
    pub fn auto_size(mut self, auto_size: bool) -> Self {
        self.auto_size = auto_size;
        self
    }

    /// Sets [`min`](Config#structfield.min).
    #[must_use]
    pub fn min(mut self, min: usize) -> Self {
        self.min = min;
        self
    }

    /// Sets [`acquire_timeout`](Config#structfield.acquire_timeout).
    #[must_use]
    pub fn acquire_timeout(mut self, limit: Duration) -> Self {
        self.acquire_timeout = limit;
        self
    }

    /// Sets [`idle_timeout`](Config#structfield.idle_timeout).
    #[must_use]
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = limit.into();
        self
    }

    /// Sets [`max_lifetime`](Config#structfield.max_lifetime).
    #[must_use]
    pub fn max_lifetime(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.max_lifetime = limit.into();
        self
    }

    /// Sets [`validate_after`](Config#structfield.validate_after).
    #[must_use]
    pub fn validate_after(mut self, age: Duration) -> Self {
        self.validate_after = age;
        self
    }

    /// Sets [`keepalive`](Config#structfield.keepalive).
    #[must_use]
    pub fn keepalive(mut self, period: impl Into<Option<Duration>>) -> Self {
        self.keepalive = period.into();
        self
    }

    /// Sets [`when_down`](Config#structfield.when_down).
    #[must_use]
    pub fn when_down(mut self, policy: WhenDown) -> Self {
        self.when_down = policy;
        self
    }

    /// Sets [`validate_timeout`](Config#structfield.validate_timeout).
    #[must_use]
    pub fn validate_timeout(mut self, limit: Duration) -> Self {
        self.validate_timeout = limit;
        self
    }

    /// Sets [`connect_timeout`](Config#structfield.connect_timeout).
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sets [`max_connecting`](Config#structfield.max_connecting).
    #[must_use]
    pub fn max_connecting(mut self, count: usize) -> Self {
        self.max_connecting = count;
        self
    }

    /// Sets [`max_waiters`](Config#structfield.max_waiters).
    #[must_use]
    pub fn max_waiters(mut self, count: impl Into<Option<usize>>) -> Self {
        self.max_waiters = count.into();
        self
    }

    /// Sets [`leak_threshold`](Config#structfield.leak_threshold).
    #[must_use]
    pub fn leak_threshold(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.leak_threshold = limit.into();
        self
    }

    /// Sets [`close_timeout`](Config#structfield.close_timeout).
    #[must_use]
    pub fn close_timeout(mut self, limit: Duration) -> Self {
        self.close_timeout = limit;
        self
    }

    /// Says whether these settings make sense together.
    ///
    /// # Errors
    ///
    /// The first setting that does not, and why. [`Pool::new`](crate::Pool::new) asks this too.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.sizes(self.max, self.min)?;
        if self.max_connecting == 0 {
            return Err(ConfigError::new("max_connecting", "is 0: no connection could ever be opened; set at least 1"));
        }
        for (setting, limit) in [
            ("acquire_timeout", self.acquire_timeout),
            ("validate_timeout", self.validate_timeout),
            ("connect_timeout", self.connect_timeout),
        ] {
            if limit.is_zero() {
                return Err(ConfigError::new(setting, "is 0: everything would time out before it started"));
            }
        }
        for (setting, limit, never) in [
            ("idle_timeout", self.idle_timeout, "keep idle connections for ever"),
            ("max_lifetime", self.max_lifetime, "keep connections for ever"),
            ("keepalive", self.keepalive, "check nothing that nobody asks for"),
            ("leak_threshold", self.leak_threshold, "report no leaks"),
        ] {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Err(ConfigError::new(setting, format!("is 0: leave it out (`None`) to {never}")));
            }
        }
        if let (Some(leak), Some(lifetime)) = (self.leak_threshold, self.max_lifetime)
            && leak > lifetime
        {
            return Err(ConfigError::new(
                "leak_threshold",
                format!(
                    "{leak:?} is longer than max_lifetime {lifetime:?}: a leak would be reported only after the connection should be gone"
                ),
            ));
        }
        Ok(())
    }

    pub(crate) fn sizes(&self, max: usize, min: usize) -> Result<(), ConfigError> {
        if max == 0 {
            return Err(ConfigError::new("max", "is 0: a pool needs room for at least one connection"));
        }
        if max > MOST {
            return Err(ConfigError::new(
                "max",
                format!("{max} is more than the {MOST} connections one pool can hold"),
            ));
        }
        if min > max {
            return Err(ConfigError::new(
                "min",
                format!(
                    "{min} is more than max {max}: the pool could never keep that many open; raise max or lower min"
                ),
            ));
        }
        Ok(())
    }
}

/// More than any server takes, and small enough that a typing error does not exhaust memory.
const MOST: usize = 100_000;

/// A setting, or a combination of settings, that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    setting: &'static str,
    why: String,
}

impl ConfigError {
    pub(crate) fn new(setting: &'static str, why: impl Into<String>) -> Self {
        Self { setting, why: why.into() }
    }

    /// The setting to change.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool setting {} {}", self.setting, self.why)
    }
}

impl Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(config: &Config) -> String {
        config.validate().map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn the_defaults_are_fine() {
        assert_eq!(complaint(&Config::default()), "fine");
    }

    #[test]
    fn wrong_settings_say_why() {
        assert_eq!(
            complaint(&Config::new().min(12)),
            "pool setting min 12 is more than max 10: the pool could never keep that many open; raise max or lower min"
        );
        assert_eq!(
            complaint(&Config::new().max(0).min(0)),
            "pool setting max is 0: a pool needs room for at least one connection"
        );
        assert_eq!(
            complaint(&Config::new().max_connecting(0)),
            "pool setting max_connecting is 0: no connection could ever be opened; set at least 1"
        );
        assert_eq!(
            complaint(&Config::new().acquire_timeout(Duration::ZERO)),
            "pool setting acquire_timeout is 0: everything would time out before it started"
        );
        assert_eq!(
            complaint(&Config::new().idle_timeout(Duration::ZERO)),
            "pool setting idle_timeout is 0: leave it out (`None`) to keep idle connections for ever"
        );
        assert_eq!(
            complaint(&Config::new().leak_threshold(Duration::from_secs(7200))),
            "pool setting leak_threshold 7200s is longer than max_lifetime 3600s: a leak would be reported only after the connection should be gone"
        );
        assert_eq!(complaint(&Config::new().max_lifetime(None).leak_threshold(Duration::from_secs(7200))), "fine");
    }
}
