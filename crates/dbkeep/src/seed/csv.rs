//! Seeds in CSV: a header of columns, `\N` for NULL, and comments before the header that say the rest.

use super::cell::{Cell, Hidden, Reference};
use super::quotes::{Quotes, Unclosed};
use super::seeder::{RowContent, Rows, SeedRow, Text};
use super::{Error, ErrorKind, Mode, Result};
use crate::migrate::Location;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A table in CSV, which is read as it is used: it may be longer than the memory.
pub(crate) struct CsvFile {
    path: PathBuf,
    text: Text,
    pub(crate) columns: Arc<[String]>,
    /// What is done with the values of a column, where anything is.
    treatments: Vec<Treatment>,
    delimiter: u8,
}

/// What is done with the values of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Treatment {
    None,
    /// They are passwords to be hashed.
    Argon2,
    /// They are keys of rows in another table.
    Reference {
        table: String,
        key: String,
    },
}

const DIRECTIVES: &str = "the comments before the header are: table: T, key: a, b, mode: upsert or insert-missing, delimiter: ;, \
                          argon2: COLUMN, ref: COLUMN = TABLE.KEY";

type Lines = BufReader<Box<dyn Read + Send>>;

/// What the comments before the header say.
struct Head {
    table: String,
    key: Vec<String>,
    mode: Mode,
    delimiter: u8,
    treatments: Vec<(String, Treatment, usize)>,
    /// Lines before the header.
    lines: usize,
    /// What to add to the line the reader says a row is on: of a file with CRLF it counts one too few.
    behind: usize,
}

/// Reads the head of a file and its header.
pub(super) fn open(path: &Path, text: Text, default_table: &str) -> Result<Rows> {
    let mut lines = start(path, &text)?;
    let head = head(path, &mut lines, default_table)?;
    let mut reader = reader(lines, head.delimiter);
    let headers = reader.headers().map_err(|error| unreadable(path, head.lines, 0, error))?;
    let columns: Vec<String> = headers.iter().map(|name| name.trim().to_owned()).collect();
    let place = |line| Location { line, ..Location::of_line(path, "", line) };
    let header = head.lines + 1;
    if columns.is_empty() || columns.iter().any(String::is_empty) {
        return Err(Error::new(ErrorKind::File, "the header does not name every column").at(place(header)));
    }
    if let Some((_, name)) = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name)) {
        return Err(Error::new(ErrorKind::File, format!("the header names {name:?} twice")).at(place(header)));
    }
    let mut treatments = vec![Treatment::None; columns.len()];
    for (column, treatment, line) in head.treatments {
        let Some(at) = columns.iter().position(|name| *name == column) else {
            return Err(Error::new(ErrorKind::File, format!("the header has no column {column:?}")).at(place(line)));
        };
        treatments[at] = treatment;
    }
    let file = CsvFile { path: path.to_owned(), text, columns: columns.into(), treatments, delimiter: head.delimiter };
    Ok(Rows { table: head.table, key: head.key, mode: head.mode, content: RowContent::Csv(file) })
}

fn start(path: &Path, text: &Text) -> Result<Lines> {
    let source: Box<dyn Read + Send> = match text {
        Text::Embedded(text) => Box::new(Cursor::new(text.as_bytes().to_vec())),
        Text::File => Box::new(File::open(path).map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot read {}", path.display())).with_source(error)
        })?),
    };
    Ok(BufReader::with_capacity(256 * 1024, source))
}

fn reader(lines: Lines, delimiter: u8) -> csv::Reader<Quotes<Lines>> {
    csv::ReaderBuilder::new().delimiter(delimiter).from_reader(Quotes::new(lines, delimiter))
}

