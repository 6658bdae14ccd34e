//! The link's side: the transaction around the rows, and the statements that take them.
//!
//! It runs to its end also when the caller has gone away. Then no more messages come, the last one is missing, and everything is
//! undone.

use super::super::{errors, statement};
use super::Message;
use super::plan::Plan;
use crate::{Error, ErrorKind, Result};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, ServerError, Statement};
use std::mem::{Discriminant, discriminant};
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

/// While rows are loaded, the server waits for the next this long, in seconds. How fast they come is the program's affair.
const PATIENCE: u32 = 7_200;

/// How often a statement is sent again when the kill of an earlier one hits it.
const ATTEMPTS: usize = 20;

/// Takes the rows and keeps all of them, or none.
pub(super) async fn run(conn: &mut Conn, plan: &Plan, take: mpsc::Receiver<Message>) -> Result<u64> {
    let begin = if plan.joins { "SAVEPOINT dbkeep_bulk" } else { "START TRANSACTION" };
    // Notes tell of what an INSERT does in silence, too (a fraction rounded); warnings are what is looked for.
    let settings = format!("SET SESSION net_read_timeout = {PATIENCE}, sql_notes = 0");
    insist(conn, &settings).await?;
    let outcome = match insist(conn, begin).await {
        Ok(()) => {
            let keep = if plan.joins { "RELEASE SAVEPOINT dbkeep_bulk" } else { "COMMIT" };
            let outcome = match (Loader { conn, plan, rows: 0, prepared: None }).run(take).await {
                Ok(rows) => statement::text(conn, keep).await.map(|()| rows),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(rows) => Ok(rows),
                Err(error) => Err(undo(conn, plan, error).await),
            }
        }
        Err(error) => Err(error),
    };
    if !conn.is_disconnected() && insist(conn, &plan.put_back).await.is_err() {
        // Nobody else is to find a session that was set up for this.
        give_up(conn);
    }
    outcome
}

/// Sends a statement of ours, again where a kill that came too late for an earlier one hits it.
async fn insist(conn: &mut Conn, sql: &str) -> Result<()> {
    let mut left = ATTEMPTS;
    loop {
        match statement::text(conn, sql).await {
            Err(error) if error.kind() == ErrorKind::Cancelled && left > 0 => left -= 1,
            outcome => return outcome,
        }
    }
}

/// Takes the rows back. The error says why, and what else went wrong.
async fn undo(conn: &mut Conn, plan: &Plan, error: Error) -> Error {
    if conn.is_disconnected() {
        return error;
    }
    match roll_back(conn, plan).await {
        Ok(true) => error,
        Ok(false) => {
            error.with_hint("a table without transactions was written to, by a trigger perhaps, and keeps what it got")
        }
        Err(trouble) => {
            give_up(conn);
            tracing::debug!(%trouble, "a bulk insert could not be rolled back, so the connection is given up");
            Error::new(ErrorKind::ConnectionLost, format!("given up after this error: {error}")).with_source(error)
        }
    }
}

/// Whether the server has taken everything back. Of tables without transactions it warns (ER_WARNING_NOT_COMPLETE_ROLLBACK).
async fn roll_back(conn: &mut Conn, plan: &Plan) -> Result<bool> {
    if plan.joins {
        match insist(conn, "ROLLBACK TO SAVEPOINT dbkeep_bulk").await {
            Ok(()) => {
                let is_whole = conn.get_warnings() == 0;
                insist(conn, "RELEASE SAVEPOINT dbkeep_bulk").await?;
                return Ok(is_whole);
            }
            // ER_SP_DOES_NOT_EXIST: the server has rolled the whole transaction back. Nothing of it may go on.
            Err(gone) if gone.code() == Some("1305") => {}
            Err(trouble) => return Err(trouble),
        }
    }
    insist(conn, "ROLLBACK").await?;
    Ok(conn.get_warnings() == 0)
}

/// Closes the socket: the server rolls back.
fn give_up(conn: &mut Conn) {
    // A ping that is begun and dropped leaves the driver without a stream.
    let _ = conn.ping().now_or_never();
}

struct Loader<'c> {
    conn: &'c mut Conn,
    plan: &'c Plan,
    /// How many the table has taken.
    rows: u64,
    /// The last INSERT, and the kinds of its parameters. What a server makes of a parameter may depend on what it was first.
    prepared: Option<(Vec<Discriminant<mysql_async::Value>>, Statement)>,
}

