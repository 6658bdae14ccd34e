//! One SQLite connection, used by one thread at a time. Everything here blocks; where it runs is decided in `place.rs`.

use super::control::{Control, Stopped};
use super::lock::Locks;
use super::types::{Declared, to_sqlite};
use super::{errors, open, referring, text};
use crate::{Column, Error, ErrorKind, Executed, Result, Row, TransactionOptions, TransactionState};
use dbkeep_sql::Value;
use rusqlite::{Batch, Connection, fallible_iterator::FallibleIterator as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// A connection with its state.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) control: Arc<Control>,
    /// The database's file; `None` in memory.
    pub(super) file: Option<PathBuf>,
    /// Which file had that name when it was opened, where that can be told.
    identity: Option<open::Identity>,
    pub(super) read_only: bool,
    /// It reads beside a writer: whatever would write is refused before it runs.
    reader: bool,
    pub(super) locks: Locks,
    /// `PRAGMA query_only` is on for the open transaction.
    query_only: bool,
    /// A statement ran that may have changed more than data.
    altered: bool,
    /// The table that was last planned to be built anew.
    pub(super) rebuilt: Option<Rebuilt>,
}

/// A table that is built anew beside itself.
pub(super) struct Rebuilt {
    /// The statement that copies its rows.
    pub(super) copy: String,
    /// Its name meanwhile.
    pub(super) meanwhile: String,
    pub(super) name: String,
}

/// What takes the rows of a statement.
pub(super) trait TakeRows {
    /// The statement is about to run. A changed schema may still change its columns; they are final with the first row.
    fn prepared(&mut self, _: &rusqlite::Statement<'_>) -> Result<()> {
        Ok(())
    }

    /// One row. An error ends the statement.
    fn row(&mut self, row: &rusqlite::Row<'_>) -> Result<()>;
}

/// Reads rows and drops them.
struct Drop;

impl TakeRows for Drop {
    fn row(&mut self, _: &rusqlite::Row<'_>) -> Result<()> {
        Ok(())
    }
}

/// Keeps every row.
#[derive(Default)]
struct Collect {
    shape: Option<Shape>,
    rows: Vec<Row>,
}

impl TakeRows for Collect {
    fn row(&mut self, row: &rusqlite::Row<'_>) -> Result<()> {
        let shape = match &mut self.shape {
            Some(shape) => shape,
            none => none.insert(Shape::of(row.as_ref())?),
        };
        self.rows.push(shape.read(row)?);
        Ok(())
    }
}

/// The columns of a result, and how their values are read.
#[derive(Clone)]
pub(super) struct Shape {
    pub(super) columns: Arc<[Column]>,
    declared: Arc<[Declared]>,
}

impl Shape {
    pub(super) fn of(statement: &rusqlite::Statement<'_>) -> Result<Self> {
        // rusqlite panics when the schema of a damaged file gives a column a name that is not UTF-8.
        let describe = || {
            let columns = statement.columns();
            columns
                .map(|column| {
                    let declared = Declared::parse(column.decl_type());
                    (Column::new(column.name(), column.decl_type().unwrap_or("")), declared)
                })
                .unzip()
        };
        let (columns, declared): (Vec<_>, Vec<_>) = catch_unwind(AssertUnwindSafe(describe))
            .map_err(|_| Error::new(ErrorKind::Damaged, "the name or the type of a column is not UTF-8"))?;
        Ok(Self { columns: columns.into(), declared: declared.into() })
    }

    pub(super) fn read(&self, row: &rusqlite::Row<'_>) -> Result<Row> {
        let values: Result<Vec<Value>> = self
            .declared
            .iter()
            .enumerate()
            .map(|(at, declared)| Ok(declared.read(row.get_ref(at).map_err(errors::of)?)))
            .collect();
        Ok(Row::new(Arc::clone(&self.columns), values?))
    }
}

impl Session {
    pub(super) fn new(connection: Connection, control: Arc<Control>, file: Option<PathBuf>, read_only: bool) -> Self {
        let locks = Locks::new(file.as_deref());
        let identity = file.as_deref().and_then(open::identity);
        Self {
            connection,
            control,
            file,
            identity,
            read_only,
            reader: false,
            locks,
            query_only: false,
            altered: false,
            rebuilt: None,
        }
    }

    /// As a session that reads beside a writer.
    pub(super) fn reading(self) -> Self {
        Self { reader: true, ..self }
    }

