//! One connection to MySQL or MariaDB.

use super::altering::alters_session;
use super::bulk_insert;
use super::dialect::{Flavor, MySqlDialect};
use super::link::{Greeting, Link, Next};
use super::session::Session;
use super::statement::{self, Request, Surroundings};
use super::{blueprint, catalog, errors, locks, probe, role};
use crate::{
    BulkTarget, Capabilities, Catalog, CatalogOptions, ConnectOptions, Driver, Error, ErrorKind, Executed, Measurement,
    Result, Role, Row, RowStream, ServerInfo, Streamed, Table, TableBlueprint, TransactionOptions, TransactionState,
    Version,
};
use async_trait::async_trait;
use dbkeep_sql::{Dialect, Value};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use mysql_async::prelude::Queryable as _;
use std::sync::Arc;

/// A live link to a server of either flavor.
pub(super) struct MySqlConnection {
    link: Link,
    info: ServerInfo,
    flavor: Flavor,
    session: Session,
    numbers: (u16, u16, u16),
    around: Surroundings,
    database: String,
    /// Something ran that may have changed the session.
    altered: bool,
}

impl MySqlConnection {
    pub(super) async fn open(options: &ConnectOptions) -> Result<Self> {
        let (link, greeting) = Link::open(options).await?;
        let Greeting { flavor, version, numbers, longest_packet, session } = greeting;
        let around = Surroundings {
            utc: session.is_utc(),
            cache: options.statement_cache,
            longest_packet,
            keeps_types: flavor == Flavor::MySql && numbers >= (8, 0, 22),
        };
        Ok(Self {
            link,
            info: info(flavor, &version),
            flavor,
            session,
            numbers,
            around,
            database: options.database.clone(),
            altered: false,
        })
    }

    pub(super) fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The database the connection was opened for.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Sends a text of our own.
    async fn text(&mut self, sql: String) -> Result<()> {
        self.link.run(move |conn| async move { statement::text(conn, &sql).await }.boxed()).await
    }
}

/// What this server is and can do.
pub(super) fn info(flavor: Flavor, version: &str) -> ServerInfo {
    // MariaDB before 11 puts 5.5.5- before its version for the sake of old replicas.
    let version = Version::parse(version.strip_prefix("5.5.5-").unwrap_or(version));
    let maria = flavor == Flavor::MariaDb;
    ServerInfo {
        engine: "mysql",
        product: if maria { "MariaDB" } else { "MySQL" },
        capabilities: Capabilities {
            insert_returning: maria && version.at_least(10, 5, 0),
            update_returning: false,
            transactional_ddl: false,
            advisory_locks: true,
            is_server: true,
            databases: true,
            schemas: false,
            sequences: maria && version.at_least(10, 3, 0),
            routines: true,
            single_writer: false,
            survives_cancellation: true,
        },
        version,
    }
}

#[async_trait]
impl Driver for MySqlConnection {
    fn server(&self) -> &ServerInfo {
        &self.info
    }

    fn dialect(&self) -> Arc<dyn Dialect> {
        let Version { major, minor, patch, .. } = self.info.version;
        Arc::new(MySqlDialect::new(self.flavor, (major, minor, patch)))
    }

    fn transaction_state(&self) -> TransactionState {
        self.link.transaction()
    }

    fn is_altered(&self) -> bool {
        self.altered
    }

    fn is_closed(&self) -> bool {
        self.link.is_gone()
    }

    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Executed> {
        self.altered |= alters_session(sql);
        let request = Request::new(sql, params, &self.around)?;
        self.link.run(move |conn| request.execute(conn).boxed()).await
    }

    async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        self.altered |= alters_session(sql);
        let request = Request::new(sql, params, &self.around)?;
        self.link.run(move |conn| request.query(conn).boxed()).await
    }

    async fn stream<'c>(&'c mut self, sql: &str, params: &[Value]) -> Result<RowStream<'c>> {
        self.altered |= alters_session(sql);
        let request = Request::new(sql, params, &self.around)?;
        let started = async move |conn: &mut mysql_async::Conn| {
            request.start(conn).await.map(|(shape, wire, leftover)| (shape, Some((wire, leftover))))
        };
        let shape = self.link.run_for_rows(move |conn| async move { started(conn).await }.boxed()).await?;
        let columns = shape.columns().clone();
        let rows = stream::unfold(Some((&mut self.link, shape)), |reading| async {
            let (link, shape) = reading?;
            match link.next_row().await {
                Ok(Next::Row(row)) => Some((shape.row(row).map(Streamed::Row), Some((link, shape)))),
                Ok(Next::End(executed)) => Some((Ok(Streamed::End(executed)), None)),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(RowStream::new(columns, rows.boxed()))
    }

    async fn script(&mut self, sql: &str) -> Result<()> {
        self.altered |= alters_session(sql);
        let (sql, lexicon, longest) = (sql.to_owned(), self.dialect().lexicon(), self.around.longest_packet);
        self.link.run(move |conn| async move { statement::script(conn, &sql, &lexicon, longest).await }.boxed()).await
    }

    async fn bulk_insert(
        &mut self,
        target: &BulkTarget,
        rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
    ) -> Result<u64> {
        bulk_insert::run(&mut self.link, &self.around, target, rows).await
    }

    async fn begin(&mut self, options: &TransactionOptions) -> Result<()> {
        let mut sql = String::new();
        if let Some(isolation) = options.isolation {
            sql = format!("SET TRANSACTION ISOLATION LEVEL {}; ", isolation.as_sql());
        }
        sql.push_str(if options.read_only { "START TRANSACTION READ ONLY" } else { "START TRANSACTION" });
        self.text(sql).await
    }

    async fn ping(&mut self) -> Result<()> {
        self.link.run(|conn| async { conn.ping().await.map_err(errors::of_driver) }.boxed()).await
    }

    async fn recover(&mut self) -> Result<()> {
        self.link.recover().await
    }

    async fn reset(&mut self) -> Result<()> {
        let sql = self.session.sql_after_reset(self.flavor, self.numbers);
        let work = async move |conn: &mut mysql_async::Conn| {
            if !conn.reset().await.map_err(errors::of_driver)? {
                return Err(Error::new(ErrorKind::Unsupported, "this server is too old to reset a connection"));
            }
            statement::text(conn, &sql).await
        };
        self.link.run(move |conn| async move { work(conn).await }.boxed()).await?;
        self.altered = false;
        Ok(())
    }

    async fn try_lock(&mut self, name: &str) -> Result<bool> {
        locks::take(self, name).await
    }

    async fn unlock(&mut self, name: &str) -> Result<()> {
        locks::give_back(self, name).await
    }

    async fn lock_holder(&mut self, name: &str) -> Result<Option<String>> {
        locks::holder(self, name).await
    }

    async fn role(&mut self) -> Result<Role> {
        role::read(self).await
    }

    async fn catalog(&mut self, options: &CatalogOptions) -> Result<Catalog> {
        catalog::read(self, options).await
    }

    fn blueprint(&self, table: &Table) -> TableBlueprint {
        blueprint::read(table, self.flavor())
    }

    async fn probe(&mut self) -> Result<Vec<Measurement>> {
        probe::read(self).await
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.link.close().await
    }
}
