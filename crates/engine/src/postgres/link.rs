//! One session with the server: its client, the task that moves its bytes, and how to stop what it runs.

use super::errors;
use super::session::Settings;
use super::socket::{Channel, Listening, Settled};
use super::watch::{Watch, Watched};
use crate::step::{self, Step};
use crate::{ConnectOptions, Error, ErrorKind, Result, Version};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{AsyncMessage, Client, Config};

/// How long a dropped statement may take to end by itself before it is cancelled.
const GRACE: Duration = Duration::from_millis(10);
/// How long a cancelled statement may take to end before the connection is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many warnings are kept.
const KEPT_WARNINGS: usize = 20;

/// A session.
pub(super) struct Link {
    client: Client,
    watch: Arc<Watch>,
    mail: Arc<Mutex<Mail>>,
    task: Carrier,
    options: ConnectOptions,
    version: Version,
    /// Settings to be made again after `RESET ALL`, where the startup message could not carry them.
    reapply: Option<String>,
}

/// What the server said unasked.
#[derive(Default)]
struct Mail {
    warnings: Vec<String>,
    /// Why the connection ended.
    last_words: Option<Error>,
}

impl Link {
    /// Opens a session and sets it up, in one round trip after the log-in's own.
    pub(super) async fn open(options: &ConnectOptions) -> Result<Self> {
        let settings = Settings::of(options)?;
        match Self::open_with(options, &settings, true).await {
            // Poolers refuse settings in the startup message, and old servers a setting they do not know.
            Err(error) if error.code() == Some("08P01") && error.message().contains("startup") => {
                let mut link = Self::open_with(options, &settings, false).await?;
                let script = settings.as_script();
                link.batch(&script).await?;
                link.reapply = Some(script);
                Ok(link)
            }
            Err(error) if error.code() == Some("42704") && error.message().contains("idle_session_timeout") => {
                Self::open_with(options, &settings.without_idle_timeout(), true).await
            }
            outcome => outcome,
        }
    }

