//! How are stored bytes compressed, encrypted, and checked? (restic's repository format, version 2.)
//!
//! <https://restic.readthedocs.io/en/stable/100_references.html#design>

use std::fmt;
use std::num::NonZeroU32;

use aes256ctr_poly1305aes::Aes256CtrPoly1305Aes;
use aes256ctr_poly1305aes::aead::{Aead, AeadInPlace, generic_array::GenericArray};
use bytes::Bytes;
use rustic_core::Id;
use rustic_core::repofile::MasterKey;
use sha2::{Digest, Sha256};

use super::error::{VaultError, VaultErrorKind};

/// Bytes that sealing adds: a nonce of 16 before, a tag of 16 after.
pub(super) const OVERHEAD: u32 = 32;
const NONCE: usize = 16;
/// The first byte of a compressed index, snapshot or lock file; an uncompressed one starts with `{` or `[`.
const COMPRESSED: u8 = 2;
/// More than any index, snapshot or lock file has: a guard against a file made to exhaust memory.
const LARGEST_FILE: usize = 1 << 30;
/// zstd's own default level, with restic's meaning of "auto".
const DEFAULT_LEVEL: i32 = 3;

/// The name of content: its SHA-256.
pub(super) fn content_id(content: &[u8]) -> Id {
    Id::new(Sha256::digest(content).into())
}

/// Encrypts under the master key of a vault, and decrypts.
#[derive(Clone)]
pub(super) struct Sealer {
    cipher: Aes256CtrPoly1305Aes,
    compress: bool,
}

/// A blob ready to be put into a pack.
pub(super) struct SealedBlob {
    pub(super) bytes: Vec<u8>,
    /// The length before compression, if it is compressed.
    pub(super) uncompressed_length: Option<NonZeroU32>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("compress", &self.compress).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Fails when the parts of the key have not the lengths they must have.
    pub(super) fn new(key: &MasterKey, compress: bool) -> Result<Self, VaultError> {
        let bytes = zeroize::Zeroizing::new([&key.encrypt[..], &key.mac.k[..], &key.mac.r[..]].concat());
        if key.encrypt.len() != 32 || key.mac.k.len() != 16 || key.mac.r.len() != 16 {
            return Err(VaultError::damaged("the master key has a wrong length"));
        }
        Ok(Self::from_bytes(&bytes, compress))
    }

    /// `key` must be 64 bytes long.
    pub(super) fn from_bytes(key: &[u8], compress: bool) -> Self {
        Self { cipher: Aes256CtrPoly1305Aes::new(GenericArray::from_slice(key)), compress }
    }

