//! Whether a quoted value in CSV is closed: one that is not would take the rest of the file into itself, in silence.

use std::fmt;
use std::io::{self, Read};

/// CSV on its way to its reader, which ends with an error where a quoted value is still open.
pub(super) struct Quotes<R> {
    inner: R,
    delimiter: u8,
    state: State,
    line: usize,
    opened: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first character of a value.
    Start,
    Plain,
    Quoted,
    /// After a quote in a quoted value, which ends it unless another one follows.
    Quote,
}

/// A quoted value that begins in this line, counted from 1, and never ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclosed(pub(super) usize);

impl fmt::Display for Unclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file ends inside of a quoted value")
    }
}

impl std::error::Error for Unclosed {}

impl<R> Quotes<R> {
    pub(super) fn new(inner: R, delimiter: u8) -> Self {
        Self { inner, delimiter, state: State::Start, line: 1, opened: 1 }
    }

    fn see(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Start, b'"') => {
                self.opened = self.line;
                State::Quoted
            }
            (State::Quote, b'"') => State::Quoted,
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => State::Quoted,
            (_, byte) if byte == self.delimiter || byte == b'\n' || byte == b'\r' => State::Start,
            _ => State::Plain,
        };
        self.line += usize::from(byte == b'\n');
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        buffer[..count].iter().for_each(|byte| self.see(*byte));
        if count == 0 && !buffer.is_empty() && self.state == State::Quoted {
            return Err(io::Error::new(io::ErrorKind::InvalidData, Unclosed(self.opened)));
        }
        Ok(count)
    }
}
