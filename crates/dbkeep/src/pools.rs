//! The connections of a database: one pool of equals, or one connection that writes and a pool of those that read.

use crate::{Opener, Result, Settings, Statistics};
use dbkeep_engine::Connection;
use dbkeep_pool::{Borrower, Pool, Stats};
use futures_util::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The pools of a database.
pub(crate) struct Pools {
    // Before `main`, to be dropped before it: see `close`.
    pub(crate) readers: Option<Arc<Pool<Opener>>>,
    /// Of all connections, or of the one that writes.
    pub(crate) main: Pool<Opener>,
}

/// After readers that do not end, this long is left at least for the writer to close its connection in good order.
const FAREWELL: Duration = Duration::from_secs(1);

impl Pools {
    /// Opens the pools around a first connection.
    pub(crate) async fn open(settings: &Settings, first: Connection, statistics: &Arc<Statistics>) -> Result<Self> {
        let split = settings.pool.max > 1 && first.server().capabilities.single_writer;
        let config = if split { settings.writer_config() } else { settings.pool_config() };
        let mut opener = Opener::new(settings.options.clone(), statistics.clone()).starting_with(first);
        if settings.is_private() {
            opener = opener.only_once();
        }
        let main = Pool::builder(opener).config(config).name(settings.name.as_str()).build()?;
        // From here on the first connection is the pool's, to be counted, checked and closed like any other.
        drop(main.acquire().await?);
        if !split {
            return Ok(Self { main, readers: None });
        }
        // Only now: there is a file, in the mode in which it can be read while it is written to.
        let opener = Opener::new(settings.options.for_reading(), statistics.clone());
        let name = format!("{} (readers)", settings.name);
        let readers = Arc::new(Pool::builder(opener).config(settings.readers_config()).name(name).build()?);
        main.manager().lead(&readers);
        Ok(Self { main, readers: Some(readers) })
    }

    /// Closes them, and says who still had a connection then.
    pub(crate) async fn close(&self) -> Vec<Borrower> {
        let Some(readers) = &self.readers else { return self.main.close().await };
        // The writer comes last, because the last connection to go folds the log into the file, which a reader cannot. Until
        // then it lends nothing.
        self.main.suspend();
        let writer = CloseAnyway(&self.main);
        let since = Instant::now();
        let mut left = readers.close().await;
        let rest = self.main.config().close_timeout.saturating_sub(since.elapsed()).max(FAREWELL);
        left.extend(self.main.close_within(rest).await);
        drop(writer);
        left.sort_by_key(|borrower| std::cmp::Reverse(borrower.held));
        left
    }

    pub(crate) fn stats(&self) -> PoolStats {
        PoolStats { main: self.main.stats(), readers: self.readers.as_ref().map(|readers| readers.stats()) }
    }
}

/// Closes a pool when it is dropped, without waiting. One that is closed stays so.
struct CloseAnyway<'p>(&'p Pool<Opener>);

impl Drop for CloseAnyway<'_> {
    fn drop(&mut self) {
        // Its first step closes it; what follows is the waiting.
        let _ = self.0.close().now_or_never();
    }
}

/// The numbers of a database's connections at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Those of [`Database::pool`](crate::Database::pool): of all connections, or of the one that writes.
    pub main: Stats,
    /// Those of [`Database::readers`](crate::Database::readers).
    pub readers: Option<Stats>,
}

/// Both pools taken together.
impl PoolStats {
    /// The most connections there may be.
    pub fn max(&self) -> usize {
        self.sum(|stats| stats.max)
    }

    /// Connections that are open.
    pub fn size(&self) -> usize {
        self.sum(|stats| stats.size)
    }

    /// Open and waiting to be lent.
    pub fn idle(&self) -> usize {
        self.sum(|stats| stats.idle)
    }

    /// Lent.
    pub fn in_use(&self) -> usize {
        self.sum(|stats| stats.in_use)
    }

    /// Callers waiting.
    pub fn waiting(&self) -> usize {
        self.sum(|stats| stats.waiting)
    }

    fn sum(&self, number: impl Fn(&Stats) -> usize) -> usize {
        number(&self.main) + self.readers.as_ref().map_or(0, number)
    }
}
