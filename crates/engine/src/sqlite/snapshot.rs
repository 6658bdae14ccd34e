//! A consistent view of a live database: a copy of its pages, made by SQLite's online backup within one read transaction.
//!
//! Pages are five times as fast as rows and carry everything: schema, indexes, virtual tables, settings in the header. `VACUUM
//! INTO` would be slower, and would renumber rows of tables without an integer key.

use super::connection::server_info;
use super::place::detached;
use super::sound::{Depth, look_through, stand_in_for_collations};
use super::{decimal, errors, open};
use crate::{
    ByteSink, ConnectOptions, Digesting, Error, ErrorKind, Result, Snapshot, SnapshotInfo, StreamKind, StreamSpec,
};
use async_trait::async_trait;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tempfile::TempPath;

/// The form of the one stream: the database file, page by page, its header as [`normalise`] leaves it.
pub(super) const ENCODING: &str = "sqlite-page/1";

/// Pages copied between two looks at whether anybody still waits.
const STEP_PAGES: i32 = 1_024;
const CHUNK_BYTES: usize = 1 << 20;
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Says to a thread that its caller is gone.
#[derive(Debug)]
pub(super) struct Caller(Arc<AtomicBool>);

impl Caller {
    pub(super) fn new() -> (Self, impl Fn() -> Result<()> + Send + Clone + 'static) {
        let gone = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&gone);
        let check = move || match asked.load(Relaxed) {
            true => Err(Error::new(ErrorKind::Cancelled, "nobody waits for this any more")),
            false => Ok(()),
        };
        (Self(gone), check)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A copy of the database, removed with this value.
pub(super) struct SqliteSnapshot {
    info: SnapshotInfo,
    copy: TempPath,
}

impl SqliteSnapshot {
    pub(super) async fn take(source: PathBuf, options: &ConnectOptions) -> Result<Self> {
        let read_only = options.read_only;
        let (caller, check) = Caller::new();
        let snapshot = detached(move || copy(&source, read_only, check)).await;
        drop(caller);
        snapshot
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    fn info(&self) -> &SnapshotInfo {
        &self.info
    }

    async fn read(&mut self, index: usize, sink: &mut dyn ByteSink) -> Result<()> {
        if index >= self.info.streams.len() {
            return Err(Error::new(ErrorKind::NotFound, format!("the snapshot has no stream number {index}")));
        }
        let path = self.copy.to_path_buf();
        let mut file = detached(move || File::open(&path).map_err(|error| unreadable(error, &path))).await?;
        let mut left = self.info.streams[index].estimated_bytes.unwrap_or(0);
        loop {
            let path = self.copy.to_path_buf();
            let (returned, chunk) = detached(move || {
                let mut chunk = Vec::with_capacity(CHUNK_BYTES);
                let read = (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
                read.map_err(|error| unreadable(error, &path))?;
                Ok((file, chunk))
            })
            .await?;
            if chunk.is_empty() {
                break;
            }
            file = returned;
            left = left.saturating_sub(chunk.len() as u64);
            sink.write(Bytes::from(chunk)).await?;
        }
        match left {
            0 => Ok(()),
            missing => Err(Error::new(ErrorKind::Damaged, format!("the copy lost {missing} bytes before it was read"))),
        }
    }

    async fn row_counts(&mut self) -> Result<BTreeMap<String, u64>> {
        let path = self.copy.to_path_buf();
        detached(move || {
            let connection = open_immutable(&path)?;
            stand_in_for_collations(&connection)?;
            count_rows(&connection).map_err(errors::of)
        })
        .await
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let Self { copy, .. } = *self;
        let path = copy.to_path_buf();
        detached(move || {
            copy.close().map_err(|error| errors::of_io(error, format!("{} is left behind", path.display())))
        })
        .await
    }
}

fn unreadable(error: std::io::Error, path: &Path) -> Error {
    errors::of_io(error, format!("the copy {} cannot be read", path.display()))
}

fn count_rows(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut tables = connection.prepare(
        "SELECT name FROM pragma_table_list
         WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    names
        .into_iter()
        .map(|name| {
            let sql = format!("SELECT count(*) FROM main.\"{}\"", name.replace('"', "\"\""));
            let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
            Ok((name, u64::try_from(rows).unwrap_or(0)))
        })
        .collect()
}

/// Opens a file that nobody writes to, with no locks and no files next to it.
pub(super) fn open_immutable(path: &Path) -> Result<Connection> {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let text = path.to_str().ok_or_else(|| {
        Error::new(ErrorKind::Options, format!("{} is not UTF-8, and SQLite takes no other names", path.display()))
    })?;
    let uri = format!("file:{}?mode=ro&immutable=1", utf8_percent_encode(text, KEPT));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).map_err(errors::of)?;
    decimal::install(&connection)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(errors::of)?;
    Ok(connection)
}

fn copy(
    source: &Path,
    read_only: bool,
    check: impl Fn() -> Result<()> + Send + Clone + 'static,
) -> Result<SqliteSnapshot> {
    let from = open::open_file(source, read_only)?;
    // From here to the end the source shows one moment, whoever writes to it meanwhile.
    from.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(errors::of)?;
    let settings = settings(&from).map_err(errors::of)?;
    let copy = create_copy(source)?;
    let mut to =
        Connection::open_with_flags(&copy, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(errors::of)?;
    decimal::install(&to)?;
    // Nobody else knows of the copy, and a crash throws it away: it needs neither journal nor locks.
    to.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        .map_err(errors::of)?;
    copy_pages(&from, &mut to, &check).map_err(|error| error.context(format_args!("copying {}", source.display())))?;
    to.close().map_err(|(_, error)| errors::of(error))?;
    drop(from);
    normalise(&copy)?;
    let odd = examine(&copy, &check)?;

    let bytes = std::fs::metadata(&copy).map_err(|error| unreadable(error, &copy))?.len();
    let mut stream = StreamSpec::new("data/database.sqlite", StreamKind::Pages, ENCODING, Digesting::Whole);
    stream.estimated_bytes = Some(bytes);
    let mut info = SnapshotInfo::new(server_info(), "online backup within one read transaction", vec![stream]);
    info.settings = settings;
    info.warnings = odd;
    Ok(SqliteSnapshot { info, copy })
}

/// A backup of a damaged database would be found out at its restore, when it is too late.
fn examine(copy: &Path, check: &(impl Fn() -> Result<()> + Send + Clone + 'static)) -> Result<Vec<String>> {
    let mut connection = open_immutable(copy)?;
    let asked = check.clone();
    connection.progress_handler(10_000, Some(move || asked().is_err())).map_err(errors::of)?;
    look_through(&connection, Depth::Quick).map_err(|error| match error.kind() {
        ErrorKind::Damaged => {
            error.with_hint("restore the newest backup; copy the damaged file aside first, with its -wal file")
        }
        _ => error,
    })
}

fn copy_pages(from: &Connection, to: &mut Connection, check: &impl Fn() -> Result<()>) -> Result<()> {
    // The open transaction keeps the source as it is: this never begins again, as a backup without one does whenever somebody
    // writes.
    let backup = Backup::new(from, to).map_err(errors::of)?;
    let mut waiting = None;
    loop {
        check()?;
        match backup.step(STEP_PAGES).map_err(errors::of)? {
            StepResult::Done => return Ok(()),
            StepResult::More => waiting = None,
            _ if waiting.get_or_insert_with(Instant::now).elapsed() > LOCK_WAIT => {
                return Err(Error::new(ErrorKind::LockTimeout, "the database stayed locked")
                    .with_hint("another program keeps it locked; try again when it is done"));
            }
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn settings(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    ["page_size", "encoding", "journal_mode", "auto_vacuum", "user_version", "application_id"]
        .into_iter()
        .map(|name| {
            let value = connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))?;
            let text = match value {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => format!("{other:?}"),
            };
            Ok((name.to_owned(), text))
        })
        .collect()
}

/// Makes the empty file for a copy: next to the database, where there is room for a database of its size in all likelihood, else
/// where the system keeps temporary files.
fn create_copy(source: &Path) -> Result<TempPath> {
    let name = source.file_name().and_then(|name| name.to_str()).unwrap_or("database");
    let prefix = format!(".{name}.dbkeep-copy-");
    let ours = format!("{prefix}{}-", std::process::id());
    let directory = open::directory(source)?;
    remove_left_over(directory, &prefix);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&ours);
    builder
        .tempfile_in(directory)
        .or_else(|_| builder.tempfile())
        .map(tempfile::NamedTempFile::into_temp_path)
        .map_err(|error| errors::of_io(error, format!("no copy can be made in {}", directory.display())))
}

/// Removes copies whose process was killed. Where that cannot be told, they stay.
fn remove_left_over(directory: &Path, prefix: &str) {
    let processes = Path::new("/proc");
    if !processes.join("self").exists() {
        return;
    }
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(prefix)).and_then(|rest| rest.split('-').next());
        if let Some(process) = process.and_then(|process| process.parse::<u32>().ok())
            && !processes.join(process.to_string()).exists()
        {
            // It costs room, not correctness.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Takes out of the file's header what says who wrote last rather than what the database holds, so that an unchanged database
/// gives the same bytes again: after a restore, in another journal mode, by a later version of SQLite.
///
/// <https://www.sqlite.org/fileformat2.html#the_database_header>
fn normalise(path: &Path) -> Result<()> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let failed = |error| errors::of_io(error, format!("the copy {} cannot be completed", path.display()));
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    let mut header = [0u8; 100];
    file.read_exact(&mut header).map_err(failed)?;
    if &header[..16] != MAGIC {
        return Err(Error::new(ErrorKind::Damaged, "the copy does not begin like a SQLite database"));
    }
    // The journal mode; a restore sets it as it was.
    header[18..20].copy_from_slice(&[1, 1]);
    // The file change counter, and the one for which the size in the header holds: they must be equal.
    header[24..28].copy_from_slice(&1u32.to_be_bytes());
    header[92..96].copy_from_slice(&1u32.to_be_bytes());
    // The version of SQLite that wrote last: any from 3.7.0 on, which keep the size in the header.
    header[96..100].copy_from_slice(&3_007_000u32.to_be_bytes());
    file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&header)).map_err(failed)
}
