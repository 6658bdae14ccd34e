//! One live link to a PostgreSQL server, as the contract wants it.

use super::bulk_insert;
use super::cache::{Cache, Prepared};
use super::dialect::PostgresDialect;
use super::errors;
use super::link::Link;
use super::types::encode::{self, Parameter};
use super::verb;
use crate::{
    BulkTarget, Capabilities, Catalog, CatalogOptions, ConnectOptions, Driver, Error, ErrorKind, Executed, Measurement,
    Result, Role, Row, RowStream, ServerInfo, Streamed, Table, TableBlueprint, TransactionOptions, TransactionState,
};
use async_trait::async_trait;
use dbkeep_sql::{Dialect, Value};
use futures_util::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// A connection.
///
/// Behind PgBouncer in transaction mode, prepared statements need its version 1.21 with `max_prepared_statements` above 0,
/// and what belongs to a session (locks, settings) needs its session mode.
pub(super) struct PostgresConnection {
    link: Link,
    server: ServerInfo,
    dialect: Arc<PostgresDialect>,
    cache: Cache,
    /// Something ran that may have changed the session.
    altered: bool,
    /// A bulk insert has a transaction of its own open.
    pub(super) bulk: bool,
}

impl PostgresConnection {
    pub(super) async fn open(options: &ConnectOptions) -> Result<Self> {
        let link = Link::open(options).await?;
        let version = link.version().clone();
        let dialect = Arc::new(PostgresDialect::new((version.major, version.minor, version.patch)));
        let capabilities = Capabilities {
            insert_returning: true,
            update_returning: true,
            transactional_ddl: true,
            advisory_locks: true,
            is_server: true,
            databases: true,
            schemas: true,
            sequences: true,
            routines: true,
            single_writer: false,
            survives_cancellation: true,
        };
        let server = ServerInfo { engine: "postgres", product: "PostgreSQL", version, capabilities };
        Ok(Self { link, server, dialect, cache: Cache::new(options.statement_cache), altered: false, bulk: false })
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Runs a statement without parameters that cannot be prepared or must not be cached.
    pub(super) async fn execute_plain(&mut self, sql: &str) -> Result<()> {
        self.link.batch(sql).await
    }

    /// The statement, prepared, and whether it was before.
    async fn prepare(&mut self, sql: &str) -> Result<(Prepared, bool)> {
        if let Some(prepared) = self.cache.get(sql) {
            return Ok((prepared, true));
        }
        verb::refuse(sql)?;
        let outcome = self.link.client().prepare(sql).await;
        let prepared = self.link.landed(outcome).await.map_err(|error| errors::with_placeholders(error, sql))?;
        let prepared = Prepared::new(prepared)?;
        // What changes the session is looked at each time.
        if verb::alters_session(sql) {
            self.altered = true;
        } else {
            self.cache.put(sql, &prepared);
        }
        Ok((prepared, false))
    }

    /// The statement, prepared, its parameters in their final bytes, and whether it was prepared before.
    async fn prepare_and_bind(&mut self, sql: &str, params: &[Value]) -> Result<(Prepared, Vec<Parameter>, bool)> {
        let (mut prepared, mut was_cached) = self.prepare(sql).await?;
        let mut bound = bind(&prepared, params);
        let is_exact = || params.iter().zip(prepared.statement.params()).all(|(value, ty)| encode::is_exact(value, ty));
        // The columns may have had other types when it was prepared.
        if was_cached && (bound.is_err() || !is_exact()) {
            self.cache.forget(sql);
            (prepared, was_cached) = self.prepare(sql).await?;
            bound = bind(&prepared, params);
        }
        Ok((prepared, bound?, was_cached))
    }

    /// Whether a failed statement may succeed when it is run again, prepared anew after a change of the schema.
    ///
    /// Only outside of a transaction, where the failed attempt left nothing behind; inside one, the server has already
    /// given the transaction up.
    async fn is_worth_another_try(&mut self, sql: &str, error: &tokio_postgres::Error, used: &Prepared) -> bool {
        if !errors::may_be_stale(error) {
            return false;
        }
        self.cache.forget(sql);
        self.link.client().clear_type_cache();
        if self.link.watch().transaction_state() != TransactionState::Idle {
            return false;
        }
        errors::is_stale(error)
            || match self.prepare(sql).await {
                Ok((fresh, _)) => !fresh.is_like(used),
                // The first error tells more.
                Err(_) => false,
            }
    }

    /// Starts a statement and hands its rows over as the driver reads them.
    async fn start(&mut self, sql: &str, params: &[Value]) -> Result<(Prepared, tokio_postgres::RowStream)> {
        loop {
            let (prepared, bound, was_cached) = self.prepare_and_bind(sql, params).await?;
            match self.link.client().query_raw(&prepared.statement, &bound).await {
                Ok(rows) => return Ok((prepared, rows)),
                Err(error) => {
                    self.link.watch().settled().await;
                    if !was_cached || !self.is_worth_another_try(sql, &error, &prepared).await {
                        return Err(self.explain(error, was_cached).await);
                    }
                }
            }
        }
    }

    async fn explain(&self, error: tokio_postgres::Error, was_cached: bool) -> Error {
        let is_stale = was_cached && errors::is_stale(&error);
        let error = self.link.failed(error).await;
        if is_stale && self.link.watch().transaction_state() == TransactionState::Failed {
            return error.with_hint("the schema changed under a prepared statement: run the whole transaction again");
        }
        error
    }
}

fn bind(prepared: &Prepared, params: &[Value]) -> Result<Vec<Parameter>> {
    let wanted = prepared.statement.params();
    if wanted.len() != params.len() {
        let s = if wanted.len() == 1 { "" } else { "s" };
        return Err(Error::new(
            ErrorKind::InvalidValue,
            format!("the statement takes {} parameter{s}, {} were given", wanted.len(), params.len()),
        ));
    }
    params.iter().zip(wanted).enumerate().map(|(at, (value, ty))| Parameter::new(at + 1, value, ty)).collect()
}

#[async_trait]
impl Driver for PostgresConnection {
    fn server(&self) -> &ServerInfo {
        &self.server
    }

