//! One statement over the wire: prepared, so that every value keeps its type; as text where it cannot be prepared.

use super::link::{Wire, gone};
use super::{errors, types};
use crate::{Error, ErrorKind, Executed, Result, Row};
use dbkeep_sql::{Lexicon, Splitter, Value};
use mysql_async::prelude::{Protocol, Queryable as _};
use mysql_async::{BinaryProtocol, Conn, Params, QueryResult, Statement, TextProtocol};
use mysql_common::named_params::ParsedNamedParams;
use types::Shape;

/// Longer statements are not worth a place in the cache: they are bulk inserts that never come again.
const LONGEST_CACHED: usize = 32 * 1024;

/// What a statement must know of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Whether the session's clock shows UTC.
    pub(super) utc: bool,
    /// How many prepared statements are kept.
    pub(super) cache: usize,
    /// How long a statement may be.
    pub(super) longest_packet: usize,
    /// Whether a prepared statement keeps the types of its parameters when the table changes under it.
    ///
    /// MySQL does, since 8.0.22. Prepared while a column was INT and run after it became VARCHAR, an INSERT turns the text
    /// `007` into `7`; VARCHAR made VARBINARY, it cuts bytes off. There is no error and no warning, in strict mode either.
    pub(super) keeps_types: bool,
}

/// One statement with its parameters, on its way.
#[derive(Debug)]
pub(super) struct Request {
    sql: String,
    params: Vec<mysql_async::Value>,
    utc: bool,
    cached: bool,
}

/// What holds a statement's rows before they are read.
type Started = (Shape, Wire, Option<Statement>);

impl Request {
    /// # Errors
    /// `InvalidValue` for parameters these servers have no type for, or a statement longer than the server takes.
    pub(super) fn new(sql: &str, params: &[Value], around: &Surroundings) -> Result<Self> {
        fits(sql, around.longest_packet)?;
        let params = params.iter().enumerate().map(|(at, value)| {
            types::parameter(value, around.utc).map_err(|error| error.context(format_args!("parameter {}", at + 1)))
        });
        let params = params.collect::<Result<Vec<_>>>()?;
        params_fit(&params, around.longest_packet)?;
        let mut sql = sql.to_owned();
        let mut cached = around.cache > 0 && sql.len() <= LONGEST_CACHED;
        if around.keeps_types && !is_query(&sql) && !params.iter().all(is_number) {
            // Prepared for this once: the blank keeps it apart from one that is kept for numbers alone.
            sql.push(' ');
            cached = false;
        }
        Ok(Self { sql, params, utc: around.utc, cached })
    }

    /// Runs it, and reads and drops whatever rows there are.
    pub(super) async fn execute(self, conn: &mut Conn) -> Result<Executed> {
        let (_, wire, leftover) = self.start(conn).await?;
        let dropped = match wire {
            Wire::Text => QueryResult::<'_, '_, TextProtocol>::new(&mut *conn).drop_result().await,
            Wire::Binary => QueryResult::<'_, '_, BinaryProtocol>::new(&mut *conn).drop_result().await,
        };
        let executed = Executed::new(conn.affected_rows(), conn.last_insert_id());
        self.end(conn, leftover, dropped).await?;
        Ok(executed)
    }

    /// Runs it and collects the rows of its first result that has any.
    pub(super) async fn query(self, conn: &mut Conn) -> Result<Vec<Row>> {
        let (shape, wire, leftover) = self.start(conn).await?;
        let mut rows = Vec::new();
        let outcome = match wire {
            Wire::Text => collect::<TextProtocol>(conn, &mut rows).await,
            Wire::Binary => collect::<BinaryProtocol>(conn, &mut rows).await,
        };
        self.end(conn, leftover, outcome).await?;
        rows.into_iter().map(|row| shape.row(row)).collect()
    }

    /// Sends it and leaves its rows unread.
    ///
    /// # Errors
    /// The server's own. Nothing was delivered then, so a statement that has gone stale is prepared and sent once more.
    pub(super) async fn start(&self, conn: &mut Conn) -> Result<Started> {
        let as_text = self.params.is_empty() && is_mistaken_for_named(&self.sql);
        if as_text {
            return self.start_text(conn).await;
        }
        match self.start_prepared(conn).await {
            // ER_UNSUPPORTED_PS: USE, LOCK TABLES and others know no prepared form.
            Err(Trouble::Prepare(mysql_async::Error::Server(error)))
                if error.code == 1295 && self.params.is_empty() =>
            {
                self.start_text(conn).await
            }
            // ER_NEED_REPREPARE, ER_UNKNOWN_STMT_HANDLER: the cached plan is not valid any more.
            Err(Trouble::Stale) => match self.start_prepared(conn).await {
                Err(trouble) => Err(trouble.into_error(&self.sql)),
                Ok(started) => Ok(started),
            },
            Err(trouble) => Err(trouble.into_error(&self.sql)),
            Ok(started) => Ok(started),
        }
    }

