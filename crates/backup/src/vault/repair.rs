//! What becomes of a damaged pack: what is sound in it is stored again, and no new backup relies on the rest.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rustic_core::Id;
use rustic_core::repofile::{BlobType, FileType};

use super::error::{VaultError, VaultErrorKind};
use super::handle::Vault;
use super::index::{Index, IndexFile, Location, PackEntry, read_index_file, write_index};
use super::lock::refuse_if_locked;
use super::pack::PackBuilder;
use super::seal::{SealedBlob, content_id};
use super::verify::VerifyReport;

/// What [`Vault::repair`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Damaged packs that nothing relies on any more. Their files stay; `restic prune` removes them.
    pub packs: u64,
    /// Blocks in them that were sound and are stored anew.
    pub saved: u64,
    /// Blocks that are lost, until a backup stores the same content again.
    pub lost: u64,
}

/// The order matters, so that a repair that is killed has lost nothing: what is saved is stored first, then made known, and
/// only then the damaged packs are forgotten.
pub(super) fn repair(vault: &Vault, found: &VerifyReport) -> Result<RepairReport, VaultError> {
    let (store, sealer) = (&*vault.store, &vault.sealer);
    let damaged: HashSet<Id> = found.damaged_packs.iter().copied().collect();
    let mut report = RepairReport { packs: damaged.len() as u64, ..RepairReport::default() };
    if damaged.is_empty() {
        return Ok(report);
    }
    refuse_if_locked(store, sealer, Timestamp::now())?;
    let index = Index::load(store, sealer)?;
    let mut builders: HashMap<BlobType, PackBuilder> = HashMap::new();
    let mut saved: Vec<PackEntry> = Vec::new();
    let (data_size, tree_size) = vault.pack_sizes(index.total_size());
    for (pack, blobs) in index.packs.iter().zip(index.blobs_by_pack()) {
        if !damaged.contains(&pack.id) {
            continue;
        }
        let content = match store.read(FileType::Pack, &pack.id) {
            // Gone, or what a dying disk answers: lost as a whole. Should the file ever be read again, `restic rebuild-index`
            // (or `repair index`) makes it known again.
            Err(err) if matches!(err.kind(), VaultErrorKind::NotFound | VaultErrorKind::Io) => bytes::Bytes::new(),
            content => content?,
        };
        for (blob_type, id, location) in blobs {
            let Some(sealed) = sound(vault, &content, &id, &location) else {
                report.lost += 1;
                continue;
            };
            report.saved += 1;
            let target = if blob_type == BlobType::Tree { tree_size } else { data_size };
            let builder = builders.entry(blob_type).or_insert_with(|| PackBuilder::new(blob_type, target));
            if builder.push(id, sealed)? {
                saved.push(store_pack(vault, builder.take())?);
            }
        }
    }
    for builder in builders.into_values().filter(|builder| !builder.is_empty()) {
        saved.push(store_pack(vault, builder)?);
    }
    if !saved.is_empty() {
        write_index(store, sealer, &IndexFile::of(saved))?;
    }
    for (id, _) in store.list(FileType::Index)? {
        let Some(mut file) = read_index_file(store, sealer, &id)? else { continue };
        if !file.forget(&damaged) {
            continue;
        }
        if !file.is_empty() {
            write_index(store, sealer, &file)?;
        }
        match store.remove(FileType::Index, &id) {
            Err(err) if err.kind() != VaultErrorKind::NotFound => return Err(err),
            _ => {}
        }
    }
    Ok(report)
}

/// The sealed blob, if it is what was written.
fn sound(vault: &Vault, content: &bytes::Bytes, id: &Id, location: &Location) -> Option<SealedBlob> {
    let range = location.range()?;
    let sealed = content.get(range.clone())?;
    let plain = vault.sealer.open_blob(sealed, location.uncompressed_length).ok()?;
    (content_id(&plain) == *id)
        .then(|| SealedBlob { bytes: sealed.to_vec(), uncompressed_length: location.uncompressed_length })
}

fn store_pack(vault: &Vault, builder: PackBuilder) -> Result<PackEntry, VaultError> {
    let pack = builder.finish(&vault.sealer)?;
    vault.store.write(FileType::Pack, &pack.entry.id, &pack.parts)?;
    Ok(pack.entry)
}
