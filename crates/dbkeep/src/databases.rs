//! Several databases by name, one of them the default.

use crate::{Database, Error, Result, Settings};
use std::collections::BTreeMap;
use tokio::sync::Mutex;

/// The databases of an application by name, each opened when it is first asked for.
#[derive(Debug)]
pub struct Databases {
    settings: BTreeMap<String, Settings>,
    default: String,
    // An async mutex: held while a database is opened, so that two callers do not open it twice.
    open: Mutex<BTreeMap<String, Database>>,
}

impl Databases {
    /// Databases with these settings; `default` is the name of the one that is meant when none is named.
    ///
    /// # Errors
    /// When the default is not among them, or a name is there twice.
    pub fn new(settings: impl IntoIterator<Item = Settings>, default: impl Into<String>) -> Result<Self> {
        let mut named = BTreeMap::new();
        for one in settings {
            let name = one.name.clone();
            if named.insert(name.clone(), one).is_some() {
                return Err(Error::settings(format!("two connections are named {name:?}")));
            }
        }
        let databases = Self { settings: named, default: default.into(), open: Mutex::default() };
        databases.settings(&databases.default)?;
        Ok(databases)
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }

    /// The settings of a database.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn settings(&self, name: &str) -> Result<&Settings> {
        self.settings.get(name).ok_or_else(|| {
            let names: Vec<_> = self.names().collect();
            Error::settings(format!("there is no connection named {name:?}"))
                .with_hint(format!("the connections are: {}", names.join(", ")))
        })
    }

    /// The default database.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn default(&self) -> Result<Database> {
        self.get(&self.default).await
    }

    /// The database of this name.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened; the next call tries again.
    pub async fn get(&self, name: &str) -> Result<Database> {
        let settings = self.settings(name)?;
        let mut open = self.open.lock().await;
        if let Some(database) = open.get(name) {
            return Ok(database.clone());
        }
        let database = Database::open(settings.clone()).await?;
        open.insert(name.to_owned(), database.clone());
        Ok(database)
    }

    /// Closes all that were opened, one after the other.
    pub async fn close(&self) {
        for database in std::mem::take(&mut *self.open.lock().await).into_values() {
            database.close().await;
        }
    }
}
