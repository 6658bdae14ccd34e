//! Is what is stored what was written? Everything is read back, and every hash computed anew.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use rustic_core::Id;
use rustic_core::repofile::{BlobType, FileType, SnapshotFile};

use super::error::{VaultError, VaultErrorKind};
use super::handle::Vault;
use super::index::{Condition, Index, Location, Pack};
use super::pipeline::lock;
use super::read::Blobs;
use super::record::{BackupId, read_snapshot};
use super::seal::content_id;
use super::write::CancelFlag;

/// What to verify, and who follows it.
#[derive(Clone, Default)]
pub struct VerifyOptions {
    /// One backup. Default: everything the vault holds.
    pub backup: Option<BackupId>,
    /// Reads only part `n` of `m` of the packs (1 ≤ n ≤ m), so that m runs read everything. The records, index files and
    /// directories, and the presence and size of all packs, are checked each time.
    pub subset: Option<(u32, NonZeroU32)>,
    /// Called with the bytes checked so far and the bytes to check.
    pub progress: Option<VerifyProgressFn>,
    /// Looked at before every pack.
    pub cancel: CancelFlag,
}

/// Told, from the threads of the vault, how many bytes of how many are checked.
pub type VerifyProgressFn = std::sync::Arc<dyn Fn(u64, u64) + Send + Sync>;

/// What [`Vault::verify`] found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Bytes of packs that were read back and compared with their hashes.
    pub checked_bytes: u64,
    /// The number of those packs.
    pub checked_packs: u64,
    /// The backups (and other snapshots) whose directories were read.
    pub backups: Vec<BackupId>,
    /// What is damaged.
    pub errors: Vec<Damage>,
    /// Packs that are damaged, or missing.
    pub(super) damaged_packs: Vec<Id>,
}

impl VerifyReport {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }
}

/// One damaged thing in a vault.
///
/// [`Vault::repair`] keeps new backups from relying on a damaged pack: the next one then stores again what the database still
/// has of it, and with that makes the earlier backups readable again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// What is damaged, and how.
    pub what: String,
    /// The entries that cannot be read because of it, with their backups; sorted.
    pub entries: Vec<(BackupId, String)>,
}

impl Damage {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), entries: Vec::new() }
    }

    fn of(error: &VaultError) -> Self {
        let mut what = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(source) = cause {
            what = format!("{what}: {source}");
            cause = source.source();
        }
        Self::new(what)
    }
}

/// Entries named in the text of a damage; the others are counted.
const NAMED: usize = 3;

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for (at, (backup, name)) in self.entries.iter().take(NAMED).enumerate() {
            let before = if at == 0 { "; needed by" } else { "," };
            write!(f, "{before} `{name}` of backup {}", backup.short())?;
        }
        if self.entries.len() > NAMED {
            write!(f, " and {} more", self.entries.len() - NAMED)?;
        }
        Ok(())
    }
}

/// Blobs that cannot be read, each with the position of its damage in the report.
type Broken = HashMap<(BlobType, Id), usize>;

/// A pack to be read, with the blobs in it that matter.
struct Task<'a> {
    pack: &'a Pack,
    blobs: Vec<(BlobType, Id, Location)>,
}

pub(super) fn verify(vault: &Vault, options: &VerifyOptions) -> Result<VerifyReport, VaultError> {
    let mut report = VerifyReport::default();
    // Records first, index after: a record is written last, so its index is there.
    let snapshots = snapshots(vault, options, &mut report)?;
    let mut index_damage = Vec::new();
    let index = Index::load_with(&*vault.store, &vault.sealer, &mut |err| {
        index_damage.push(Damage::of(&err));
        Ok(())
    })?;
    report.errors.append(&mut index_damage);
    let blobs = Blobs { store: vault.store.clone(), sealer: vault.sealer.clone(), index: std::sync::Arc::new(index) };

    let mut needed = HashSet::new();
    let mut unindexed = Damage::new("");
    for snapshot in &snapshots {
        report.backups.push(BackupId(*snapshot.id));
        check_trees(&blobs, snapshot, &mut needed, &mut unindexed, &mut report.errors)?;
    }
    if !unindexed.entries.is_empty() {
        unindexed.what = format!(
            "blocks are in no index file: they are lost, or an index file is missing ({} packs are in none), in which case `restic rebuild-index` (or `repair index`) makes a new index",
            blobs.index.unknown_packs.len()
        );
        unindexed.entries.dedup();
        report.errors.push(unindexed);
    }

    let mut broken = Broken::new();
    let tasks = choose_packs(&blobs.index, options, &needed, &mut broken, &mut report);
    check_packs(&blobs, &tasks, options, &mut broken, &mut report)?;
    name_affected(&blobs, &snapshots, &broken, &mut report.errors)?;
    Ok(report)
}