    fn dialect(&self) -> Arc<dyn Dialect> {
        self.dialect.clone()
    }

    fn transaction_state(&self) -> TransactionState {
        self.link.watch().transaction_state()
    }

    fn is_altered(&self) -> bool {
        self.altered
    }

    fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Executed> {
        loop {
            let (prepared, bound, was_cached) = self.prepare_and_bind(sql, params).await?;
            match self.link.client().execute_raw(&prepared.statement, &bound).await {
                Ok(rows) => {
                    self.link.watch().settled().await;
                    if verb::changes_schema(sql) {
                        self.cache.clear();
                    }
                    // The server counts the rows of a SELECT too, which changes none.
                    let changed = if prepared.columns.is_empty() || verb::changes_rows(sql) { rows } else { 0 };
                    return Ok(Executed::new(changed, None));
                }
                Err(error) => {
                    self.link.watch().settled().await;
                    if !was_cached || !self.is_worth_another_try(sql, &error, &prepared).await {
                        return Err(self.explain(error, was_cached).await);
                    }
                }
            }
        }
    }

    async fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
        let (prepared, rows) = self.start(sql, params).await?;
        let mut rows = std::pin::pin!(rows);
        let mut out = Vec::new();
        let mut trouble = None;
        loop {
            match rows.try_next().await {
                Ok(Some(row)) if trouble.is_none() => match prepared.row(&row) {
                    Ok(row) => out.push(row),
                    Err(error) => trouble = Some(error),
                },
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return Err(self.explain(error, false).await),
            }
        }
        self.link.watch().settled().await;
        trouble.map_or(Ok(out), Err)
    }

