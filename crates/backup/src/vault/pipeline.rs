//! How do bytes of many streams become stored packs? The threads between a [`VaultWriter`](super::VaultWriter) and its store.
//!
//! ```text
//! streams -> [channel] -> one cutter -> [jobs] -> workers: hash, known?, compress, encrypt -> open pack
//!                                                             -> [full packs] -> one storer: pack, then index file
//! ```
//!
//! Every arrow is bounded, so a slow store holds the producers back. The first failure wins, stops everyone, and is what
//! the producers and the run get to see.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use rustic_core::Id;
use rustic_core::repofile::{BlobType, FileType};
use tokio::sync::mpsc;

use super::chunk::{CutRule, Cutter};
use super::error::{VaultError, VaultErrorKind};
use super::index::{Index, PackEntry, write_index_file};
use super::pack::PackBuilder;
use super::seal::{Sealer, content_id};
use super::store::Store;
use super::write::{CancelFlag, Progress, ProgressFn};

/// Pieces of a stream that wait for the cutter, and the longest such piece: 2 MiB wait at most.
pub(super) const WAITING_PIECES: usize = 8;
pub(super) const LONGEST_PIECE: usize = 256 << 10;
/// An index file is written after this many blobs or this long, so that a run that is killed has not stored for nothing:
/// the next one finds what is there.
const INDEX_BLOBS: usize = 50_000;
const INDEX_AGE: Duration = Duration::from_secs(60);

/// One stream: what it is called, and the blocks it has become.
pub(super) struct Slot {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) content: Mutex<Vec<Option<Id>>>,
    pub(super) size: AtomicU64,
    pub(super) ended: AtomicBool,
}

pub(super) enum Message {
    Data(Arc<Slot>, Bytes),
    End(Arc<Slot>),
    /// Nothing comes after this.
    Stop,
}

struct Job {
    slot: Arc<Slot>,
    position: usize,
    block: Vec<u8>,
}

