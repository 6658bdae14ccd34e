//! What do arrays, ranges, records and the like mean, whose bytes hold other values?
//!
//! Arrays become arrays; the others become the text that the server itself would write.

use super::decode::{Codec, Malformed, utf8};
use super::text;
use dbkeep_sql::Value;
use tokio_postgres::types::{Oid, Type};

/// Bytes taken from the front, piece by piece.
struct Reader<'r>(&'r [u8]);

impl<'r> Reader<'r> {
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (chunk, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*chunk)
    }

    fn int(&mut self) -> Result<i32, Malformed> {
        self.chunk().map(i32::from_be_bytes)
    }

    fn count(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.int()?).map_err(|_| Malformed)
    }

    fn double(&mut self) -> Result<String, Malformed> {
        self.chunk().map(|bytes| text::double(f64::from_be_bytes(bytes)))
    }

    fn point(&mut self) -> Result<String, Malformed> {
        Ok(format!("({},{})", self.double()?, self.double()?))
    }

    fn bytes(&mut self, len: usize) -> Result<&'r [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A length and as many bytes; -1 stands for NULL.
    fn field(&mut self) -> Result<Option<&'r [u8]>, Malformed> {
        match self.int()? {
            -1 => Ok(None),
            len => self.bytes(usize::try_from(len).map_err(|_| Malformed)?).map(Some),
        }
    }

    fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// An array; several dimensions become arrays of arrays. Where the numbering starts is not kept.
pub(super) fn array(element: &Codec, raw: &[u8]) -> Result<Value, Malformed> {
    let mut reader = Reader(raw);
    let (dimensions, _has_null, _type) = (reader.count()?, reader.int()?, reader.int()?);
    // The server's own limit, MAXDIM.
    if dimensions > 6 {
        return Err(Malformed);
    }
    let mut sizes = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        sizes.push(reader.count()?);
        reader.int()?;
    }
    let value = match sizes.as_slice() {
        [] => Value::Array(Vec::new()),
        sizes => level(element, sizes, &mut reader)?,
    };
    reader.end()?;
    Ok(value)
}

fn level(element: &Codec, sizes: &[usize], reader: &mut Reader<'_>) -> Result<Value, Malformed> {
    let Some((size, inner)) = sizes.split_first() else {
        return reader.field()?.map_or(Ok(Value::Null), |raw| element.read(raw));
    };
    // Each element takes four bytes at least, so a wrong size cannot make us reserve more than was sent.
    if *size > reader.0.len() / 4 {
        return Err(Malformed);
    }
    (0..*size).map(|_| level(element, inner, reader)).collect::<Result<_, _>>().map(Value::Array)
}

const EMPTY: u8 = 0x01;
const LOWER_INCLUDED: u8 = 0x02;
const UPPER_INCLUDED: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

pub(super) fn range(of: &Codec, raw: &[u8]) -> Result<String, Malformed> {
    let mut reader = Reader(raw);
    let [flags] = reader.chunk()?;
    if flags & EMPTY != 0 {
        return Ok("empty".to_owned());
    }
    let mut bound = |infinite: u8| match flags & infinite {
        0 => {
            let raw = reader.field()?.ok_or(Malformed)?;
            Ok(text::quoted_if(
                &text::of(&of.read(raw)?),
                |c| "()[],\"\\".contains(c) || c.is_ascii_whitespace(),
                false,
            ))
        }
        _ => Ok(String::new()),
    };
    let (lower, upper) = (bound(LOWER_INFINITE)?, bound(UPPER_INFINITE)?);
    reader.end()?;
    let open = if flags & LOWER_INCLUDED != 0 { '[' } else { '(' };
    let close = if flags & UPPER_INCLUDED != 0 { ']' } else { ')' };
    Ok(format!("{open}{lower},{upper}{close}"))
}

pub(super) fn multirange(of: &Codec, raw: &[u8]) -> Result<String, Malformed> {
    let mut reader = Reader(raw);
    let count = reader.count()?;
    let mut ranges = Vec::new();
    for _ in 0..count {
        ranges.push(range(of, reader.field()?.ok_or(Malformed)?)?);
    }
    reader.end()?;
    Ok(format!("{{{}}}", ranges.join(",")))
}

pub(super) fn record(fields: &[(Oid, Codec)], raw: &[u8]) -> Result<String, Malformed> {
    let mut reader = Reader(raw);
    let count = reader.count()?;
    let mut out = String::from("(");
    for at in 0..count {
        if at > 0 {
            out.push(',');
        }
        let oid = u32::from_be_bytes(reader.chunk()?);
        let Some(raw) = reader.field()? else { continue };
        // The definition may have changed since the statement was prepared: the type that stands here counts.
        let known = fields
            .get(at)
            .filter(|(known, _)| *known == oid)
            .or_else(|| fields.iter().find(|(known, _)| *known == oid));
        let value = match known {
            Some((_, codec)) => codec.read(raw)?,
            None => Type::from_oid(oid).as_ref().and_then(Codec::find).ok_or(Malformed)?.read(raw)?,
        };
        out.push_str(&text::quoted_if(&text::of(&value), |c| "(),\"\\".contains(c) || c.is_ascii_whitespace(), false));
    }
    reader.end()?;
    out.push(')');
    Ok(out)
}

pub(super) fn geometry(codec: &Codec, raw: &[u8]) -> Result<String, Malformed> {
    let mut reader = Reader(raw);
    let points = |reader: &mut Reader<'_>| {
        let count = reader.count()?;
        (0..count).map(|_| reader.point()).collect::<Result<Vec<_>, _>>().map(|points| points.join(","))
    };
    let out = match codec {
        Codec::Point => reader.point()?,
        Codec::Line => format!("{{{},{},{}}}", reader.double()?, reader.double()?, reader.double()?),
        Codec::Lseg => format!("[{},{}]", reader.point()?, reader.point()?),
        Codec::Box => format!("{},{}", reader.point()?, reader.point()?),
        Codec::Circle => format!("<{},{}>", reader.point()?, reader.double()?),
        Codec::Polygon => format!("({})", points(&mut reader)?),
        Codec::Path => match reader.chunk()? {
            [0] => format!("[{}]", points(&mut reader)?),
            _ => format!("({})", points(&mut reader)?),
        },
        _ => return Err(Malformed),
    };
    reader.end()?;
    Ok(out)
}

pub(super) fn tsvector(raw: &[u8]) -> Result<String, Malformed> {
    let mut reader = Reader(raw);
    let mut lexemes = Vec::new();
    for _ in 0..reader.count()? {
        let end = reader.0.iter().position(|byte| *byte == 0).ok_or(Malformed)?;
        let word = utf8(reader.bytes(end)?)?.replace('\\', "\\\\").replace('\'', "''");
        reader.bytes(1)?;
        let mut positions = Vec::new();
        for _ in 0..u16::from_be_bytes(reader.chunk()?) {
            let entry = u16::from_be_bytes(reader.chunk()?);
            positions.push(format!("{}{}", entry & 0x3fff, ["", "C", "B", "A"][usize::from(entry >> 14)]));
        }
        let colon = if positions.is_empty() { "" } else { ":" };
        lexemes.push(format!("'{word}'{colon}{}", positions.join(",")));
    }
    reader.end()?;
    Ok(lexemes.join(" "))
}
