//! Ctrl-C and termination: the work is dropped, which undoes what was not complete.

use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use std::future::Future;

/// Runs the work to its end, or until a signal asks to stop. The work's future is dropped then: transactions are rolled
/// back, locks end with their sessions, an unfinished backup is never listed. A second signal ends the process at once.
pub(crate) async fn until_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        outcome = work => outcome,
        signal = signal() => {
            tokio::spawn(async {
                self::signal().await;
                std::process::exit(i32::from(ExitCode::Interrupted as u8));
            });
            Err(Error::new(ExitCode::Interrupted, format!("stopped by {signal}")).hint("what was not complete was undone; run the command again"))
        }
    }
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
