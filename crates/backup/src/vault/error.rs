//! What can go wrong with a vault, and what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustic_core::RusticError;

/// What kind of trouble a [`VaultError`] tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VaultErrorKind {
    /// The directory is no vault: missing, or filled with something else.
    NotAVault,
    /// No key of the vault is opened by this passphrase.
    WrongPassphrase,
    /// Stored bytes are missing or are not what was written.
    Damaged,
    /// The vault was made by a newer program, in a format this one does not know.
    NewerFormat,
    /// The file system refuses: missing permission, or mounted read-only.
    AccessDenied,
    /// No space (or no quota) is left.
    DiskFull,
    /// Another program works on the vault and must not be disturbed.
    Locked,
    /// There is no such backup, or no such entry in it; or the given prefix fits several.
    NotFound,
    /// The name of an entry or a tag cannot be stored.
    InvalidName,
    /// A stream ended before its end was announced, so nothing was committed.
    Incomplete,
    /// The caller's cancellation flag was raised.
    Cancelled,
    /// Any other trouble of the operating system.
    Io,
}

/// An error of the vault.
///
/// Its text is a lower-case statement without the cause, which stands in [`source`](Error::source). It can be cloned,
/// because one failure of a run is told to everyone who takes part in it. It never holds a secret.
#[derive(Clone)]
pub struct VaultError(Arc<Details>);

struct Details {
    kind: VaultErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl VaultError {
    pub(super) fn new(kind: VaultErrorKind, message: impl Into<String>) -> Self {
        Self::build(kind, message.into(), None, None)
    }

    /// Stored bytes are missing or wrong; `what` says which, as a whole statement.
    pub(super) fn damaged(what: impl fmt::Display) -> Self {
        Self::new(VaultErrorKind::Damaged, what.to_string())
            .with_hint("run `dbkeep backup verify` to see which backups are affected")
    }

    /// An error of the operating system while `doing` something with `path`, sorted by what the user can do about it. For
    /// [stores](super::Store) that live elsewhere.
    #[must_use]
    pub fn from_io(doing: &str, path: &Path, source: io::Error) -> Self {
        Self::io(doing, path, source)
    }

    pub(super) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => VaultErrorKind::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => VaultErrorKind::AccessDenied,
            io::ErrorKind::NotFound => VaultErrorKind::NotFound,
            _ => VaultErrorKind::Io,
        };
        let hint = match kind {
            VaultErrorKind::DiskFull => {
                Some("free some space or point [backup] path at another disk, then run it again".into())
            }
            VaultErrorKind::AccessDenied => Some("check the owner and the permissions of the vault's directory".into()),
            _ => None,
        };
        let message = format!("cannot {doing} `{}`", path.display());
        Self::build(kind, message, hint, Some(Box::new(source)))
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        self.change(|details| details.hint = Some(hint.into()))
    }

    pub(super) fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.change(|details| details.source = Some(source.into()))
    }

    /// Turns an error of rustic_core into ours. If one of ours is its cause, that one is returned.
    pub(super) fn from_rustic(doing: &str, error: &RusticError) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(this) = cause {
            if let Some(ours) = this.downcast_ref::<VaultError>() {
                return ours.clone();
            }
            cause = this.source();
        }
        let text = error.display_log();
        Self::new(VaultErrorKind::Io, format!("cannot {doing}")).with_source(text)
    }

    /// What kind of trouble this is.
    #[must_use]
    pub fn kind(&self) -> VaultErrorKind {
        self.0.kind
    }

    /// What to do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether trying again later, without changing anything, may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), VaultErrorKind::Locked)
    }

    fn build(
        kind: VaultErrorKind,
        message: String,
        hint: Option<String>,
        source: Option<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Details { kind, message, hint, source }))
    }

    /// Changes an error that was just made and is not shared yet; a shared one is wrapped, its kind and hint kept.
    fn change(mut self, edit: impl FnOnce(&mut Details)) -> Self {
        if let Some(details) = Arc::get_mut(&mut self.0) {
            edit(details);
            return self;
        }
        let mut details = Details {
            kind: self.0.kind,
            message: self.0.message.clone(),
            hint: self.0.hint.clone(),
            source: Some(Box::new(self)),
        };
        edit(&mut details);
        Self(Arc::new(details))
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("hint", &self.0.hint)
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for VaultError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<VaultError> for io::Error {
    fn from(error: VaultError) -> Self {
        let kind = match error.kind() {
            VaultErrorKind::Damaged => io::ErrorKind::InvalidData,
            VaultErrorKind::AccessDenied => io::ErrorKind::PermissionDenied,
            VaultErrorKind::DiskFull => io::ErrorKind::StorageFull,
            VaultErrorKind::NotFound => io::ErrorKind::NotFound,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
