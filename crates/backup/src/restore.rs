//! How a backup becomes a database again: planned, loaded, counted, and read back.

use crate::manifest::{Manifest, StoredStream};
use crate::proof::{DigestSink, Digester};
use crate::vault::{BackupId, BackupRecord, EntryReader, Vault, VaultError};
use crate::{BackupError, Result, blocking};
use async_trait::async_trait;
use bytes::Bytes;
use dbkeep::engine::{
    ByteSource, Error as EngineError, ErrorKind, Restore, RestoreOptions, SnapshotOptions, StreamKind,
};
use dbkeep::{ConnectOptions, Settings};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What a restore will do: shown in a dry run, carried out by [`RestorePlan::apply`].
#[derive(Debug, Clone)]
pub struct RestorePlan {
    id: BackupId,
    manifest: Manifest,
    target: ConnectOptions,
}

/// How a restore is carried out.
#[derive(Clone)]
#[non_exhaustive]
pub struct RestoreRun {
    /// Reads the restored data back and compares it with the backup's proofs. Default: yes.
    pub verify: bool,
    /// Called with the bytes loaded so far.
    pub progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
    /// Ends the restore early: what was loaded is thrown away again, which dropping the future cannot do on a server.
    pub stop: CancellationToken,
}

impl Default for RestoreRun {
    fn default() -> Self {
        Self { verify: true, progress: None, stop: CancellationToken::new() }
    }
}

impl fmt::Debug for RestoreRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoreRun").field("verify", &self.verify).finish_non_exhaustive()
    }
}

/// What a restore did. Field names are those of `restore --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The id of the backup.
    pub id: String,
    /// Where it was restored to.
    pub target: String,
    /// How many tables.
    pub tables: u64,
    /// How many rows.
    pub rows: u64,
    /// How long it took, reading back included.
    pub duration_ms: u64,
    /// Whether what was read back equals the backup; `None` when it was not read back.
    pub digests_match: Option<bool>,
}

impl RestorePlan {
    /// Plans the restore of a backup into the database named by `target`. Nothing is touched.
    ///
    /// # Errors
    /// When the backup's manifest cannot be read, or it is of another engine than the target.
    pub fn new(backup: &BackupRecord, target: &Settings) -> Result<Self> {
        let manifest = Manifest::from_json(&backup.manifest)?;
        let engine = target.options.engine.name();
        if manifest.engine != engine {
            return Err(BackupError::unfit(
                format!(
                    "the backup {} is of a {} database and the target is {engine}",
                    backup.id.short(),
                    manifest.engine
                ),
                "restore it into the same engine; only there is the copy exact",
            ));
        }
        Ok(Self { id: backup.id, manifest, target: target.options.clone() })
    }

    /// The backup's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The backup's id.
    pub fn id(&self) -> &BackupId {
        &self.id
    }

    /// How many bytes will be loaded.
    pub fn bytes(&self) -> u64 {
        self.manifest.streams.iter().map(|stream| stream.bytes).sum()
    }

    /// Carries the plan out.
    ///
    /// # Errors
    /// `NotEmpty` when the target holds anything; nothing was changed then. Any other error: what was loaded was thrown
    /// away, or the error says what is left where.
    ///
    /// # Cancellation
    /// Dropping the future leaves an incomplete target, which a later restore refuses to take for empty;
    /// [`RestoreRun::stop`] leaves it as it was.
    pub async fn apply(self, vault: &Vault, run: RestoreRun) -> Result<RestoreReport> {
        let since = Instant::now();
        let options = RestoreOptions::new(self.manifest.settings.clone());
        let opened = self.target.engine.restore(&self.target, &options).await;
        let mut target = opened.map_err(BackupError::connecting)?;
        if let Err(error) = self.load_all(&mut *target, vault, &run).await {
            return Err(match target.abort().await {
                Ok(()) => error,
                Err(trouble) => {
                    let (database, trouble) = (&self.target.database, trouble.to_string());
                    let known = trouble.contains(database.as_str());
                    error.with_aftermath(match known {
                        true => trouble,
                        false => format!("{database} may still hold a part of the restore: {trouble}"),
                    })
                }
            });
        }
        target.finish().await?;
        let digests_match = match run.verify {
            true => {
                tokio::select! {
                    biased;
                    () = run.stop.cancelled() => {
                        return Err(BackupError::stopped().context("everything is loaded, but was not read back"));
                    }
                    outcome = self.read_back() => outcome.map_err(|error| {
                        let database = &self.target.database;
                        error.context(format_args!("{database} holds all that was loaded, but is not proven equal"))
                    })?,
                }
                Some(true)
            }
            false => None,
        };
        Ok(RestoreReport {
            id: self.id.to_string(),
            target: self.target.target(),
            tables: self.manifest.tables.len() as u64,
            rows: self.manifest.rows(),
            duration_ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            digests_match,
        })
    }

