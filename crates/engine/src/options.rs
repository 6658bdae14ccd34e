//! Where a database is and how a session with it is set up.

use crate::{Engine, Location, Secret};
use std::path::PathBuf;
use std::time::Duration;

/// Everything needed to open a connection. Made from a URL (`"mysql://app@db/shop".parse()`) and changed field by field.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The engine.
    pub engine: &'static dyn Engine,
    /// The server's host name or address; unused for files and where `socket` is set. Default `localhost`.
    pub host: String,
    /// The server's port; the engine's usual one when absent.
    pub port: Option<u16>,
    /// A Unix socket to use instead of host and port (for PostgreSQL the directory it lies in, or its full path).
    pub socket: Option<PathBuf>,
    /// The database on a server; the path of the file on an embedded engine, `:memory:` for none.
    pub database: String,
    /// Who logs in; the engine's own default when absent.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Whether and how the connection is encrypted. Default [`TlsMode::Prefer`].
    pub tls: TlsMode,
    /// A file with the certificates (PEM) of the authorities to trust, instead of the usual public ones.
    pub tls_ca: Option<PathBuf>,
    /// A file with the client's certificate chain (PEM).
    pub tls_cert: Option<PathBuf>,
    /// A file with the client's private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// How long one attempt to connect may take, set-up of the session included. Default 10 s.
    pub connect_timeout: Duration,
    /// How many attempts there are when the error can pass. Default 3.
    pub connect_attempts: u32,
    /// How many prepared statements a connection keeps. Default 100; 0 keeps none.
    pub statement_cache: usize,
    /// Opens a file for reading only; on a server, sets the session to read-only transactions. Default `false`.
    pub read_only: bool,
    /// Creates the file when there is none. Default `true`; a server's database is never created in passing.
    pub create: bool,
    /// How the session is set up.
    pub session: SessionOptions,
    /// The connection is one of those that read beside a writer; see [`for_reading`](ConnectOptions::for_reading).
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "elsewhere `read_only` says it all"))]
    pub(crate) reader: bool,
}

/// What is set once on each new connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SessionOptions {
    /// The character set of the connection. Default `utf8mb4` on MySQL and MariaDB, `UTF8` on PostgreSQL.
    pub charset: Option<String>,
    /// The collation of the connection; the character set's own when absent.
    pub collation: Option<String>,
    /// MySQL's and MariaDB's `sql_mode`. The default is strict; modes the server does not know are left out of it.
    pub sql_mode: Option<String>,
    /// The session's time zone. Default `+00:00`.
    pub time_zone: Option<String>,
    /// After how much idleness the server closes the connection. Default 28800 s on MySQL and MariaDB.
    pub wait_timeout: Option<Duration>,
    /// How long one statement may run; no limit when absent.
    pub statement_timeout: Option<Duration>,
    /// How long a statement waits for a lock: `busy_timeout` on SQLite (default 5 s), the server's own default elsewhere.
    pub lock_timeout: Option<Duration>,
    /// The name the server shows for this connection. Default `dbkeep`.
    pub application_name: Option<String>,
}

/// Whether and how a connection is encrypted, as libpq names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsMode {
    /// No encryption.
    Disable,
    /// Encrypted when the server offers it, without checking who it is; protects from listeners only.
    #[default]
    Prefer,
    /// Encrypted or not at all, without checking who the server is.
    Require,
    /// Encrypted, and the certificate must come from a trusted authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must name the host. The only mode that protects from an impostor.
    VerifyFull,
}

impl TlsMode {
    /// The modes by name, from the weakest to the strongest.
    pub const NAMES: [(&'static str, TlsMode); 5] = [
        ("disable", TlsMode::Disable),
        ("prefer", TlsMode::Prefer),
        ("require", TlsMode::Require),
        ("verify-ca", TlsMode::VerifyCa),
        ("verify-full", TlsMode::VerifyFull),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, mode)| *mode == self).map_or("prefer", |(name, _)| name)
    }

    /// The mode of this name in any case, underscores or hyphens. What libpq and MySQL's client call a mode is understood,
    /// too: `allow`, `disabled`, `preferred`, `required`, `verify_identity`.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace('_', "-");
        let ours = match name.as_str() {
            "disabled" => "disable",
            "preferred" | "allow" => "prefer",
            "required" => "require",
            "verify-identity" => "verify-full",
            other => other,
        };
        Self::NAMES.iter().find(|(known, _)| *known == ours).map(|(_, mode)| *mode)
    }
}

impl ConnectOptions {
    /// Options for this engine and database with every default.
    pub fn new(engine: &'static dyn Engine, database: impl Into<String>) -> Self {
        Self {
            engine,
            host: "localhost".to_owned(),
            port: None,
            socket: None,
            database: database.into(),
            user: None,
            password: None,
            tls: TlsMode::default(),
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            connect_timeout: Duration::from_secs(10),
            connect_attempts: 3,
            statement_cache: 100,
            read_only: false,
            create: true,
            session: SessionOptions::default(),
            reader: false,
        }
    }

    /// The same server, account and settings, another database.
    #[must_use]
    pub fn with_database(&self, database: impl Into<String>) -> Self {
        Self { database: database.into(), ..self.clone() }
    }

    /// For a connection that reads while others of the same program write: as with `read_only`, and a statement that would
    /// write anything, be it a temporary table, is refused before it runs, with the kind `ReadOnly`.
    #[must_use]
    pub fn for_reading(&self) -> Self {
        Self { read_only: true, create: false, reader: true, ..self.clone() }
    }

    /// Where this leads, for messages: no user, no password. `shop on db.internal:3306`, `shop.db`.
    pub fn target(&self) -> String {
        let place = match (&self.socket, self.engine.location()) {
            (_, Location::File) => return self.database.clone(),
            (Some(socket), _) => socket.display().to_string(),
            (None, Location::Server { default_port }) => {
                let port = self.port.unwrap_or(default_port);
                if self.host.contains(':') {
                    format!("[{}]:{port}", self.host)
                } else {
                    format!("{}:{port}", self.host)
                }
            }
        };
        if self.database.is_empty() { place } else { format!("{} on {place}", self.database) }
    }
}
