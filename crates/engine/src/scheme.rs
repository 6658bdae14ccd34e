//! The scheme table: the one place above the engines' folders where each is named.

use crate::Engine;

/// Every engine this build knows.
pub fn engines() -> &'static [&'static dyn Engine] {
    &[
        #[cfg(feature = "mysql")]
        &crate::mysql::MySql,
        #[cfg(feature = "postgres")]
        &crate::postgres::Postgres,
        #[cfg(feature = "sqlite")]
        &crate::sqlite::Sqlite,
    ]
}

/// The engine of a URL scheme.
pub fn engine_for(scheme: &str) -> Option<&'static dyn Engine> {
    let scheme = scheme.to_ascii_lowercase();
    engines().iter().copied().find(|engine| engine.schemes().contains(&scheme.as_str()))
}

/// Every known URL scheme.
pub fn schemes() -> impl Iterator<Item = &'static str> {
    engines().iter().flat_map(|engine| engine.schemes().iter().copied())
}

/// Each engine's dialect, for those who compile statements without a connection.
pub mod dialects {
    #[cfg(feature = "mysql")]
    pub use crate::mysql::dialect::{Flavor, MySqlDialect};
    #[cfg(feature = "postgres")]
    pub use crate::postgres::dialect::PostgresDialect;
    #[cfg(feature = "sqlite")]
    pub use crate::sqlite::dialect::SqliteDialect;
}
