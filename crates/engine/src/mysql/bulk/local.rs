//! LOAD DATA LOCAL: the fastest way in.

use super::super::dialect::Flavor;
use super::super::snapshot::Form;
use super::super::{errors, quoted};
use super::{Table, no_warnings};
use crate::{ByteSource, Error, Result};
use bytes::Bytes;
use futures_util::StreamExt as _;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use std::io;
use std::pin::pin;
use tokio::sync::mpsc;

/// How much goes into one statement, and so into one transaction: what binary logs and group replication take with ease.
const PER_STATEMENT: usize = 64 * 1024 * 1024;

/// Loads every row and returns how many the server took.
pub(super) async fn load(conn: &mut Conn, flavor: Flavor, table: &Table, source: &mut dyn ByteSource) -> Result<u64> {
    let sql = statement(table);
    // MariaDB fills an empty table in bulk, which only the first statement finds.
    let limit = if flavor == Flavor::MariaDb { usize::MAX } else { PER_STATEMENT };
    let mut lines = Lines { source, rest: Bytes::new(), ended: false };
    let mut rows = 0;
    loop {
        rows += load_some(conn, table, &sql, &mut lines, limit).await?;
        if lines.is_at_end().await? {
            return Ok(rows);
        }
    }
}

async fn load_some(conn: &mut Conn, table: &Table, sql: &str, lines: &mut Lines<'_>, limit: usize) -> Result<u64> {
    let (give, take) = mpsc::channel::<io::Result<Bytes>>(4);
    let data = futures_util::stream::unfold(take, |mut take| async { take.recv().await.map(|bytes| (bytes, take)) });
    conn.set_infile_handler(async move { Ok(data.boxed()) });
    let mut trouble = None;
    let outcome = {
        let mut feed = pin!(lines.feed(give, limit));
        let mut query = pin!(conn.query_drop(sql));
        // The server may refuse before it asks for anything: then nobody takes what is fed.
        tokio::select! {
            outcome = &mut query => outcome,
            fed = &mut feed => {
                trouble = fed.err();
                query.await
            }
        }
    };
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    outcome.map_err(|error| errors::of_statement(error, sql))?;
    let rows = conn.affected_rows();
    no_warnings(conn, table).await?;
    Ok(rows)
}

/// The bytes of a table, which can be cut between two lines.
struct Lines<'s> {
    source: &'s mut dyn ByteSource,
    rest: Bytes,
    ended: bool,
}

impl Lines<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        if self.ended {
            return Ok(None);
        }
        let bytes = self.source.next().await?;
        self.ended = bytes.is_none();
        Ok(bytes)
    }

    async fn is_at_end(&mut self) -> Result<bool> {
        while self.rest.is_empty() {
            match self.next().await? {
                Some(bytes) => self.rest = bytes,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Gives whole lines until the limit is reached. On an error the server's statement is told to fail, too.
    async fn feed(&mut self, give: mpsc::Sender<io::Result<Bytes>>, limit: usize) -> Result<(), Error> {
        let mut given = 0;
        loop {
            let bytes = match self.next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let _ = give.send(Err(io::Error::other("the data to load could not be read"))).await;
                    return Err(error);
                }
            };
            given += bytes.len();
            let mut bytes = bytes;
            // Newlines inside fields are escaped, so any newline ends a row.
            let last = if given >= limit { bytes.iter().rposition(|byte| *byte == b'\n') } else { None };
            if let Some(last) = last {
                self.rest = bytes.split_off(last + 1);
            }
            if give.send(Ok(bytes)).await.is_err() || last.is_some() {
                return Ok(());
            }
        }
    }
}

fn statement(table: &Table) -> String {
    let mut targets = Vec::new();
    let mut sets = Vec::new();
    for (at, (name, form)) in table.columns.iter().enumerate() {
        let name = quoted(name);
        match form {
            Form::Raw | Form::Label => targets.push(name),
            Form::Text => {
                targets.push(format!("@dbkeep_{at}"));
                sets.push(format!("{name} = CONVERT(@dbkeep_{at} USING utf8mb4)"));
            }
            Form::Bits => {
                targets.push(format!("@dbkeep_{at}"));
                sets.push(format!("{name} = CAST(@dbkeep_{at} AS UNSIGNED)"));
            }
        }
    }
    if targets.is_empty() {
        targets.push("@dbkeep_0".to_owned());
    }
    let sets = if sets.is_empty() { String::new() } else { format!(" SET {}", sets.join(", ")) };
    format!(
        "LOAD DATA LOCAL INFILE 'dbkeep' INTO TABLE {} CHARACTER SET binary \
         FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({}){sets}",
        quoted(&table.name),
        targets.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;

    struct Chunks(Vec<&'static [u8]>);

    #[async_trait]
    impl ByteSource for Chunks {
        async fn next(&mut self) -> Result<Option<Bytes>> {
            Ok(if self.0.is_empty() { None } else { Some(Bytes::from_static(self.0.remove(0))) })
        }
    }

    #[test]
    fn columns_that_must_be_told_are_converted() {
        let columns = vec![("a".to_owned(), Form::Raw), ("j`".to_owned(), Form::Text), ("b".to_owned(), Form::Bits)];
        assert_eq!(
            statement(&Table { name: "t".to_owned(), columns }),
            r"LOAD DATA LOCAL INFILE 'dbkeep' INTO TABLE `t` CHARACTER SET binary FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (`a`, @dbkeep_1, @dbkeep_2) SET `j``` = CONVERT(@dbkeep_1 USING utf8mb4), `b` = CAST(@dbkeep_2 AS UNSIGNED)"
        );
    }

    #[tokio::test]
    async fn statements_end_between_lines() {
        let mut source = Chunks(vec![b"a\nbb", b"b\ncc", b"\n", b"d\n"]);
        let mut lines = Lines { source: &mut source, rest: Bytes::new(), ended: false };
        let mut pieces = Vec::new();
        while !lines.is_at_end().await.unwrap() {
            let (give, mut take) = mpsc::channel(100);
            lines.feed(give, 3).await.unwrap();
            let mut piece = Vec::new();
            while let Some(bytes) = take.recv().await {
                piece.extend_from_slice(&bytes.unwrap());
            }
            pieces.push(String::from_utf8(piece).unwrap());
        }
        assert_eq!(pieces, ["a\n", "bbb\n", "cc\n", "d\n"]);
    }
}
