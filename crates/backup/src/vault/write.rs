//! How is a backup written? Streams in any order, then the manifest, and only then the record that makes it exist.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustic_core::Id;
use rustic_core::repofile::{BlobType, FileType, SnapshotFile, SnapshotSummary, StringList};
use tokio::sync::mpsc;

use super::chunk::Cutter;
use super::error::{VaultError, VaultErrorKind};
use super::handle::Vault;
use super::index::Index;
use super::lock::refuse_if_locked;
use super::pipeline::{LONGEST_PIECE, Message, Shared, Slot, Threads, lock};
use super::record::{BackupId, LARGEST_MANIFEST, MANIFEST};
use super::seal::content_id;
use super::tree::Directory;

/// Raised by the caller to end a run; the run then fails with [`VaultErrorKind::Cancelled`].
pub type CancelFlag = Arc<AtomicBool>;

/// Told now and then, from the threads of the vault, how far a run is. It should return soon.
pub type ProgressFn = Arc<dyn Fn(Progress) + Send + Sync>;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes taken from the streams.
    pub bytes_read: u64,
    /// Bytes by which the vault has grown.
    pub bytes_stored: u64,
}

/// What a backup is called, and who follows its making.
#[derive(Clone, Default)]
pub struct WriteOptions {
    /// When the backup was started. Default: now.
    pub started_at: Option<Timestamp>,
    /// The machine it is made on, as stock restic shows it.
    pub hostname: String,
    /// Tags. One with a comma is refused, because restic takes commas as separators.
    pub tags: Vec<String>,
    /// Called with the progress.
    pub progress: Option<ProgressFn>,
    /// Looked at before every piece of a stream.
    pub cancel: CancelFlag,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The name of the new backup.
    pub id: BackupId,
    /// Bytes of all streams and the manifest.
    pub bytes_read: u64,
    /// Bytes by which the vault has grown.
    pub bytes_stored: u64,
}

/// A backup that is being written.
///
/// It exists when [`finish`](VaultWriter::finish) returns `Ok`, and not a moment before:
/// dropping this, an error, or the death of the process leave no backup behind (but blocks that the next one can use).
///
/// rustic_core's archiver is not used for this. It wants to know the length of an entry before it reads it (and records
/// length 0 where it is not told, which stock restic restores as an empty file), looks one entry ahead before it reads the
/// present one (so that streams produced one after the other would wait for ever), and leaves out, with a line in the log,
/// an entry that fails to be read. The format of what is stored is the same.
#[must_use = "nothing is a backup before it is finished"]
pub struct VaultWriter {
    vault: Vault,
    shared: Arc<Shared>,
    threads: Option<Threads>,
    names: Mutex<Names>,
    started_at: Timestamp,
    hostname: String,
    tags: StringList,
}

#[derive(Default)]
struct Names {
    taken: Directory,
    slots: Vec<Arc<Slot>>,
}

impl VaultWriter {
    pub(super) fn start(vault: &Vault, options: WriteOptions) -> Result<Self, VaultError> {
        let mut tags = StringList::default();
        for tag in options.tags {
            if tag.is_empty() || tag.contains(',') || tag.chars().any(char::is_control) {
                return Err(VaultError::new(
                    VaultErrorKind::InvalidName,
                    format!("the tag {tag:?} is empty or has a comma"),
                ));
            }
            tags.add(tag);
        }
        let started_at = options.started_at.unwrap_or_else(Timestamp::now);
        refuse_if_locked(&*vault.store, &vault.sealer, Timestamp::now())?;
        let index = Arc::new(Index::load(&*vault.store, &vault.sealer)?);
        let shared = Arc::new(Shared::new(
            vault.store.clone(),
            vault.sealer.clone(),
            index.clone(),
            vault.pack_sizes(index.total_size()),
            options.progress,
            options.cancel,
        ));
        let threads = Threads::start(&shared, vault.rule.clone())?;
        Ok(Self {
            vault: vault.clone(),
            shared,
            threads: Some(threads),
            names: Mutex::default(),
            started_at,
            hostname: options.hostname,
            tags,
        })
    }

