//! From what stands in a file to what is to stand in the table.

use super::cell::{Cell, Reference, WORDS};
use super::facts::{Facts, TableFacts};
use super::kind::Kind;
use super::lookup::{Found, Lookup};
use super::node::{Content, Node};
use super::seeder::SeedRow;
use super::{Error, ErrorKind, Result};
use dbkeep_engine::Connection;
use dbkeep_sql::{Date, DateTime, Value};
use std::collections::HashMap;

/// What is to stand in a column.
#[derive(Clone)]
pub(super) enum Wanted {
    Value(Value),
    /// In rows that are new; what others have is left alone.
    OnInsert(Value),
    /// The hash of this password.
    Secret(String),
}

/// What the cells of a run may draw on.
pub(super) struct Context<'r> {
    pub(super) facts: &'r Facts,
    pub(super) env: &'r HashMap<String, String>,
    pub(super) now: DateTime,
    /// What references were found to stand for.
    references: HashMap<Target, Value>,
}

/// A column of a row of another table, by that row's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Target {
    table: String,
    key: Vec<usize>,
    column: usize,
    canonical: String,
}

impl<'r> Context<'r> {
    pub(super) fn new(facts: &'r Facts, env: &'r HashMap<String, String>, now: DateTime) -> Self {
        Self { facts, env, now, references: HashMap::new() }
    }

    /// Looks up what the references in these rows stand for, as far as the rows they point to are there yet.
    pub(super) async fn resolve(
        &mut self,
        connection: &mut Connection,
        table: &TableFacts,
        rows: &[SeedRow],
    ) -> Result<()> {
        // What is looked up together: keys of one table, by the same columns, for the same column.
        let mut groups: HashMap<_, Vec<(Target, Vec<Value>)>> = HashMap::new();
        for row in rows {
            for (name, (cell, _)) in row.columns.iter().zip(&row.cells) {
                let Cell::Reference(reference) = cell else { continue };
                let (target, key) = self.target(table, table.require(name)?, reference)?;
                let group = groups.entry((target.table.clone(), target.key.clone(), target.column)).or_default();
                if !self.references.contains_key(&target) && !group.iter().any(|(other, _)| *other == target) {
                    group.push((target, key));
                }
            }
        }
        for ((name, key, column), wanted) in groups {
            let table = self.facts.table(&name)?;
            let (targets, keys): (Vec<Target>, Vec<Vec<Value>>) = wanted.into_iter().unzip();
            let found = Lookup { table, key: &key, wanted: &[column] }.find(connection, &keys).await?;
            for (target, found) in targets.into_iter().zip(found) {
                match found {
                    Found::Row(mut row) => {
                        self.references.insert(target, row.pop().unwrap_or_default());
                    }
                    Found::Nothing => {}
                    Found::Several => {
                        let names: Vec<&str> = key.iter().map(|at| table.columns[*at].name.as_str()).collect();
                        return Err(Error::new(
                            ErrorKind::Table,
                            format!("a ref by {} finds more than one row of {name}", names.join(", ")),
                        )
                        .with_hint("refer by columns that no two rows share"));
                    }
                }
            }
        }
        Ok(())
    }

