//! Digests of streams while they pass by.

use crate::{BackupError, LineDigester, Result};
use async_trait::async_trait;
use bytes::Bytes;
use dbkeep::engine::{ByteSink, Digesting, Error as EngineError};

/// Sums the digest of a stream.
pub(crate) enum Digester {
    Rows(LineDigester),
    Whole(Box<blake3::Hasher>),
}

/// The digest of a whole stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) digest: String,
    pub(crate) rows: Option<u64>,
}

impl Digester {
    pub(crate) fn new(kind: Digesting) -> Self {
        match kind {
            Digesting::Rows => Self::Rows(LineDigester::new()),
            Digesting::Whole => Self::Whole(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Rows(lines) => lines.update(bytes),
            Self::Whole(hasher) => _ = hasher.update(bytes),
        }
    }

    /// The digest, once the stream is at its end.
    ///
    /// # Errors
    /// When the stream ends in the middle of a row.
    pub(crate) fn finish(self, stream: &str) -> Result<Proof> {
        match self {
            Self::Rows(lines) => {
                let digest = lines
                    .finish()
                    .map_err(|error| BackupError::mismatch(format!("{stream} ends in the middle of a row: {error}")))?;
                Ok(Proof { digest: digest.to_string(), rows: Some(digest.rows) })
            }
            Self::Whole(hasher) => Ok(Proof { digest: hasher.finalize().to_hex().to_string(), rows: None }),
        }
    }
}

/// Takes a stream for its digest alone.
pub(crate) struct DigestSink {
    digester: Digester,
    pub(crate) bytes: u64,
}

impl DigestSink {
    pub(crate) fn new(kind: Digesting) -> Self {
        Self { digester: Digester::new(kind), bytes: 0 }
    }

    pub(crate) fn finish(self, stream: &str) -> Result<Proof> {
        self.digester.finish(stream)
    }
}

#[async_trait]
impl ByteSink for DigestSink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), EngineError> {
        self.bytes += bytes.len() as u64;
        self.digester.update(&bytes);
        Ok(())
    }
}
