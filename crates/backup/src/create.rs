//! How a backup is made: snapshot, streams, proofs, and the manifest last.

use crate::manifest::{FORMAT, Manifest, StoredStream, Summary, TableRows};
use crate::proof::Digester;
use crate::vault::{ProgressFn, StreamWriter, Vault, VaultError, VaultWriter, WriteOptions, encode_name};
use crate::{BackupError, Result, blocking};
use async_trait::async_trait;
use bytes::Bytes;
use dbkeep::Settings;
use dbkeep::engine::{ByteSink, Error as EngineError, ErrorKind, Snapshot, SnapshotOptions, StreamSpec};
use jiff::Timestamp;
use std::fmt;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// What kind of backup is made. Both kinds read everything, store only what the vault does not hold yet, and are restored
/// by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Kind {
    /// Schema and data.
    #[default]
    Full,
    /// The same, meant to be stored in addition to earlier ones of the same database.
    Incremental,
}

impl Kind {
    /// The kind's name in manifests and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }
}

/// How a backup is made.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct CreateOptions {
    /// What kind it is.
    pub kind: Kind,
    /// A word to find it by.
    pub tag: Option<String>,
    /// The machine it is made on, as stock restic shows it.
    pub hostname: String,
    /// Called with the progress, from threads of the vault.
    pub progress: Option<ProgressFn>,
    /// Called once, with the engine's guess of all bytes, before the first is read.
    pub on_size: Option<std::sync::Arc<dyn Fn(u64) + Send + Sync>>,
    /// Ends the backup early and without one; asked for while the last bytes are being made permanent, it comes too late,
    /// and the backup is made.
    pub stop: CancellationToken,
}

impl fmt::Debug for CreateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateOptions").field("kind", &self.kind).field("tag", &self.tag).finish_non_exhaustive()
    }
}

/// Backs a database up, through connections of its own.
///
/// # Errors
/// Anything that keeps a single byte from being read or stored fails the whole backup: nothing is skipped. After an error
/// there is no backup; what was stored is used by the next one where it is equal.
///
/// # Cancellation
/// Dropping the future leaves no backup behind, unless its last step was under way. [`CreateOptions::stop`] leaves no doubt.
pub async fn create(vault: &Vault, settings: &Settings, options: CreateOptions) -> Result<Summary> {
    let (started_at, since) = (Timestamp::now(), Instant::now());
    let defaults = SnapshotOptions::default();
    let mut snapshot = tokio::select! {
        biased;
        () = options.stop.cancelled() => return Err(BackupError::stopped()),
        opened = settings.options.engine.snapshot(&settings.options, &defaults) => {
            opened.map_err(BackupError::connecting)?
        }
    };
    if let Some(on_size) = &options.on_size {
        on_size(snapshot.info().streams.iter().filter_map(|stream| stream.estimated_bytes).sum());
    }
    let write_options = WriteOptions {
        started_at: Some(started_at),
        hostname: options.hostname.clone(),
        tags: options.tag.clone().into_iter().collect(),
        progress: options.progress.clone(),
        ..WriteOptions::default()
    };
    let writer = {
        let vault = vault.clone();
        blocking(move || Ok(vault.write(write_options)?)).await?
    };
    let read = tokio::select! {
        biased;
        () = options.stop.cancelled() => Err(BackupError::stopped()),
        outcome = read_all(&mut *snapshot, &writer) => outcome,
    };
    let manifest = match read {
        Ok((streams, tables)) => {
            // The snapshot's last word comes before the commit: it may still say that what was read cannot be trusted.
            let info = snapshot.info().clone();
            match snapshot.finish().await {
                Ok(()) => Ok(Manifest {
                    format: FORMAT,
                    dbkeep: env!("CARGO_PKG_VERSION").to_owned(),
                    kind: options.kind.name().to_owned(),
                    connection: settings.name.clone(),
                    database: settings.options.database.clone(),
                    source: settings.options.target(),
                    engine: info.server.engine.to_owned(),
                    product: info.server.product.to_owned(),
                    version: info.server.version.to_string(),
                    started_at,
                    duration_ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
                    method: info.method,
                    position: info.position,
                    settings: info.settings,
                    warnings: info.warnings,
                    streams,
                    tables,
                }),
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error),
    };
    let json = match manifest.and_then(|manifest| manifest.to_json()) {
        Ok(json) => json,
        Err(error) => {
            blocking(move || {
                writer.abort();
                Ok(())
            })
            .await?;
            return Err(error);
        }
    };
    let vault = vault.clone();
    // From here the backup exists: the manifest is stored, then the record that names it.
    blocking(move || {
        let written = writer.finish(&json)?;
        Summary::of(&vault.find(&written.id.to_string())?)
    })
    .await
}

/// Reads every stream into the vault.
async fn read_all(snapshot: &mut dyn Snapshot, writer: &VaultWriter) -> Result<(Vec<StoredStream>, Vec<TableRows>)> {
    let specs = snapshot.info().streams.clone();
    let mut streams = Vec::with_capacity(specs.len());
    for (index, spec) in specs.into_iter().enumerate() {
        let name = spec.name.clone();
        let stream = read_one(snapshot, index, spec, writer)
            .await
            .map_err(|error| error.context(format_args!("cannot back up {name}")))?;
        streams.push(stream);
    }
    let mut tables: Vec<TableRows> = streams
        .iter()
        .filter_map(|stream| {
            let name = stream.spec.table.clone()?;
            Some(TableRows { schema: stream.spec.schema.clone(), name, rows: stream.rows? })
        })
        .collect();
    let counts = snapshot.row_counts().await?;
    tables.extend(counts.into_iter().map(|(name, rows)| TableRows { schema: None, name, rows }));
    Ok((streams, tables))
}

async fn read_one(
    snapshot: &mut dyn Snapshot,
    index: usize,
    spec: StreamSpec,
    writer: &VaultWriter,
) -> Result<StoredStream> {
    let entry = entry_name(&spec.name);
    let mut sink =
        VaultSink { stream: writer.stream(&entry)?, digester: Digester::new(spec.digesting), bytes: 0, failure: None };
    if let Err(error) = snapshot.read(index, &mut sink).await {
        // The vault's own word is more exact than what came back through the engine.
        return Err(sink.failure.map_or_else(|| error.into(), BackupError::from));
    }
    let VaultSink { stream, digester, bytes, .. } = sink;
    stream.end().await?;
    let proof = digester.finish(&spec.name)?;
    Ok(StoredStream { entry, bytes, digest: proof.digest, rows: proof.rows, spec })
}

/// The name in the vault: the first part is ours, the rest may hold any table's name.
fn entry_name(name: &str) -> String {
    match name.split_once('/') {
        Some((folder, rest)) => format!("{}/{}", encode_name(folder), encode_name(rest)),
        None => encode_name(name),
    }
}

struct VaultSink {
    stream: StreamWriter,
    digester: Digester,
    bytes: u64,
    failure: Option<VaultError>,
}

#[async_trait]
impl ByteSink for VaultSink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), EngineError> {
        self.bytes += bytes.len() as u64;
        self.digester.update(&bytes);
        self.stream.send(bytes).await.map_err(|error| {
            self.failure = Some(error.clone());
            EngineError::new(ErrorKind::Io, "the backup cannot be stored").with_source(error)
        })
    }
}