/// What all threads of a run share.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) sealer: Sealer,
    pub(super) index: Arc<Index>,
    pub(super) cancel: CancelFlag,
    progress: Option<ProgressFn>,
    failure: OnceLock<VaultError>,
    /// The blobs this run stores.
    fresh: Mutex<HashSet<(BlobType, Id)>>,
    /// Packs of earlier runs whose blobs this run uses, by their number in the index.
    reused: Mutex<BTreeSet<u32>>,
    /// Packs this run has stored, with their sizes.
    stored: Mutex<Vec<(Id, u64)>>,
    open_data: Mutex<PackBuilder>,
    open_trees: Mutex<PackBuilder>,
    bytes_read: AtomicU64,
    bytes_stored: AtomicU64,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        store: Arc<dyn Store>,
        sealer: Sealer,
        index: Arc<Index>,
        pack_sizes: (u32, u32),
        progress: Option<ProgressFn>,
        cancel: CancelFlag,
    ) -> Self {
        Self {
            store,
            sealer,
            index,
            cancel,
            progress,
            failure: OnceLock::new(),
            fresh: Mutex::default(),
            reused: Mutex::default(),
            stored: Mutex::default(),
            open_data: Mutex::new(PackBuilder::new(BlobType::Data, pack_sizes.0)),
            open_trees: Mutex::new(PackBuilder::new(BlobType::Tree, pack_sizes.1)),
            bytes_read: AtomicU64::new(0),
            bytes_stored: AtomicU64::new(0),
        }
    }

    /// Remembers the first failure; later ones are its consequences.
    pub(super) fn fail(&self, error: VaultError) {
        if let Err(later) = self.failure.set(error) {
            tracing::debug!(error = %later, "a further failure of the same run");
        }
    }

    /// The failure of the run, if there is one. A raised cancellation flag is one.
    pub(super) fn check(&self) -> Result<(), VaultError> {
        if self.cancel.load(Ordering::Relaxed) {
            self.fail(VaultError::new(VaultErrorKind::Cancelled, "the backup was cancelled"));
        }
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// The reason for which a channel of the run is closed.
    pub(super) fn failure(&self) -> VaultError {
        let unknown = || VaultError::new(VaultErrorKind::Incomplete, "the backup has ended already");
        self.check().err().unwrap_or_else(unknown)
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_stored: self.bytes_stored.load(Ordering::Relaxed),
        }
    }

    fn tell_progress(&self) {
        if let Some(tell) = &self.progress {
            tell(self.progress());
        }
    }

    pub(super) fn add_stored(&self, bytes: u64) {
        self.bytes_stored.fetch_add(bytes, Ordering::Relaxed);
        self.tell_progress();
    }

    pub(super) fn add_read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        self.tell_progress();
    }

    /// How many blobs of this type the run has stored.
    pub(super) fn fresh_blobs(&self, blob_type: BlobType) -> u64 {
        lock(&self.fresh).iter().filter(|(fresh, _)| *fresh == blob_type).count() as u64
    }

    /// Stores a blob unless the vault, or this run, has it already.
    pub(super) fn put(&self, blob_type: BlobType, plain: &[u8], packs: &Sender<PackBuilder>) -> Result<Id, VaultError> {
        let id = content_id(plain);
        if let Some(pack) = self.index.reliable(blob_type, &id) {
            lock(&self.reused).insert(pack);
            return Ok(id);
        }
        if !lock(&self.fresh).insert((blob_type, id)) {
            return Ok(id);
        }
        let sealed = self.sealer.seal_blob(plain)?;
        let full = {
            let mut open = lock(self.open_pack(blob_type));
            open.push(id, sealed)?.then(|| open.take())
        };
        if let Some(full) = full {
            packs.send(full).map_err(|_| self.failure())?;
        }
        Ok(id)
    }

    fn open_pack(&self, blob_type: BlobType) -> &Mutex<PackBuilder> {
        match blob_type {
            BlobType::Data => &self.open_data,
            BlobType::Tree => &self.open_trees,
        }
    }

    /// Hands over the packs that are not full.
    pub(super) fn flush(&self, packs: &Sender<PackBuilder>) -> Result<(), VaultError> {
        for blob_type in [BlobType::Data, BlobType::Tree] {
            let last = lock(self.open_pack(blob_type)).take();
            if !last.is_empty() {
                packs.send(last).map_err(|_| self.failure())?;
            }
        }
        Ok(())
    }

    /// Makes sure that every pack the run relies on is still there: a prune by another program may have run meanwhile.
    pub(super) fn confirm_packs(&self) -> Result<(), VaultError> {
        let present: HashMap<Id, u64> = self.store.list(FileType::Pack)?.into_iter().collect();
        let mut needed = lock(&self.stored).clone();
        needed.extend(lock(&self.reused).iter().filter_map(|&number| {
            let pack = self.index.packs.get(number as usize)?;
            Some((pack.id, pack.file_size))
        }));
        match needed.iter().find(|(id, size)| present.get(id) != Some(size)) {
            Some((id, _)) => Err(vanished(id)),
            None => Ok(()),
        }
    }
}

fn vanished(pack: &Id) -> VaultError {
    VaultError::damaged(format!("the pack {} vanished while the backup ran", pack.to_hex().as_str()))
        .with_hint("another program has pruned the vault; run the backup again, it stores what is missing")
}

/// The threads of a run.
pub(super) struct Threads {
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) packs: Sender<PackBuilder>,
    cutter_and_workers: Vec<JoinHandle<()>>,
    storer: JoinHandle<()>,
}

impl Threads {
    pub(super) fn start(shared: &Arc<Shared>, rule: CutRule) -> Result<Self, VaultError> {
        let workers = thread::available_parallelism().map_or(2, usize::from).min(8);
        let (messages, incoming) = mpsc::channel(WAITING_PIECES);
        let (job_sender, jobs) = bounded(workers);
        let (packs, full_packs) = bounded(1);

        let run = shared.clone();
        let storer = spawn("vault-store", move || store_packs(&run, &full_packs))?;
        let mut cutter_and_workers = Vec::new();
        for _ in 0..workers {
            let (run, jobs, packs) = (shared.clone(), jobs.clone(), packs.clone());
            cutter_and_workers.push(spawn("vault-work", move || work(&run, &jobs, &packs))?);
        }
        let run = shared.clone();
        cutter_and_workers.push(spawn("vault-cut", move || cut(&run, &rule, incoming, &job_sender))?);
        Ok(Self { messages, packs, cutter_and_workers, storer })
    }

