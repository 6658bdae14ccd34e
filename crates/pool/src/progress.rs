//! How far opening a connection has come, for who waits for it in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::AcquirePhase;

/// A step of opening a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenStep {
    /// The other side is being reached.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The other side finds out who this is.
    Authenticate,
    /// The session is being set up.
    SetUp,
}

/// Where an attempt to open a connection says how far it has come; see
/// [`Manage::open_in_steps`](crate::Manage::open_in_steps). A clone is another hand on the same.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU8>);

impl Progress {
    /// From now on the attempt is at this step.
    pub fn enter(&self, step: OpenStep) {
        self.0.store(step as u8 + 1, Ordering::Relaxed);
    }

    /// The step; none has been told of yet: opening in general.
    pub(crate) fn phase(&self) -> AcquirePhase {
        match self.0.load(Ordering::Relaxed) {
            0 => AcquirePhase::Open,
            1 => AcquirePhase::Connect,
            2 => AcquirePhase::Tls,
            3 => AcquirePhase::Authenticate,
            _ => AcquirePhase::SetUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_a_phase_of_its_own() {
        let progress = Progress::default();
        assert_eq!(progress.phase(), AcquirePhase::Open);
        for (step, phase) in [
            (OpenStep::Connect, AcquirePhase::Connect),
            (OpenStep::Tls, AcquirePhase::Tls),
            (OpenStep::Authenticate, AcquirePhase::Authenticate),
            (OpenStep::SetUp, AcquirePhase::SetUp),
        ] {
            progress.enter(step);
            assert_eq!(progress.phase(), phase);
        }
    }
}
