//! What does a pack look like? Sealed blobs one after another, then a sealed list of them, then the list's length.

use bytes::Bytes;
use rustic_core::Id;
use rustic_core::repofile::BlobType;
use sha2::{Digest, Sha256};

use super::error::{VaultError, VaultErrorKind};
use super::index::{BlobEntry, PackEntry};
use super::seal::{SealedBlob, Sealer};

/// The list of blobs is held in memory by every reader; restic and rustic have limits like this.
const MOST_BLOBS: usize = 10_000;

/// A pack that is being filled. All its blobs are of one type, as stock restic's check demands.
pub(super) struct PackBuilder {
    blob_type: BlobType,
    target: u32,
    size: u32,
    parts: Vec<Bytes>,
    blobs: Vec<BlobEntry>,
}

/// A pack that is ready to be stored under its name.
pub(super) struct FinishedPack {
    pub(super) entry: PackEntry,
    pub(super) parts: Vec<Bytes>,
    pub(super) size: u64,
}

impl PackBuilder {
    /// A pack that is full when it has `target` bytes.
    pub(super) fn new(blob_type: BlobType, target: u32) -> Self {
        Self { blob_type, target, size: 0, parts: Vec::new(), blobs: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// Adds a blob. Returns whether the pack is full now.
    pub(super) fn push(&mut self, id: Id, blob: SealedBlob) -> Result<bool, VaultError> {
        let too_long = || VaultError::new(VaultErrorKind::Io, "a pack is too long");
        let length = u32::try_from(blob.bytes.len()).map_err(|_| too_long())?;
        let size = self.size.checked_add(length).ok_or_else(too_long)?;
        self.blobs.push(BlobEntry {
            id,
            blob_type: self.blob_type,
            offset: self.size,
            length,
            uncompressed_length: blob.uncompressed_length,
        });
        self.parts.push(blob.bytes.into());
        self.size = size;
        Ok(self.size >= self.target || self.blobs.len() >= MOST_BLOBS)
    }

    /// Takes what was gathered and leaves an empty pack.
    pub(super) fn take(&mut self) -> Self {
        let empty = Self::new(self.blob_type, self.target);
        std::mem::replace(self, empty)
    }

    /// Adds the list and computes the name.
    pub(super) fn finish(mut self, sealer: &Sealer) -> Result<FinishedPack, VaultError> {
        let header = sealer.encrypt(&encode_header(&self.blobs))?;
        let length = u32::try_from(header.len())
            .map_err(|_| VaultError::new(VaultErrorKind::Io, "a pack has too many blocks"))?;
        self.parts.push(header.into());
        self.parts.push(Bytes::copy_from_slice(&length.to_le_bytes()));
        let mut hash = Sha256::new();
        for part in &self.parts {
            hash.update(part);
        }
        let entry = PackEntry::new(Id::new(hash.finalize().into()), self.blobs);
        let size = self.parts.iter().map(|part| part.len() as u64).sum();
        Ok(FinishedPack { entry, parts: self.parts, size })
    }
}

fn encode_header(blobs: &[BlobEntry]) -> Vec<u8> {
    let mut header = Vec::with_capacity(blobs.len() * 41);
    for blob in blobs {
        let tree = u8::from(blob.blob_type == BlobType::Tree);
        match blob.uncompressed_length {
            None => {
                header.push(tree);
                header.extend(blob.length.to_le_bytes());
            }
            Some(uncompressed) => {
                header.push(2 + tree);
                header.extend(blob.length.to_le_bytes());
                header.extend(uncompressed.get().to_le_bytes());
            }
        }
        header.extend(raw(&blob.id));
    }
    header
}

/// The 32 bytes of an id, which rustic_core shows in hexadecimal only.
fn raw(id: &Id) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(id.to_hex().as_bytes().chunks(2)) {
        *byte = pair.iter().fold(0, |value, digit| value << 4 | (char::from(*digit).to_digit(16).unwrap_or(0) as u8));
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::seal::content_id;
    use super::*;

    #[test]
    fn a_pack_ends_with_a_list_of_its_blobs() {
        let sealer = Sealer::from_bytes(&[3; 64], true);
        let mut builder = PackBuilder::new(BlobType::Data, 1 << 20);
        let (first, second) = (content_id(b"first"), content_id(b"second"));
        assert!(!builder.push(first, sealer.seal_blob(b"first").unwrap()).unwrap());
        let plain = Sealer::from_bytes(&[3; 64], false).seal_blob(b"second").unwrap();
        builder.push(second, plain).unwrap();
        let pack = builder.take().finish(&sealer).unwrap();
        assert!(builder.is_empty());
        assert_eq!(pack.size, pack.entry.file_size());

        let file = pack.parts.concat();
        assert_eq!(content_id(&file), pack.entry.id);
        let (rest, length) = file.split_at(file.len() - 4);
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let header = sealer.decrypt(&rest[rest.len() - length..]).unwrap();
        assert_eq!(header.len(), 41 + 37);
        assert_eq!((header[0], header[41]), (2, 0));
        assert_eq!(Id::new(header[9..41].try_into().unwrap()), first);
        assert_eq!(Id::new(header[46..].try_into().unwrap()), second);
    }
}
