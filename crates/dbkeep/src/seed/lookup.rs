//! Finds rows by their keys, many at once.

use super::Result;
use super::error::During as _;
use super::facts::TableFacts;
use dbkeep_engine::Connection;
use dbkeep_sql::{Compile, Path, Value, all, any, col, select};
use std::collections::HashMap;

/// How many keys are looked up with one statement.
pub(super) const CHUNK: usize = 500;

/// What was found for a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Nothing,
    /// The wanted columns of the row.
    Row(Vec<Value>),
    /// More than one row: it is no key.
    Several,
}

/// What to look up: the columns of the key and those that are wanted, by position.
pub(super) struct Lookup<'l> {
    pub(super) table: &'l TableFacts,
    pub(super) key: &'l [usize],
    pub(super) wanted: &'l [usize],
}

impl Lookup<'_> {
    /// A text that is the same for keys that are the same.
    pub(super) fn canonical(&self, key: &[Value]) -> String {
        let columns = self.key.iter().map(|at| &self.table.columns[*at].kind);
        let parts: Vec<String> = columns.zip(key).map(|(kind, value)| kind.canonical(value)).collect();
        parts.join("\u{1}")
    }

    /// What there is for each key, in their order. No two keys are the same.
    pub(super) async fn find(&self, connection: &mut Connection, keys: &[Vec<Value>]) -> Result<Vec<Found>> {
        let limit = connection.dialect().max_parameters() / self.key.len().max(1);
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(CHUNK.min(limit.max(1))) {
            found.extend(self.find_chunk(connection, keys).await?);
        }
        Ok(found)
    }

    async fn find_chunk(&self, connection: &mut Connection, keys: &[Vec<Value>]) -> Result<Vec<Found>> {
        let mut places: HashMap<String, usize> = HashMap::with_capacity(keys.len());
        places.extend(keys.iter().enumerate().map(|(at, key)| (self.canonical(key), at)));
        let mut found = vec![Found::Nothing; keys.len()];
        let mut strangers = false;
        for mut row in self.query(connection, keys).await? {
            let wanted = row.split_off(self.key.len());
            match places.get(&self.canonical(&row)) {
                Some(at) => found[*at].add(wanted),
                None => strangers = true,
            }
        }
        // The server takes two keys for the same that we do not: upper and lower case, say. Then it is to match them.
        if strangers {
            for (key, found) in keys.iter().zip(&mut found).filter(|(_, found)| **found == Found::Nothing) {
                for mut row in self.query(connection, std::slice::from_ref(key)).await? {
                    found.add(row.split_off(self.key.len()));
                }
            }
        }
        Ok(found)
    }

    /// The columns of the key and the wanted ones of every row that has one of the keys.
    async fn query(&self, connection: &mut Connection, keys: &[Vec<Value>]) -> Result<Vec<Vec<Value>>> {
        let column = |at: &usize| Path::from(self.table.name_of(*at));
        let filter = match self.key {
            [only] => col(column(only)).in_list(keys.iter().filter_map(|key| key.first().cloned())),
            several => any(keys
                .iter()
                .map(|key| all(several.iter().zip(key).map(|(at, value)| col(column(at)).eq(value.clone()))))),
        };
        let columns = self.key.iter().chain(self.wanted).map(|at| col(column(at)));
        let query = select().columns(columns).from(self.table.path()).filter(filter);
        let doing = format!("look up rows of {}", self.table.name);
        let compiled = query.compile(&*connection.dialect()).map_err(|error| super::unbuildable(&doing, error))?;
        let rows = connection.query(&compiled.sql, &compiled.params).await.during(&doing)?;
        Ok(rows.into_iter().map(dbkeep_engine::Row::into_values).collect())
    }
}

impl Found {
    fn add(&mut self, row: Vec<Value>) {
        *self = match self {
            Found::Nothing => Found::Row(row),
            _ => Found::Several,
        };
    }
}
