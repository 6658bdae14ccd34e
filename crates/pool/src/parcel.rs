//! A connection on its way from the pool to a caller.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Moment;
use crate::manage::{Manage, State};
use crate::shared::Shared;
use crate::shelf::Held;

/// A lent connection: what a lease is made of.
pub(crate) struct Load<M: Manage> {
    pub(crate) shared: Arc<Shared<M>>,
    pub(crate) held: Box<Held<M::Connection>>,
}

/// A connection that counts as lent and has not reached its caller. Dropped, it goes back as if it had never been lent.
pub(crate) struct Parcel<M: Manage> {
    load: Option<Load<M>>,
    pub(crate) waited: Duration,
}

impl<M: Manage> Parcel<M> {
    pub(crate) fn new(shared: Arc<Shared<M>>, held: Box<Held<M::Connection>>, waited: Duration) -> Self {
        Self { load: Some(Load { shared, held }), waited }
    }

    /// What is inside, straight from the pool's hands.
    pub(crate) fn unpack(mut self) -> Option<Load<M>> {
        self.load.take()
    }
}

impl<M: Manage> Drop for Parcel<M> {
    fn drop(&mut self) {
        if let Some(load) = self.load.take() {
            put_back(load, State::Clean);
        }
    }
}

/// Gives back what never reached its caller.
pub(crate) fn put_back<M: Manage>(load: Load<M>, state: State) {
    let Load { shared, held } = load;
    shared.step(|ledger, tasks| ledger.undelivered(held, state, Moment::now(), tasks));
}
