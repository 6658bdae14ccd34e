//! bb8, which by default asks `is_valid` before it lends.

use super::{Lend, Open, Trouble, Via};
use bb8::{ManageConnection, Pool, PooledConnection};

pub async fn pool<O: Open>(opener: O, size: usize) -> Pool<Via<O>> {
    Pool::builder().max_size(size as u32).build(Via(opener)).await.expect("a pool")
}

impl<O: Open> ManageConnection for Via<O> {
    type Connection = O::Line;
    type Error = Trouble;

    async fn connect(&self) -> Result<O::Line, Trouble> {
        self.0.open().await
    }
    async fn is_valid(&self, line: &mut O::Line) -> Result<(), Trouble> {
        self.0.ping(line).await
    }
    fn has_broken(&self, line: &mut O::Line) -> bool {
        self.0.is_gone(line)
    }
}

impl<O: Open> Lend for Pool<Via<O>> {
    type Held = PooledConnection<'static, Via<O>>;
    async fn lend(&self) -> Self::Held {
        self.get_owned().await.expect("a connection")
    }
}
