//! What the catalog says about the tables of a run.

use super::error::During as _;
use super::kind::Kind;
use super::{Error, ErrorKind, Result};
use dbkeep_engine::{Catalog, CatalogOptions, Connection, ForeignKey, Table};
use dbkeep_sql::{Name, Path};
use std::collections::{BTreeSet, HashMap};

/// The tables of a run, by the names the files give them.
#[derive(Debug, Default)]
pub(super) struct Facts(HashMap<String, TableFacts>);

/// What matters about one table.
#[derive(Debug)]
pub(super) struct TableFacts {
    /// As the files call it.
    pub(super) name: String,
    pub(super) columns: Vec<ColumnFacts>,
    pub(super) primary_key: Vec<String>,
    pub(super) foreign_keys: Vec<ForeignKey>,
}

#[derive(Debug)]
pub(super) struct ColumnFacts {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

impl Facts {
    /// Reads what the catalog says about these tables.
    pub(super) async fn read(connection: &mut Connection, names: BTreeSet<&str>) -> Result<Self> {
        if names.is_empty() {
            return Ok(Self::default());
        }
        let mut options = CatalogOptions::default().tables(names.iter().map(|name| split(name).1));
        options.sizes = false;
        let catalog = connection.catalog(&options).await.during("read the catalog")?;
        let known =
            names.into_iter().filter_map(|name| Some((name.to_owned(), TableFacts::of(name, find(&catalog, name)?))));
        Ok(Self(known.collect()))
    }

    /// What is known of a table.
    ///
    /// # Errors
    /// `Table` when there is none of that name.
    pub(super) fn table(&self, name: &str) -> Result<&TableFacts> {
        self.0.get(name).ok_or_else(|| {
            Error::new(ErrorKind::Table, format!("there is no table {name}"))
                .with_hint("have the migrations run? or is the table of this seed called something else (table: …)?")
        })
    }
}

fn split(name: &str) -> (Option<&str>, &str) {
    match name.rsplit_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, name),
    }
}

fn find<'c>(catalog: &'c Catalog, name: &str) -> Option<&'c Table> {
    let (schema, name) = split(name);
    let fits = |table: &&Table| schema.is_none() || table.schema.as_deref() == schema;
    let mut tables = catalog.tables.iter().filter(fits);
    tables
        .clone()
        .find(|table| table.name == name)
        .or_else(|| tables.find(|table| table.name.eq_ignore_ascii_case(name)))
}

impl TableFacts {
    fn of(name: &str, table: &Table) -> Self {
        let checks: Vec<String> = table.checks.iter().map(|check| squeeze(&check.expression)).collect();
        let column = |column: &dbkeep_engine::ColumnInfo| {
            // Where JSON is text with a check on it, the check is what makes it JSON.
            let check = format!("json_valid({})", squeeze(&column.name));
            let kind = match Kind::of_type(&column.type_name) {
                Kind::Text if checks.contains(&check) => Kind::Json,
                kind => kind,
            };
            ColumnFacts { name: column.name.clone(), kind, nullable: column.nullable }
        };
        Self {
            name: name.to_owned(),
            columns: table.columns.iter().map(column).collect(),
            primary_key: table.primary_key.clone(),
            foreign_keys: table.foreign_keys.clone(),
        }
    }

    /// The table in a statement.
    pub(super) fn path(&self) -> Path {
        Path::from(&self.name)
    }

    /// The position of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.name == name);
        exact.or_else(|| self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name)))
    }

    /// The position of a column.
    ///
    /// # Errors
    /// `Table` with the columns there are.
    pub(super) fn require(&self, name: &str) -> Result<usize> {
        self.column(name).ok_or_else(|| {
            let there: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            Error::new(ErrorKind::Table, format!("the table {} has no column {name}", self.name))
                .with_hint(format!("its columns are: {}", there.join(", ")))
        })
    }

    /// The column's name in a statement.
    pub(super) fn name_of(&self, column: usize) -> Name {
        Name::from(&self.columns[column].name)
    }

    /// The column of `table` that this one's column points to by itself.
    pub(super) fn points_to(&self, column: usize, table: &str) -> Option<&str> {
        let (_, table) = split(table);
        let column = &self.columns[column].name;
        let keys = self.foreign_keys.iter().filter(|key| key.referenced_table == table && key.columns.len() == 1);
        keys.filter(|key| key.columns[0] == *column).find_map(|key| key.referenced_columns.first()).map(String::as_str)
    }

    /// The tables that these columns point to.
    pub(super) fn needs<'t>(&'t self, columns: &BTreeSet<&str>) -> impl Iterator<Item = &'t str> {
        let filled: BTreeSet<usize> = columns.iter().filter_map(|name| self.column(name)).collect();
        self.foreign_keys
            .iter()
            .filter(move |key| key.columns.iter().any(|name| self.column(name).is_some_and(|at| filled.contains(&at))))
            .map(|key| key.referenced_table.as_str())
    }
}

/// A text without quotes around names, white space and outer parentheses, in lower case.
fn squeeze(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '`' | '"' | '[' | ']')).collect();
    let plain = plain.to_ascii_lowercase();
    match plain.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(within) if within.ends_with(')') => within.to_owned(),
        _ => plain,
    }
}