    /// Begins a stream called `name`, such as `data/users.tsv`; parts of it that come from outside go through
    /// [`encode_name`](super::encode_name) first.
    ///
    /// Names may come in any order, and streams may be written one after the other or at the same time. An open stream
    /// takes up to 8 MiB of memory.
    ///
    /// # Errors
    ///
    /// [`VaultErrorKind::InvalidName`] when the name cannot be stored, is `manifest.json`, or is taken.
    pub fn stream(&self, name: &str) -> Result<StreamWriter, VaultError> {
        self.shared.check()?;
        if name == MANIFEST {
            return Err(VaultError::new(
                VaultErrorKind::InvalidName,
                format!("`{MANIFEST}` is written when the backup is finished"),
            ));
        }
        let Some(threads) = &self.threads else { return Err(self.shared.failure()) };
        let mut names = lock(&self.names);
        names.taken.insert(name, Vec::new(), 0)?;
        let slot = Arc::new(Slot {
            number: names.slots.len(),
            name: name.to_owned(),
            content: Mutex::default(),
            size: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        names.slots.push(slot.clone());
        Ok(StreamWriter { slot, shared: self.shared.clone(), messages: threads.messages.clone(), halfway: false })
    }

    /// How far the run is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// Stores the manifest and makes the backup exist. Blocks until everything is stored and synced.
    ///
    /// # Errors
    ///
    /// The first failure of the run, whoever met it; [`VaultErrorKind::Incomplete`] when a stream was not ended. There is
    /// no backup then.
    pub fn finish(mut self, manifest: &[u8]) -> Result<Written, VaultError> {
        if manifest.len() as u64 > LARGEST_MANIFEST {
            self.shared.fail(VaultError::new(VaultErrorKind::InvalidName, "the manifest is too long"));
        }
        let slots = std::mem::take(&mut *lock(&self.names)).slots;
        if let Some(open) = slots.iter().find(|slot| !slot.ended.load(Ordering::Acquire)) {
            self.shared.fail(incomplete(&open.name));
        }
        let Some(mut threads) = self.threads.take() else { return Err(self.shared.failure()) };
        // The channel is first in, first out: all ends of streams come before this. An error says that the cutter has
        // stopped already, after a failure.
        let _ = block_on(threads.messages.send(Message::Stop));
        threads.join_workers(&self.shared);
        let tree = self.shared.check().and_then(|()| {
            let (tree, files) = self.store_trees(&slots, manifest, &threads)?;
            self.shared.flush(&threads.packs)?;
            Ok((tree, files))
        });
        if let Err(err) = &tree {
            self.shared.fail(err.clone());
        }
        threads.join_storer(&self.shared);
        self.shared.check()?;
        let (tree, files) = tree?;

        refuse_if_locked(&*self.vault.store, &self.vault.sealer, Timestamp::now())?;
        self.shared.confirm_packs()?;
        let sealed = self.seal_record(tree, files)?;
        let id = content_id(&sealed);
        let size = sealed.len() as u64;
        self.shared.check()?;
        // The commit point: from here the backup exists.
        self.vault.store.write(FileType::Snapshot, &id, &[sealed.into()])?;
        self.shared.add_stored(size);
        let Progress { bytes_read, bytes_stored } = self.shared.progress();
        Ok(Written { id: BackupId(id), bytes_read, bytes_stored })
    }

    /// Gives the run up. Blocks until nothing more is written.
    pub fn abort(mut self) {
        self.shared.fail(VaultError::new(VaultErrorKind::Cancelled, "the backup was given up"));
        if let Some(mut threads) = self.threads.take() {
            let _ = block_on(threads.messages.send(Message::Stop));
            threads.join_workers(&self.shared);
            threads.join_storer(&self.shared);
        }
    }

    /// Stores the manifest as the last file and then the directories. Returns the root and the number of files.
    fn store_trees(
        &self,
        slots: &[Arc<Slot>],
        manifest: &[u8],
        threads: &Threads,
    ) -> Result<(rustic_core::TreeId, u64), VaultError> {
        let mut root = Directory::default();
        for slot in slots {
            let content: Option<Vec<Id>> = lock(&slot.content).iter().copied().collect();
            root.insert(&slot.name, content.ok_or_else(|| incomplete(&slot.name))?, slot.size.load(Ordering::Acquire))?;
        }
        let mut cutter = Cutter::new(&self.vault.rule);
        let (mut content, mut rest) = (Vec::new(), manifest);
        while !rest.is_empty() {
            if let Some(block) = cutter.take(&mut rest) {
                content.push(self.shared.put(BlobType::Data, &block, &threads.packs)?);
            }
        }
        if let Some(block) = cutter.finish() {
            content.push(self.shared.put(BlobType::Data, &block, &threads.packs)?);
        }
        self.shared.add_read(manifest.len() as u64);
        root.insert(MANIFEST, content, manifest.len() as u64)?;
        let tree = root
            .store(self.started_at, &mut |_, json| self.shared.put(BlobType::Tree, &json, &threads.packs).map(drop))?;
        Ok((tree, slots.len() as u64 + 1))
    }

    fn seal_record(&self, tree: rustic_core::TreeId, files: u64) -> Result<Vec<u8>, VaultError> {
        let Progress { bytes_read, bytes_stored } = self.shared.progress();
        let mut summary = SnapshotSummary::default();
        summary.files_new = files;
        summary.total_files_processed = files;
        summary.total_bytes_processed = bytes_read;
        summary.data_blobs = self.shared.fresh_blobs(BlobType::Data);
        summary.tree_blobs = self.shared.fresh_blobs(BlobType::Tree);
        summary.data_added_packed = bytes_stored;
        summary.backup_start = self.started_at.to_zoned(TimeZone::UTC);
        summary.backup_end = Timestamp::now().to_zoned(TimeZone::UTC);
        let duration = Timestamp::now().duration_since(self.started_at).as_secs_f64().max(0.0);
        (summary.backup_duration, summary.total_duration) = (duration, duration);
        let mut paths = StringList::default();
        paths.add("/".into());
        let record = SnapshotFile {
            time: self.started_at.to_zoned(TimeZone::UTC),
            program_version: concat!("dbkeep ", env!("CARGO_PKG_VERSION")).into(),
            tree,
            paths,
            hostname: self.hostname.clone(),
            tags: self.tags.clone(),
            summary: Some(summary),
            ..SnapshotFile::default()
        };
        let json = serde_json::to_vec(&record).map_err(|err| {
            VaultError::new(VaultErrorKind::Io, "the backup's record cannot be encoded").with_source(err)
        })?;
        self.vault.sealer.seal_file(&json)
    }
}

impl Drop for VaultWriter {
    fn drop(&mut self) {
        // The threads end by themselves, soon: the channel to them closes, and they see the failure.
        if let Some(threads) = &self.threads {
            self.shared.fail(VaultError::new(VaultErrorKind::Cancelled, "the backup was given up"));
            let _ = threads.messages.try_send(Message::Stop);
        }
    }
}

impl std::fmt::Debug for VaultWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultWriter").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

fn incomplete(name: &str) -> VaultError {
    VaultError::new(VaultErrorKind::Incomplete, format!("the stream `{name}` broke off before its end"))
}

/// One stream of a backup. It must be [ended](StreamWriter::end): dropping it before fails the whole backup, because what
/// has broken off must not be kept as if it were whole.
#[must_use = "a stream that is dropped without its end fails the backup"]
pub struct StreamWriter {
    slot: Arc<Slot>,
    shared: Arc<Shared>,
    messages: mpsc::Sender<Message>,
    /// A `send` was begun and not finished.
    halfway: bool,
}

impl StreamWriter {
    /// The name of the stream.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// Adds bytes, waiting while the vault is behind (about 2 MiB wait for it).
    ///
    /// # Errors
    ///
    /// The first failure of the run, whoever met it.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is done may have added a part of the bytes: the stream cannot be continued, and
    /// the backup fails.
    pub async fn send(&mut self, mut bytes: Bytes) -> Result<(), VaultError> {
        self.shared.check()?;
        if std::mem::replace(&mut self.halfway, true) {
            return Err(incomplete(&self.slot.name));
        }
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(LONGEST_PIECE));
            self.post(Message::Data(self.slot.clone(), piece)).await?;
        }
        self.halfway = false;
        Ok(())
    }

