//! INSERT with many rows, where the server takes no LOAD DATA LOCAL.

use super::super::snapshot::Form;
use super::super::{errors, quoted};
use super::{Table, damaged, no_warnings};
use crate::{ByteSource, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

/// How long a statement gets. A longer row goes alone.
const LONGEST: usize = 1 << 20;

/// Loads every row and returns how many the server took.
pub(super) async fn load(
    conn: &mut Conn,
    longest_packet: usize,
    table: &Table,
    source: &mut dyn ByteSource,
) -> Result<u64> {
    let columns: Vec<_> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
    let start = format!("INSERT INTO {} ({}) VALUES ", quoted(&table.name), columns.join(", ")).into_bytes();
    let limit = LONGEST.min(longest_packet / 2);
    let mut sql = start.clone();
    let mut pending = Vec::new();
    let mut rows = 0;
    while let Some(bytes) = source.next().await? {
        pending.extend_from_slice(&bytes);
        let mut from = 0;
        while let Some(length) = pending[from..].iter().position(|byte| *byte == b'\n') {
            if sql.len() > start.len() {
                sql.push(b',');
            }
            tuple(&mut sql, &pending[from..from + length], table)?;
            from += length + 1;
            if sql.len() >= limit {
                rows += send(conn, &sql, table).await?;
                sql.truncate(start.len());
            }
        }
        pending.drain(..from);
    }
    if !pending.is_empty() {
        return Err(damaged("the last row is cut off".to_owned()));
    }
    if sql.len() > start.len() {
        rows += send(conn, &sql, table).await?;
    }
    Ok(rows)
}

async fn send(conn: &mut Conn, sql: &[u8], table: &Table) -> Result<u64> {
    // The text holds rows: no part of it may stand in an error.
    conn.query_drop(sql).await.map_err(errors::of_driver)?;
    let rows = conn.affected_rows();
    no_warnings(conn, table).await?;
    Ok(rows)
}

/// A line as a list of values.
fn tuple(sql: &mut Vec<u8>, line: &[u8], table: &Table) -> Result<()> {
    sql.push(b'(');
    let mut fields = line.split(|byte| *byte == b'\t');
    for (at, (_, form)) in table.columns.iter().enumerate() {
        let field = fields.next().ok_or_else(|| damaged("a row has too few fields".to_owned()))?;
        if at > 0 {
            sql.push(b',');
        }
        if field == b"\\N" {
            sql.extend_from_slice(b"NULL");
            continue;
        }
        let value = unescape(field)?;
        match form {
            Form::Raw | Form::Label => literal(sql, &value),
            Form::Text => {
                sql.extend_from_slice(b"CONVERT(");
                literal(sql, &value);
                sql.extend_from_slice(b" USING utf8mb4)");
            }
            Form::Bits => {
                sql.extend_from_slice(b"CAST(");
                literal(sql, &value);
                sql.extend_from_slice(b" AS UNSIGNED)");
            }
        }
    }
    if !table.columns.is_empty() && fields.next().is_some() {
        return Err(damaged("a row has too many fields".to_owned()));
    }
    sql.push(b')');
    Ok(())
}

/// Bytes as a string of no character set: plain text as it is, all else in hexadecimal, so that the server's parser meets
/// nothing it could read otherwise.
fn literal(sql: &mut Vec<u8>, value: &[u8]) {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
    if value.iter().all(plain) {
        sql.extend_from_slice(b"_binary'");
        sql.extend_from_slice(value);
    } else {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        sql.extend_from_slice(b"x'");
        sql.extend(value.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
    }
    sql.push(b'\'');
}

fn unescape(field: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'\\') => b'\\',
                Some(b'0') => 0,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                _ => return Err(damaged("a field holds an escape that is never written".to_owned())),
            },
            byte => *byte,
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &[u8], forms: &[Form]) -> Result<String> {
        let columns = forms.iter().enumerate().map(|(at, form)| (format!("c{at}"), *form)).collect();
        let mut sql = Vec::new();
        tuple(&mut sql, line, &Table { name: "t".to_owned(), columns })?;
        Ok(String::from_utf8(sql).unwrap())
    }

    #[test]
    fn a_line_becomes_values() {
        let line = b"1\t\\N\ta\\nb\t{}\t5\t";
        let forms = [Form::Raw, Form::Raw, Form::Raw, Form::Text, Form::Bits, Form::Label];
        assert_eq!(
            values(line, &forms).unwrap(),
            "(_binary'1',NULL,x'610a62',CONVERT(_binary'{}' USING utf8mb4),CAST(_binary'5' AS UNSIGNED),_binary'')"
        );
    }

    #[test]
    fn damaged_lines_are_refused() {
        assert!(values(b"1", &[Form::Raw, Form::Raw]).is_err());
        assert!(values(b"1\t2", &[Form::Raw]).is_err());
        assert!(values(b"\\x", &[Form::Raw]).is_err());
        assert!(values(b"\\", &[Form::Raw]).is_err());
    }
}