    async fn start_text(&self, conn: &mut Conn) -> Result<Started> {
        let result =
            conn.query_iter(self.sql.as_str()).await.map_err(|error| errors::of_statement(error, &self.sql))?;
        let shape = Shape::new(result.columns_ref(), self.utc);
        Ok((shape, Wire::Text, None))
    }

    async fn start_prepared(&self, conn: &mut Conn) -> Result<Started, Trouble> {
        if is_mistaken_for_named(&self.sql) {
            return Err(Trouble::Ours(
                Error::new(ErrorKind::Unsupported, "this statement cannot take parameters as it is written")
                    .with_hint("write a blank between - or / and the quote after it, and after each colon"),
            ));
        }
        let statement = conn.prep(self.sql.as_str()).await.map_err(Trouble::Prepare)?;
        let wanted = usize::from(statement.num_params());
        if wanted != self.params.len() {
            let error = Error::new(
                ErrorKind::InvalidValue,
                format!(
                    "the statement takes {wanted} parameter{}, {} were given",
                    if wanted == 1 { "" } else { "s" },
                    self.params.len()
                ),
            );
            self.close_unless_cached(conn, Some(statement)).await?;
            return Err(Trouble::Ours(error));
        }
        let params = match &self.params[..] {
            [] => Params::Empty,
            params => Params::Positional(params.to_vec()),
        };
        match conn.exec_iter(&statement, params).await {
            Ok(result) => {
                let shape = Shape::new(result.columns_ref(), self.utc);
                drop(result);
                Ok((shape, Wire::Binary, (!self.cached).then_some(statement)))
            }
            Err(mysql_async::Error::Server(error)) if matches!(error.code, 1243 | 1615) => {
                conn.close(statement).await.map_err(Trouble::Execute)?;
                Err(Trouble::Stale)
            }
            Err(error) => {
                self.close_unless_cached(conn, Some(statement)).await?;
                Err(Trouble::Execute(error))
            }
        }
    }

    async fn close_unless_cached(&self, conn: &mut Conn, statement: Option<Statement>) -> Result<(), Trouble> {
        match statement {
            Some(statement) if !self.cached && !conn.is_disconnected() => {
                conn.close(statement).await.map_err(Trouble::Execute)
            }
            _ => Ok(()),
        }
    }

    /// The first error counts: that of reading the rows before that of closing the statement.
    async fn end(
        &self,
        conn: &mut Conn,
        leftover: Option<Statement>,
        outcome: Result<(), mysql_async::Error>,
    ) -> Result<()> {
        let closed = match leftover {
            Some(statement) if !conn.is_disconnected() => conn.close(statement).await,
            _ => Ok(()),
        };
        outcome.and(closed).map_err(|error| errors::of_statement(error, &self.sql))
    }
}

/// Where a prepared statement failed.
enum Trouble {
    Prepare(mysql_async::Error),
    Execute(mysql_async::Error),
    Stale,
    Ours(Error),
}

impl Trouble {
    fn into_error(self, sql: &str) -> Error {
        match self {
            Trouble::Prepare(error) | Trouble::Execute(error) => errors::of_statement(error, sql),
            Trouble::Stale => gone(),
            Trouble::Ours(error) => error,
        }
    }
}

/// Runs a text of several statements until the first error, one after the other as the server's own client does: each one's
/// error has its place, and no semicolon becomes part of a trigger's body.
pub(super) async fn script(conn: &mut Conn, sql: &str, lexicon: &Lexicon, longest_packet: usize) -> Result<()> {
    if !sql.contains(';') {
        fits(sql, longest_packet)?;
        return text(conn, sql).await;
    }
    for statement in Splitter::new(sql, lexicon) {
        let statement = statement.map_err(|error| {
            let place = sql.get(..error.offset).map_or(0, |before| before.chars().count());
            Error::new(ErrorKind::Syntax, error.to_string()).with_position(place).with_source(error)
        })?;
        fits(statement.text, longest_packet)?;
        text(conn, statement.text).await.map_err(|error| {
            let before = sql.get(..statement.offset).map_or(0, |before| before.chars().count());
            match error.position() {
                Some(place) => error.with_position(before + place),
                None => error,
            }
        })?;
    }
    Ok(())
}

