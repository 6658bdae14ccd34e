//! One row of a result.

use crate::{Error, ErrorKind, Result, decode};
use dbkeep_sql::{FromValue, Value};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name or alias.
    pub name: String,
    /// Its type in the engine's words; empty where the engine cannot tell.
    pub type_name: String,
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<String>, type_name: impl Into<String>) -> Self {
        Self { name: name.into(), type_name: type_name.into() }
    }
}

/// One row of a result: its values, and columns shared with its neighbours.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    columns: Arc<[Column]>,
    values: Vec<Value>,
}

impl Row {
    /// A row; there must be a value for each column.
    pub fn new(columns: Arc<[Column]>, values: Vec<Value>) -> Self {
        debug_assert_eq!(columns.len(), values.len(), "a row has a value for each column");
        Self { columns, values }
    }

    /// The columns.
    pub fn columns(&self) -> &Arc<[Column]> {
        &self.columns
    }

    /// The values, in the columns' order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values themselves.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// The only row of a result.
    ///
    /// # Errors
    /// `RowCount` when there is none or more than one.
    pub fn only(rows: Vec<Self>) -> Result<Self> {
        Self::at_most_one(rows)?.ok_or_else(|| Error::new(ErrorKind::RowCount, "wanted one row, found none"))
    }

    /// The row of a result that has one row or none.
    ///
    /// # Errors
    /// `RowCount` when there are several.
    pub fn at_most_one(mut rows: Vec<Self>) -> Result<Option<Self>> {
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            several => Err(Error::new(ErrorKind::RowCount, format!("wanted one row, found {several}"))),
        }
    }

    /// The value of a column by name or by position from 0, as a Rust type.
    ///
    /// # Errors
    /// `NotFound` when there is no such column (the error lists those there are), `Decode` when the value does not fit
    /// the wanted type without loss; the error names column, wanted and found type.
    pub fn get<T: FromValue>(&self, column: impl ColumnIndex) -> Result<T> {
        let at = column.position(&self.columns)?;
        T::from_value(&self.values[at]).map_err(|mismatch| {
            let called = called(&self.columns, at);
            let message = match self.values[at].is_null() {
                true => null(&called),
                false => format!("{called}: {mismatch}"),
            };
            Error::new(ErrorKind::Decode, message).with_source(mismatch)
        })
    }

    /// The whole row as a struct (fields by column name), a tuple (by position), a map, or, with one column, its value.
    ///
    /// # Errors
    /// `Decode`, naming column, wanted and found type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        decode::row(self)
    }
}

/// A column's name, or its position from 0.
pub trait ColumnIndex {
    /// Where the column stands.
    ///
    /// # Errors
    /// `NotFound` with the columns there are.
    fn position(&self, columns: &[Column]) -> Result<usize>;
}

impl ColumnIndex for usize {
    fn position(&self, columns: &[Column]) -> Result<usize> {
        if *self < columns.len() { Ok(*self) } else { Err(missing(format!("number {self}"), columns)) }
    }
}

impl ColumnIndex for &str {
    fn position(&self, columns: &[Column]) -> Result<usize> {
        columns
            .iter()
            .position(|column| column.name == *self)
            .or_else(|| columns.iter().position(|column| column.name.eq_ignore_ascii_case(self)))
            .ok_or_else(|| missing(format!("{self:?}"), columns))
    }
}

impl ColumnIndex for &String {
    fn position(&self, columns: &[Column]) -> Result<usize> {
        self.as_str().position(columns)
    }
}

fn missing(wanted: String, columns: &[Column]) -> Error {
    Error::new(ErrorKind::NotFound, format!("no column {wanted} in this result")).with_hint(listed(columns))
}

/// What to say of NULL where the wanted type has no place for it.
pub(crate) fn null(called: &str) -> String {
    format!("{called} is NULL; read it as Option<…>")
}

/// A column in words: by its name, or by its position, from 0 as everywhere, where it has none of its own.
pub(crate) fn called(columns: &[Column], at: usize) -> String {
    match columns.get(at) {
        Some(column) if is_name(&column.name) => format!("column {:?}", column.name),
        _ => format!("column number {at}"),
    }
}

/// The columns there are, in words.
pub(crate) fn listed(columns: &[Column]) -> String {
    let there = columns.iter().enumerate().map(|(at, column)| match is_name(&column.name) {
        true => column.name.clone(),
        false => format!("number {at}"),
    });
    format!("the columns are: {}", there.collect::<Vec<_>>().join(", "))
}

/// Whether a column was given a name: MySQL and SQLite take the text of an expression for one, PostgreSQL `?column?`.
fn is_name(name: &str) -> bool {
    const LONGEST: usize = 64;
    let of_an_expression = |c: char| "()+*/=<>?|',\"`\n".contains(c);
    !name.is_empty() && name.chars().count() <= LONGEST && !name.contains(of_an_expression)
}