    pub(super) fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD as usize);
        sealed.resize(NONCE, 0);
        getrandom::fill(&mut sealed).map_err(|err| {
            VaultError::new(VaultErrorKind::Io, "the operating system gives no random numbers")
                .with_source(err.to_string())
        })?;
        sealed.extend_from_slice(plain);
        let (nonce, body) = sealed.split_at_mut(NONCE);
        let tag = self
            .cipher
            .encrypt_in_place_detached(GenericArray::from_slice(nonce), &[], body)
            .map_err(|_| VaultError::new(VaultErrorKind::Io, "the content is too long to be encrypted"))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// `None` when the bytes are not what was written, or were written under another key.
    pub(super) fn decrypt(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE)?;
        self.cipher.decrypt(GenericArray::from_slice(nonce), body).ok()
    }

    /// Seals an index or snapshot file.
    pub(super) fn seal_file(&self, json: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut content = vec![COMPRESSED];
        content.extend(zstd::bulk::compress(json, DEFAULT_LEVEL).map_err(cannot_compress)?);
        self.encrypt(&content)
    }

    /// Opens an index, snapshot or lock file; `what` names it if it is damaged.
    pub(super) fn open_file(&self, sealed: &[u8], what: impl fmt::Display) -> Result<Vec<u8>, VaultError> {
        let content = self
            .decrypt(sealed)
            .ok_or_else(|| VaultError::damaged(format!("{what} is not what was written, or is of another vault")))?;
        match content.first() {
            Some(b'{' | b'[') => Ok(content),
            Some(&COMPRESSED) => zstd::stream::Decoder::new(&content[1..])
                .and_then(|decoder| read_limited(decoder, LARGEST_FILE))
                .map_err(|err| VaultError::damaged(format!("{what} cannot be decompressed")).with_source(err)),
            _ => Err(VaultError::new(
                VaultErrorKind::NewerFormat,
                format!("{what} is in a format that is not known here"),
            )
            .with_hint("use the version of dbkeep (or restic) that wrote it")),
        }
    }

    /// Seals a blob, and opens it again to be sure: what a faulty memory or compressor made of it must not be stored.
    pub(super) fn seal_blob(&self, plain: &[u8]) -> Result<SealedBlob, VaultError> {
        let uncompressed_length = u32::try_from(plain.len()).ok().and_then(NonZeroU32::new).filter(|_| self.compress);
        let bytes = match uncompressed_length {
            Some(_) => self.encrypt(&zstd::bulk::compress(plain, DEFAULT_LEVEL).map_err(cannot_compress)?)?,
            None => self.encrypt(plain)?,
        };
        let reopened = self.open_blob(&bytes, uncompressed_length)?;
        if reopened != plain {
            return Err(VaultError::new(VaultErrorKind::Io, "a block changed while it was encrypted")
                .with_hint("the memory or processor of this machine may be faulty"));
        }
        Ok(SealedBlob { bytes, uncompressed_length })
    }

    /// Opens a blob; whether it has the content its name promises is for the caller to check.
    pub(super) fn open_blob(
        &self,
        sealed: &[u8],
        uncompressed_length: Option<NonZeroU32>,
    ) -> Result<Bytes, VaultError> {
        let content = self.decrypt(sealed).ok_or_else(|| VaultError::damaged("a block is not what was written"))?;
        let Some(length) = uncompressed_length else { return Ok(content.into()) };
        let plain = zstd::bulk::decompress(&content, length.get() as usize)
            .map_err(|err| VaultError::damaged("a block cannot be decompressed").with_source(err))?;
        if plain.len() != length.get() as usize {
            return Err(VaultError::damaged("a block has not the length the index says"));
        }
        Ok(plain.into())
    }
}

fn cannot_compress(err: std::io::Error) -> VaultError {
    VaultError::new(VaultErrorKind::Io, "a block cannot be compressed").with_source(err)
}

fn read_limited(reader: impl std::io::Read, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = std::io::Read::read_to_end(&mut std::io::Read::take(reader, limit as u64 + 1), &mut content)?;
    if read > limit {
        return Err(std::io::Error::other("it is too long"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_blob_opens_to_what_was_sealed_and_a_changed_bit_is_noticed() {
        for compress in [true, false] {
            let sealer = Sealer::from_bytes(&[7; 64], compress);
            for plain in [&b"x"[..], &[0; 100_000], b"some text"] {
                let mut sealed = sealer.seal_blob(plain).unwrap();
                assert_eq!(sealer.open_blob(&sealed.bytes, sealed.uncompressed_length).unwrap(), plain);
                for at in [0, 20, sealed.bytes.len() - 1] {
                    sealed.bytes[at] ^= 1;
                    assert!(sealer.open_blob(&sealed.bytes, sealed.uncompressed_length).is_err());
                    sealed.bytes[at] ^= 1;
                }
            }
        }
    }

    #[test]
    fn a_sealed_file_too_short_for_a_nonce_is_damaged_and_does_not_panic() {
        let sealer = Sealer::from_bytes(&[7; 64], true);
        assert_eq!(sealer.open_file(b"short", "the index").unwrap_err().kind(), VaultErrorKind::Damaged);
        let newer = sealer.encrypt(&[3, 1, 2]).unwrap();
        assert_eq!(sealer.open_file(&newer, "the index").unwrap_err().kind(), VaultErrorKind::NewerFormat);
    }
}
