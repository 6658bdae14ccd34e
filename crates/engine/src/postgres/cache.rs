//! Which statements are prepared already?

use super::types::decode::Codec;
use super::types::name::type_name;
use crate::{Column, Error, Result};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::Statement;
use tokio_postgres::types::{FromSql, Type};

/// A prepared statement and how its rows are read.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) statement: Statement,
    pub(super) columns: Arc<[Column]>,
    codecs: Arc<[Codec]>,
}

impl Prepared {
    /// Works out how the statement's rows are read.
    ///
    /// # Errors
    /// `Unsupported` for a column that cannot be read.
    pub(super) fn new(statement: Statement) -> Result<Self> {
        let name = |column: &tokio_postgres::Column| {
            Column::new(column.name(), type_name(column.type_(), column.type_modifier()))
        };
        let codec = |column: &tokio_postgres::Column| {
            Codec::of(column.type_()).map_err(|error| error.context(format_args!("column {:?}", column.name())))
        };
        let columns = statement.columns().iter().map(name).collect();
        let codecs = statement.columns().iter().map(codec).collect::<Result<_>>()?;
        Ok(Self { statement, columns, codecs })
    }

    /// Whether both take and give the same types.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.statement.params() == other.statement.params()
            && self.columns == other.columns
            && self.codecs == other.codecs
    }

    /// A row's values.
    ///
    /// # Errors
    /// `Damaged` when the bytes do not have the form of their type.
    pub(super) fn row(&self, row: &tokio_postgres::Row) -> Result<crate::Row> {
        let value = |(at, codec): (usize, &Codec)| {
            let raw: Option<Raw<'_>> = row.try_get(at).map_err(super::errors::statement)?;
            match raw {
                Some(Raw(raw)) => codec.decode(raw).map_err(|error| self.in_column(at, error)),
                None => Ok(dbkeep_sql::Value::Null),
            }
        };
        let values = self.codecs.iter().enumerate().map(value).collect::<Result<_>>()?;
        Ok(crate::Row::new(self.columns.clone(), values))
    }

    fn in_column(&self, at: usize, error: Error) -> Error {
        error.context(format_args!("column {:?}", self.columns.get(at).map_or("?", |column| column.name.as_str())))
    }
}

/// The bytes of a value as they came.
struct Raw<'r>(&'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Prepared statements by their text; the one unused for longest makes room. A dropped one is closed on the server with
/// the next message.
pub(super) struct Cache {
    capacity: usize,
    clock: u64,
    entries: HashMap<Box<str>, (u64, Prepared)>,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, clock: 0, entries: HashMap::new() }
    }

    pub(super) fn get(&mut self, sql: &str) -> Option<Prepared> {
        self.clock += 1;
        let (used, prepared) = self.entries.get_mut(sql)?;
        *used = self.clock;
        Some(prepared.clone())
    }

    pub(super) fn put(&mut self, sql: &str, prepared: &Prepared) {
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() >= self.capacity && !self.entries.contains_key(sql) {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(sql, _)| sql.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        self.entries.insert(sql.into(), (self.clock, prepared.clone()));
    }

    pub(super) fn forget(&mut self, sql: &str) {
        self.entries.remove(sql);
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
