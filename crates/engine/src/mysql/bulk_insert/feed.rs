//! The caller's side: takes the rows and writes what the server gets of them.

use super::super::statement::{Surroundings, params_fit};
use super::super::types;
use super::plan::{Load, Plan};
use super::{Message, line};
use crate::bulk_insert::Rows;
use crate::{BulkTarget, Result};
use bytes::Bytes;
use dbkeep_sql::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// How much is written before it is sent.
const PIECE: usize = 128 * 1024;

/// How much goes into one LOAD DATA. It reads on to its end after an error: this is the most that is sent for nothing.
const PER_STATEMENT: usize = 32 * 1024 * 1024;

/// How many rows go into one INSERT, and about how many bytes.
const MOST_ROWS: usize = 1_000;
const MOST_BYTES: usize = 1024 * 1024;

/// Parameters of one statement; the protocol counts them in 16 bits.
const MOST_PARAMETERS: usize = 65_535;

/// Sends every row, in order, each by its road.
///
/// # Errors
/// For a row that can take neither. When nobody listens any more, it ends without one: the other side knows why.
pub(super) async fn run(
    rows: Rows<'_>,
    target: &BulkTarget,
    plan: &Plan,
    around: &Surroundings,
    give: mpsc::Sender<Message>,
) -> Result<()> {
    let mut feed = Feed { rows, target, plan, utc: around.utc, give, held: None };
    while let Some(row) = feed.next()? {
        let goes_on = match &plan.load {
            Some(load) if feed.is_plain(&row, load) => feed.load(row, load).await?,
            _ => feed.insert(row).await?,
        };
        if !goes_on {
            return Ok(());
        }
    }
    feed.say(Message::End).await;
    Ok(())
}

struct Feed<'f, 'r> {
    rows: Rows<'r>,
    target: &'f BulkTarget,
    plan: &'f Plan,
    utc: bool,
    give: mpsc::Sender<Message>,
    /// A row that was taken and has not been sent.
    held: Option<Vec<Value>>,
}

impl Feed<'_, '_> {
    fn next(&mut self) -> Result<Option<Vec<Value>>> {
        match self.held.take() {
            Some(row) => Ok(Some(row)),
            None => self.rows.next(),
        }
    }

    async fn say(&mut self, message: Message) -> bool {
        self.give.send(message).await.is_ok()
    }

    fn is_plain(&self, row: &[Value], load: &Load) -> bool {
        write(&mut Vec::new(), row, load, self.utc)
    }

    /// One LOAD DATA, up to the first row that cannot go by it. Says whether anyone still listens.
    async fn load(&mut self, first: Vec<Value>, load: &Load) -> Result<bool> {
        let (lines, receiver) = mpsc::channel(1);
        let count = Arc::new(AtomicU64::new(0));
        if !self.say(Message::Load { lines: receiver, rows: Arc::clone(&count) }).await {
            return Ok(false);
        }
        // A server may take only small packets.
        let packet = (self.plan.longest_packet / 2).max(512);
        let piece = PIECE.min(packet);
        let (mut out, mut sent, mut row) = (Vec::with_capacity(piece + piece / 8), 0, Some(first));
        while let Some(values) = row {
            let before = out.len();
            if !write(&mut out, &values, load, self.utc) {
                out.truncate(before);
                self.held = Some(values);
                break;
            }
            count.fetch_add(1, Ordering::Release);
            if out.len() >= piece {
                sent += out.len();
                let full = std::mem::replace(&mut out, Vec::with_capacity(piece + piece / 8));
                if !send(&lines, full.into(), packet).await {
                    return Ok(true);
                }
            }
            row = if sent < PER_STATEMENT { self.rows.next()? } else { None };
        }
        send(&lines, out.into(), packet).await;
        Ok(true)
    }

    /// One INSERT with many rows, whichever they are. Says whether anyone still listens.
    async fn insert(&mut self, first: Vec<Value>) -> Result<bool> {
        let (columns, room) = (self.plan.columns.max(1), self.plan.longest_packet / 2);
        // A placeholder and a comma for each value, and a pair of parentheses for each row.
        let most_marks = room.saturating_sub(self.plan.insert.len()) / (2 * columns + 2);
        let most_rows = (MOST_PARAMETERS / columns).min(most_marks).clamp(1, MOST_ROWS);
        let most_bytes = MOST_BYTES.min(room);
        let (mut batch, mut bytes, mut row) = (Vec::new(), 0, Some(first));
        while let Some(values) = row {
            let params = self.parameters(&values)?;
            let size: usize = params.iter().map(size).sum();
            if !batch.is_empty() && bytes + size > most_bytes {
                self.held = Some(values);
                break;
            }
            bytes += size;
            batch.push(params);
            row = if batch.len() < most_rows { self.rows.next()? } else { None };
        }
        Ok(self.say(Message::Insert(batch)).await)
    }

    fn parameters(&self, row: &[Value]) -> Result<Vec<mysql_async::Value>> {
        let number = self.rows.taken();
        let params = row
            .iter()
            .enumerate()
            .map(|(at, value)| types::parameter(value, self.utc).map_err(|error| self.target.at(error, number, at)));
        let params = params.collect::<Result<Vec<_>>>()?;
        params_fit(&params, self.plan.longest_packet).map_err(|error| self.target.at(error, number, usize::MAX))?;
        Ok(params)
    }
}

fn size(value: &mysql_async::Value) -> usize {
    match value {
        mysql_async::Value::Bytes(bytes) => bytes.len() + 9,
        _ => 16,
    }
}

/// Appends the row as a line, if every value of it can go by LOAD DATA.
fn write(out: &mut Vec<u8>, row: &[Value], load: &Load, utc: bool) -> bool {
    for (at, (value, class)) in row.iter().zip(&load.classes).enumerate() {
        if at > 0 {
            out.push(b'\t');
        }
        if !line::write(out, value, *class, utc) {
            return false;
        }
    }
    out.push(b'\n');
    true
}

/// Sends bytes in packets the server takes. `false` when nobody takes them.
async fn send(lines: &mpsc::Sender<Bytes>, mut bytes: Bytes, packet: usize) -> bool {
    while !bytes.is_empty() {
        let next = bytes.split_to(bytes.len().min(packet));
        if lines.send(next).await.is_err() {
            return false;
        }
    }
    true
}