    async fn open_with(options: &ConnectOptions, settings: &Settings, startup: bool) -> Result<Self> {
        let channel = Channel::open(options).await?;
        let mut config = Config::new();
        config
            // Encryption is settled already; "direct" keeps the driver from asking for it once more.
            .ssl_mode(tokio_postgres::config::SslMode::Require)
            .ssl_negotiation(tokio_postgres::config::SslNegotiation::Direct)
            .application_name(options.session.application_name.as_deref().unwrap_or("dbkeep"));
        if startup {
            config.options(settings.as_options());
        }
        if let Some(user) = &options.user {
            config.user(user);
        }
        if let Some(password) = &options.password {
            config.password(password.expose());
        }
        if !options.database.is_empty() {
            config.dbname(&options.database);
        }
        let watch = Arc::new(Watch::default());
        let watched = Watched::new(channel, watch.clone());
        step::enter(Step::Authenticate);
        let (client, connection) = config
            .connect_raw(tokio::io::empty(), Settled(watched))
            .await
            .map_err(|error| errors::connecting(error, &options.target()))?;
        let version = Version::parse(connection.parameter("server_version").unwrap_or_default());
        let mail = Arc::new(Mutex::new(Mail::default()));
        let handle = Some(tokio::spawn(carry(connection, watch.clone(), mail.clone())));
        let task = Carrier { handle, watch: watch.clone() };
        Ok(Self { client, watch, mail, task, options: options.clone(), version, reapply: None })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    pub(super) fn version(&self) -> &Version {
        &self.version
    }

    /// Settings to be made again after `RESET ALL`.
    pub(super) fn reapply(&self) -> &str {
        self.reapply.as_deref().unwrap_or_default()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.watch.is_closed()
    }

    /// Runs statements by the simple protocol. Those without a transaction of their own share one.
    pub(super) async fn batch(&self, sql: &str) -> Result<()> {
        let outcome = self.client.batch_execute(sql).await;
        self.landed(outcome).await
    }

    /// Waits for the end of the answer, which an error stands in front of, and makes the error ours.
    pub(super) async fn landed<T>(&self, outcome: Result<T, tokio_postgres::Error>) -> Result<T> {
        match outcome {
            Ok(value) => {
                self.watch.settled().await;
                Ok(value)
            }
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// As [`landed`](Self::landed), for an error alone.
    pub(super) async fn failed(&self, error: tokio_postgres::Error) -> Error {
        self.watch.settled().await;
        let mapped = errors::statement(error);
        // "closed" says less than what the server said when it closed.
        let words = || self.mail().last_words.take();
        match mapped.kind() {
            ErrorKind::ConnectionLost if mapped.code().is_none() => words().unwrap_or(mapped),
            _ => mapped,
        }
    }

    /// As [`failed`](Self::failed), for a COPY FROM STDIN that could not begin. The connection ends with it, since the
    /// driver and the server no longer agree on which answer belongs to what; see `watch.rs`.
    pub(super) async fn failed_to_copy(&self, error: tokio_postgres::Error) -> Error {
        let error = self.failed(error).await;
        // It ends by itself; only the caller is not to meet it while it still looks alive.
        let _ = tokio::time::timeout(PATIENCE, self.watch.closed()).await;
        error
    }

    fn mail(&self) -> std::sync::MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The warnings since this was last asked.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.mail().warnings)
    }

    /// Ends what still runs after a future was dropped, and reads what is still to come.
    ///
    /// Rows cannot get mixed up: the driver throws away the answers nobody waits for, and this waits until all are in.
    pub(super) async fn recover(&self) -> Result<()> {
        let given_up = |why: &str| Error::new(ErrorKind::ConnectionLost, format!("the connection was given up: {why}"));
        if self.is_closed() {
            return Err(self.mail().last_words.take().unwrap_or_else(|| given_up("it is closed")));
        }
        // Answers come in order, so the answer to this Sync comes after everything else.
        let mut sync = std::pin::pin!(self.client.check_connection());
        if let Ok(outcome) = tokio::time::timeout(GRACE, &mut sync).await {
            return self.landed(outcome).await;
        }
        let stopping = async {
            self.cancel().await?;
            let outcome = sync.await;
            self.landed(outcome).await?;
            // The server has passed the cancel request on, but the statement may have ended by itself before it came:
            // it must hit this empty statement rather than the next real one.
            match self.batch("").await {
                Err(error) if error.kind() == ErrorKind::Cancelled => self.batch("").await,
                outcome => outcome,
            }
        };
        match tokio::time::timeout(PATIENCE, stopping).await {
            Ok(outcome) => outcome,
            Err(_) => Err(given_up("an interrupted statement did not end when it was cancelled")),
        }
    }

    /// Asks the server to stop the running statement, over a connection of its own, and waits until it passed that on.
    async fn cancel(&self) -> Result<()> {
        let mut channel = Channel::open(&self.options).await?;
        self.client
            .cancel_token()
            .cancel_query_raw(tokio::io::empty(), Settled(Listening(&mut channel)))
            .await
            .map_err(errors::statement)?;
        // The server closes the connection once it has signalled the session; what else happens to it is all the same.
        let _ = channel.read(&mut [0; 16]).await;
        Ok(())
    }

    /// Says farewell and waits until the server heard it.
    pub(super) async fn close(self) -> Result<()> {
        let Self { client, mut task, .. } = self;
        drop(client);
        let Some(task) = task.handle.take() else { return Ok(()) };
        match tokio::time::timeout(PATIENCE, task).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(ErrorKind::Timeout, "the server did not take the farewell in time")),
        }
    }
}

/// The task that moves the bytes. It ends by itself after a farewell, once the client is gone; where an answer is still
/// outstanding it would first read that to its end, so it is stopped instead.
struct Carrier {
    handle: Option<JoinHandle<()>>,
    watch: Arc<Watch>,
}

impl Drop for Carrier {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take().filter(|_| self.watch.is_busy()) {
            handle.abort();
        }
    }
}

/// Moves bytes until the session ends.
async fn carry(
    mut connection: tokio_postgres::Connection<tokio::io::Empty, Watched>,
    watch: Arc<Watch>,
    mail: Arc<Mutex<Mail>>,
) {
    while let Some(message) = std::future::poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => note(&notice, &mail),
            Ok(_) => {}
            Err(error) => {
                let error = errors::statement(error);
                tracing::debug!(target: "dbkeep::connection", %error, "the connection ended");
                mail.lock().unwrap_or_else(PoisonError::into_inner).last_words = Some(error);
                break;
            }
        }
    }
    watch.close();
}

fn note(notice: &DbError, mail: &Mutex<Mail>) {
    tracing::debug!(target: "dbkeep::notice", severity = notice.severity(), "{}", notice.message());
    if notice.parsed_severity() == Some(Severity::Warning) {
        let mut mail = mail.lock().unwrap_or_else(PoisonError::into_inner);
        if mail.warnings.len() < KEPT_WARNINGS {
            mail.warnings.push(notice.message().to_owned());
        }
    }
}
