//! What does the server say of the transaction, and is an answer outstanding?
//!
//! tokio-postgres keeps the status byte of ReadyForQuery to itself, so the bytes are watched on their way: only the five
//! bytes in front of each message are looked at, bodies are skipped. The watcher sits above TLS.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use super::socket::Channel;
use crate::TransactionState;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// What was seen so far, for whoever asks.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Requests that may change the transaction's state and are not answered to their end.
    outstanding: AtomicUsize,
    status: AtomicU8,
    /// The server waits for COPY data and has not been told of their end.
    copying: AtomicBool,
    /// The server refused COPY data before their end.
    refused: AtomicBool,
    closed: AtomicBool,
    changed: Notify,
}

impl Watch {
    /// The state by the last ReadyForQuery.
    pub(super) fn transaction_state(&self) -> TransactionState {
        if self.outstanding.load(Ordering::Acquire) > 0 {
            return TransactionState::Unknown;
        }
        match self.status.load(Ordering::Acquire) {
            b'I' => TransactionState::Idle,
            b'T' => TransactionState::Open,
            b'E' => TransactionState::Failed,
            _ => TransactionState::Unknown,
        }
    }

    /// Waits until every request was answered to its end, or until that cannot happen any more.
    pub(super) async fn settled(&self) {
        let hopeless = || self.is_closed() || self.copying.load(Ordering::Acquire);
        while self.outstanding.load(Ordering::Acquire) > 0 && !hopeless() {
            self.changed.notified().await;
        }
    }

    /// Whether a request is known to be running.
    pub(super) fn is_busy(&self) -> bool {
        self.transaction_state() == TransactionState::Unknown
    }

    /// Whether the server has given up a COPY that still runs here.
    pub(super) fn has_refused_copy(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits until the connection has ended.
    pub(super) async fn closed(&self) {
        while !self.is_closed() {
            self.changed.notified().await;
        }
    }

    /// Nothing will come any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

/// A channel whose messages are watched both ways.
pub(super) struct Watched {
    channel: Channel,
    sent: Frames,
    received: Frames,
    ledger: Ledger,
}

impl Watched {
    pub(super) fn new(channel: Channel, watch: Arc<Watch>) -> Self {
        let ledger = Ledger::new(watch);
        Self { channel, sent: Frames::after_startup(), received: Frames::default(), ledger }
    }
}

/// A Sync or Query that awaits its ReadyForQuery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// It may change the transaction's state.
    Request,
    /// As a request, and ends a COPY.
    CopyEnd,
    /// It only closes statements.
    Close,
}

/// Which requests await their ReadyForQuery, in order.
struct Ledger {
    watch: Arc<Watch>,
    open: VecDeque<Awaited>,
    /// What the next Sync will end.
    next: Awaited,
    /// How many of the next Syncs get no answer of their own.
    ignored: usize,
    /// One answer more is to come than the driver counts on; see [`out_of_step`](Ledger::out_of_step).
    is_out_of_step: bool,
}

impl Ledger {
    fn new(watch: Arc<Watch>) -> Self {
        Self { watch, open: VecDeque::new(), next: Awaited::Close, ignored: 0, is_out_of_step: false }
    }

    fn sent(&mut self, tag: u8) {
        match tag {
            b'Q' => self.push(Awaited::Request),
            b'S' => {
                let ended = std::mem::replace(&mut self.next, Awaited::Close);
                match self.ignored.checked_sub(1) {
                    Some(left) => self.ignored = left,
                    None => self.push(ended),
                }
            }
            b'c' | b'f' => {
                self.next = Awaited::CopyEnd;
                self.watch.copying.store(false, Ordering::Release);
            }
            // Close of a statement changes nothing; the start, log-in and farewell and COPY data have no Sync of their own.
            b'C' | b'd' | b'X' | b'p' | 0 => {}
            _ => self.next = Awaited::Request,
        }
    }

