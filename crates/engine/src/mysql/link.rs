//! The link itself, and how a future that is dropped half-way is got back under control.

use super::beside::{self, Beside, IDENTITY};
use super::dialect::Flavor;
use super::errors;
use super::login::{Purpose, connect};
use super::session::Session;
use crate::step::{self, Step};
use crate::{ConnectOptions, Error, ErrorKind, Executed, Result, TransactionState};
use futures_core::future::BoxFuture;
use futures_util::FutureExt as _;
use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable as _;
use mysql_async::{BinaryProtocol, Conn, QueryResult, Statement, TextProtocol};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// How long an interrupted statement may take to end by itself before it is killed: the time of a round trip or a few
/// pages of rows, less than what a connection of its own to kill it costs.
const GRACE: Duration = Duration::from_millis(10);

/// How long a killed statement may go on without a sign of its end before the link is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection of the driver with what is going on over it.
///
/// Work runs in a future that the link owns. A caller that goes away leaves it here, where [`recover`](Link::recover)
/// brings it to its end: nothing is ever cut off in the middle of an answer.
pub(super) struct Link {
    state: State,
    /// The form of the rows that a stream has not read yet.
    unread: Option<Wire>,
    /// A statement outside the cache, to be closed once its rows are through.
    leftover: Option<Statement>,
    /// Rows read since the link was opened, to tell progress from silence.
    rows: u64,
    transaction: TransactionState,
    options: ConnectOptions,
    session: beside::Session,
}

enum State {
    Ready(Conn),
    /// Never locked: the mutex makes shareable what is only polled through `&mut`.
    Busy(Mutex<BoxFuture<'static, Arrived>>),
    Gone,
}

/// What work leaves behind.
struct Arrived {
    conn: Conn,
    transaction: TransactionState,
    rows: Rows,
}

/// The form of rows that were not read yet, and their statement if it is to be closed after them.
pub(super) type Rows = Option<(Wire, Option<Statement>)>;

/// What comes next of a result: a row, or after the last what the statement did.
pub(super) enum Next {
    Row(mysql_async::Row),
    End(Executed),
}

/// The two forms of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Text,
    Binary,
}

/// What the server said of itself while the session was set up.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) flavor: Flavor,
    /// As the server spells it.
    pub(super) version: String,
    /// The numbers of it.
    pub(super) numbers: (u16, u16, u16),
    pub(super) longest_packet: usize,
    /// The settings, without the modes this server does not know.
    pub(super) session: Session,
}

impl Link {
    /// Connects, logs in and sets up the session, the last in one round trip.
    pub(super) async fn open(options: &ConnectOptions) -> Result<(Self, Greeting)> {
        let mut session = Session::new(options)?;
        let mut conn = connect(options, Purpose::Application).await?;
        step::enter(Step::SetUp);
        let numbers = conn.server_version();
        // From 10 on the numbers are MariaDB's alone. A wrong guess shows in the answer.
        let mut flavor = if numbers.0 >= 10 { Flavor::MariaDb } else { Flavor::MySql };
        let (version, longest_packet, identity) = loop {
            let sql = format!(
                "{}; SELECT VERSION(), @@version_comment, @@max_allowed_packet, {IDENTITY}",
                session.sql(flavor, numbers)
            );
            match greeting(&mut conn, &sql).await {
                Ok(Some((version, comment, packet, identity))) => {
                    let is_maria = version.contains("MariaDB") || comment.contains("MariaDB");
                    let found = if is_maria { Flavor::MariaDb } else { Flavor::MySql };
                    if found == flavor {
                        break (version, packet, identity);
                    }
                    flavor = found;
                }
                Ok(None) => return Err(Error::new(ErrorKind::Unavailable, "the server did not say which it is")),
                Err(error) if session.leave_out_mode(&error) => {}
                Err(error) => return Err(errors::of_connecting(error, &options.target())),
            }
        };
        let link = Self {
            transaction: transaction_of(&conn),
            session: beside::Session { id: conn.id(), server: identity },
            state: State::Ready(conn),
            unread: None,
            leftover: None,
            rows: 0,
            options: options.clone(),
        };
        Ok((link, Greeting { flavor, version, numbers, longest_packet, session }))
    }

