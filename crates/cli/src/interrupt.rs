//! Ctrl-C and termination: work that can simply be dropped is dropped; work that must clean up behind itself is told.

use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// How work that must clean up learns that it is to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    token: CancellationToken,
    listeners: Arc<AtomicUsize>,
}

/// Keeps work from being dropped: it stops by itself when the token says so. Ends with this value.
#[derive(Debug)]
#[must_use]
pub(crate) struct Listening<'s>(&'s Stop);

impl Stop {
    /// From here on, the work looks at the token and is not dropped.
    pub(crate) fn listen(&self) -> Listening<'_> {
        self.listeners.fetch_add(1, Ordering::SeqCst);
        Listening(self)
    }

    /// What says when to stop.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs the work to its end, or until a signal asks to stop. The work's future is dropped then, unless it listens:
/// transactions are rolled back, locks end with their sessions, an unfinished backup is never listed. A second signal ends
/// the process at once.
pub(crate) async fn until_interrupted<T>(stop: &Stop, work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = pin!(work);
    let (tell, told) = oneshot::channel();
    // On a thread of its own: work that waits for whoever reads its output hears of no first signal.
    tokio::spawn(async {
        // Nobody listens any more where the work has ended.
        let _ = tell.send(signal().await);
        signal().await;
        std::process::exit(i32::from(ExitCode::Interrupted as u8));
    });
    let signal = tokio::select! {
        outcome = &mut work => return outcome,
        Ok(signal) = told => signal,
    };
    let mut stopped = Error::new(ExitCode::Interrupted, format!("stopped by {signal}"))
        .hint("nothing that is incomplete counts as done; run the command again");
    if stop.listeners.load(Ordering::SeqCst) > 0 {
        stop.token.cancel();
        match work.await {
            // It was through already.
            Ok(outcome) => return Ok(outcome),
            Err(error) if error.code == ExitCode::Interrupted => stopped.causes = error.causes,
            Err(error) => {
                stopped.causes.push(error.message);
                stopped.causes.extend(error.causes);
            }
        }
    }
    Err(stopped)
}

#[cfg(unix)]
async fn signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => "Ctrl-C",
            _ = terminate.recv() => "a termination signal",
        },
        // Without handlers, signals end the process as they always do.
        _ => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn signal() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}
