//! How MySQL and MariaDB spell SQL.

use dbkeep_sql::{Dialect, Ident, Lexicon};

/// Which of the two products a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// The spelling of MySQL or MariaDB at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MySqlDialect {
    flavor: Flavor,
    version: (u32, u32, u32),
}

impl MySqlDialect {
    /// The spelling of this product at this version (major, minor, patch).
    pub const fn new(flavor: Flavor, version: (u32, u32, u32)) -> Self {
        Self { flavor, version }
    }
}

impl Dialect for MySqlDialect {
    fn engine(&self) -> &'static str {
        match self.flavor {
            Flavor::MySql => "MySQL",
            Flavor::MariaDb => "MariaDB",
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
    fn write_ident(&self, out: &mut String, name: &Ident) {
        out.push('`');
        out.push_str(&name.as_str().replace('`', "``"));
        out.push('`');
    }

    // https://dev.mysql.com/doc/refman/8.4/en/comments.html, https://dev.mysql.com/doc/refman/8.4/en/string-literals.html
    fn lexicon(&self) -> Lexicon {
        Lexicon {
            backslash_escapes: true,
            backtick_names: true,
            hash_comments: true,
            dash_comments_need_space: true,
            delimiter_command: true,
            compound_bodies: true,
            version_comments: true,
            ..Lexicon::default()
        }
    }
}