    /// Whether a transaction is open, from the server's last answer.
    pub(super) fn transaction(&self) -> TransactionState {
        match self.state {
            State::Ready(_) if self.unread.is_none() => self.transaction,
            State::Gone => TransactionState::Idle,
            _ => TransactionState::Unknown,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        match &self.state {
            State::Ready(conn) => conn.is_disconnected(),
            State::Busy(_) => false,
            State::Gone => true,
        }
    }

    /// Runs some work to its end. Where the caller goes away before, the work stays for [`recover`](Link::recover).
    pub(super) async fn run<T, F>(&mut self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.run_for_rows(move |conn| work(conn).map(|outcome| outcome.map(|value| (value, None))).boxed()).await
    }

    /// As [`run`](Link::run), for work that leaves rows unread, which [`next_row`](Link::next_row) gives.
    pub(super) async fn run_for_rows<T, F>(&mut self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<(T, Rows)>> + Send + 'static,
    {
        if self.is_gone() {
            self.state = State::Gone;
        }
        let State::Ready(mut conn) = std::mem::replace(&mut self.state, State::Gone) else { return Err(gone()) };
        let leftover = self.leftover.take();
        let (tell, mut told) = tokio::sync::oneshot::channel();
        let work = async move {
            let closed = match leftover {
                Some(statement) => conn.close(statement).await.map_err(errors::of_driver),
                None => Ok(()),
            };
            let outcome = match closed {
                Ok(()) => work(&mut conn).await,
                Err(error) => Err(error),
            };
            let (outcome, rows) = match outcome {
                Ok((value, rows)) => (Ok(value), rows),
                Err(error) => (Err(error), None),
            };
            let transaction = observe(&mut conn, outcome.is_err()).await;
            // Nobody listens any more when the caller has gone away.
            let _ = tell.send(outcome);
            Arrived { conn, transaction, rows }
        };
        self.state = State::Busy(Mutex::new(work.boxed()));
        self.arrive().await;
        told.try_recv().map_err(|_| gone())?
    }

    /// The next row left unread. After the last, and after an error, nothing is left.
    pub(super) async fn next_row(&mut self) -> Result<Next> {
        let State::Ready(conn) = &mut self.state else { return Err(gone()) };
        let Some(wire) = self.unread else { return Ok(Next::End(Executed::default())) };
        let row = match wire {
            Wire::Text => QueryResult::<'_, '_, TextProtocol>::new(&mut *conn).next().await,
            Wire::Binary => QueryResult::<'_, '_, BinaryProtocol>::new(&mut *conn).next().await,
        };
        self.rows += 1;
        if let Ok(Some(row)) = row {
            return Ok(Next::Row(row));
        }
        self.unread = None;
        // A procedure's further results, and what the server says of the transaction: work of its own, so that a caller who
        // goes away now cuts nothing off either.
        let error = row.err().map(errors::of_driver);
        let wire = error.is_none().then_some(wire);
        let rest = self.run(move |conn| read_rest(conn, wire).boxed()).await;
        error.map_or(rest.map(Next::End), Err)
    }

    /// Brings to an end what a dropped future or stream has left, if need be by killing the statement.
    pub(super) async fn recover(&mut self) -> Result<()> {
        if timeout(GRACE, self.wind_down()).await.is_err() {
            if !self.stop().await {
                self.abandon();
                return Err(gone());
            }
            // A kill that came too late for its statement hits the next one: this.
            let _ = self.run(|conn| async { conn.query_drop("DO 0").await.map_err(errors::of_driver) }.boxed()).await;
        }
        if self.is_gone() { Err(gone()) } else { Ok(()) }
    }

    /// Kills what runs until everything is at its end. What was only being prepared when it was killed runs afterwards, and
    /// is to be killed again.
    async fn stop(&mut self) -> bool {
        let Ok(Ok(mut beside)) = timeout(PATIENCE, Beside::open(&self.options, &self.session)).await else {
            return false;
        };
        let (mut pause, mut silence) = (Duration::from_millis(50), Duration::ZERO);
        while silence < PATIENCE {
            if !matches!(timeout(PATIENCE, beside.kill_statement()).await, Ok(Ok(()))) {
                return false;
            }
            let rows = self.rows;
            if timeout(pause, self.wind_down()).await.is_ok() {
                return true;
            }
            // What lies in the buffers of a network may take its time.
            silence = if self.rows > rows { Duration::ZERO } else { silence + pause };
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        false
    }

    /// Says good-bye.
    pub(super) async fn close(mut self) -> Result<()> {
        if let State::Ready(conn) = std::mem::replace(&mut self.state, State::Gone) {
            if self.unread.is_some() {
                self.state = State::Ready(conn);
                self.abandon();
            } else {
                return conn.disconnect().await.map_err(errors::of_driver);
            }
        }
        Ok(())
    }

    async fn wind_down(&mut self) {
        self.arrive().await;
        while let Ok(Next::Row(_)) = self.next_row().await {}
    }

    /// Brings the work under way to its end.
    async fn arrive(&mut self) {
        if let State::Busy(work) = &mut self.state {
            let Arrived { conn, transaction, rows } = std::future::poll_fn(|context| {
                work.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(context)
            })
            .await;
            self.state = State::Ready(conn);
            self.transaction = transaction;
            (self.unread, self.leftover) = rows.map_or((None, None), |(wire, statement)| (Some(wire), statement));
        }
    }

    /// Gives up: closes the socket without reading what may still come, and has the server end the session.
    fn abandon(&mut self) {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Gone => return,
            State::Busy(work) => drop(work),
            State::Ready(conn) => sever(conn),
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (options, session) = (self.options.clone(), self.session.clone());
            // Best effort: the server also ends a session whose socket is closed, once it next writes to it.
            runtime
                .spawn(timeout(PATIENCE, async move { Beside::open(&options, &session).await?.kill_session().await }));
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.unread.is_some() || matches!(self.state, State::Busy(_)) {
            self.abandon();
        }
    }
}

/// Closes the socket without reading what may still come.
pub(super) fn sever(mut conn: Conn) {
    // The driver would read every row before it said good-bye. A ping that is begun and dropped makes it see that there is
    // nobody to say good-bye to.
    let _ = conn.ping().now_or_never();
}

/// Sets the session up and reads what the server says of itself in the last of the results.
async fn greeting(conn: &mut Conn, sql: &str) -> Result<Option<(String, String, usize, String)>, mysql_async::Error> {
    let mut result = conn.query_iter(sql).await?;
    let mut rows: Vec<mysql_async::Row> = Vec::new();
    while !result.is_empty() {
        rows = result.collect().await?;
    }
    // An error of a later statement is handed out here.
    result.drop_result().await?;
    Ok(rows.into_iter().next().and_then(|row| mysql_async::from_row_opt(row).ok()))
}

/// Reads what is left behind the last row, or asks for a sign of life where there is nothing to read after an error.
async fn read_rest(conn: &mut Conn, wire: Option<Wire>) -> Result<Executed> {
    match wire {
        None => conn.ping().await,
        Some(Wire::Text) => QueryResult::<'_, '_, TextProtocol>::new(&mut *conn).drop_result().await,
        Some(Wire::Binary) => QueryResult::<'_, '_, BinaryProtocol>::new(&mut *conn).drop_result().await,
    }
    .map_err(errors::of_driver)?;
    Ok(Executed::new(conn.affected_rows(), conn.last_insert_id()))
}

/// The state of the transaction after an answer. Errors do not tell it, so the server is asked.
async fn observe(conn: &mut Conn, failed: bool) -> TransactionState {
    if failed && !conn.is_disconnected() {
        // The first may still hand out an error of a result that was not read.
        if conn.ping().await.is_err() && !conn.is_disconnected() {
            let _ = conn.ping().await;
        }
    }
    transaction_of(conn)
}

fn transaction_of(conn: &Conn) -> TransactionState {
    let flags = conn.last_ok_packet().map_or(StatusFlags::empty(), |packet| packet.status_flags());
    if flags.contains(StatusFlags::SERVER_STATUS_IN_TRANS) { TransactionState::Open } else { TransactionState::Idle }
}

pub(super) fn gone() -> Error {
    Error::new(ErrorKind::ConnectionLost, "the connection was lost or given up").with_hint("open a new connection")
}
