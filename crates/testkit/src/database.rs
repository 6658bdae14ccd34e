//! A database for one test.

use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Kind, Server};

/// An empty database with a name of its own, dropped with this handle.
#[derive(Debug)]
pub struct TestDatabase {
    server: Server,
    name: String,
}

impl TestDatabase {
    pub(crate) fn create(server: &Server) -> TestDatabase {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Process numbers come round again, and a killed test leaves its database on a server that others started.
        let name = format!("test_{}_{count}_{:04x}", process::id(), fastrand::u16(..));
        server.client().run("", &format!("CREATE DATABASE {name}"));
        TestDatabase { server: server.clone(), name }
    }

    /// The server it is on.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its name: lower-case letters, digits and underscores.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL over TCP, with the password.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its URL over the unix socket.
    pub fn socket_url(&self) -> String {
        self.server.socket_url(&self.name)
    }

    /// Runs statements in it through the stock client and returns what that printed: values with tabs between them, a line
    /// a row.
    ///
    /// # Panics
    ///
    /// When a statement fails.
    pub fn sql(&self, sql: &str) -> String {
        self.server.client().run(&self.name, sql)
    }

    /// Runs a file of SQL in it through the stock client; one that ends in `.gz` is unpacked on the way.
    ///
    /// # Panics
    ///
    /// When the file cannot be read or a statement fails.
    pub fn load(&self, file: &Path) {
        self.server.client().load(&self.name, file);
    }

    /// Everything in it as text, by the server's stock dump program: equal for equal databases.
    ///
    /// # Panics
    ///
    /// When the dump program fails.
    pub fn dump(&self) -> String {
        self.server.client().dump(&self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A private server may be dead or frozen by now, and takes its data with it.
        if self.server.is_private() {
            return;
        }
        let force = match self.server.kind() {
            Kind::Mariadb | Kind::Mysql => "",
            Kind::Postgres => " WITH (FORCE)",
        };
        // A test that has failed shall say how, not that its database could not be dropped.
        let _ = self.server.client().try_run("", &format!("DROP DATABASE IF EXISTS {}{force}", self.name));
    }
}