    /// Waits until everything that was sent before a [`Message::Stop`] is in a pack.
    pub(super) fn join_workers(&mut self, shared: &Shared) {
        for handle in self.cutter_and_workers.drain(..) {
            join(handle, shared);
        }
    }

    /// Waits until every pack that was handed over is stored and in an index file.
    pub(super) fn join_storer(self, shared: &Shared) {
        drop(self.packs);
        drop(self.messages);
        join(self.storer, shared);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, VaultError> {
    thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|err| VaultError::new(VaultErrorKind::Io, "a thread cannot be started").with_source(err))
}

fn join(handle: JoinHandle<()>, shared: &Shared) {
    if handle.join().is_err() {
        shared.fail(VaultError::new(VaultErrorKind::Io, "a thread of the vault panicked"));
    }
}

fn cut(shared: &Shared, rule: &CutRule, mut incoming: mpsc::Receiver<Message>, jobs: &Sender<Job>) {
    let mut open: HashMap<usize, (Cutter, usize)> = HashMap::new();
    while let Some(message) = incoming.blocking_recv() {
        if shared.check().is_err() {
            return;
        }
        let emit = |slot: &Arc<Slot>, position: &mut usize, block| {
            let job = Job { slot: slot.clone(), position: *position, block };
            *position += 1;
            jobs.send(job).is_ok()
        };
        match message {
            Message::Data(slot, bytes) => {
                slot.size.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                shared.add_read(bytes.len() as u64);
                let (cutter, position) = open.entry(slot.number).or_insert_with(|| (Cutter::new(rule), 0));
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    if let Some(block) = cutter.take(&mut rest)
                        && !emit(&slot, position, block)
                    {
                        return;
                    }
                }
            }
            Message::End(slot) => {
                if let Some((cutter, mut position)) = open.remove(&slot.number)
                    && let Some(block) = cutter.finish()
                    && !emit(&slot, &mut position, block)
                {
                    return;
                }
            }
            Message::Stop => return,
        }
    }
}

fn work(shared: &Shared, jobs: &Receiver<Job>, packs: &Sender<PackBuilder>) {
    for job in jobs {
        // After a failure the jobs are still taken, so that the cutter does not wait for ever.
        if shared.check().is_err() {
            continue;
        }
        match shared.put(BlobType::Data, &job.block, packs) {
            Ok(id) => {
                let mut content = lock(&job.slot.content);
                if content.len() <= job.position {
                    content.resize(job.position + 1, None);
                }
                content[job.position] = Some(id);
            }
            Err(err) => shared.fail(err),
        }
    }
}

fn store_packs(shared: &Shared, packs: &Receiver<PackBuilder>) {
    let mut pending: Vec<PackEntry> = Vec::new();
    let mut since = Instant::now();
    for pack in packs {
        if shared.check().is_err() {
            continue;
        }
        let stored = pack.finish(&shared.sealer).and_then(|pack| {
            shared.store.write(FileType::Pack, &pack.entry.id, &pack.parts)?;
            lock(&shared.stored).push((pack.entry.id, pack.size));
            shared.add_stored(pack.size);
            Ok(pack.entry)
        });
        match stored {
            Ok(entry) => pending.push(entry),
            Err(err) => shared.fail(err),
        }
        let blobs: usize = pending.iter().map(|pack| pack.blobs.len()).sum();
        if blobs >= INDEX_BLOBS || since.elapsed() >= INDEX_AGE {
            write_index(shared, &mut pending);
            since = Instant::now();
        }
    }
    // Also after a failure: what is stored is made known, so that the next run need not store it again.
    write_index(shared, &mut pending);
}

fn write_index(shared: &Shared, pending: &mut Vec<PackEntry>) {
    if pending.is_empty() {
        return;
    }
    let written = shared.store.list(FileType::Pack).and_then(|present| {
        // An index file must not name what a prune by another program has removed again.
        let present: HashSet<Id> = present.into_iter().map(|(id, _)| id).collect();
        let (there, gone): (Vec<_>, Vec<_>) = pending.drain(..).partition(|pack| present.contains(&pack.id));
        if let Some(pack) = gone.first() {
            shared.fail(vanished(&pack.id));
        }
        if there.is_empty() { Ok(0) } else { write_index_file(&*shared.store, &shared.sealer, there) }
    });
    match written {
        Ok(size) => shared.add_stored(size),
        Err(err) => shared.fail(err),
    }
}
