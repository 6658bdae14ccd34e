//! Which server.

use std::fmt;

/// A database server tests can be run against. SQLite needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// MariaDB.
    Mariadb,
    /// MySQL.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

impl Kind {
    /// Every kind of server.
    pub const ALL: [Kind; 3] = [Kind::Mariadb, Kind::Mysql, Kind::Postgres];

    /// The name `scripts/servers` and `DBKEEP_REQUIRE` know it by: `mariadb`, `mysql` or `postgres`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Mariadb => "mariadb",
            Kind::Mysql => "mysql",
            Kind::Postgres => "postgres",
        }
    }

    /// `DBKEEP_TEST_<KIND>_<what>`.
    pub(crate) fn variable(self, what: &str) -> String {
        format!("DBKEEP_TEST_{}_{what}", self.name().to_uppercase())
    }

    /// The database that always exists, to connect to when none is meant: empty for the servers that need none.
    pub(crate) fn maintenance_database(self) -> &'static str {
        match self {
            Kind::Mariadb | Kind::Mysql => "",
            Kind::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
