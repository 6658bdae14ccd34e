//! The secret that opens a vault.

use std::fmt;

use zeroize::Zeroizing;

/// The passphrase of a vault. It is wiped from memory when dropped, and shown nowhere: `Debug` prints `***`.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// A passphrase with this text. An empty text is the same as [`Passphrase::none`].
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The empty passphrase, for `encryption = false`.
    ///
    /// The format has no unencrypted form. A vault without a passphrase is encrypted under a random key that the empty
    /// passphrase opens: restic's `--insecure-no-password`, from restic 0.17 on. An older restic takes no empty passphrase;
    /// for it the same vault is also opened by [`OPEN_PASSPHRASE`](super::OPEN_PASSPHRASE), which is no secret either.
    #[must_use]
    pub fn none() -> Self {
        Self::new("")
    }

    /// Whether this is the empty passphrase.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(***)")
    }
}