    /// Says that the stream is complete.
    ///
    /// # Errors
    ///
    /// The first failure of the run, whoever met it.
    pub async fn end(self) -> Result<(), VaultError> {
        if self.halfway {
            return Err(incomplete(&self.slot.name));
        }
        self.post(Message::End(self.slot.clone())).await?;
        self.slot.ended.store(true, Ordering::Release);
        Ok(())
    }

    /// [`send`](Self::send) for threads outside of an asynchronous runtime; it blocks the thread.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn send_blocking(&mut self, bytes: Bytes) -> Result<(), VaultError> {
        block_on(self.send(bytes))
    }

    /// [`end`](Self::end) for threads outside of an asynchronous runtime; it blocks the thread.
    ///
    /// # Errors
    ///
    /// Those of [`end`](Self::end).
    pub fn end_blocking(self) -> Result<(), VaultError> {
        block_on(self.end())
    }

    async fn post(&self, message: Message) -> Result<(), VaultError> {
        self.shared.check()?;
        self.messages.send(message).await.map_err(|_| self.shared.failure())
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        if !self.slot.ended.load(Ordering::Acquire) {
            self.shared.fail(incomplete(&self.slot.name));
        }
    }
}

impl std::fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamWriter").field("name", &self.slot.name).finish_non_exhaustive()
    }
}

/// Waits for a future on this thread. Unlike tokio's blocking methods it does not panic inside of a runtime, where it only
/// occupies the worker it is called on.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
