//! fast_pool, which always asks `check` before it lends. Two callers at once may each open the last connection allowed, so
//! it can have a few more than the others.

use super::{Lend, Open, Trouble, Via};
use fast_pool::{ConnectionGuard, Manager, Pool};

pub fn pool<O: Open>(opener: O, size: usize) -> Pool<Via<O>> {
    let pool = Pool::new(Via(opener));
    pool.set_max_open(size as u64);
    pool
}

impl<O: Open> Manager for Via<O> {
    type Connection = O::Line;
    type Error = Trouble;

    async fn connect(&self) -> Result<O::Line, Trouble> {
        self.0.open().await
    }
    async fn check(&self, line: &mut O::Line) -> Result<(), Trouble> {
        self.0.ping(line).await
    }
}

impl<O: Open> Lend for Pool<Via<O>> {
    type Held = ConnectionGuard<Via<O>>;
    async fn lend(&self) -> Self::Held {
        self.get().await.expect("a connection")
    }
}