    fn push(&mut self, awaited: Awaited) {
        // The request that asked for the COPY was answered already, so this is answered too.
        self.is_out_of_step |= awaited == Awaited::CopyEnd && self.open.is_empty();
        self.open.push_back(awaited);
        if awaited != Awaited::Close {
            self.watch.outstanding.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn pop(&mut self) {
        if self.open.pop_front().is_some_and(|awaited| awaited != Awaited::Close) {
            self.watch.outstanding.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// A COPY FROM STDIN that fails before it begins makes the driver end it nevertheless, and the server answers that end
    /// separately. The driver would take the answer for that of its next request: the connection must not live on.
    fn out_of_step(&self) -> io::Result<()> {
        match self.is_out_of_step {
            true => Err(io::Error::other("the connection was given up after a COPY that could not begin")),
            false => Ok(()),
        }
    }

    fn received(&mut self, tag: u8, first: u8) {
        match tag {
            b'Z' => {
                self.watch.status.store(first, Ordering::Release);
                self.watch.copying.store(false, Ordering::Release);
                self.watch.refused.store(false, Ordering::Release);
                self.pop();
                self.is_out_of_step |= self.open.front() == Some(&Awaited::CopyEnd);
                self.watch.changed.notify_one();
            }
            // In COPY FROM STDIN the server ignores the Sync that came with Execute and answers the one after CopyDone.
            // https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
            b'G' if self.open.len() > 1 => self.pop(),
            b'G' => {
                self.ignored += 1;
                self.watch.copying.store(true, Ordering::Release);
                self.watch.changed.notify_one();
            }
            b'E' if self.watch.copying.swap(false, Ordering::AcqRel) => {
                self.watch.refused.store(true, Ordering::Release)
            }
            _ => {}
        }
    }
}

/// Cuts a flow of bytes into messages, keeping nothing but the place.
#[derive(Default)]
struct Frames {
    header: [u8; 5],
    have: usize,
    /// Bytes of the body still to skip.
    skip: usize,
    first: Option<u8>,
}

impl Frames {
    /// The client's first message has a length but no tag.
    fn after_startup() -> Self {
        Self { have: 1, ..Self::default() }
    }

    fn feed(&mut self, mut bytes: &[u8], mut message: impl FnMut(u8, u8)) {
        while !bytes.is_empty() {
            if self.have < 5 {
                let taken = bytes.len().min(5 - self.have);
                self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
                self.have += taken;
                bytes = &bytes[taken..];
                if self.have < 5 {
                    return;
                }
                let [_, length @ ..] = self.header;
                // A length below four is nonsense, which tokio-postgres refuses when it reads the same bytes.
                self.skip = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                self.first = None;
            }
            let taken = bytes.len().min(self.skip);
            if self.first.is_none() {
                self.first = bytes[..taken].first().copied();
            }
            self.skip -= taken;
            bytes = &bytes[taken..];
            if self.skip == 0 {
                message(self.header[0], self.first.unwrap_or(0));
                self.have = 0;
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { channel, received, ledger, .. } = &mut *self;
        ledger.out_of_step()?;
        let before = buf.filled().len();
        let polled = Pin::new(channel).poll_read(context, buf);
        received.feed(&buf.filled()[before..], |tag, first| ledger.received(tag, first));
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { channel, sent, ledger, .. } = &mut *self;
        ledger.out_of_step()?;
        let polled = Pin::new(channel).poll_write(context, buf);
        if let Poll::Ready(Ok(taken)) = polled {
            sent.feed(&buf[..taken], |tag, _| ledger.sent(tag));
            ledger.out_of_step()?;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(context)
    }
}

impl TlsStream for Watched {
    fn channel_binding(&self) -> ChannelBinding {
        self.channel.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        out.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        out.extend(body);
        out
    }

    fn ledger() -> Ledger {
        Ledger::new(Arc::default())
    }

    #[test]
    fn messages_are_found_wherever_the_bytes_are_cut() {
        let flow = [message(b'T', b"abcdef"), message(b'C', b""), message(b'Z', b"T"), message(b'Z', b"I")].concat();
        for size in 1..flow.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for piece in flow.chunks(size) {
                frames.feed(piece, |tag, first| seen.push((tag, first)));
            }
            assert_eq!(seen, [(b'T', b'a'), (b'C', 0), (b'Z', b'T'), (b'Z', b'I')], "in pieces of {size}");
        }
    }

    #[test]
    fn the_startup_message_has_no_tag() {
        let startup = message(0, b"user\0app\0\0");
        let (mut frames, mut seen) = (Frames::after_startup(), Vec::new());
        frames.feed(&startup[1..], |tag, _| seen.push(tag));
        frames.feed(&message(b'Q', b"SELECT 1\0"), |tag, _| seen.push(tag));
        assert_eq!(seen, [0, b'Q']);
    }

    #[test]
    fn the_state_is_unknown_while_an_answer_is_outstanding() {
        let mut ledger = ledger();
        ledger.received(b'Z', b'I');
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Idle);
        for tag in [b'P', b'D', b'S'] {
            ledger.sent(tag);
        }
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Unknown);
        ledger.received(b'Z', b'T');
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Open);
        ledger.sent(b'C');
        ledger.sent(b'S');
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Open, "closing a statement changes nothing");
        ledger.sent(b'Q');
        ledger.received(b'Z', b'T');
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Unknown, "that was the answer to the close");
        ledger.received(b'Z', b'E');
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Failed);
    }

    #[test]
    fn copying_in_swallows_one_sync() {
        let mut ledger = ledger();
        ledger.received(b'Z', b'I');
        for tag in [b'B', b'E', b'S'] {
            ledger.sent(tag);
        }
        ledger.received(b'G', 0);
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Unknown);
        for tag in [b'd', b'd', b'c', b'S'] {
            ledger.sent(tag);
        }
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Unknown);
        ledger.received(b'Z', b'I');
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Idle);
        assert!(ledger.open.is_empty() && ledger.ignored == 0);
    }

    #[test]
    fn a_copy_that_was_broken_off_before_it_began_is_accounted_for() {
        let mut ledger = ledger();
        for tag in [b'B', b'E', b'S', b'f', b'S'] {
            ledger.sent(tag);
        }
        ledger.received(b'G', 0);
        ledger.received(b'E', 0);
        ledger.received(b'Z', b'I');
        assert!(ledger.out_of_step().is_ok());
        assert_eq!(ledger.watch.transaction_state(), TransactionState::Idle);
        assert!(ledger.open.is_empty() && ledger.ignored == 0);
    }

    #[test]
    fn a_copy_that_could_not_begin_gives_the_connection_up() {
        for answered_first in [true, false] {
            let mut ledger = ledger();
            for tag in [b'B', b'E', b'S'] {
                ledger.sent(tag);
            }
            if answered_first {
                ledger.received(b'E', 0);
                ledger.received(b'Z', b'I');
            }
            ledger.sent(b'f');
            ledger.sent(b'S');
            if !answered_first {
                ledger.received(b'E', 0);
                ledger.received(b'Z', b'I');
            }
            assert!(ledger.out_of_step().is_err());
        }
    }
}
