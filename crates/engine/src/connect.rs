//! The way to a connection: one attempt within its deadline, or several where the error can pass.

use crate::step::{self, Step};
use crate::{ConnectOptions, Connection, Error, ErrorKind, Result, TlsMode};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The pause after the first failed attempt; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, jitter not counted.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Opens a connection and sets up its session.
///
/// Errors that can pass (refused, timed out, starting up, too many connections) are tried again, three times in all by
/// default, after 1 s and 2 s with up to a half of jitter; errors that cannot (password, unknown database, TLS, a wrong
/// option) end it at once.
///
/// # Errors
/// The last attempt's, saying how many there were.
///
/// # Cancellation
/// Dropped, it opens nothing.
pub async fn connect(options: &ConnectOptions) -> Result<Connection> {
    let attempts = options.connect_attempts.max(1);
    let mut wait = FIRST_PAUSE;
    for attempt in 1.. {
        match connect_once(options).await {
            Err(error) if error.is_transient() && attempt < attempts => {
                // Jitter, so that a fleet that lost its server does not come back in step.
                let pause = wait.mul_f64(1.0 + fastrand::f64() / 2.0);
                tracing::warn!(target: "dbkeep::connect", attempt, pause_ms = pause.as_millis() as u64, %error, "connecting failed, trying again");
                tokio::time::sleep(pause).await;
                wait = (wait * 2).min(LONGEST_PAUSE);
            }
            Err(error) if attempt > 1 => return Err(error.context(format_args!("after {attempt} attempts"))),
            outcome => return outcome,
        }
    }
    unreachable!("the loop returns on its last attempt")
}

/// Opens a connection in a single attempt, within `connect_timeout`.
///
/// # Errors
/// As [`connect`], without a second try.
///
/// # Cancellation
/// Dropped, it opens nothing.
pub async fn connect_once(options: &ConnectOptions) -> Result<Connection> {
    connect_in_steps(options, |_| ()).await
}

/// As [`connect_once`], and says on the way how far it has come.
///
/// # Errors
/// As [`connect_once`].
///
/// # Cancellation
/// Dropped, it opens nothing.
pub async fn connect_in_steps(
    options: &ConnectOptions,
    listener: impl Fn(Step) + Send + Sync + 'static,
) -> Result<Connection> {
    if options.tls_ca.is_some() && !matches!(options.tls, TlsMode::VerifyCa | TlsMode::VerifyFull) {
        return Err(Error::new(
            ErrorKind::Options,
            format!("tls_ca names authorities to trust, but tls = {} checks no certificate", options.tls.name()),
        )
        .with_hint(
            "set tls to verify-full (or verify-ca, which does not look at the host's name), or leave tls_ca out",
        ));
    }
    let reached = Arc::new(Mutex::new(None));
    let note = Arc::clone(&reached);
    let listener = move |step| {
        *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
        listener(step);
    };
    let opening = step::told_to(Arc::new(listener), options.engine.connect(options));
    match tokio::time::timeout(options.connect_timeout, opening).await {
        Ok(driver) => driver.map(Connection::new),
        Err(_) => Err(took_too_long(options, *reached.lock().unwrap_or_else(PoisonError::into_inner))),
    }
}

fn took_too_long(options: &ConnectOptions, step: Option<Step>) -> Error {
    let (target, limit) = (options.target(), options.connect_timeout);
    let (doing, hint) = match step {
        None | Some(Step::Connect) => ("", "is the host right, and does a firewall let this port through?"),
        Some(Step::Tls) => (", in the TLS handshake", "does the server speak TLS on this port?"),
        Some(Step::Authenticate) => {
            (", logging in", "the server takes connections and does not answer: is it overloaded, or stopped?")
        }
        Some(Step::SetUp) => {
            (", setting up the session", "the server lets us in and does not answer: is it overloaded, or stopped?")
        }
    };
    Error::new(ErrorKind::Timeout, format!("connecting to {target} took longer than {limit:?}{doing}")).with_hint(hint)
}
