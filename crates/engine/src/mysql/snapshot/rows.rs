//! Rows into lines.

use super::super::errors;
use super::BATCH;
use crate::{ByteSink, Result};
use bytes::Bytes;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Value};

/// Reads every row of a query into the sink, with the memory of a batch and a row.
pub(super) async fn read(conn: &mut Conn, select: &str, sink: &mut dyn ByteSink) -> Result<()> {
    let mut result = conn.query_iter(select).await.map_err(|error| errors::of_statement(error, select))?;
    let mut batch = Vec::with_capacity(BATCH + BATCH / 4);
    while let Some(row) = result.next().await.map_err(errors::of_driver)? {
        line(&mut batch, &row.unwrap());
        if batch.len() >= BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH + BATCH / 4));
            sink.write(Bytes::from(full)).await?;
        }
    }
    result.drop_result().await.map_err(errors::of_driver)?;
    if !batch.is_empty() {
        sink.write(Bytes::from(batch)).await?;
    }
    Ok(())
}

fn line(out: &mut Vec<u8>, values: &[Value]) {
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b'\t');
        }
        match value {
            Value::NULL => out.extend_from_slice(b"\\N"),
            Value::Bytes(bytes) => escape(out, bytes),
            // The text protocol sends nothing else.
            other => escape(out, other.as_sql(false).as_bytes()),
        }
    }
    out.push(b'\n');
}

fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let letter = match byte {
            b'\\' => b'\\',
            0 => b'0',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(&[b'\\', letter]);
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_whatever_is_in_it() {
        let mut out = Vec::new();
        line(
            &mut out,
            &[
                Value::NULL,
                Value::Bytes(b"\\N".to_vec()),
                Value::Bytes(vec![]),
                Value::Bytes(b"a\tb\nc\r\0\xff".to_vec()),
            ],
        );
        assert_eq!(out, b"\\N\t\\\\N\t\ta\\tb\\nc\\r\\0\xff\n");
    }
}