fn snapshots(
    vault: &Vault,
    options: &VerifyOptions,
    report: &mut VerifyReport,
) -> Result<Vec<SnapshotFile>, VaultError> {
    let ids = match options.backup {
        Some(id) => vec![id.0],
        None => vault.store.list(FileType::Snapshot)?.into_iter().map(|(id, _)| id).collect(),
    };
    let mut snapshots = Vec::new();
    for id in ids {
        match read_snapshot(&*vault.store, &vault.sealer, &id) {
            Ok(snapshot) => snapshots.push(snapshot),
            Err(err) if err.kind() == VaultErrorKind::Damaged => report.errors.push(Damage::of(&err)),
            // Removed since it was listed.
            Err(err) if err.kind() == VaultErrorKind::NotFound && options.backup.is_none() => {}
            Err(err) => return Err(err),
        }
    }
    snapshots.sort_by_key(|snapshot| (snapshot.time.timestamp(), snapshot.id));
    Ok(snapshots)
}

/// Reads all directories of a snapshot, and gathers the blobs its files need.
fn check_trees(
    blobs: &Blobs,
    snapshot: &SnapshotFile,
    needed: &mut HashSet<Id>,
    unindexed: &mut Damage,
    errors: &mut Vec<Damage>,
) -> Result<(), VaultError> {
    let backup = BackupId(*snapshot.id);
    let mut wrong_sizes = Vec::new();
    let mut visit = |name: &str, node: &rustic_core::repofile::Node| {
        let mut size = Some(0);
        for id in node.content.iter().flatten() {
            needed.insert(**id);
            match blobs.index.get(BlobType::Data, id) {
                Some(location) => size = size.map(|size| size + u64::from(location.plain_length())),
                None => {
                    unindexed.entries.push((backup, name.to_owned()));
                    size = None;
                }
            }
        }
        if size.is_some_and(|size| size != node.meta.size) {
            let mut damage = Damage::new("the blocks of an entry have not the length it should have");
            damage.entries.push((backup, name.to_owned()));
            wrong_sizes.push(damage);
        }
        Ok(())
    };
    let mut broken = |prefix: &str, _: &_, err: VaultError| match err.kind() {
        VaultErrorKind::Damaged => {
            let mut damage = Damage::of(&err);
            damage.entries.push((backup, format!("{prefix}*")));
            errors.push(damage);
            Ok(())
        }
        _ => Err(err),
    };
    blobs.walk(&snapshot.tree, &mut visit, &mut broken)?;
    errors.append(&mut wrong_sizes);
    Ok(())
}

/// The packs to read. Those that are missing or have a wrong size are reported; of the latter the blobs are read too.
fn choose_packs<'a>(
    index: &'a Index,
    options: &VerifyOptions,
    needed: &HashSet<Id>,
    broken: &mut Broken,
    report: &mut VerifyReport,
) -> Vec<Task<'a>> {
    let mut tasks = Vec::new();
    for (pack, blobs) in index.packs.iter().zip(index.blobs_by_pack()) {
        let matters =
            |(blob_type, id, _): &&(BlobType, Id, Location)| *blob_type == BlobType::Data && needed.contains(id);
        let wanted = match options.backup {
            // The directories of this backup were read already.
            Some(_) => blobs.iter().any(|blob| matters(&blob)),
            // A pack whose blobs are all in better packs as well is of no use, and no loss.
            None => !blobs.is_empty(),
        };
        if !wanted {
            continue;
        }
        let name = pack.id.to_hex();
        match pack.condition {
            Condition::Missing => {
                broken.extend(blobs.iter().map(|(blob_type, id, _)| ((*blob_type, *id), report.errors.len())));
                report.damaged_packs.push(pack.id);
                report.errors.push(Damage::new(format!("the pack {} is missing", name.as_str())));
                continue;
            }
            Condition::WrongSize(size) => {
                let text = format!("the pack {} has {size} bytes and should have {}", name.as_str(), pack.file_size);
                report.damaged_packs.push(pack.id);
                report.errors.push(Damage::new(text));
            }
            Condition::Doomed | Condition::Sound => {
                if options.subset.is_some_and(|(part, parts)| pack.id.as_u32() % parts != part % parts.get()) {
                    continue;
                }
            }
        }
        tasks.push(Task { pack, blobs });
    }
    tasks
}