    pub(super) fn state(&self) -> TransactionState {
        if self.connection.is_autocommit() { TransactionState::Idle } else { TransactionState::Open }
    }

    pub(super) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Executed> {
        self.run_counting(sql, params, &mut Drop)
    }

    /// Runs one statement to its end and says what it did.
    pub(super) fn run_counting(&mut self, sql: &str, params: &[Value], take: &mut dyn TakeRows) -> Result<Executed> {
        let before = self.connection.total_changes();
        self.control.forget_inserted();
        self.run(sql, params, take)?;
        // SQLite's count of changed rows stays as it was when a statement changes none.
        let changed = self.connection.total_changes() != before;
        let rows_affected = if changed { self.connection.changes() } else { 0 };
        let row = self.connection.last_insert_rowid();
        // It stays as it was when nothing is inserted, or into a table without row numbers.
        let inserted = rows_affected > 0 && text::inserts(sql) && self.control.has_inserted(row);
        let id = u64::try_from(row).ok().filter(|_| inserted);
        Ok(Executed::new(rows_affected, id))
    }

    pub(super) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let mut collect = Collect::default();
        self.run(sql, params, &mut collect)?;
        Ok(collect.rows)
    }

    /// Runs one statement to its end.
    fn run(&mut self, sql: &str, params: &[Value], take: &mut dyn TakeRows) -> Result<()> {
        if referring::empties(sql) {
            return referring::empty(self, sql, |session| session.run_as_it_is(sql, params, take));
        }
        self.run_as_it_is(sql, params, take)
    }