impl Loader<'_> {
    async fn run(mut self, mut take: mpsc::Receiver<Message>) -> Result<u64> {
        let outcome = loop {
            let outcome = match take.recv().await {
                Some(Message::Load { lines, rows }) => match self.load(lines).await {
                    Ok(loaded) => self.took(loaded, rows.load(Ordering::Acquire)).await,
                    Err(error) => Err(error),
                },
                Some(Message::Insert(rows)) => {
                    let sent = rows.len() as u64;
                    match self.insert(&rows).await {
                        Ok(inserted) => self.took(inserted, sent).await,
                        Err(error) => Err(self.narrow(error, &rows).await),
                    }
                }
                Some(Message::End) => break Ok(self.rows),
                None => Err(Error::new(ErrorKind::Cancelled, "the rows did not come to their end")),
            };
            if let Err(error) = outcome {
                break Err(error);
            }
        };
        self.close().await;
        outcome
    }

    async fn load(&mut self, lines: mpsc::Receiver<Bytes>) -> Result<u64> {
        let Some(load) = &self.plan.load else {
            return Err(Error::new(ErrorKind::Unsupported, "this server takes no LOAD DATA LOCAL"));
        };
        let lines = futures_util::stream::unfold(lines, |mut lines| async {
            lines.recv().await.map(|bytes| (Ok(bytes), lines))
        });
        self.conn.set_infile_handler(async move { Ok(lines.boxed()) });
        let outcome = self.conn.query_drop(&load.sql).await;
        outcome.map_err(|error| self.placed(error))?;
        Ok(self.conn.affected_rows())
    }

    async fn insert(&mut self, rows: &[Vec<mysql_async::Value>]) -> Result<u64> {
        let params: Vec<mysql_async::Value> = rows.iter().flatten().cloned().collect();
        let kinds: Vec<_> = params.iter().map(discriminant).collect();
        if self.prepared.as_ref().is_none_or(|(known, _)| *known != kinds) {
            self.close().await;
            let row = format!("({})", vec!["?"; self.plan.columns].join(","));
            let sql = format!("{}{}", self.plan.insert, vec![row; rows.len()].join(","));
            statement::fits(&sql, self.plan.longest_packet)?;
            let prepared = self.conn.prep(sql).await.map_err(errors::of_driver)?;
            self.prepared = Some((kinds, prepared));
        }
        let Some((_, prepared)) = &self.prepared else { return Ok(0) };
        let outcome = self.conn.exec_drop(prepared, Params::Positional(params)).await;
        outcome.map_err(|error| self.placed(error))?;
        Ok(self.conn.affected_rows())
    }

    /// Finds the row that an INSERT with many failed for, by inserting them one at a time, where the server does not say it. What was
    /// inserted is undone with the rest.
    async fn narrow(&mut self, error: Error, rows: &[Vec<mysql_async::Value>]) -> Error {
        use ErrorKind::{CheckViolation, ForeignKeyViolation, InvalidValue, NotNullViolation, UniqueViolation};
        let is_of_a_row = matches!(
            error.kind(),
            UniqueViolation | ForeignKeyViolation | NotNullViolation | CheckViolation | InvalidValue
        );
        if !is_of_a_row || error.message().starts_with("row ") {
            return error;
        }
        for row in rows {
            let row = std::slice::from_ref(row);
            let outcome = match self.insert(row).await {
                Ok(inserted) => self.took(inserted, 1).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => {}
                Err(found) if found.message().starts_with("row ") => return found,
                Err(found) if found.kind() == error.kind() => {
                    return found.context(format_args!("row {}", self.rows + 1));
                }
                Err(_) => return error,
            }
        }
        error
    }

    async fn close(&mut self) {
        if let Some((_, prepared)) = self.prepared.take()
            && !self.conn.is_disconnected()
        {
            // An error of the connection's shows with the next statement.
            let _ = self.conn.close(prepared).await;
        }
    }

    /// Looks at what became of the rows of a statement. LOCAL makes warnings of errors: rows with a key that is taken are left out,
    /// and texts that are too long are cut off.
    async fn took(&mut self, taken: u64, sent: u64) -> Result<()> {
        if self.conn.get_warnings() > 0 {
            let warnings: Vec<(String, u16, String)> =
                self.conn.query("SHOW WARNINGS").await.map_err(errors::of_driver)?;
            match warnings.into_iter().find(|(level, ..)| level != "Note") {
                Some((_, code, message)) => {
                    return Err(self.of_server(ServerError { code, message, state: String::new() }));
                }
                None => {
                    return Err(Error::new(
                        ErrorKind::InvalidValue,
                        "the server warned of a row and keeps no warnings",
                    )
                    .with_hint("raise max_error_count in this session to see them"));
                }
            }
        }
        if taken != sent {
            let message = format!("the table took {taken} of {sent} rows from row {} on", self.rows + 1);
            return Err(Error::new(ErrorKind::Statement, message).with_hint("does a trigger leave rows out?"));
        }
        self.rows += taken;
        Ok(())
    }

    /// The text of these statements says nothing to anybody, and their values are secret: only the server's own words count.
    fn placed(&self, error: mysql_async::Error) -> Error {
        match error {
            mysql_async::Error::Server(error) => self.of_server(error),
            error => errors::of_driver(error),
        }
    }

    /// Counts the row that the server names from the first row of all.
    fn of_server(&self, mut error: ServerError) -> Error {
        let place = error
            .message
            .rsplit_once(" at row ")
            .and_then(|(before, row)| Some((before.to_owned(), row.parse::<u64>().ok()?)));
        let Some((before, row)) = place else { return errors::of_server(&error) };
        error.message = before;
        errors::of_server(&error).context(format_args!("row {}", self.rows + row))
    }
}
