//! Several databases by name, one of them the default.

use crate::{Database, Error, Result, Settings};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use tokio::sync::Mutex;

/// The databases of an application by name, each opened when it is first asked for.
#[derive(Debug)]
pub struct Databases {
    named: BTreeMap<String, Named>,
    default: String,
}

#[derive(Debug)]
struct Named {
    settings: Settings,
    // An async mutex: held while the database is opened, so that two callers do not open it twice. One for each name: a
    // server that does not answer holds up nobody who wants another.
    database: Mutex<Option<Database>>,
}

impl Databases {
    /// Databases with these settings; `default` is the name of the one that is meant when none is named.
    ///
    /// # Errors
    /// When the default is not among them, or a name is there twice.
    pub fn new(settings: impl IntoIterator<Item = Settings>, default: impl Into<String>) -> Result<Self> {
        let mut named = BTreeMap::new();
        for settings in settings {
            let name = settings.name.clone();
            if named.insert(name.clone(), Named { settings, database: Mutex::default() }).is_some() {
                return Err(Error::settings(format!("two connections are named {name:?}")));
            }
        }
        let databases = Self { named, default: default.into() };
        databases.named(&databases.default)?;
        Ok(databases)
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }

    /// The name of the one that is meant when none is named.
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// The settings of a database.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn settings(&self, name: &str) -> Result<&Settings> {
        Ok(&self.named(name)?.settings)
    }

    /// The default database.
    ///
    /// # Errors
    /// When it cannot be opened.
    ///
    /// # Cancellation
    /// As [`get`](Databases::get).
    pub async fn default(&self) -> Result<Database> {
        self.get(&self.default).await
    }

    /// The database of this name.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened; the next call tries again.
    ///
    /// # Cancellation
    /// Dropped while it opens the database, it leaves nothing open; who waits for the same one opens it.
    pub async fn get(&self, name: &str) -> Result<Database> {
        let named = self.named(name)?;
        let mut database = named.database.lock().await;
        if let Some(database) = &*database {
            return Ok(database.clone());
        }
        let opened = Database::open(named.settings.clone()).await?;
        Ok(database.insert(opened).clone())
    }

    /// Closes all that are open, side by side. One that is asked for later is opened again.
    pub async fn close(&self) {
        join_all(self.named.values().map(async |named| {
            let database = named.database.lock().await.take();
            if let Some(database) = database {
                database.close().await;
            }
        }))
        .await;
    }

    fn named(&self, name: &str) -> Result<&Named> {
        self.named.get(name).ok_or_else(|| {
            let names: Vec<_> = self.names().collect();
            Error::settings(format!("there is no connection named {name:?}")).with_hint(match names.is_empty() {
                true => "no connection is configured".to_owned(),
                false => format!("the connections are: {}", names.join(", ")),
            })
        })
    }
}