    /// Loads every stream in its order.
    async fn load_all(&self, target: &mut dyn Restore, vault: &Vault, run: &RestoreRun) -> Result<()> {
        let mut done = 0;
        for stream in &self.manifest.streams {
            tokio::select! {
                biased;
                () = run.stop.cancelled() => return Err(BackupError::stopped()),
                outcome = self.load(target, vault, stream, &mut done, run) => {
                    outcome.map_err(|error| error.context(format_args!("cannot restore {}", stream.spec.name)))?;
                }
            }
        }
        Ok(())
    }

    /// Loads one stream, proving on the way that it is what was stored and afterwards that all of it arrived.
    async fn load(
        &self,
        target: &mut dyn Restore,
        vault: &Vault,
        stream: &StoredStream,
        done: &mut u64,
        run: &RestoreRun,
    ) -> Result<()> {
        let reader = {
            let (vault, id, entry) = (vault.clone(), self.id, stream.entry.clone());
            blocking(move || Ok(vault.read(&id, &entry)?)).await?
        };
        let mut source = VaultSource {
            reader: Some(reader),
            digester: Digester::new(stream.spec.digesting),
            done: *done,
            progress: run.progress.clone(),
            failure: None,
        };
        let rows = match target.load(&stream.spec, &mut source).await {
            Ok(rows) => rows,
            Err(error) => return Err(source.failure.map_or_else(|| error.into(), BackupError::from)),
        };
        *done = source.done;
        let proof = source.digester.finish(&stream.spec.name)?;
        if proof.digest != stream.digest || proof.rows != stream.rows {
            return Err(BackupError::mismatch("what the vault gave is not what was stored"));
        }
        match stream.rows {
            Some(stored) if stored != rows => {
                Err(BackupError::mismatch(format!("{stored} rows were sent and {rows} arrived")))
            }
            _ => Ok(()),
        }
    }

    /// Reads the restored database as a backup would and compares the proofs.
    async fn read_back(&self) -> Result<()> {
        let mut snapshot = self.target.engine.snapshot(&self.target, &SnapshotOptions::default().data_only()).await?;
        let info = snapshot.info().clone();
        let mut expected: BTreeMap<&str, &StoredStream> =
            self.manifest.streams.iter().map(|stream| (stream.spec.name.as_str(), stream)).collect();
        for (index, spec) in info.streams.iter().enumerate() {
            let Some(stored) = expected.remove(spec.name.as_str()) else {
                return Err(BackupError::mismatch(format!(
                    "the restored database has {}, which the backup has not",
                    spec.name
                )));
            };
            let mut sink = DigestSink::new(spec.digesting);
            snapshot.read(index, &mut sink).await?;
            let proof = sink.finish(&spec.name)?;
            if proof.digest != stored.digest || proof.rows != stored.rows {
                let counts = match (stored.rows, proof.rows) {
                    (Some(stored), Some(found)) => format!(" ({stored} rows stored, {found} found)"),
                    _ => String::new(),
                };
                return Err(BackupError::mismatch(format!("{} is not what was stored{counts}", spec.name)));
            }
        }
        // Definitions are not read back; every row and every page must have been.
        let is_data = |stream: &&StoredStream| matches!(stream.spec.kind, StreamKind::Rows | StreamKind::Pages);
        if let Some(missing) = expected.into_values().find(is_data) {
            return Err(BackupError::mismatch(format!("the restored database lacks {}", missing.spec.name)));
        }
        Ok(snapshot.finish().await?)
    }

    /// How long the backup took to make, as a first guess of how long the restore takes.
    pub fn backup_took(&self) -> Duration {
        Duration::from_millis(self.manifest.duration_ms)
    }
}

/// Reads an entry of the vault off the runtime's workers, block by block.
struct VaultSource {
    /// Away while a block is being read.
    reader: Option<EntryReader>,
    digester: Digester,
    done: u64,
    progress: Option<Arc<dyn Fn(u64) + Send + Sync>>,
    failure: Option<VaultError>,
}

#[async_trait]
impl ByteSource for VaultSource {
    async fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        let Some(mut reader) = self.reader.take() else {
            return Err(EngineError::new(ErrorKind::Io, "a block of the backup was not read to its end"));
        };
        let read = tokio::task::spawn_blocking(move || {
            let block = reader.next_block();
            (reader, block)
        });
        let (reader, block) = read
            .await
            .map_err(|error| EngineError::new(ErrorKind::Io, "reading the backup was broken off").with_source(error))?;
        self.reader = Some(reader);
        match block {
            Ok(Some(block)) => {
                self.digester.update(&block);
                self.done += block.len() as u64;
                if let Some(progress) = &self.progress {
                    progress(self.done);
                }
                Ok(Some(block))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.failure = Some(error.clone());
                Err(EngineError::new(ErrorKind::Damaged, "the backup cannot be read").with_source(error))
            }
        }
    }
}