    /// What a cell is for a column; `None` when it refers to a row that is not there yet.
    pub(super) fn wanted(&self, table: &TableFacts, column: usize, cell: &Cell) -> Result<Option<Wanted>> {
        let kind = &table.columns[column].kind;
        let unfit = |what: &str| {
            Error::new(ErrorKind::Row, format!("{what} is no value for a column that takes {}", kind.describe()))
        };
        let value = match cell {
            Cell::Null => Value::Null,
            Cell::Text { text, plain } => {
                kind.value(text, *plain).map_err(|message| Error::new(ErrorKind::Row, message))?
            }
            Cell::Env(name) => {
                let text = self.env(name)?;
                kind.value(text, false)
                    .map_err(|message| Error::new(ErrorKind::Row, format!("the variable {name}: {message}")))?
            }
            Cell::Json(json) => match kind {
                Kind::Json => Value::Json(json.to_string().into()),
                Kind::Text | Kind::Any => Value::from(json.to_string()),
                _ => return Err(unfit("JSON")),
            },
            Cell::Structure(node) => structure(kind, node)?,
            Cell::Now => {
                return kind.moment(self.now).map(|now| Some(Wanted::OnInsert(now))).ok_or_else(|| unfit("a moment"));
            }
            Cell::DaysAgo(days) => {
                let day = self.now.date.days_since_epoch().checked_sub(*days).and_then(Date::from_days_since_epoch);
                day.and_then(|day| kind.day(day)).ok_or_else(|| unfit("a day"))?
            }
            Cell::Argon2(secret) => {
                if !matches!(kind, Kind::Text | Kind::Any) {
                    return Err(unfit("the hash of a password"));
                }
                let secret = match &*secret.0 {
                    Cell::Env(name) => self.env(name)?,
                    Cell::Text { text, .. } => text,
                    _ => return Err(unfit("the hash of something that is no text")),
                };
                return Ok(Some(Wanted::Secret(secret.to_owned())));
            }
            Cell::Reference(reference) => {
                let (target, _) = self.target(table, column, reference)?;
                match self.references.get(&target) {
                    Some(value) => value.clone(),
                    None => return Ok(None),
                }
            }
        };
        Ok(Some(Wanted::Value(value)))
    }

    fn env(&self, name: &str) -> Result<&str> {
        self.env.get(name).map(String::as_str).ok_or_else(|| {
            Error::new(ErrorKind::Row, format!("the variable {name} is not set"))
                .with_hint(format!("set {name} and run the seed again"))
        })
    }

    /// Which column of which row a reference means, and the values of that row's key.
    fn target(&self, from: &TableFacts, at: usize, reference: &Reference) -> Result<(Target, Vec<Value>)> {
        let table = self.facts.table(&reference.table)?;
        let (mut key, mut values) = (Vec::new(), Vec::new());
        for (name, cell) in &reference.key {
            let column = table.require(name)?;
            key.push(column);
            match self.wanted(table, column, cell)? {
                Some(Wanted::Value(value)) if !value.is_null() => values.push(value),
                _ => return Err(Error::new(ErrorKind::Row, "the key of a ref holds something that is no plain value")),
            }
        }
        let column = match (&reference.column, from.points_to(at, &reference.table), table.primary_key.as_slice()) {
            (Some(name), ..) => table.require(name)?,
            (None, Some(name), _) => table.require(name)?,
            (None, None, [only]) => table.require(only)?,
            _ => {
                return Err(Error::new(
                    ErrorKind::Row,
                    format!("it is not clear which column of {} is meant", table.name),
                )
                .with_hint("name it: {ref: {table: …, key: …, column: …}}"));
            }
        };
        let canonical = Lookup { table, key: &key, wanted: &[] }.canonical(&values);
        Ok((Target { table: table.name.clone(), key, column, canonical }, values))
    }
}

/// A list or a map for a column that takes one.
fn structure(kind: &Kind, node: &Node) -> Result<Value> {
    match (kind, &node.content) {
        (Kind::Json, _) => Ok(Value::Json(node.to_json().to_string().into())),
        (Kind::Array(element), Content::List(items)) => {
            let item = |node: &Node| match &node.content {
                _ if node.is_null() => Ok(Value::Null),
                Content::Scalar(text, plain) => {
                    element.value(text, *plain).map_err(|message| Error::new(ErrorKind::Row, message))
                }
                _ => structure(kind, node),
            };
            items.iter().map(item).collect::<Result<_>>().map(Value::Array)
        }
        (_, Content::Map(entries)) => {
            let word = entries.first().and_then(|(word, _)| word.scalar()).unwrap_or_default();
            Err(Error::new(
                ErrorKind::Row,
                format!("a map ({word}: …) is no value for a column that takes {}", kind.describe()),
            )
            .with_hint(format!("write {{json: …}} to store it as JSON; computed values are: {WORDS}")))
        }
        _ => Err(Error::new(ErrorKind::Row, format!("a list is no value for a column that takes {}", kind.describe()))
            .with_hint("write {json: …} to store it as JSON")),
    }
}