/// Reads the comments up to the header, and a byte order mark before them.
fn head(path: &Path, lines: &mut Lines, default_table: &str) -> Result<Head> {
    let mut head = Head {
        table: default_table.to_owned(),
        key: Vec::new(),
        mode: Mode::default(),
        delimiter: b',',
        treatments: Vec::new(),
        lines: 0,
        behind: 0,
    };
    let unreadable = |error| Error::new(ErrorKind::Io, format!("cannot read {}", path.display())).with_source(error);
    if lines.fill_buf().map_err(unreadable)?.starts_with("\u{feff}".as_bytes()) {
        lines.consume('\u{feff}'.len_utf8());
    }
    while lines.fill_buf().map_err(unreadable)?.first() == Some(&b'#') {
        let mut bytes = Vec::new();
        lines.read_until(b'\n', &mut bytes).map_err(unreadable)?;
        head.lines += 1;
        let text = String::from_utf8_lossy(&bytes);
        let comment = text.trim().trim_start_matches('#').trim();
        head.take(comment).map_err(|message| {
            let mut location = Location::of_line(path, "", head.lines);
            location.text = text.trim_end().to_owned();
            Error::new(ErrorKind::File, message).at(location).with_hint(DIRECTIVES)
        })?;
    }
    let header = lines.fill_buf().map_err(unreadable)?;
    let end = header.iter().position(|byte| *byte == b'\n');
    head.behind = usize::from(end.is_some_and(|end| end > 0 && header[end - 1] == b'\r'));
    Ok(head)
}

impl Head {
    fn take(&mut self, comment: &str) -> Result<(), String> {
        let Some((word, argument)) = comment.split_once(':') else { return Ok(()) };
        let argument = argument.trim();
        match word.trim() {
            "table" if !argument.is_empty() => self.table = argument.to_owned(),
            "key" if !argument.is_empty() => {
                self.key = argument.split(',').map(|name| name.trim().to_owned()).collect()
            }
            "mode" => self.mode = Mode::parse(argument).ok_or("the modes are upsert and insert-missing")?,
            "delimiter" => {
                self.delimiter = match argument.as_bytes() {
                    b"tab" | b"\\t" => b'\t',
                    [delimiter] if delimiter.is_ascii_punctuation() => *delimiter,
                    _ => return Err("a delimiter is one character of ASCII, or the word tab".to_owned()),
                }
            }
            "argon2" => self.treatments.push((argument.to_owned(), Treatment::Argon2, self.lines)),
            "ref" => {
                let parts = argument.split_once('=').and_then(|(column, target)| {
                    let (table, key) = target.trim().rsplit_once('.')?;
                    Some((
                        column.trim().to_owned(),
                        Treatment::Reference { table: table.to_owned(), key: key.to_owned() },
                    ))
                });
                let (column, treatment) = parts.ok_or("a reference reads: ref: COLUMN = TABLE.KEY")?;
                self.treatments.push((column, treatment, self.lines));
            }
            // Comments are for people, unless they try to say something to us.
            "table" | "key" => return Err(format!("{} names nothing", word.trim())),
            _ => {}
        }
        Ok(())
    }
}

impl CsvFile {
    /// Every table that a value refers to.
    pub(super) fn references(&self) -> impl Iterator<Item = &str> {
        self.treatments.iter().filter_map(|treatment| match treatment {
            Treatment::Reference { table, .. } => Some(table.as_str()),
            _ => None,
        })
    }

    /// The rows, read as they are asked for.
    pub(super) fn rows(&self) -> Result<impl Iterator<Item = Result<SeedRow>> + Send> {
        let mut lines = start(&self.path, &self.text)?;
        let head = head(&self.path, &mut lines, "")?;
        let (before, behind) = (head.lines, head.behind);
        let skipped = before + behind;
        let (path, columns, treatments) = (self.path.clone(), Arc::clone(&self.columns), self.treatments.clone());
        let mut number = 0;
        Ok(reader(lines, self.delimiter).into_records().map(move |record| {
            let record = record.map_err(|error| unreadable(&path, before, behind, error))?;
            let line = record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0)) + skipped;
            number += 1;
            let cells =
                record.iter().zip(&treatments).map(|(text, treatment)| (treatment.cell(text), (line, 1))).collect();
            Ok(SeedRow { number, line, columns: Arc::clone(&columns), cells })
        }))
    }
}

impl Treatment {
    fn cell(&self, text: &str) -> Cell {
        if text == "\\N" {
            return Cell::Null;
        }
        let value = Cell::Text { text: text.to_owned(), plain: true };
        match self {
            Treatment::None => value,
            Treatment::Argon2 => Cell::Argon2(Hidden(Box::new(value))),
            Treatment::Reference { table, key } => Cell::Reference(Box::new(Reference {
                table: table.clone(),
                key: vec![(key.clone(), value)],
                column: None,
            })),
        }
    }
}

