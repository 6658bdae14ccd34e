//! What a pool can hold: anything that can be opened, checked, cleaned and closed.

use std::error::Error;
use std::future::Future;
use std::time::Instant;

use crate::progress::Progress;

/// Opens, checks, cleans and closes the connections of one pool.
///
/// The pool calls [`open`](Manage::open), [`check`](Manage::check), [`reset`](Manage::reset) and
/// [`close`](Manage::close) in tasks of its own, each under a time limit, never in the task of a caller: a caller that
/// goes away never interrupts one of them. A panic in any of these methods costs at most the connection it happened on.
///
/// # Cancellation
///
/// The pool drops one of these futures half way only when its time limit has passed or when the pool is closed; the
/// connection concerned is never lent afterwards.
pub trait Manage: Send + Sync + 'static {
    /// What is lent.
    type Connection: Send + 'static;

    /// Why opening, checking or cleaning failed. Its text is shown to the caller of `acquire`, so it must name no secret.
    type Error: Error + Send + Sync + 'static;

    /// Opens one connection, session set-up included. Bounded by [`Config::connect_timeout`](crate::Config).
    ///
    /// # Errors
    ///
    /// Whatever stops it; [`is_permanent`](Manage::is_permanent) then says whether trying again makes sense.
    fn open(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Opens one connection and says on the way how far it has come, so that an error names the step that took so long. This is
    /// what the pool calls. Default: [`open`](Manage::open), which says nothing.
    ///
    /// # Errors
    ///
    /// As [`open`](Manage::open).
    fn open_in_steps(&self, progress: &Progress) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send {
        let _ = progress;
        self.open()
    }

    /// Proves by one round trip that the other side still answers. Bounded by
    /// [`Config::validate_timeout`](crate::Config).
    ///
    /// # Errors
    ///
    /// Any error costs the connection: it is closed and never lent.
    fn check(&self, connection: &mut Self::Connection) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Says from what is already known, without I/O, whether the connection can be lent again.
    ///
    /// It should be answered from the other side's last answer, not from a count kept on this side. It is asked when a
    /// connection comes back and before an idle one is lent, so it has to be quick.
    fn state(&self, connection: &Self::Connection) -> State;

    /// Brings a connection whose state was [`State::NeedsReset`] back to a clean session. Bounded by
    /// [`Config::validate_timeout`](crate::Config). Afterwards `state` has to be [`State::Clean`].
    ///
    /// # Errors
    ///
    /// Any error costs the connection: it is closed and never lent.
    fn reset(&self, connection: &mut Self::Connection) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Says goodbye politely. Bounded by [`Config::validate_timeout`](crate::Config), after which the connection is dropped.
    ///
    /// # Errors
    ///
    /// They are logged; nothing else depends on them.
    fn close(&self, connection: Self::Connection) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// When the other side last answered on this connection, if the connection keeps that. From it the pool reckons whether
    /// a check is due. Default: `None`; then a connection that was used and came back clean is taken to have worked until
    /// it came back, which is too kind to one whose borrower kept it long after its last answer.
    fn last_answer(&self, connection: &Self::Connection) -> Option<Instant> {
        let _ = connection;
        None
    }

    /// Whether trying to open again cannot help until somebody changes something: a wrong password, an unknown database,
    /// a certificate that is not trusted. Default: no error is.
    ///
    /// After such an error the pool opens nothing by itself; it tries again when somebody asks, with a pause of up to five
    /// seconds between attempts, during which callers are told the error at once.
    fn is_permanent(&self, error: &Self::Error) -> bool {
        let _ = error;
        false
    }
}

/// What is known about a connection without asking the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// As good as new: it can be lent at once.
    Clean,
    /// Alive, but something of its borrower is left (an open transaction, changed settings): it is reset before it is lent.
    NeedsReset,
    /// Dead, or not known to be in step with the other side: it is closed.
    Broken,
}
