//! deadpool. Its own managers for databases ask nobody before they lend again (`RecyclingMethod::Fast`); neither does this.

use super::{Lend, Open, Trouble, Via};
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};

pub fn pool<O: Open>(opener: O, size: usize) -> Pool<Via<O>> {
    Pool::builder(Via(opener)).max_size(size).build().expect("a pool")
}

impl<O: Open> Manager for Via<O> {
    type Type = O::Line;
    type Error = Trouble;

    async fn create(&self) -> Result<O::Line, Trouble> {
        self.0.open().await
    }
    async fn recycle(&self, line: &mut O::Line, _: &Metrics) -> RecycleResult<Trouble> {
        if self.0.is_gone(line) { Err(RecycleError::message("gone")) } else { Ok(()) }
    }
}

impl<O: Open> Lend for Pool<Via<O>> {
    type Held = Object<Via<O>>;
    async fn lend(&self) -> Self::Held {
        self.get().await.expect("a connection")
    }
}
