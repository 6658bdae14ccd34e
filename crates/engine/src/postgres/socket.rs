//! How is the server reached: by TCP or a Unix socket, in the clear or encrypted?

use crate::step::{self, Step};
use crate::{ConnectOptions, Error, ErrorKind, Result, TlsMode, tls};
use std::future::{Ready, ready};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

type Encrypted = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::Stream;

/// The port when none is named.
pub(super) const DEFAULT_PORT: u16 = 5432;

/// A way to the server, encryption settled.
pub(super) enum Channel {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Encrypted>),
}

impl Channel {
    /// Reaches the server and settles encryption, as libpq would: never on a Unix socket, otherwise as `tls` says.
    pub(super) async fn open(options: &ConnectOptions) -> Result<Self> {
        step::enter(Step::Connect);
        if let Some(socket) = &options.socket {
            let path = socket_path(socket, options.port);
            return match UnixStream::connect(&path).await {
                Ok(stream) => Ok(Channel::Unix(stream)),
                Err(error) => Err(unreachable(&format!("the socket {}", path.display()), error)),
            };
        }
        if options.tls == TlsMode::Disable {
            return Ok(Channel::Tcp(tcp(options).await?));
        }
        let connector = MakeRustlsConnect::new(tls::client_config(options)?);
        let mut stream = tcp(options).await?;
        step::enter(Step::Tls);
        if !offers_tls(&mut stream).await.map_err(|error| broken_off(options, error))? {
            return match options.tls {
                TlsMode::Prefer => Ok(Channel::Tcp(stream)),
                _ => Err(Error::new(ErrorKind::Tls, format!("the server of {} does not offer TLS", options.target()))
                    .with_hint("set ssl = on in its postgresql.conf, or connect with tls=disable")),
            };
        }
        match encrypt(connector, stream, &options.host).await {
            Ok(encrypted) => Ok(Channel::Tls(Box::new(encrypted))),
            Err(error) if options.tls == TlsMode::Prefer => {
                tracing::debug!(target: "dbkeep::connect", %error, "TLS failed, going on without");
                step::enter(Step::Connect);
                Ok(Channel::Tcp(tcp(options).await?))
            }
            Err(error) => Err(handshake_failed(options, error)),
        }
    }

    /// Hands the channel's end over to tokio-postgres, which would else settle encryption by itself.
    pub(super) fn channel_binding(&self) -> ChannelBinding {
        match self {
            Channel::Tls(stream) => stream.channel_binding(),
            Channel::Tcp(_) | Channel::Unix(_) => ChannelBinding::none(),
        }
    }
}

/// A Unix socket by the directory it lies in, or by its own path.
fn socket_path(socket: &Path, port: Option<u16>) -> PathBuf {
    let is_full = socket.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(".s.PGSQL."));
    if is_full { socket.to_owned() } else { socket.join(format!(".s.PGSQL.{}", port.unwrap_or(DEFAULT_PORT))) }
}

/// The directory and port of a Unix socket, as libpq wants them.
pub(super) fn socket_directory(socket: &Path, port: Option<u16>) -> (PathBuf, u16) {
    let named = socket.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(".s.PGSQL."));
    match (named.and_then(|port| port.parse().ok()), socket.parent()) {
        (Some(port), Some(directory)) => (directory.to_owned(), port),
        _ => (socket.to_owned(), port.unwrap_or(DEFAULT_PORT)),
    }
}

async fn tcp(options: &ConnectOptions) -> Result<TcpStream> {
    let port = options.port.unwrap_or(DEFAULT_PORT);
    let place = format!("{}:{port}", options.host);
    let addresses = lookup_host((options.host.as_str(), port)).await.map_err(|error| {
        Error::new(ErrorKind::Refused, format!("the host {} cannot be found", options.host))
            .with_hint("is its name spelled right, and does this machine's name service know it?")
            .with_source(error)
    })?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let connecting = async {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // A peer that vanished is noticed in the end, even on a connection that only waits.
            socket.set_keepalive(true)?;
            let stream = socket.connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        match connecting.await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(unreachable(&place, last))
}

/// SSLRequest: <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>
async fn offers_tls(stream: &mut TcpStream) -> io::Result<bool> {
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await?;
    // Exactly one byte is read: more would have been put there by someone in between (CVE-2021-23222).
    Ok(stream.read_u8().await? == b'S')
}

async fn encrypt(mut connector: MakeRustlsConnect, stream: TcpStream, host: &str) -> io::Result<Encrypted> {
    let connect = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut connector, host)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    connect.connect(stream).await
}