/// Sends a text as it is and reads whatever comes.
pub(super) async fn text(conn: &mut Conn, sql: &str) -> Result<()> {
    let outcome = match conn.query_iter(sql).await {
        Ok(result) => result.drop_result().await,
        Err(error) => Err(error),
    };
    match outcome {
        // ER_EMPTY_QUERY: nothing but comments and blanks.
        Err(mysql_async::Error::Server(error)) if error.code == 1065 => Ok(()),
        outcome => outcome.map_err(|error| errors::of_statement(error, sql)),
    }
}

/// Whether a statement only reads, as far as its first word tells.
fn is_query(sql: &str) -> bool {
    let word: String = sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    ["SELECT", "SHOW", "EXPLAIN", "DESCRIBE", "VALUES", "TABLE"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn is_number(value: &mysql_async::Value) -> bool {
    use mysql_async::Value::{Double, Float, Int, NULL, UInt};
    matches!(value, NULL | Int(_) | UInt(_) | Float(_) | Double(_))
}

/// Refuses what the server would answer by closing the connection.
pub(super) fn fits(sql: &str, longest_packet: usize) -> Result<()> {
    if sql.len() < longest_packet {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidValue,
        format!("the statement is {} bytes long, the server takes less than {longest_packet}", sql.len()),
    )
    .with_hint("split it, or raise max_allowed_packet on the server"))
}

/// The same for parameters. What is longer than a packet of the protocol goes in pieces of 16 MiB, where the server takes those.
pub(super) fn params_fit(params: &[mysql_async::Value], longest_packet: usize) -> Result<()> {
    const PIECE: usize = 1 << 24;
    let lengths = params.iter().map(|value| match value {
        mysql_async::Value::Bytes(bytes) => bytes.len() + 9,
        _ => 16,
    });
    let longest = lengths.clone().max().unwrap_or(0);
    let total: usize = lengths.sum::<usize>() + 64;
    let fit = if longest_packet <= PIECE { total < longest_packet } else { longest < longest_packet };
    if fit {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidValue,
        format!("the parameters are {total} bytes long, the server takes packets of {longest_packet}"),
    )
    .with_hint("store it in several rows, or raise max_allowed_packet on the server"))
}

async fn collect<P: Protocol>(conn: &mut Conn, rows: &mut Vec<mysql_async::Row>) -> Result<(), mysql_async::Error> {
    let mut result = QueryResult::<'_, '_, P>::new(&mut *conn);
    while let Some(row) = result.next().await? {
        rows.push(row);
    }
    result.drop_result().await
}

/// Whether the driver would take something in this text for a named parameter, which we never use, and change the text.
fn is_mistaken_for_named(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let suspect = bytes.windows(2).any(|pair| pair[0] == b':' && matches!(pair[1], b'a'..=b'z' | b'_'));
    suspect && ParsedNamedParams::parse(bytes).map_or(true, |parsed| !parsed.params().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_the_driver_would_change_is_noticed() {
        assert!(!is_mistaken_for_named("SELECT ':name', `a:b`, @x := 1, 12:30"));
        assert!(!is_mistaken_for_named("INSERT INTO t VALUES ('a :b', ?)"));
        assert!(is_mistaken_for_named("SELECT 1-'a :b'"));
        assert!(is_mistaken_for_named("SELECT 1-'a :b', ?"));
    }

    #[test]
    fn a_statement_longer_than_a_packet_is_not_sent() {
        assert!(fits("SELECT 1", 1024).is_ok());
        assert_eq!(fits(&"x".repeat(1024), 1024).unwrap_err().kind(), ErrorKind::InvalidValue);
        let bytes = |length: usize| mysql_async::Value::Bytes(vec![0; length]);
        assert!(params_fit(&[bytes(800), mysql_async::Value::Int(1)], 1024).is_ok());
        assert!(params_fit(&[bytes(600), bytes(600)], 1024).is_err());
        assert!(params_fit(&[bytes(20 << 20), bytes(20 << 20)], 32 << 20).is_ok());
        assert!(params_fit(&[bytes(32 << 20)], 32 << 20).is_err());
    }
}
