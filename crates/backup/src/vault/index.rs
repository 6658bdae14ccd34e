//! Which block is in which pack? The index files of the vault, and what they say together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::num::NonZeroU32;

use jiff::Timestamp;
use rustic_core::Id;
use rustic_core::repofile::{BlobType, FileType};
use serde::{Deserialize, Serialize};

use super::error::{VaultError, VaultErrorKind};
use super::seal::{OVERHEAD, Sealer, content_id};
use super::store::Store;

/// One index file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct IndexFile {
    pub(super) packs: Vec<PackEntry>,
    /// Packs that rustic's prune has marked: readable still, but not to be relied on by a new backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    packs_to_delete: Vec<PackEntry>,
}

impl IndexFile {
    pub(super) fn of(packs: Vec<PackEntry>) -> Self {
        Self { packs, packs_to_delete: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packs.is_empty() && self.packs_to_delete.is_empty()
    }

    /// Takes these packs out; whether there were any.
    pub(super) fn forget(&mut self, packs: &HashSet<Id>) -> bool {
        let before = self.packs.len() + self.packs_to_delete.len();
        self.packs.retain(|pack| !packs.contains(&pack.id));
        self.packs_to_delete.retain(|pack| !packs.contains(&pack.id));
        before != self.packs.len() + self.packs_to_delete.len()
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PackEntry {
    pub(super) id: Id,
    pub(super) blobs: Vec<BlobEntry>,
    /// When it was written. rustic's prune reads this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<Timestamp>,
    /// Its size, where that is not the sum of its parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BlobEntry {
    pub(super) id: Id,
    #[serde(rename = "type")]
    pub(super) blob_type: BlobType,
    pub(super) offset: u32,
    pub(super) length: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uncompressed_length: Option<NonZeroU32>,
}

impl BlobEntry {
    /// The length of its entry in the header of a pack.
    pub(super) fn header_length(&self) -> u32 {
        if self.uncompressed_length.is_some() { 41 } else { 37 }
    }
}

impl PackEntry {
    pub(super) fn new(id: Id, blobs: Vec<BlobEntry>) -> Self {
        Self { id, blobs, time: Some(Timestamp::now()), size: None }
    }

    /// The size in bytes its file must have: the blobs, the sealed header, and the header's length.
    pub(super) fn file_size(&self) -> u64 {
        let parts: u64 = self.blobs.iter().map(|blob| u64::from(blob.length) + u64::from(blob.header_length())).sum();
        self.size.map_or(parts + u64::from(OVERHEAD) + 4, u64::from)
    }
}

/// Where a blob is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Location {
    /// The position of its pack in [`Index::packs`].
    pub(super) pack: u32,
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) uncompressed_length: Option<NonZeroU32>,
}

impl Location {
    /// The length of the blob's content.
    pub(super) fn plain_length(&self) -> u32 {
        self.uncompressed_length.map_or(self.length.saturating_sub(OVERHEAD), NonZeroU32::get)
    }

    /// The place of the sealed blob in its pack.
    pub(super) fn range(&self) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(self.offset).ok()?;
        Some(start..start.checked_add(usize::try_from(self.length).ok()?)?)
    }
}

/// How a pack is, judged by its file's name and size alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    Missing,
    /// Present with this size, which is not the one the index says.
    WrongSize(u64),
    /// Marked for deletion.
    Doomed,
    Sound,
}

/// A pack that an index file tells of.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) id: Id,
    pub(super) file_size: u64,
    pub(super) condition: Condition,
    /// What it holds; the identity of each blob stands in the maps.
    pub(super) blobs: u32,
}

/// All index files of a vault at one moment. About 70 bytes of memory a block, so 70 MiB for a terabyte.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) packs: Vec<Pack>,
    data: HashMap<Id, Location>,
    trees: HashMap<Id, Location>,
    /// The index files this was made from.
    pub(super) files: BTreeSet<Id>,
    /// Packs that no index file tells of: left by a writer that was killed, or written by one at work.
    pub(super) unknown_packs: Vec<Id>,
}

impl Index {
    /// Reads all index files, and lists the packs after that: a pack is written before the index file that names it.
    pub(super) fn load(store: &dyn Store, sealer: &Sealer) -> Result<Self, VaultError> {
        Self::load_with(store, sealer, &mut Err)
    }

    /// As [`load`](Self::load), but a damaged index file is given to `on_damage`, which may let the reading go on.
    pub(super) fn load_with(
        store: &dyn Store,
        sealer: &Sealer,
        on_damage: &mut dyn FnMut(VaultError) -> Result<(), VaultError>,
    ) -> Result<Self, VaultError> {
        let mut index = Self::default();
        let mut files = Vec::new();
        for (id, _) in store.list(FileType::Index)? {
            match read_index_file(store, sealer, &id) {
                Ok(file) => {
                    files.extend(file);
                    index.files.insert(id);
                }
                Err(err) if err.kind() == VaultErrorKind::Damaged => on_damage(err)?,
                Err(err) => return Err(err),
            }
        }
        let mut present: HashMap<Id, u64> = store.list(FileType::Pack)?.into_iter().collect();
        let mut known: HashMap<Id, u32> = HashMap::new();
        for file in files {
            for pack in file.packs {
                index.insert(pack, false, &present, &mut known)?;
            }
            for pack in file.packs_to_delete {
                index.insert(pack, true, &present, &mut known)?;
            }
        }
        present.retain(|id, _| !known.contains_key(id));
        index.unknown_packs = present.into_keys().collect();
        index.unknown_packs.sort_unstable();
        Ok(index)
    }

