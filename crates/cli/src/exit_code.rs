//! Exit codes, relied on by scripts: documented in docs/exit-codes.md.

/// How a run ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is wrong.
    Configuration = 3,
    /// No connection to the database.
    CannotConnect = 4,
    /// Refused for safety: `--yes` is missing, the environment is production, the target is not empty.
    Refused = 5,
    /// Another run holds the lock.
    Locked = 6,
    /// Data is damaged, or a verification failed.
    Damaged = 7,
    /// Migrations are pending.
    Pending = 10,
    /// Stopped by Ctrl-C or a termination signal: 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

impl ExitCode {
    /// The code's name in JSON errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Configuration => "configuration",
            Self::CannotConnect => "cannot_connect",
            Self::Refused => "refused",
            Self::Locked => "locked",
            Self::Damaged => "damaged",
            Self::Pending => "pending",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
