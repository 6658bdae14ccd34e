//! A short connection beside another one, to have the server stop what that one does.

use super::errors::of_driver;
use super::login::{Purpose, connect};
use crate::{ConnectOptions, Error, ErrorKind, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

/// Which server answers, to know it again through a proxy that may lead elsewhere.
pub(super) const IDENTITY: &str = "CONCAT_WS('/', @@hostname, @@port, @@server_id)";

/// The number of a session and the server it is on.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: u32,
    pub(super) server: String,
}

/// A connection that may kill the statements of another one.
pub(super) struct Beside {
    conn: Conn,
    id: u32,
}

impl Beside {
    /// # Errors
    /// `Unavailable` where a balancer led to another server: there the number is somebody else's.
    pub(super) async fn open(options: &ConnectOptions, session: &Session) -> Result<Self> {
        let mut conn = connect(options, Purpose::Beside).await?;
        let here: Option<String> = conn.query_first(format!("SELECT {IDENTITY}")).await.map_err(of_driver)?;
        if here.as_deref() != Some(&session.server) {
            return Err(Error::new(ErrorKind::Unavailable, "the connection beside led to another server"));
        }
        Ok(Self { conn, id: session.id })
    }

    /// Kills the statement that runs now, if any.
    pub(super) async fn kill_statement(&mut self) -> Result<()> {
        self.kill("QUERY").await
    }

    /// Ends the session.
    pub(super) async fn kill_session(mut self) -> Result<()> {
        self.kill("CONNECTION").await?;
        self.conn.disconnect().await.map_err(of_driver)
    }

    async fn kill(&mut self, what: &str) -> Result<()> {
        match self.conn.query_drop(format!("KILL {what} {}", self.id)).await {
            // ER_NO_SUCH_THREAD: it has ended by itself.
            Err(mysql_async::Error::Server(error)) if error.code == 1094 => Ok(()),
            outcome => outcome.map_err(of_driver),
        }
    }
}