    async fn stream<'c>(&'c mut self, sql: &str, params: &[Value]) -> Result<RowStream<'c>> {
        // The driver reads on only as its rows are taken, so memory stays flat however slow the taker is.
        let (prepared, rows) = self.start(sql, params).await?;
        let columns = prepared.columns.clone();
        let link = &self.link;
        let changes_rows = columns.is_empty() || verb::changes_rows(sql);
        let state = Some((Box::pin(rows), prepared));
        let rows = futures_util::stream::unfold(state, move |state| async move {
            let (mut rows, prepared) = state?;
            match rows.try_next().await {
                Ok(Some(row)) => Some((prepared.row(&row).map(Streamed::Row), Some((rows, prepared)))),
                Ok(None) => {
                    link.watch().settled().await;
                    let changed = rows.rows_affected().filter(|_| changes_rows).unwrap_or(0);
                    Some((Ok(Streamed::End(Executed::new(changed, None))), None))
                }
                Err(error) => Some((Err(link.failed(error).await), None)),
            }
        });
        Ok(RowStream::new(columns, rows.boxed()))
    }

    async fn script(&mut self, sql: &str) -> Result<()> {
        self.altered |= verb::alters_session(sql);
        let outcome = super::script::run(&self.link, self.dialect.lexicon(), sql).await;
        // It may have changed the schema under the prepared statements.
        self.cache.clear();
        outcome
    }

    async fn bulk_insert(
        &mut self,
        target: &BulkTarget,
        rows: &mut (dyn Iterator<Item = Vec<Value>> + Send),
    ) -> Result<u64> {
        bulk_insert::run(self, target, rows).await
    }

    async fn begin(&mut self, options: &TransactionOptions) -> Result<()> {
        let mut sql = String::from("BEGIN");
        if let Some(isolation) = options.isolation {
            sql.push_str(" ISOLATION LEVEL ");
            sql.push_str(isolation.as_sql());
        }
        if options.read_only {
            sql.push_str(" READ ONLY");
        }
        self.link.batch(&sql).await
    }

    async fn ping(&mut self) -> Result<()> {
        let outcome = self.link.client().check_connection().await;
        self.link.landed(outcome).await
    }

    async fn recover(&mut self) -> Result<()> {
        self.link.recover().await?;
        if self.bulk && self.transaction_state() != TransactionState::Idle {
            self.link.batch("ROLLBACK").await?;
        }
        self.bulk = false;
        Ok(())
    }

    async fn reset(&mut self) -> Result<()> {
        if self.transaction_state() != TransactionState::Idle {
            self.link.batch("ROLLBACK").await?;
        }
        // DISCARD ALL without DEALLOCATE ALL, so that prepared statements stay.
        // https://www.postgresql.org/docs/current/sql-discard.html
        let script = format!(
            "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); \
             DISCARD TEMP; DISCARD SEQUENCES; {}",
            self.link.reapply()
        );
        self.link.batch(&script).await?;
        self.link.take_warnings();
        self.altered = false;
        Ok(())
    }

    async fn try_lock(&mut self, name: &str) -> Result<bool> {
        let rows = self.query("SELECT pg_catalog.pg_try_advisory_lock($1)", &[Value::Int(lock_key(name))]).await?;
        rows.first().map_or(Ok(false), |row| row.get(0))
    }

    async fn unlock(&mut self, name: &str) -> Result<()> {
        let rows = self.query("SELECT pg_catalog.pg_advisory_unlock($1)", &[Value::Int(lock_key(name))]).await?;
        // The server warns where we say no: what was not held cannot be given back.
        match rows.first().map(|row| row.get::<bool>(0)).transpose()? {
            Some(true) => Ok(()),
            _ => Err(Error::new(ErrorKind::NotFound, format!("this session does not hold the lock {name:?}"))),
        }
    }

    async fn lock_holder(&mut self, name: &str) -> Result<Option<String>> {
        super::probe::lock_holder(self, lock_key(name)).await
    }

    async fn role(&mut self) -> Result<Role> {
        super::probe::role(self).await
    }

    async fn catalog(&mut self, options: &CatalogOptions) -> Result<Catalog> {
        super::catalog::read(self, options).await
    }

    fn blueprint(&self, table: &Table) -> TableBlueprint {
        super::blueprint::read(table)
    }

    async fn probe(&mut self) -> Result<Vec<Measurement>> {
        super::probe::measure(self).await
    }

    async fn close(self: Box<Self>) -> Result<()> {
        let Self { link, cache, .. } = *self;
        drop(cache);
        link.close().await
    }
}

/// A lock's name as the 64-bit key that PostgreSQL's advisory locks have. Keys hold within one database.
fn lock_key(name: &str) -> i64 {
    let hash = blake3::hash(format!("dbkeep lock {name}").as_bytes());
    let (key, _) = hash.as_bytes().split_first_chunk().unwrap_or((&[0; 8], &[]));
    i64::from_be_bytes(*key)
}