fn unreadable(path: &Path, before: usize, behind: usize, error: csv::Error) -> Error {
    if let csv::ErrorKind::Io(source) = error.kind()
        && let Some(Unclosed(line)) = source.get_ref().and_then(|inner| inner.downcast_ref())
    {
        return Error::new(ErrorKind::File, "the quoted value that begins in this line is not closed")
            .at(Location::of_line(path, "", before + line))
            .with_hint("end it with a quote; inside of it, a quote is written twice");
    }
    let line = error.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
    let location = Location::of_line(path, "", line.max(1) + before + behind);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("this row has {len} values, and the header names {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "this row is not UTF-8".to_owned(),
        _ => "this is not CSV".to_owned(),
    };
    Error::new(ErrorKind::File, message).at(location).with_source(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::seeder::Seeder;
    use super::*;

    fn read(text: &str) -> Result<Vec<SeedRow>> {
        let seeder = Seeder::read(Path::new("010_users.csv"), Text::Embedded(text.into()))?;
        let RowContent::Csv(file) = &seeder.rows().unwrap().content else { panic!("CSV was read as something else") };
        file.rows()?.collect()
    }

    fn text(text: &str) -> Cell {
        Cell::Text { text: text.to_owned(), plain: true }
    }

    #[test]
    fn comments_before_the_header_say_what_the_file_is() {
        let head = "\u{feff}# people we know\n# table: people\n# key: email, team\n# mode: insert-missing\n# delimiter: ;\n\
                    # argon2: password\n# ref: team = teams.name\n";
        let body = "email;team;password\r\na@x;red;geheim\r\n\"b;\"\"@x\";\\N;\\N\r\n";
        let seeder = Seeder::read(Path::new("x.csv"), Text::Embedded(format!("{head}{body}").into())).unwrap();
        let rows = seeder.rows().unwrap();
        assert_eq!((rows.table.as_str(), rows.key.len(), rows.mode), ("people", 2, Mode::InsertMissing));
        assert_eq!(rows.references().into_iter().collect::<Vec<_>>(), ["teams"]);
        let rows = read(&format!("{head}{body}")).unwrap();
        assert_eq!((rows[1].number, rows[1].line), (2, 10));
        let reference =
            Reference { table: "teams".to_owned(), key: vec![("name".to_owned(), text("red"))], column: None };
        let cells: Vec<_> = rows.iter().flat_map(|row| row.cells.iter().map(|(cell, _)| cell.clone())).collect();
        assert_eq!(
            cells,
            [
                text("a@x"),
                Cell::Reference(Box::new(reference)),
                Cell::Argon2(Hidden(Box::new(text("geheim")))),
                text("b;\"@x"),
                Cell::Null,
                Cell::Null
            ]
        );
    }

    #[test]
    fn what_is_no_table_is_refused_where_it_stands() {
        for (text, complaint) in [
            ("a,,b\n", "010_users.csv:1:1: the header does not name every column"),
            ("# x\na,b,a\n", "010_users.csv:2:1: the header names \"a\" twice"),
            ("a,b\n1,2\n1,2,3\n", "010_users.csv:3:1: this row has 3 values, and the header names 2 columns"),
            (
                "# x\r\na,b\r\n1,\"x \"\"y\"\"\r\nz\"\r\n2,\"w\r\n3,v\r\n",
                "010_users.csv:5:1: the quoted value that begins in this line is not closed",
            ),
            ("a\n\"", "010_users.csv:2:1: the quoted value that begins in this line is not closed"),
            ("# mode: never\na\n", "010_users.csv:1:1: the modes are upsert and insert-missing"),
            ("# key:\na\n", "010_users.csv:1:1: key names nothing"),
            ("# ref: a\na\n", "010_users.csv:1:1: a reference reads: ref: COLUMN = TABLE.KEY"),
            ("#\n# argon2: b\na\n", "010_users.csv:2:1: the header has no column \"b\""),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), complaint);
        }
    }
}
