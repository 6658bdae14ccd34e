//! Takes the streams of a snapshot into an empty database.

mod insert;
mod local;
mod target;

use super::dialect::{Flavor, MySqlDialect};
use super::errors::{self, of_driver};
use super::login::{Purpose, connect};
use super::snapshot::{ENCODING, FORMS, Form, NEEDS_TRUST};
use super::{link, quoted};
use crate::{
    ByteSource, ConnectOptions, Error, ErrorKind, Restore, RestoreOptions, Result, StreamKind, StreamSpec, Version,
};
use async_trait::async_trait;
use dbkeep_sql::{Dialect as _, Splitter};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

/// A database that is being filled.
pub(super) struct MySqlRestore {
    /// Absent only while it is being dropped.
    conn: Option<Conn>,
    options: ConnectOptions,
    dialect: MySqlDialect,
    flavor: Flavor,
    /// Whether LOAD DATA LOCAL is allowed; INSERT otherwise.
    local: bool,
    longest_packet: usize,
    created: bool,
}

/// Opens the target, creates it if need be, and makes sure that it is empty.
pub(super) async fn open(options: &ConnectOptions, wanted: &RestoreOptions) -> Result<MySqlRestore> {
    let name = super::named(options)?;
    let mut conn = connect(options, Purpose::Beside).await?;
    target::is_same_product(&mut conn, wanted).await?;
    let created = target::prepare(&mut conn, &options.database, &name, wanted).await?;
    let mut restore = MySqlRestore {
        conn: Some(conn),
        options: options.clone(),
        dialect: MySqlDialect::new(Flavor::MySql, (0, 0, 0)),
        flavor: Flavor::MySql,
        local: false,
        longest_packet: 0,
        created,
    };
    match restore.set_up(&name, wanted).await {
        Ok(()) => Ok(restore),
        Err(error) => {
            // The first error counts; an empty database that stays behind is named.
            if created && Box::new(restore).abort().await.is_err() {
                return Err(error.context(format_args!("the empty database {name} stays behind")));
            }
            Err(error)
        }
    }
}

impl MySqlRestore {
    async fn set_up(&mut self, name: &str, wanted: &RestoreOptions) -> Result<()> {
        let conn = self.conn.as_mut().ok_or_else(link::gone)?;
        let row: Option<(String, String, i64, usize)> = conn
            .query_first("SELECT VERSION(), @@version_comment, @@local_infile, @@max_allowed_packet")
            .await
            .map_err(of_driver)?;
        let (version, comment, local, longest_packet) = row.ok_or_else(link::gone)?;
        let maria = version.contains("MariaDB") || comment.contains("MariaDB");
        self.flavor = if maria { Flavor::MariaDb } else { Flavor::MySql };
        let version = Version::parse(version.strip_prefix("5.5.5-").unwrap_or(&version));
        self.dialect = MySqlDialect::new(self.flavor, (version.major, version.minor, version.patch));
        (self.local, self.longest_packet) = (local != 0, longest_packet);
        // Not strict: what the source holds, zero dates and odd labels included, is to be held again. Warnings are errors.
        let mut settings = "SET NAMES utf8mb4; SET SESSION autocommit = 1, sql_mode = 'NO_AUTO_VALUE_ON_ZERO', \
                            time_zone = '+00:00', foreign_key_checks = 0, wait_timeout = 2147483, net_read_timeout = 7200, \
                            net_write_timeout = 7200"
            .to_owned();
        if self.flavor == Flavor::MariaDb {
            // Rows that a constraint would refuse today are in the backup because they are in the original.
            settings.push_str(", max_statement_time = 0, check_constraint_checks = 0");
            if fills_empty_tables_in_bulk(&version) {
                settings.push_str(", unique_checks = 0");
            }
        }
        conn.query_drop(format!("USE {name}; {settings}")).await.map_err(of_driver)?;
        if self.flavor == Flavor::MySql {
            // Would add to the tables or refuse some. Unknown to old servers, and not for every account to set.
            for setting in
                ["sql_generate_invisible_primary_key", "sql_require_primary_key", "restrict_fk_on_non_standard_key"]
            {
                let _ = conn.query_drop(format!("SET SESSION {setting} = 0")).await;
            }
        }
        // Not for every account to set either. With fewer warnings kept, those that cannot be seen are an error.
        let _ = conn.query_drop("SET SESSION max_error_count = 65535").await;
        if wanted.settings.contains_key(NEEDS_TRUST) {
            target::is_trusted(conn).await?;
        }
        Ok(())
    }

