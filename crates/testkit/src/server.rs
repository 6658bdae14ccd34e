//! A running server, shared by the tests of a run or private to one test.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::process::Process;
use crate::tools::{Tools, available};
use crate::{Client, Kind, TestDatabase};

/// A handle on a running server. Clones are the same server; when the last one goes, a private server is killed and its data
/// removed.
///
/// Every server has an account that may do everything, reached over TCP and over the socket, with a password full of
/// characters that mean something in a URL. TLS is on, with a certificate for `localhost` and `127.0.0.1` from
/// [`ca_file`](Server::ca_file); the server listens on `127.0.0.2` too, which the certificate does not name.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    kind: Kind,
    host: String,
    port: u16,
    user: String,
    password: String,
    socket: Option<PathBuf>,
    ca: PathBuf,
    other_ca: PathBuf,
    process: Option<Mutex<Process>>,
}

/// The server all tests of this run share: the one the environment names, else one started for this process. `None`, with a
/// notice, when there is none and `DBKEEP_REQUIRE` does not ask for it.
///
/// # Panics
///
/// When `DBKEEP_REQUIRE` names a kind that is not installed, and when an installed server does not start.
pub fn server(kind: Kind) -> Option<Server> {
    static SHARED: [OnceLock<Server>; 3] = [const { OnceLock::new() }; 3];
    if !available(kind) {
        return None;
    }
    let server = SHARED[kind as usize]
        .get_or_init(|| Server::from_environment(kind).unwrap_or_else(|| Server::start_new(kind, &[])));
    Some(server.clone())
}

/// A server of its own, with empty data, for a test that stops, kills or configures it. `options` are settings in the
/// server's own words, `name=value`. `None`, with a notice, when it is not installed and `DBKEEP_REQUIRE` does not ask for it.
///
/// # Panics
///
/// As [`server`].
pub fn private_server(kind: Kind, options: &[&str]) -> Option<Server> {
    available(kind).then(|| Server::start_new(kind, options))
}

impl Server {
    fn from_environment(kind: Kind) -> Option<Server> {
        let name = kind.variable("URL");
        let text = std::env::var(&name).ok().filter(|text| !text.is_empty())?;
        let url = Url::parse(&text).unwrap_or_else(|error| panic!("{name} is no URL: {error}"));
        let tools = tools(kind);
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Some(Server(Arc::new(Inner {
            kind,
            host: url.host_str().unwrap_or("127.0.0.1").to_owned(),
            port: url.port().unwrap_or_else(|| panic!("{name} has no port")),
            user: decoded(url.username()),
            password: decoded(url.password().unwrap_or_default()),
            socket: std::env::var_os(kind.variable("SOCKET")).map(PathBuf::from),
            ca: std::env::var_os("DBKEEP_TEST_CA").map_or_else(|| tools.ca.clone(), PathBuf::from),
            other_ca: tools.other_ca.clone(),
            process: None,
        })))
    }

