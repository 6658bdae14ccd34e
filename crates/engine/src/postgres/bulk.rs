//! Loading a snapshot into an empty database.

mod target;

use super::connection::PostgresConnection;
use super::databases;
use super::session::quoted;
use super::snapshot::{self, contents::column_list};
use super::{copy, script};
use crate::{
    ByteSource, ConnectOptions, Driver, Error, ErrorKind, Restore, RestoreOptions, Result, StreamKind, StreamSpec,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use target::Inventory;

/// What a load needs beyond what every dump does. Nothing has to survive a crash before the end: a restore that was
/// interrupted is thrown away.
const SETTINGS: &str =
    "SET synchronous_commit = off; SET default_transaction_read_only = off; SET check_function_bodies = off;";

/// A restore under way.
pub(super) struct PostgresRestore {
    connection: PostgresConnection,
    options: ConnectOptions,
    settings: BTreeMap<String, String>,
    /// What was there before, when the database was; `None` when it was created for this.
    before: Option<Inventory>,
}

impl PostgresRestore {
    pub(super) async fn open(options: &ConnectOptions, restore: &RestoreOptions) -> Result<Self> {
        let options = snapshot::session(options);
        let is_there = databases::exists(&options).await?;
        if !is_there {
            if !restore.create {
                let message = format!("there is no database {}", options.database);
                return Err(Error::new(ErrorKind::UnknownDatabase, message).with_hint("create it first"));
            }
            databases::create(&options, |version| target::definition(version, &restore.settings)).await.map_err(|error| {
                match error.code() {
                    Some("22023" | "42809" | "42704" | "22026") => error.with_hint(
                        "this server lacks the locale or encoding: install it, or create the database yourself and restore into it",
                    ),
                    _ => error,
                }
            })?;
        }
        let opened = Self::prepare(&options, &restore.settings, is_there).await;
        match opened {
            // The first trouble counts; what was created for nothing goes again.
            Err(error) if !is_there => Err(match databases::drop(&options).await {
                Ok(()) => error,
                Err(left) => {
                    error.context(format_args!("the new database {} is left behind ({left})", options.database))
                }
            }),
            outcome => outcome,
        }
    }

    async fn prepare(options: &ConnectOptions, settings: &BTreeMap<String, String>, is_there: bool) -> Result<Self> {
        let mut connection = PostgresConnection::open(options).await?;
        let before = match is_there {
            true => {
                target::refuse_unless_empty(&mut connection, &options.database).await?;
                Some(Inventory::read(&mut connection).await?)
            }
            false => None,
        };
        connection.execute_plain(snapshot::SETTINGS).await?;
        connection.execute_plain(SETTINGS).await?;
        Ok(Self { connection, options: options.clone(), settings: settings.clone(), before })
    }

    async fn load_rows(&mut self, spec: &StreamSpec, source: &mut dyn ByteSource) -> Result<u64> {
        let (Some(schema), Some(table)) = (&spec.schema, &spec.table) else {
            return Err(Error::new(ErrorKind::Damaged, "the stream names no table"));
        };
        let sql = format!("COPY {}.{}{} FROM STDIN", quoted(schema), quoted(table), column_list(&spec.columns));
        let link = self.connection.link();
        let rows = copy::load(link, &sql, source).await?;
        match link.take_warnings().into_iter().next() {
            Some(warning) => Err(Error::new(ErrorKind::InvalidValue, format!("the server warned: {warning}"))),
            None => Ok(rows),
        }
    }

    async fn load_definitions(&mut self, source: &mut dyn ByteSource) -> Result<()> {
        let mut bytes = Vec::new();
        while let Some(piece) = source.next().await? {
            bytes.extend_from_slice(&piece);
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| Error::new(ErrorKind::Damaged, "the definitions are not UTF-8").with_source(error))?;
        // Every new database has this schema already; pg_dump writes it where the source's own was made anew.
        let ours = "\n-- Name: public; Type: SCHEMA; Schema: -; Owner: -\n--\n\nCREATE SCHEMA ";
        let text = text.replacen(&format!("{ours}public;\n"), &format!("{ours}IF NOT EXISTS public;\n"), 1);
        let link = self.connection.link();
        let outcome = script::run(link, self.connection.dialect().lexicon(), &text).await;
        outcome.map_err(|error| match error.position() {
            Some(position) => {
                let line = text.chars().take(position).filter(|c| *c == '\n').count() + 1;
                error.context(format_args!("line {line}"))
            }
            None => error,
        })?;
        for warning in link.take_warnings() {
            tracing::warn!(target: "dbkeep::restore", "{warning}");
        }
        // The script brings settings of its own, the encoding among them.
        self.connection.execute_plain(snapshot::SETTINGS).await
    }
}

#[async_trait]
impl Restore for PostgresRestore {
    async fn load(&mut self, spec: &StreamSpec, source: &mut dyn ByteSource) -> Result<u64> {
        let outcome = match (spec.kind, spec.encoding.as_str()) {
            (StreamKind::Rows, "pg-copy/1") => self.load_rows(spec, source).await,
            (StreamKind::SchemaBefore | StreamKind::SchemaAfter, "sql/1") => {
                self.load_definitions(source).await.map(|()| 0)
            }
            (_, encoding) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("PostgreSQL cannot take a stream in the form {encoding}"),
            )
            .with_hint("a backup can only be restored into the engine it was made of")),
        };
        outcome.map_err(|error| error.context(&spec.name))
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        if self.before.is_none() && self.settings.get("public_schema").is_some_and(|schema| schema == "absent") {
            self.connection.execute_plain("DROP SCHEMA IF EXISTS public").await?;
        }
        // Waits until all that was committed without waiting is on disk, too: the log is written in order.
        self.connection.execute_plain("SET synchronous_commit = on").await?;
        self.connection.execute_plain("ANALYZE").await?;
        Box::new(self.connection).close().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let Self { connection, options, before, .. } = *self;
        // It may be lost, or in the middle of something: another one cleans up.
        drop(connection);
        let Some(before) = before else { return databases::drop(&options).await };
        let mut connection = PostgresConnection::open(&options).await?;
        target::empty(&mut connection, &before)
            .await
            .map_err(|error| error.context(format_args!("parts of the restore are left in {}", options.database)))?;
        Box::new(connection).close().await
    }
}