    async fn run(&mut self, spec: &StreamSpec, source: &mut dyn ByteSource) -> Result<()> {
        let mut text = Vec::new();
        while let Some(bytes) = source.next().await? {
            text.extend_from_slice(&bytes);
        }
        let text = String::from_utf8(text)
            .map_err(|error| damaged(format!("{} is no UTF-8", spec.name)).with_source(error))?;
        let conn = self.conn.as_mut().ok_or_else(link::gone)?;
        let mut lexicon = self.dialect.lexicon();
        let mut statements = Splitter::new(&text, &lexicon);
        while let Some(statement) = statements.next() {
            let statement = statement.map_err(|error| damaged(format!("{}: {error}", spec.name)).with_source(error))?;
            conn.query_drop(statement.text).await.map_err(|error| {
                errors::of_statement(error, statement.text)
                    .context(format_args!("{}, line {}", spec.name, statement.line))
            })?;
            // The text that follows was written under this mode, which decides where its strings end.
            if statement.text.starts_with("SET SESSION") && statement.text.contains("sql_mode") {
                lexicon.backslash_escapes = !statement.text.contains("NO_BACKSLASH_ESCAPES");
                statements.set_lexicon(&lexicon);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Restore for MySqlRestore {
    async fn load(&mut self, spec: &StreamSpec, source: &mut dyn ByteSource) -> Result<u64> {
        match spec.kind {
            StreamKind::SchemaBefore | StreamKind::SchemaAfter => self.run(spec, source).await.map(|()| 0),
            StreamKind::Rows => {
                let table = Table::of(spec)?;
                let conn = self.conn.as_mut().ok_or_else(link::gone)?;
                let loaded = match self.local {
                    true => local::load(conn, self.flavor, &table, source).await,
                    false => insert::load(conn, self.longest_packet, &table, source).await,
                };
                loaded.map_err(|error| error.context(format_args!("loading table {}", table.name)))
            }
            StreamKind::Pages => Err(Error::new(ErrorKind::Unsupported, "this server loads no pages of another")
                .with_hint("restore this backup into the engine it came from")),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        match self.conn.take() {
            Some(conn) => conn.disconnect().await.map_err(of_driver),
            None => Err(link::gone()),
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        if let Some(conn) = self.conn.take() {
            // It may be in the middle of a load.
            link::sever(conn);
        }
        let outcome = async {
            let mut conn = connect(&self.options, Purpose::Beside).await?;
            let name = quoted(&self.options.database);
            if self.created {
                conn.query_drop(format!("DROP DATABASE IF EXISTS {name}")).await.map_err(of_driver)?;
            } else {
                target::empty(&mut conn, &name).await?;
            }
            conn.disconnect().await.map_err(of_driver)
        };
        outcome.await.map_err(|error| {
            error.context(format_args!("database {} still holds a part of the restore", self.options.database))
        })
    }
}

impl Drop for MySqlRestore {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            link::sever(conn);
        }
    }
}

/// Whether unique_checks = 0 gains anything and does no harm: MariaDB fills an empty table in bulk then, rightly so since
/// MDEV-34703 was fixed, and still finds duplicates. mariadb-import has the same gate. On MySQL the same setting would let
/// duplicates through.
fn fills_empty_tables_in_bulk(version: &Version) -> bool {
    match (version.major, version.minor) {
        (10, 11) => version.patch >= 11,
        (11, 4) => version.patch >= 5,
        (11, 7) => version.patch >= 2,
        (11, minor) => minor >= 8,
        (major, _) => major >= 12,
    }
}

/// A table to be loaded, from its stream's description.
struct Table {
    name: String,
    columns: Vec<(String, Form)>,
}

impl Table {
    fn of(spec: &StreamSpec) -> Result<Self> {
        if spec.encoding != ENCODING {
            return Err(Error::new(ErrorKind::Unsupported, format!("{} is in the form {}", spec.name, spec.encoding))
                .with_hint(format!("this engine loads {ENCODING}; restore into the engine the backup came from")));
        }
        let name = spec.table.clone().ok_or_else(|| damaged(format!("{} names no table", spec.name)))?;
        let forms: Option<Vec<Form>> = match spec.details.get(FORMS) {
            Some(forms) => forms.split(',').filter(|form| !form.is_empty()).map(Form::parse).collect(),
            None => None,
        };
        let forms = forms
            .filter(|forms| forms.len() == spec.columns.len())
            .ok_or_else(|| damaged(format!("{} does not say what its columns are", spec.name)))?;
        Ok(Self { name, columns: spec.columns.iter().cloned().zip(forms).collect() })
    }

    /// Whether a warning says of no value that it became another one: a column that holds none of its labels did so at the source.
    fn tolerates(&self, code: u16, message: &str) -> bool {
        // https://dev.mysql.com/doc/mysql-errors/9.4/en/server-error-reference.html: 6414 says that two storage engines stand in one transaction,
        // and nothing of values.
        code == 6414
            || code == 1265
                && self.columns.iter().any(|(name, form)| {
                    *form == Form::Label && message.starts_with(&format!("Data truncated for column '{name}' at row"))
                })
    }
}

/// Makes an error of the warnings of the last statement: a row that was changed on its way in is no copy.
async fn no_warnings(conn: &mut Conn, table: &Table) -> Result<()> {
    let count = usize::from(conn.get_warnings());
    if count == 0 {
        return Ok(());
    }
    let warnings: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await.map_err(of_driver)?;
    let unseen = warnings.len() < count;
    let refused = warnings.iter().find(|(_, code, message)| !table.tolerates(*code, message));
    match refused {
        None if !unseen => Ok(()),
        None => Err(Error::new(ErrorKind::InvalidValue, "the server gave more warnings than can be looked at")),
        Some((_, code, message)) => {
            let server = mysql_async::ServerError { code: *code, message: message.clone(), state: String::new() };
            Err(errors::of_server(&server).context("the server changed a row on its way in"))
        }
    }
}

fn damaged(message: String) -> Error {
    Error::new(ErrorKind::Damaged, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_filling_is_used_only_where_it_is_right() {
        let gate = |text: &str| fills_empty_tables_in_bulk(&Version::parse(text));
        for version in ["10.11.11-MariaDB", "11.4.5-MariaDB", "11.7.2-MariaDB", "11.8.1-MariaDB", "12.0.1-MariaDB"] {
            assert!(gate(version), "{version}");
        }
        for version in ["10.6.20-MariaDB", "10.11.10-MariaDB", "11.4.4-MariaDB", "11.5.2-MariaDB", "11.7.1-MariaDB"] {
            assert!(!gate(version), "{version}");
        }
    }
}
