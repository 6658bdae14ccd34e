//! What can go wrong while a database is backed up or restored.

use crate::vault::{VaultError, VaultErrorKind};
use dbkeep::engine;
use std::fmt;

/// The result of a backup or a restore.
pub type Result<T, E = BackupError> = std::result::Result<T, E>;

/// An error of a backup or a restore: of the database, of the vault, or of what came out between them.
///
/// When several things went wrong, the first is told; trouble in cleaning up after it is in [`aftermath`](Self::aftermath).
pub struct BackupError(Box<Inner>);

struct Inner {
    cause: Cause,
    context: Option<String>,
    aftermath: Option<String>,
    connecting: bool,
}

enum Cause {
    Engine(engine::Error),
    Vault(VaultError),
    /// What was read or loaded is not what was written.
    Mismatch(String),
    /// The backup cannot be used for this.
    Unfit {
        message: String,
        hint: &'static str,
    },
    /// It was asked to stop.
    Stopped,
}

impl BackupError {
    fn new(cause: Cause) -> Self {
        Self(Box::new(Inner { cause, context: None, aftermath: None, connecting: false }))
    }

    pub(crate) fn mismatch(message: impl Into<String>) -> Self {
        Self::new(Cause::Mismatch(message.into()))
    }

    pub(crate) fn unfit(message: impl Into<String>, hint: &'static str) -> Self {
        Self::new(Cause::Unfit { message: message.into(), hint })
    }

    pub(crate) fn stopped() -> Self {
        Self::new(Cause::Stopped)
    }

    /// An error of the database before any work was begun.
    pub(crate) fn connecting(error: engine::Error) -> Self {
        let mut out = Self::from(error);
        out.0.connecting = true;
        out
    }

    /// Says what was being done.
    pub(crate) fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.context = Some(context.to_string());
        self
    }

    /// Adds what went wrong while cleaning up.
    pub(crate) fn with_aftermath(mut self, trouble: impl fmt::Display) -> Self {
        self.0.aftermath = Some(trouble.to_string());
        self
    }

    /// The database's error, where it was one.
    pub fn engine(&self) -> Option<&engine::Error> {
        match &self.0.cause {
            Cause::Engine(error) => Some(error),
            _ => None,
        }
    }

    /// The vault's error, where it was one.
    pub fn vault(&self) -> Option<&VaultError> {
        match &self.0.cause {
            Cause::Vault(error) => Some(error),
            _ => None,
        }
    }

    /// Whether it failed before any work was begun: at the connection to the database, or at the first look at it.
    pub fn is_connecting(&self) -> bool {
        self.0.connecting
    }

    /// Whether it ended because it was asked to.
    pub fn is_stopped(&self) -> bool {
        matches!(self.0.cause, Cause::Stopped)
    }

    /// Whether data is damaged or is not what was written.
    pub fn is_damage(&self) -> bool {
        match &self.0.cause {
            Cause::Mismatch(_) => true,
            Cause::Vault(error) => error.kind() == VaultErrorKind::Damaged,
            Cause::Engine(error) => error.kind() == engine::ErrorKind::Damaged,
            Cause::Unfit { .. } | Cause::Stopped => false,
        }
    }

    /// What is left behind after an error, where cleaning up failed, too.
    pub fn aftermath(&self) -> Option<&str> {
        self.0.aftermath.as_deref()
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Engine(error) if error.is_connection_lost() && !self.is_connecting() => {
                Some("is the server still running? its log may say why; run the same again once it is back")
            }
            Cause::Engine(error) => error.hint(),
            Cause::Vault(error) => error.hint(),
            Cause::Mismatch(_) => Some("run `dbkeep backup verify` to see whether the vault is damaged"),
            Cause::Unfit { hint, .. } => Some(hint),
            Cause::Stopped => None,
        }
    }

    fn cause(&self) -> &dyn fmt::Display {
        match &self.0.cause {
            Cause::Engine(error) => error,
            Cause::Vault(error) => error,
            Cause::Mismatch(message) | Cause::Unfit { message, .. } => message,
            Cause::Stopped => &"stopped as asked",
        }
    }
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.cause().to_string();
        match &self.0.context {
            Some(context) => {
                // Engines name the stream, too, some of them.
                let named = context.rsplit_once(' ').map_or("", |(_, name)| name);
                let cause = cause.strip_prefix(named).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&cause);
                write!(f, "{context}: {cause}")?;
            }
            None => f.write_str(&cause)?,
        }
        match &self.0.aftermath {
            Some(trouble) => write!(f, " (and while cleaning up: {trouble})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            Cause::Engine(error) => f.debug_tuple("BackupError").field(error).finish(),
            Cause::Vault(error) => f.debug_tuple("BackupError").field(error).finish(),
            Cause::Mismatch(_) | Cause::Unfit { .. } | Cause::Stopped => write!(f, "BackupError({self})"),
        }
    }
}

impl std::error::Error for BackupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.cause {
            Cause::Engine(error) => error.source(),
            Cause::Vault(error) => error.source(),
            Cause::Mismatch(_) | Cause::Unfit { .. } | Cause::Stopped => None,
        }
    }
}

impl From<engine::Error> for BackupError {
    fn from(error: engine::Error) -> Self {
        Self::new(Cause::Engine(error))
    }
}

impl From<VaultError> for BackupError {
    fn from(error: VaultError) -> Self {
        Self::new(Cause::Vault(error))
    }
}
