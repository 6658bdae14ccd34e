//! TLS of our own beneath the driver, for `verify-ca`.
//!
//! The driver takes no TLS configuration, and what it calls "skip domain validation" matches a text that rustls no longer
//! writes: it refuses what it should let pass. So for this one mode the driver speaks plainly over a socket in a folder only
//! we may enter, and this task speaks TLS to the server. The protocol asks for encryption between the server's greeting and
//! the client's answer, with one more packet, by whose number the packets of the login are shifted:
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>.

use super::errors;
use crate::{ConnectOptions, Error, ErrorKind, Result};
use rustls::pki_types::ServerName;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

/// CLIENT_SSL among a client's or a server's capabilities.
const ENCRYPTION: u32 = 0x800;

/// How much of the client's answer makes the request for encryption: capabilities, packet size, character set, filler.
const REQUEST: usize = 32;

/// What comes before the login is done is short.
const LONGEST: usize = 1 << 20;

/// A socket for the driver, behind which the server is.
pub(super) struct Tunnel {
    folder: TempDir,
    task: AbortHandle,
    trouble: oneshot::Receiver<Error>,
    established: bool,
}

impl Tunnel {
    /// Prepares the socket. The server is connected to when the driver comes.
    pub(super) async fn open(options: &ConnectOptions, port: u16) -> Result<Self> {
        let config = crate::tls::client_config(options)?;
        let name = ServerName::try_from(options.host.clone()).map_err(|error| {
            Error::new(ErrorKind::Options, format!("{:?} is no name of a host", options.host)).with_source(error)
        })?;
        let folder = tempfile::Builder::new().prefix("dbkeep").tempdir().map_err(no_socket)?;
        let listener = UnixListener::bind(folder.path().join("tls")).map_err(no_socket)?;
        let (tell, trouble) = oneshot::channel();
        let (host, target) = (options.host.clone(), options.target());
        let task = tokio::spawn(async move {
            let outcome = async {
                let server = TcpStream::connect((host.as_str(), port)).await?;
                server.set_nodelay(true)?;
                let (driver, _) = listener.accept().await?;
                drop(listener);
                carry(driver, server, TlsConnector::from(Arc::new(config)), name).await
            };
            if let Err(error) = outcome.await {
                let error = errors::of_connecting(mysql_async::Error::Io(mysql_async::IoError::Io(error)), &target);
                let _ = tell.send(error);
            }
        });
        Ok(Self { folder, task: task.abort_handle(), trouble, established: false })
    }

    /// Where the driver connects to.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("tls")
    }

    /// The driver is through: from here on the task ends with the connection.
    pub(super) fn established(mut self) {
        self.established = true;
    }

    /// What went wrong on this side, which says more than that the driver lost its connection.
    pub(super) async fn trouble(mut self, of_driver: Error) -> Error {
        match (&mut self.trouble).await {
            Ok(error) => error,
            Err(_) => of_driver,
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if !self.established {
            self.task.abort();
        }
    }
}

fn no_socket(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "no socket could be made for the encrypted connection").with_source(error)
}

/// Carries a connection from its greeting to its end.
async fn carry(
    mut driver: impl AsyncRead + AsyncWrite + Unpin,
    mut server: TcpStream,
    connector: TlsConnector,
    name: ServerName<'static>,
) -> io::Result<()> {
    let (number, mut greeting) = read_packet(&mut server).await?;
    let offered = clear_encryption(&mut greeting);
    write_packet(&mut driver, number, &greeting).await?;
    // An error instead of a greeting is the driver's to report.
    let Some(offered) = offered else { return Ok(()) };
    if !offered {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            rustls::Error::General("the server offers no encryption".into()),
        ));
    }
    let (number, mut answer) = read_packet(&mut driver).await?;
    if answer.len() < REQUEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    answer[1] |= (ENCRYPTION >> 8) as u8;
    write_packet(&mut server, number, &answer[..REQUEST]).await?;
    let mut server = connector.connect(name, server).await?;
    write_packet(&mut server, number.wrapping_add(1), &answer).await?;
    loop {
        let (number, packet) = read_packet(&mut server).await?;
        write_packet(&mut driver, number.wrapping_sub(1), &packet).await?;
        match packet.first() {
            // Logged in: packets are numbered from zero with each command, the same on both sides.
            Some(0x00) => break,
            Some(0xff) | None => return Ok(()),
            // "The password was in the cache": the server goes on by itself.
            Some(0x01) if packet.get(1) == Some(&0x03) => continue,
            Some(_) => {}
        }
        let (number, packet) = read_packet(&mut driver).await?;
        write_packet(&mut server, number.wrapping_add(1), &packet).await?;
    }
    // Either side may go without a farewell; the other one sees its stream end.
    let _ = copy_bidirectional(&mut driver, &mut server).await;
    Ok(())
}

/// Takes the offer of encryption out of a greeting and tells whether there was one; nothing where this is no greeting.
fn clear_encryption(greeting: &mut [u8]) -> Option<bool> {
    if greeting.first() != Some(&10) {
        return None;
    }
    // Version text with its NUL, connection id, eight bytes of salt, a filler, then the lower capabilities.
    let version = greeting.iter().position(|byte| *byte == 0)?;
    let flags = greeting.get_mut(version + 1 + 4 + 8 + 1..)?.get_mut(..2)?;
    let mask = (ENCRYPTION >> 8) as u8;
    let offered = flags[1] & mask != 0;
    flags[1] &= !mask;
    Some(offered)
}

async fn read_packet(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet).await?;
    Ok((header[3], packet))
}

async fn write_packet(stream: &mut (impl AsyncWrite + Unpin), number: u8, packet: &[u8]) -> io::Result<()> {
    let mut out = Vec::with_capacity(packet.len() + 4);
    out.extend_from_slice(&u32::try_from(packet.len()).unwrap_or(u32::MAX).to_le_bytes()[..3]);
    out.push(number);
    out.extend_from_slice(packet);
    stream.write_all(&out).await?;
    stream.flush().await
}
