//! The ledger: the table that remembers which migrations took effect, and how far one came that did not.

use super::error::During as _;
use super::{Error, ErrorKind, Result};
use dbkeep_engine::{self as engine, CatalogOptions, Connection, Row};
use dbkeep_sql::{Compile, DateTime, Ident, Schema, Value, col, delete_from, insert_into, select, update};
use jiff::Timestamp;

/// How far a migration came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Its up part took effect.
    Applied,
    /// Its up part is under way, or was when its run was cut off.
    UpRunning,
    /// A statement of its up part failed; those before it took effect.
    UpFailed,
    /// As `UpRunning`, of the down part.
    DownRunning,
    /// As `UpFailed`, of the down part.
    DownFailed,
}

impl State {
    const NAMES: [(State, &'static str); 5] = [
        (State::Applied, "applied"),
        (State::UpRunning, "up_running"),
        (State::UpFailed, "up_failed"),
        (State::DownRunning, "down_running"),
        (State::DownFailed, "down_failed"),
    ];

    fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(state, _)| *state == self).map_or("applied", |(_, name)| name)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(state, _)| *state)
    }
}

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counts up in the order in which migrations were applied.
    pub(crate) id: i64,
    pub(crate) migration: String,
    pub(crate) batch: i64,
    pub(crate) state: State,
    /// When it was finished; when it was begun, while it is not.
    pub(crate) executed_at: Timestamp,
    pub(crate) duration_ms: i64,
    /// Of the up part, as it was applied.
    pub(crate) checksum: String,
    /// How many statements of the part that is or was under way took effect.
    pub(crate) statements_done: i64,
    /// The checksum of those statements.
    pub(crate) done_checksum: String,
    pub(crate) engine: String,
    pub(crate) executed_by: Option<String>,
    /// What the server said when a statement failed.
    pub(crate) error: Option<String>,
}

const COLUMNS: [&str; 12] = [
    "id",
    "migration",
    "batch",
    "state",
    "executed_at",
    "duration_ms",
    "checksum",
    "statements_done",
    "done_checksum",
    "engine",
    "executed_by",
    "error",
];

/// The ledger's table.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    table: Ident,
}

impl Ledger {
    pub(crate) fn new(table: Ident) -> Self {
        Self { table }
    }

    /// The table's name.
    pub(crate) fn name(&self) -> &str {
        self.table.as_str()
    }

    fn definition(&self) -> Schema {
        let mut schema = Schema::new();
        schema.create(&self.table, |t| {
            t.if_not_exists();
            t.big_integer("id").primary();
            t.string("migration", 255).unique();
            t.big_integer("batch");
            t.string("state", 16);
            t.timestamp("executed_at");
            t.big_integer("duration_ms");
            t.char("checksum", 64);
            t.big_integer("statements_done");
            t.string("done_checksum", 64);
            t.string("engine", 100);
            t.string("executed_by", 255).nullable();
            t.string("error", 1000).nullable();
        });
        schema
    }

    /// Makes the table where there is none.
    pub(crate) async fn create(&self, connection: &mut Connection) -> Result<()> {
        let compiled = self.definition().compile(&*connection.dialect()).map_err(|error| self.unbuildable(error))?;
        for ddl in compiled {
            connection.execute(&ddl.sql, &[]).await.during(format!("create the ledger {}", self.name()))?;
        }
        Ok(())
    }

    /// Reads every row in the order of application; none where there is no table.
    pub(crate) async fn read(&self, connection: &mut Connection) -> Result<Vec<Entry>> {
        let doing = format!("read the ledger {}", self.name());
        let query = select().columns(COLUMNS).from(&self.table).order_by("id");
        let compiled = query.compile(&*connection.dialect()).map_err(|error| self.unbuildable(error))?;
        match connection.query(&compiled.sql, &compiled.params).await {
            Ok(rows) => rows.iter().map(entry).collect::<engine::Result<_>>().during(&doing),
            Err(error) if error.kind() == engine::ErrorKind::NotFound => self.missing(connection, &doing).await,
            Err(error) => Err(error).during(&doing),
        }
    }

    /// What it means that the table, or a column of it, was not found.
    async fn missing(&self, connection: &mut Connection, doing: &str) -> Result<Vec<Entry>> {
        let mut options = CatalogOptions::default().tables([self.name()]);
        options.sizes = false;
        let catalog = connection.catalog(&options).await.during(doing)?;
        let Some(table) = catalog.table(self.name()) else { return Ok(Vec::new()) };
        let has = |name: &str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let missing = COLUMNS.into_iter().find(|name| !has(name)).unwrap_or("of ours");
        Err(Error::new(
            ErrorKind::Database,
            format!("the table {} is not the ledger of these migrations: it has no column {missing}", self.name()),
        )
        .with_hint("give the ledger another name, if this table belongs to something else"))
    }

    /// Adds a row. Its id is the caller's to choose, since the lock is held: ids have no gaps then, and show the order.
    pub(crate) async fn insert(&self, connection: &mut Connection, entry: &Entry) -> Result<()> {
        let statement = insert_into(&self.table).columns(COLUMNS).row(values(entry));
        self.run(connection, &statement, self.recording(&entry.migration)).await?;
        Ok(())
    }