fn unreachable(place: &str, error: io::Error) -> Error {
    use io::ErrorKind as Io;
    let (kind, message, hint) = match error.kind() {
        Io::ConnectionRefused | Io::NotFound => (
            ErrorKind::Refused,
            format!("nothing listens at {place}"),
            "is the server running, and are host, port or socket right?",
        ),
        Io::PermissionDenied => (
            ErrorKind::PermissionDenied,
            format!("{place} may not be opened"),
            "the user this runs as needs the right to write to the socket",
        ),
        Io::TimedOut => {
            (ErrorKind::Timeout, format!("{place} does not answer"), "does a firewall let this port through?")
        }
        _ => (ErrorKind::Refused, format!("{place} cannot be reached: {error}"), "is the network up?"),
    };
    Error::new(kind, message).with_hint(hint).with_source(error)
}

fn broken_off(options: &ConnectOptions, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the server of {} broke the connection off", options.target()))
        .with_hint("is it a PostgreSQL server, and is it starting up or out of connections?")
        .with_source(error)
}

fn handshake_failed(options: &ConnectOptions, error: io::Error) -> Error {
    let (message, hint) = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(problem)) => (
            format!("the certificate of {} does not hold: {problem}", options.host),
            "with verify-ca and verify-full the certificate must come from an authority in tls_ca; with verify-full it must name the host",
        ),
        Some(problem) => (
            format!("TLS with {} failed: {problem}", options.host),
            "do server and client share a TLS version, and does the server want a client certificate (tls_cert, tls_key)?",
        ),
        None if error.kind() == io::ErrorKind::InvalidInput => (
            format!("{} can be in no certificate", options.host),
            "connect by the name that stands in the server's certificate",
        ),
        None => (
            format!("TLS with {} failed: {error}", options.host),
            "does the server want a client certificate (tls_cert, tls_key)?",
        ),
    };
    Error::new(ErrorKind::Tls, message).with_hint(hint).with_source(error)
}

/// A stream whose encryption is settled, in the form in which tokio-postgres takes one.
pub(super) struct Settled<S>(pub(super) S);

impl<S: TlsStream + Unpin> TlsConnect<tokio::io::Empty> for Settled<S> {
    type Stream = S;
    type Error = io::Error;
    type Future = Ready<io::Result<S>>;

    fn connect(self, _: tokio::io::Empty) -> Self::Future {
        ready(Ok(self.0))
    }
}

impl AsyncRead for Channel {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Channel::Tcp(stream) => Pin::new(stream).poll_read(context, buf),
            Channel::Unix(stream) => Pin::new(stream).poll_read(context, buf),
            Channel::Tls(stream) => Pin::new(stream).poll_read(context, buf),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Channel::Tcp(stream) => Pin::new(stream).poll_write(context, buf),
            Channel::Unix(stream) => Pin::new(stream).poll_write(context, buf),
            Channel::Tls(stream) => Pin::new(stream).poll_write(context, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Channel::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Channel::Unix(stream) => Pin::new(stream).poll_flush(context),
            Channel::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Channel::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Channel::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Channel::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A channel that carries a cancel request and is still listened to afterwards. The driver would end its writing half at
/// once, and a pooler in between takes that for a client that went away.
pub(super) struct Listening<'c>(pub(super) &'c mut Channel);

impl AsyncRead for Listening<'_> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, buf)
    }
}

impl AsyncWrite for Listening<'_> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl TlsStream for Listening<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_named_by_its_directory_or_its_own_path() {
        let path = |socket, port| socket_path(Path::new(socket), port).display().to_string();
        assert_eq!(path("/run/postgresql", None), "/run/postgresql/.s.PGSQL.5432");
        assert_eq!(path("/run/postgresql", Some(5433)), "/run/postgresql/.s.PGSQL.5433");
        assert_eq!(path("/run/postgresql/.s.PGSQL.6000", Some(5433)), "/run/postgresql/.s.PGSQL.6000");
        assert_eq!(
            socket_directory(Path::new("/run/postgresql/.s.PGSQL.6000"), None),
            (PathBuf::from("/run/postgresql"), 6000)
        );
        assert_eq!(socket_directory(Path::new("/tmp"), Some(1)), (PathBuf::from("/tmp"), 1));
    }
}
