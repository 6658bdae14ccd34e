//! An attempt to open says how far it has come, and who waits in vain is told.
#![allow(clippy::unwrap_used)]

use dbkeep_pool::{AcquireErrorKind, AcquirePhase, Config, Manage, OpenStep, Pool, Progress, State};
use std::io;
use std::time::Duration;

/// Opens up to one step, and there it stays, or fails.
struct Stuck {
    at: OpenStep,
    fails: bool,
}

impl Manage for Stuck {
    type Connection = ();
    type Error = io::Error;

    async fn open(&self) -> io::Result<()> {
        unreachable!("the pool wants to know the steps")
    }

    async fn open_in_steps(&self, progress: &Progress) -> io::Result<()> {
        for step in [OpenStep::Connect, OpenStep::Tls, OpenStep::Authenticate, OpenStep::SetUp] {
            progress.enter(step);
            tokio::time::sleep(Duration::from_millis(10)).await;
            if step == self.at {
                break;
            }
        }
        if self.fails {
            return Err(io::Error::other("refused"));
        }
        std::future::pending().await
    }

    async fn check(&self, (): &mut ()) -> io::Result<()> {
        Ok(())
    }

    fn state(&self, (): &()) -> State {
        State::Clean
    }

    async fn reset(&self, (): &mut ()) -> io::Result<()> {
        Ok(())
    }

    async fn close(&self, (): ()) -> io::Result<()> {
        Ok(())
    }
}

fn pool(at: OpenStep, fails: bool) -> Pool<Stuck> {
    let config = Config::new().max(1).min(0).connect_timeout(Duration::from_secs(3));
    Pool::builder(Stuck { at, fails }).name("app").config(config).build().unwrap()
}

const STEPS: [(OpenStep, AcquirePhase, &str); 4] = [
    (OpenStep::Connect, AcquirePhase::Connect, "reaching the server"),
    (OpenStep::Tls, AcquirePhase::Tls, "in the TLS handshake"),
    (OpenStep::Authenticate, AcquirePhase::Authenticate, "logging in"),
    (OpenStep::SetUp, AcquirePhase::SetUp, "setting up the session"),
];

#[tokio::test(start_paused = true)]
async fn who_runs_out_of_time_is_told_the_step() {
    for (step, phase, text) in STEPS {
        let error = pool(step, false).acquire_within(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (AcquireErrorKind::Timeout, phase));
        let whole = format!("no connection from pool \"app\" within 1.0s: opening one was not finished, still {text}");
        assert_eq!(error.to_string(), whole);
        assert!(error.details().contains(&format!("\n  phase: {}, after 1.0s", phase.label())), "{}", error.details());
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_told_with_its_step() {
    for (step, phase, text) in STEPS {
        let error = pool(step, false).acquire().await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (AcquireErrorKind::OpenFailed, phase));
        let whole = format!("no connection from pool \"app\": opening one failed: no answer within 3.0s, {text}");
        assert_eq!(error.to_string(), whole);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_fails_is_told_with_its_step() {
    for (step, phase, _) in STEPS {
        let error = pool(step, true).acquire().await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (AcquireErrorKind::OpenFailed, phase));
        assert_eq!(error.open_error().unwrap().to_string(), "refused");
    }
}
