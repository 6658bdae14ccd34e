//! mobc, which by default asks `check` before it lends. It keeps two idle connections unless told otherwise.

use super::{Lend, Open, Trouble, Via};
use async_trait::async_trait;
use mobc::{Connection, Manager, Pool};

pub fn pool<O: Open>(opener: O, size: usize) -> Pool<Via<O>> {
    Pool::builder().max_open(size as u64).max_idle(size as u64).build(Via(opener))
}

#[async_trait]
impl<O: Open> Manager for Via<O> {
    type Connection = O::Line;
    type Error = Trouble;

    async fn connect(&self) -> Result<O::Line, Trouble> {
        self.0.open().await
    }
    async fn check(&self, mut line: O::Line) -> Result<O::Line, Trouble> {
        self.0.ping(&mut line).await?;
        Ok(line)
    }
    fn validate(&self, line: &mut O::Line) -> bool {
        !self.0.is_gone(line)
    }
}

impl<O: Open> Lend for Pool<Via<O>> {
    type Held = Connection<Via<O>>;
    async fn lend(&self) -> Self::Held {
        self.get().await.expect("a connection")
    }
}
