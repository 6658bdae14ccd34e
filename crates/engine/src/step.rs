//! How far opening a connection has come. An engine says so as it goes; who opens the connection may listen.

use std::future::Future;
use std::sync::Arc;

/// A step of opening a connection. Not every engine knows all of them: the driver of MySQL and MariaDB says nothing before the
/// [set-up](Step::SetUp).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The server is being reached.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The server finds out who this is.
    Authenticate,
    /// The session is being set up.
    SetUp,
}

type Listener = Arc<dyn Fn(Step) + Send + Sync>;

tokio::task_local! {
    static LISTENER: Listener;
}

/// Runs `opening` with somebody who listens.
pub(crate) async fn told_to<F: Future>(listener: Listener, opening: F) -> F::Output {
    LISTENER.scope(listener, opening).await
}

/// From here on it is this step.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn enter(step: Step) {
    // Most often nobody listens.
    let _ = LISTENER.try_with(|listener| listener(step));
}
