//! One SQLite connection as the contract wants it.

use super::place::{Runner, detached};
use super::session::Session;
use super::text::alters_session;
use super::{SqliteDialect, blueprint, bulk_insert, catalog, open, probe, rebuild, stream};
use crate::{
    BulkTarget, Capabilities, Catalog, CatalogOptions, ConnectOptions, Driver, Executed, Guard, Measurement, Result,
    Role, Row, RowStream, ServerInfo, Table, TableBlueprint, TransactionOptions, TransactionState, Version,
};
use async_trait::async_trait;
use dbkeep_sql::{Ddl, Dialect, SchemaOperation, Value};
use std::sync::Arc;
use std::time::Duration;

/// A connection.
pub(super) struct SqliteConnection {
    runner: Runner,
    server: ServerInfo,
    dialect: Arc<dyn Dialect>,
    spelling: SqliteDialect,
    read_only: bool,
    /// Something ran that may have changed the session.
    altered: bool,
}

impl SqliteConnection {
    /// Opens a connection and sets its session up.
    pub(super) async fn open(options: &ConnectOptions) -> Result<Self> {
        let (options, reader) = (options.clone(), options.reader);
        let session = detached(move || open::open(&options)).await?;
        let mut server = server_info();
        // In memory there is no second connection, and where nobody writes there is no writer.
        server.capabilities.single_writer = session.file.is_some() && (reader || !session.read_only);
        let version = &server.version;
        let spelling = SqliteDialect::new((version.major, version.minor, version.patch));
        let dialect = Arc::new(spelling);
        let read_only = session.read_only;
        Ok(Self { runner: Runner::new(session), server, dialect, spelling, read_only, altered: false })
    }
}

/// The SQLite in this program.
pub(super) fn server_info() -> ServerInfo {
    ServerInfo {
        engine: "sqlite",
        product: "SQLite",
        version: Version::parse(rusqlite::version()),
        capabilities: Capabilities {
            insert_returning: true,
            update_returning: true,
            transactional_ddl: true,
            advisory_locks: true,
            is_server: false,
            databases: false,
            schemas: false,
            sequences: false,
            routines: false,
            single_writer: true,
            survives_cancellation: true,
        },
    }
}

#[async_trait]
impl Driver for SqliteConnection {
    fn server(&self) -> &ServerInfo {
        &self.server
    }

    fn dialect(&self) -> Arc<dyn Dialect> {
        Arc::clone(&self.dialect)
    }

    fn transaction_state(&self) -> TransactionState {
        self.runner.state
    }

    fn is_altered(&self) -> bool {
        self.altered
    }

    fn is_closed(&self) -> bool {
        self.runner.is_lost()
    }

    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Executed> {
        self.altered |= alters_session(sql);
        self.runner.statement(sql, params, Session::execute).await
    }

    async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        self.altered |= alters_session(sql);
        self.runner.statement(sql, params, Session::query).await
    }

    async fn stream<'c>(&'c mut self, sql: &str, params: &[Value]) -> Result<RowStream<'c>> {
        self.altered |= alters_session(sql);
        stream::start(&mut self.runner, sql, params).await
    }

    async fn script(&mut self, sql: &str) -> Result<()> {
        self.altered |= alters_session(sql);
        if super::text::controls_transaction(sql) {
            return self.runner.statement(sql, &[], |session, sql, _| session.script(sql)).await;
        }
        let sql = sql.to_owned();
        self.runner.long(move |session| session.script(&sql)).await
    }

    async fn bulk_insert(
        &mut self,
        target: &BulkTarget,
        rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
    ) -> Result<u64> {
        bulk_insert::run(&mut self.runner, target, rows).await
    }

    async fn begin(&mut self, options: &TransactionOptions) -> Result<()> {
        let options = *options;
        self.runner.short(move |session| session.begin(&options)).await
    }

    async fn ping(&mut self) -> Result<()> {
        self.runner.short(Session::ping).await
    }

    async fn recover(&mut self) -> Result<()> {
        self.runner.settle().await;
        self.runner.check()
    }

    async fn reset(&mut self) -> Result<()> {
        self.runner.short(Session::reset).await?;
        self.altered = false;
        Ok(())
    }

    async fn try_lock(&mut self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        // A reset gives it back.
        self.altered = true;
        self.runner.short(move |session| session.locks.try_lock(&name)).await
    }

    async fn unlock(&mut self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.runner.short(move |session| session.locks.unlock(&name)).await
    }

    async fn lock_holder(&mut self, name: &str) -> Result<Option<String>> {
        let name = name.to_owned();
        self.runner.short(move |session| session.locks.holder(&name)).await
    }

    async fn role(&mut self) -> Result<Role> {
        Ok(if self.read_only { Role::ReadOnly } else { Role::Primary })
    }

    async fn catalog(&mut self, options: &CatalogOptions) -> Result<Catalog> {
        let options = options.clone();
        self.runner.long(move |session| catalog::read(session, &options)).await
    }

    fn blueprint(&self, table: &Table) -> TableBlueprint {
        blueprint::read(table, self.spelling)
    }

    async fn plan(&mut self, operation: &SchemaOperation) -> Result<Vec<Ddl>> {
        let (spelling, operation) = (self.spelling, operation.clone());
        self.runner.long(move |session| rebuild::plan(session, spelling, &operation)).await
    }

    async fn guard(&mut self, operations: &[SchemaOperation]) -> Result<Option<Guard>> {
        let (spelling, operations) = (self.spelling, operations.to_vec());
        self.runner.long(move |session| rebuild::guard(session, spelling, &operations)).await
    }

    async fn probe(&mut self) -> Result<Vec<Measurement>> {
        self.runner.long(probe::read).await
    }

    fn take_lock_wait(&mut self) -> Option<Duration> {
        self.runner.take_lock_wait()
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let Self { mut runner, .. } = *self;
        runner.settle().await;
        detached(move || {
            drop(runner);
            Ok(())
        })
        .await
    }
}