    fn start_new(kind: Kind, options: &[&str]) -> Server {
        let tools = tools(kind);
        let process = Process::new(kind, options);
        let home = process.home();
        let socket = match kind {
            Kind::Mariadb | Kind::Mysql => home.join("mysqld.sock"),
            Kind::Postgres => home.clone(),
        };
        Server(Arc::new(Inner {
            kind,
            host: "127.0.0.1".to_owned(),
            port: process.port(),
            user: tools.user.clone(),
            password: tools.password.clone(),
            socket: Some(socket),
            ca: home.join("tls/ca.pem"),
            other_ca: tools.other_ca.clone(),
            process: Some(Mutex::new(process)),
        }))
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The host it listens on: `127.0.0.1`, unless the environment names another.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The TCP port. It stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The account that may do everything.
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// Its password, as typed, not as written in a URL.
    pub fn password(&self) -> &str {
        &self.0.password
    }

    /// The unix socket: a file for MySQL and MariaDB, the folder that holds it for PostgreSQL.
    pub fn socket(&self) -> Option<&Path> {
        self.0.socket.as_deref()
    }

    /// The certificate of the authority that signed the server's.
    pub fn ca_file(&self) -> &Path {
        &self.0.ca
    }

    /// The certificate of an authority that signed nothing here: verification against it must fail.
    pub fn other_ca_file(&self) -> &Path {
        &self.0.other_ca
    }

    /// The URL of a database over TCP, with the password.
    pub fn url(&self, database: &str) -> String {
        self.url_as(&self.0.user, &self.0.password, &self.0.host, database)
    }

    /// The URL of a database over TCP for another account or another host.
    pub fn url_as(&self, user: &str, password: &str, host: &str, database: &str) -> String {
        let scheme = match self.0.kind {
            Kind::Mariadb | Kind::Mysql => "mysql",
            Kind::Postgres => "postgres",
        };
        let (user, password) = (percent_encoded(user), percent_encoded(password));
        format!("{scheme}://{user}:{password}@{host}:{}/{}", self.0.port, percent_encoded(database))
    }

    /// The URL of a database over the unix socket: `?socket=` with a file, or with PostgreSQL's folder.
    ///
    /// # Panics
    ///
    /// When the server was named by the environment without its socket.
    pub fn socket_url(&self, database: &str) -> String {
        let socket = self.socket().unwrap_or_else(|| panic!("{} is not set", self.0.kind.variable("SOCKET")));
        let url = self.url_as(&self.0.user, &self.0.password, "localhost", database);
        format!("{url}?socket={}", percent_encoded(&socket.display().to_string()))
    }

    /// The URL to create databases and accounts through: no database, or the one that always exists.
    pub fn admin_url(&self) -> String {
        self.url(self.0.kind.maintenance_database())
    }

    /// The server's stock command line client: what it says does not depend on dbkeep.
    pub fn client(&self) -> Client {
        Client::new(self)
    }

    /// An empty database with a name nobody else has, dropped with the handle.
    pub fn fresh_database(&self) -> TestDatabase {
        TestDatabase::create(self)
    }

    /// Starts a stopped or killed server again: same data, port and socket. Returns when it answers.
    pub fn start(&self) {
        self.process().start();
    }

    /// Stops it in the orderly way, without waiting for its clients to leave. Returns when it has ended.
    pub fn stop(&self) {
        self.process().stop();
    }

    /// Stops and starts it.
    pub fn restart(&self) {
        let mut process = self.process();
        process.stop();
        process.start();
    }

    /// Kills it and all its processes with signal 9.
    pub fn kill9(&self) {
        self.process().kill();
    }

    /// Freezes it: connections stay open, nothing is answered, until [`sigcont`](Server::sigcont).
    pub fn sigstop(&self) {
        self.process().pause();
    }

    /// Lets a frozen server go on.
    pub fn sigcont(&self) {
        self.process().resume();
    }

    /// Whether its process lives. A frozen one does.
    pub fn is_running(&self) -> bool {
        self.process().is_running()
    }

    /// What it has written to its log since it was last started.
    pub fn log(&self) -> String {
        let log = self.process().log();
        std::fs::read(log).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// Whether its data goes with the handle, or with the process of the test.
    pub(crate) fn is_private(&self) -> bool {
        self.0.process.is_some()
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        let process = self.0.process.as_ref();
        let process = process
            .unwrap_or_else(|| panic!("a shared {} is not this test's to stop; use private_server", self.0.kind));
        // A test that panicked while it held the lock must not hinder the clean-up.
        process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}:{}", self.0.kind, self.0.host, self.0.port)
    }
}

fn tools(kind: Kind) -> &'static Tools {
    Tools::of(kind).unwrap_or_else(|| panic!("{kind} is not installed"))
}

fn percent_encoded(text: &str) -> String {
    /// All but what may stand anywhere in a URL as it is.
    const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, SET).to_string()
}