    /// Writes the row of a migration anew.
    pub(crate) async fn update(&self, connection: &mut Connection, entry: &Entry) -> Result<()> {
        let fields = COLUMNS.into_iter().zip(values(entry)).filter(|(column, _)| !["id", "migration"].contains(column));
        self.set(connection, &entry.migration, fields).await
    }

    /// Records that one more statement took effect.
    pub(crate) async fn advance(&self, connection: &mut Connection, entry: &Entry) -> Result<()> {
        let fields =
            [("statements_done", entry.statements_done.into()), ("done_checksum", (&entry.done_checksum).into())];
        self.set(connection, &entry.migration, fields).await
    }

    /// Records that a statement failed; how many took effect before it stands there already.
    pub(crate) async fn fail(&self, connection: &mut Connection, entry: &Entry) -> Result<()> {
        let fields = [
            ("state", entry.state.as_str().into()),
            ("duration_ms", entry.duration_ms.into()),
            ("error", entry.error.clone().into()),
        ];
        self.set(connection, &entry.migration, fields).await
    }

    async fn set(
        &self,
        connection: &mut Connection,
        migration: &str,
        fields: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Result<()> {
        let start = update(&self.table).filter(col("migration").eq(migration));
        let statement = fields.into_iter().fold(start, |statement, (column, value)| statement.set(column, value));
        if self.run(connection, &statement, self.recording(migration)).await? == 0 {
            return Err(Error::new(
                ErrorKind::Database,
                format!("the row of {migration} is gone from the ledger {}", self.name()),
            ));
        }
        Ok(())
    }

    /// Takes a migration's row away.
    pub(crate) async fn delete(&self, connection: &mut Connection, migration: &str) -> Result<()> {
        let statement = delete_from(&self.table).filter(col("migration").eq(migration));
        self.run(connection, &statement, self.recording(migration)).await?;
        Ok(())
    }

    /// Runs a statement and says how many rows it changed.
    async fn run(&self, connection: &mut Connection, statement: &(dyn Compile + Sync), doing: String) -> Result<u64> {
        let compiled = statement.compile(&*connection.dialect()).map_err(|error| self.unbuildable(error))?;
        Ok(connection.execute(&compiled.sql, &compiled.params).await.during(doing)?.rows_affected)
    }

    fn unbuildable(&self, error: dbkeep_sql::CompileError) -> Error {
        Error::new(ErrorKind::Database, format!("the ledger cannot be called {}", self.name()))
            .with_hint(error.hint())
            .with_source(error)
    }

    fn recording(&self, migration: &str) -> String {
        format!("record {migration} in the ledger {}", self.name())
    }
}

/// The values of an entry in the order of [`COLUMNS`].
fn values(entry: &Entry) -> Vec<Value> {
    vec![
        entry.id.into(),
        (&entry.migration).into(),
        entry.batch.into(),
        entry.state.as_str().into(),
        Value::Timestamp(date_time(entry.executed_at)),
        entry.duration_ms.into(),
        (&entry.checksum).into(),
        entry.statements_done.into(),
        (&entry.done_checksum).into(),
        (&entry.engine).into(),
        entry.executed_by.clone().into(),
        entry.error.clone().into(),
    ]
}

/// To the microsecond, which is what databases keep.
fn date_time(timestamp: Timestamp) -> DateTime {
    DateTime::from_micros_since_epoch(timestamp.as_microsecond().into()).unwrap_or_default()
}

fn timestamp(date_time: DateTime) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(date_time.micros_since_epoch()).ok()?).ok()
}

fn entry(row: &Row) -> engine::Result<Entry> {
    let unreadable = |column: &str, value: &str| {
        engine::Error::new(engine::ErrorKind::Decode, format!("column {column:?} of the ledger holds {value:?}"))
    };
    let state: String = row.get("state")?;
    let executed_at: DateTime = row.get("executed_at")?;
    Ok(Entry {
        id: row.get("id")?,
        migration: row.get("migration")?,
        batch: row.get("batch")?,
        state: State::parse(&state).ok_or_else(|| unreadable("state", &state))?,
        executed_at: timestamp(executed_at).ok_or_else(|| unreadable("executed_at", &executed_at.to_string()))?,
        duration_ms: row.get("duration_ms")?,
        checksum: row.get("checksum")?,
        statements_done: row.get("statements_done")?,
        done_checksum: row.get("done_checksum")?,
        engine: row.get("engine")?,
        executed_by: row.get("executed_by")?,
        error: row.get("error")?,
    })
}

#[cfg(test)]
impl Entry {
    /// An entry of an applied migration, for tests.
    pub(crate) fn applied(id: i64, batch: i64, migration: &str, checksum: &str) -> Self {
        Self {
            id,
            migration: migration.to_owned(),
            batch,
            state: State::Applied,
            executed_at: Timestamp::UNIX_EPOCH,
            duration_ms: 1,
            checksum: checksum.to_owned(),
            statements_done: 1,
            done_checksum: String::new(),
            engine: "Test 1".to_owned(),
            executed_by: None,
            error: None,
        }
    }
}