    fn insert(
        &mut self,
        pack: PackEntry,
        doomed: bool,
        present: &HashMap<Id, u64>,
        known: &mut HashMap<Id, u32>,
    ) -> Result<(), VaultError> {
        let file_size = pack.file_size();
        let condition = match present.get(&pack.id) {
            None => Condition::Missing,
            Some(&size) if size != file_size => Condition::WrongSize(size),
            Some(_) if doomed => Condition::Doomed,
            Some(_) => Condition::Sound,
        };
        let too_many = || VaultError::new(VaultErrorKind::Io, "the vault has more packs than can be counted");
        let next = u32::try_from(self.packs.len()).map_err(|_| too_many())?;
        let blobs = u32::try_from(pack.blobs.len()).map_err(|_| too_many())?;
        // Two index files may name the same pack while they are being rewritten by a prune.
        let number = *known.entry(pack.id).or_insert(next);
        if number == next {
            self.packs.push(Pack { id: pack.id, file_size, condition, blobs });
        } else if let Some(earlier) = self.packs.get_mut(number as usize) {
            earlier.condition = earlier.condition.max(condition);
        }
        for blob in pack.blobs {
            let location = Location {
                pack: number,
                offset: blob.offset,
                length: blob.length,
                uncompressed_length: blob.uncompressed_length,
            };
            let map = match blob.blob_type {
                BlobType::Data => &mut self.data,
                BlobType::Tree => &mut self.trees,
            };
            let packs = &self.packs;
            map.entry(blob.id)
                .and_modify(|earlier| {
                    // Of several copies the one in the better pack counts: so a new backup heals a lost pack.
                    if packs[earlier.pack as usize].condition < condition {
                        *earlier = location;
                    }
                })
                .or_insert(location);
        }
        Ok(())
    }

    pub(super) fn get(&self, blob_type: BlobType, id: &Id) -> Option<&Location> {
        match blob_type {
            BlobType::Data => self.data.get(id),
            BlobType::Tree => self.trees.get(id),
        }
    }

    /// The number of the pack in which a new backup may rely on finding this blob.
    pub(super) fn reliable(&self, blob_type: BlobType, id: &Id) -> Option<u32> {
        let location = self.get(blob_type, id)?;
        (self.pack(location).condition == Condition::Sound).then_some(location.pack)
    }

    pub(super) fn pack(&self, location: &Location) -> &Pack {
        &self.packs[location.pack as usize]
    }

    /// The blobs of each pack, in the order of the packs.
    pub(super) fn blobs_by_pack(&self) -> Vec<Vec<(BlobType, Id, Location)>> {
        let mut packs = vec![Vec::new(); self.packs.len()];
        for (blob_type, map) in [(BlobType::Data, &self.data), (BlobType::Tree, &self.trees)] {
            for (id, location) in map {
                packs[location.pack as usize].push((blob_type, *id, *location));
            }
        }
        packs
    }

    /// The number of bytes in all packs.
    pub(super) fn total_size(&self) -> u64 {
        self.packs.iter().map(|pack| pack.file_size).sum()
    }
}

/// `None` when it has been removed since it was listed: its content is in a newer index file then.
pub(super) fn read_index_file(store: &dyn Store, sealer: &Sealer, id: &Id) -> Result<Option<IndexFile>, VaultError> {
    let what = format!("the index file {}", id.to_hex().as_str());
    let sealed = match store.read(FileType::Index, id) {
        Ok(sealed) => sealed,
        Err(err) if err.kind() == VaultErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err),
    };
    let rebuild = "`restic rebuild-index` (or `repair index`) makes a new index from the packs";
    if content_id(&sealed) != *id {
        return Err(VaultError::damaged(format!("{what} is not what was written")).with_hint(rebuild));
    }
    let json = sealer.open_file(&sealed, &what)?;
    let file = serde_json::from_slice(&json).map_err(|err| {
        VaultError::damaged(format!("{what} cannot be understood")).with_source(err).with_hint(rebuild)
    })?;
    Ok(Some(file))
}

/// Writes an index file; returns its size in bytes.
pub(super) fn write_index_file(store: &dyn Store, sealer: &Sealer, packs: Vec<PackEntry>) -> Result<u64, VaultError> {
    write_index(store, sealer, &IndexFile::of(packs))
}

/// As [`write_index_file`], of a whole file.
pub(super) fn write_index(store: &dyn Store, sealer: &Sealer, file: &IndexFile) -> Result<u64, VaultError> {
    let json = serde_json::to_vec(file)
        .map_err(|err| VaultError::new(VaultErrorKind::Io, "an index file cannot be encoded").with_source(err))?;
    let sealed = sealer.seal_file(&json)?;
    let size = sealed.len() as u64;
    store.write(FileType::Index, &content_id(&sealed), &[sealed.into()])?;
    Ok(size)
}
