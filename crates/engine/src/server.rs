//! What a server said of itself at the handshake.

use std::fmt;

/// A version, as numbers to compare and as the server spells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number, 0 where there is none.
    pub minor: u32,
    /// The third number, 0 where there is none.
    pub patch: u32,
    /// The version in the server's own words.
    pub text: String,
}

impl Version {
    /// Reads the numbers at the start of the text; what is no number counts as 0.
    pub fn parse(text: &str) -> Self {
        let mut numbers = text
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .find(|part| part.starts_with(|c: char| c.is_ascii_digit()))
            .unwrap_or("")
            .split('.')
            .map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Self { major: next(), minor: next(), patch: next(), text: text.to_owned() }
    }

    /// Whether this is the given version or a later one.
    pub fn at_least(&self, major: u32, minor: u32, patch: u32) -> bool {
        (self.major, self.minor, self.patch) >= (major, minor, patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What the server is to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Takes writes.
    Primary,
    /// Follows a primary.
    Replica,
    /// Takes no writes for another reason.
    ReadOnly,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Primary => "primary",
            Role::Replica => "replica",
            Role::ReadOnly => "read-only",
        })
    }
}

/// Whether a transaction is open, as the server said in its last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionState {
    /// None is open.
    Idle,
    /// One is open.
    Open,
    /// One is open and can only be rolled back.
    Failed,
    /// It cannot be told: an answer is outstanding.
    Unknown,
}

/// What the engine at this version can do. Asked instead of "is this PostgreSQL?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// INSERT … RETURNING.
    pub insert_returning: bool,
    /// UPDATE and DELETE … RETURNING.
    pub update_returning: bool,
    /// A schema change can be rolled back.
    pub transactional_ddl: bool,
    /// Named locks that outlive statements and end with the session.
    pub advisory_locks: bool,
    /// Accounts, passwords and networks are involved; an embedded engine has none.
    pub is_server: bool,
    /// A server holds many databases, which can be created and dropped; elsewhere a database is a file.
    pub databases: bool,
    /// Tables lie in schemas inside a database.
    pub schemas: bool,
    /// There are sequence objects.
    pub sequences: bool,
    /// There are stored routines.
    pub routines: bool,
    /// This database takes one writer at a time, and readers beside it that never wait: those who write are best served in
    /// turn, by one connection. Not so where nobody can write or there is but one connection.
    pub single_writer: bool,
    /// A statement whose future is dropped leaves the connection usable; elsewhere the connection is discarded.
    pub survives_cancellation: bool,
}

/// Which server a connection talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// The engine's short name, as in JSON: `mysql`, `postgres`, `sqlite`.
    pub engine: &'static str,
    /// The product's name for people: `MariaDB`, `MySQL`, `PostgreSQL`, `SQLite`.
    pub product: &'static str,
    /// The version.
    pub version: Version,
    /// What it can do.
    pub capabilities: Capabilities,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_servers_say() {
        let numbers = |text| {
            let version = Version::parse(text);
            (version.major, version.minor, version.patch)
        };
        assert_eq!(numbers("10.11.14-MariaDB-0+deb12u2"), (10, 11, 14));
        assert_eq!(numbers("9.7.1"), (9, 7, 1));
        assert_eq!(numbers("15.18 (Debian 15.18-0+deb12u1)"), (15, 18, 0));
        assert_eq!(numbers("PostgreSQL 17devel"), (17, 0, 0));
        assert_eq!(numbers("nonsense"), (0, 0, 0));
        assert_eq!(numbers("99999999999.1"), (0, 1, 0));
    }
}