fn check_packs(
    blobs: &Blobs,
    tasks: &[Task<'_>],
    options: &VerifyOptions,
    broken: &mut Broken,
    report: &mut VerifyReport,
) -> Result<(), VaultError> {
    let total = tasks.iter().map(|task| task.pack.file_size).sum();
    let (next, checked) = (AtomicUsize::new(0), AtomicU64::new(0));
    let found = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    let threads = thread::available_parallelism().map_or(2, usize::from).min(8);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if options.cancel.load(Ordering::Relaxed) {
                        lock(&failure).get_or_insert(VaultError::new(
                            VaultErrorKind::Cancelled,
                            "the verification was cancelled",
                        ));
                        return;
                    }
                    match check_pack(blobs, task) {
                        Ok((read, damage)) => {
                            let before = checked.fetch_add(read, Ordering::Relaxed);
                            if let Some(tell) = &options.progress {
                                tell(before + read, total);
                            }
                            lock(&found).extend(damage.map(|(what, lost)| (what, task.pack.id, lost)));
                        }
                        Err(err) => {
                            lock(&failure).get_or_insert(err);
                            return;
                        }
                    }
                }
            });
        }
    });
    if let Some(err) = lock(&failure).take() {
        return Err(err);
    }
    report.checked_bytes = checked.into_inner();
    report.checked_packs = tasks.len() as u64;
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by(|(one, ..), (two, ..)| one.cmp(two));
    for (what, pack, lost) in found {
        report.damaged_packs.push(pack);
        broken.extend(lost.into_iter().map(|blob| (blob, report.errors.len())));
        report.errors.push(Damage::new(what));
    }
    Ok(())
}

type Lost = (String, Vec<(BlobType, Id)>);

/// Reads a pack once, whole. Returns how many bytes that were, and what is wrong with it.
fn check_pack(blobs: &Blobs, task: &Task<'_>) -> Result<(u64, Option<Lost>), VaultError> {
    let name = task.pack.id.to_hex();
    let all = || task.blobs.iter().map(|(blob_type, id, _)| (*blob_type, *id)).collect();
    let content = match blobs.store.read(FileType::Pack, &task.pack.id) {
        Ok(content) => content,
        Err(err) if err.kind() == VaultErrorKind::NotFound => {
            return Ok((0, Some((format!("the pack {} is missing", name.as_str()), all()))));
        }
        // What a dying disk answers: this pack is lost, the others may be not.
        Err(err) if err.kind() == VaultErrorKind::Io => {
            let what = Damage::of(&err).what;
            return Ok((0, Some((format!("the pack {} cannot be read: {what}", name.as_str()), all()))));
        }
        Err(err) => return Err(err),
    };
    let mut lost = Vec::new();
    for (blob_type, id, location) in &task.blobs {
        let part = location.range().and_then(|range| content.get(range));
        let plain = part.and_then(|sealed| blobs.sealer.open_blob(sealed, location.uncompressed_length).ok());
        if plain.is_none_or(|plain| content_id(&plain) != *id) {
            lost.push((*blob_type, *id));
        }
    }
    let read = content.len() as u64;
    let count = task.pack.blobs;
    if !lost.is_empty() {
        let what = format!(
            "the pack {} is damaged: {} of its {count} blocks are not what was written",
            name.as_str(),
            lost.len()
        );
        return Ok((read, Some((what, lost))));
    }
    if content_id(&content) != task.pack.id && task.pack.condition == Condition::Sound {
        let what = format!(
            "the pack {} is damaged outside of the blocks that are used; no entry is lost by it",
            name.as_str()
        );
        return Ok((read, Some((what, lost))));
    }
    Ok((read, None))
}

/// Says of each damage which entries need what is lost.
fn name_affected(
    blobs: &Blobs,
    snapshots: &[SnapshotFile],
    broken: &Broken,
    errors: &mut [Damage],
) -> Result<(), VaultError> {
    if broken.is_empty() {
        return Ok(());
    }
    let mut affected: BTreeSet<(usize, BackupId, String)> = BTreeSet::new();
    for snapshot in snapshots {
        let backup = BackupId(*snapshot.id);
        let mut visit = |name: &str, node: &rustic_core::repofile::Node| {
            for id in node.content.iter().flatten() {
                if let Some(&damage) = broken.get(&(BlobType::Data, **id)) {
                    affected.insert((damage, backup, name.to_owned()));
                }
            }
            Ok(())
        };
        // A directory that is lost was reported with the entries below it already.
        blobs.walk(&snapshot.tree, &mut visit, &mut |_, _, _| Ok(()))?;
    }
    for (damage, backup, name) in affected {
        if let Some(damage) = errors.get_mut(damage) {
            damage.entries.push((backup, name));
        }
    }
    Ok(())
}