    fn run_as_it_is(&mut self, sql: &str, params: &[Value], take: &mut dyn TakeRows) -> Result<()> {
        self.end_read_only()?;
        check_text(sql)?;
        if text::is_empty(sql) {
            return Err(Error::new(ErrorKind::Syntax, "the statement is empty"));
        }
        self.altered |= text::alters_session(sql);
        let failed = |error| errors::of_statement(self.in_its_name(error, sql), sql, &self.control);
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        self.refuse_writes(&statement)?;
        let wanted = statement.parameter_count();
        if wanted != params.len() {
            return Err(Error::new(
                ErrorKind::InvalidValue,
                format!(
                    "the statement takes {wanted} parameter{}, {} were given",
                    if wanted == 1 { "" } else { "s" },
                    params.len()
                ),
            ));
        }
        for (number, value) in (1..).zip(params) {
            let value = to_sqlite(value).map_err(|error| error.context(format_args!("parameter {number}")))?;
            statement.raw_bind_parameter(number, value).map_err(failed)?;
        }
        if !statement.readonly() && !self.connection.is_autocommit() {
            // An interrupted write takes the transaction around it along: it cannot be begun again.
            self.control.extend_turn();
        }
        take.prepared(&statement)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            take.row(row)?;
        }
        Ok(())
    }

    /// Nobody has heard of the table into which rows are copied.
    fn in_its_name(&self, error: rusqlite::Error, sql: &str) -> rusqlite::Error {
        match (&self.rebuilt, error) {
            (Some(rebuilt), rusqlite::Error::SqliteFailure(code, Some(message))) if rebuilt.copy == sql => {
                let message = message.replace(&rebuilt.meanwhile, &rebuilt.name);
                rusqlite::Error::SqliteFailure(code, Some(message))
            }
            (_, error) => error,
        }
    }

    pub(super) fn script(&mut self, sql: &str) -> Result<()> {
        self.end_read_only()?;
        check_text(sql)?;
        self.altered |= !text::controls_transaction(sql);
        let failed = |error| errors::of_statement(error, sql, &self.control);
        let mut batch = Batch::new(&self.connection, sql);
        while let Some(mut statement) = batch.next().map_err(failed)? {
            self.refuse_writes(&statement)?;
            if statement.parameter_count() > 0 {
                return Err(Error::new(
                    ErrorKind::InvalidValue,
                    "a script takes no parameters, but holds a placeholder",
                ));
            }
            let mut rows = statement.raw_query();
            while rows.next().map_err(failed)?.is_some() {}
        }
        Ok(())
    }

    /// On a reader, refuses what is prepared when it would write. SQLite knows exactly, from the instructions it made of it
    /// (<https://www.sqlite.org/c3ref/stmt_readonly.html>); explaining a write is none.
    pub(super) fn refuse_writes(&self, statement: &rusqlite::Statement<'_>) -> Result<()> {
        if self.reader && !statement.readonly() && statement.is_explain() == 0 {
            return Err(errors::would_write());
        }
        Ok(())
    }

    pub(super) fn begin(&mut self, options: &TransactionOptions) -> Result<()> {
        // Every isolation level is met: SQLite's transactions are serialisable.
        let immediate = options.immediate && !options.read_only && !self.read_only;
        self.script(if immediate { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        if options.read_only && !self.reader {
            self.query_only = true;
            self.set_query_only(true)?;
        }
        Ok(())
    }

    /// Lets the session write again once its read-only transaction is over, however that ended.
    pub(super) fn end_read_only(&mut self) -> Result<()> {
        if self.query_only && self.connection.is_autocommit() {
            self.set_query_only(false)?;
            self.query_only = false;
        }
        Ok(())
    }

    fn set_query_only(&self, on: bool) -> Result<()> {
        self.connection.pragma_update(None, "query_only", on).map_err(errors::of)
    }

    pub(super) fn ping(&mut self) -> Result<()> {
        if let Some(file) = &self.file
            && open::identity(file) != self.identity
        {
            // SQLite reads and writes on in a file that has lost its name; what is written there is gone with the last
            // connection.
            return Err(Error::new(
                ErrorKind::ConnectionLost,
                format!("{} was moved, removed or replaced", file.display()),
            )
            .with_hint("a new connection finds what has this name now"));
        }
        // Reads the file's first page; a constant would not touch the file.
        self.query("SELECT count(*) FROM sqlite_schema WHERE rowid = 1", &[]).map(|_| ())
    }

    pub(super) fn reset(&mut self) -> Result<()> {
        if !self.connection.is_autocommit() {
            self.script("ROLLBACK")?;
        }
        self.end_read_only()?;
        self.locks.release_all();
        if self.altered {
            self.restore_settings().map_err(|error| errors::of_statement(error, "", &self.control))?;
            self.altered = false;
        }
        Ok(())
    }

    fn restore_settings(&mut self) -> rusqlite::Result<()> {
        self.control.install(&mut self.connection)?;
        open::set_up(&self.connection, self.reader)?;
        let names = |sql: &str| -> rusqlite::Result<Vec<(String, String)>> {
            self.connection.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        let quoted = |name: &str| name.replace('"', "\"\"");
        let temporary = names(
            "SELECT type, name FROM sqlite_temp_schema
             WHERE type IN ('trigger', 'view', 'table') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             ORDER BY type = 'table', type = 'view'",
        )?;
        // Foreign keys between temporary tables must not stand in the way of dropping them.
        if !temporary.is_empty() {
            self.connection.pragma_update(None, "foreign_keys", false)?;
            for (kind, name) in temporary {
                self.connection.execute_batch(&format!("DROP {kind} IF EXISTS temp.\"{}\"", quoted(&name)))?;
            }
            self.connection.pragma_update(None, "foreign_keys", true)?;
        }
        for (_, name) in names("SELECT '', name FROM pragma_database_list WHERE name NOT IN ('main', 'temp')")? {
            self.connection.execute_batch(&format!("DETACH \"{}\"", quoted(&name)))?;
        }
        // What nothing but a PRAGMA changes, back to what SQLite has by itself. The temporary storage comes last: changing it
        // empties it.
        self.connection.execute_batch(
            "PRAGMA max_page_count = 4294967294;
             PRAGMA journal_size_limit = -1;
             PRAGMA secure_delete = OFF;
             PRAGMA cell_size_check = OFF;
             PRAGMA checkpoint_fullfsync = OFF;
             PRAGMA temp_store = DEFAULT;",
        )
    }

    /// Whether what just failed may be run again with no turn and patience for locks, with nothing done twice.
    pub(super) fn may_run_again(&self, error: &Error, state_before: TransactionState) -> bool {
        self.control.stopped() == Stopped::Turn
            && matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::LockTimeout)
            && self.state() == state_before
    }
}

/// SQLite stops reading at a NUL character, in silence.
fn check_text(sql: &str) -> Result<()> {
    match sql.find('\0') {
        None => Ok(()),
        Some(at) => Err(Error::new(ErrorKind::Syntax, "the statement holds a NUL character")
            .with_position(sql[..at].chars().count())
            .with_hint("bind it in a parameter")),
    }
}
