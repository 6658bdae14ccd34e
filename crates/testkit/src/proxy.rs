//! A stretch of network before a server, which a test can cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use url::Url;

use crate::Server;

/// How often a link that nobody speaks on looks whether it was cut.
const LOOK: Duration = Duration::from_millis(5);

/// Passes on what programs and a server say to each other over TCP, until it is told to cut them off. It ends with its handle.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    links: Arc<Mutex<Vec<Weak<Link>>>>,
    over: Arc<AtomicBool>,
}

/// One connection through the proxy. Its sockets are closed when both directions have ended.
#[derive(Debug)]
struct Link {
    client: TcpStream,
    server: TcpStream,
    cut: AtomicBool,
}

impl Proxy {
    /// A proxy before this server, on a port of its own of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When no port can be had.
    pub fn before(server: &Server) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("a proxy has no port: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("a proxy has no address: {error}"));
        let proxy = Proxy { address, links: Arc::default(), over: Arc::default() };
        let (links, over) = (Arc::clone(&proxy.links), Arc::clone(&proxy.over));
        let (host, port) = (server.host().to_owned(), server.port());
        thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // Where the server does not answer, the client hears so by being hung up on.
                let Ok(client) = client else { continue };
                let Ok(server) = TcpStream::connect((host.as_str(), port)) else { continue };
                let link = Arc::new(Link { client, server, cut: AtomicBool::new(false) });
                let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
                links.retain(|link| link.strong_count() > 0);
                links.push(Arc::downgrade(&link));
                link.begin();
            }
        });
        proxy
    }

    /// The URL that leads through here to where this one leads directly.
    ///
    /// # Panics
    ///
    /// When it is no URL of a server.
    pub fn url(&self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap_or_else(|error| panic!("no URL: {error}"));
        if url.set_port(Some(self.address.port())).is_err() {
            panic!("{url} has no port");
        }
        url.into()
    }

    /// Resets every link that there is, as a firewall does that was started again: both sides get an RST. New ones are
    /// passed on. Returns when it is done.
    ///
    /// # Panics
    ///
    /// When a socket refuses.
    pub fn reset_all(&self) {
        let links = std::mem::take(&mut *self.links.lock().unwrap_or_else(PoisonError::into_inner));
        for link in links.iter().filter_map(Weak::upgrade) {
            for side in [&link.client, &link.server] {
                // Closed without lingering, a socket says RST.
                if let Err(error) = set_socket_linger(side, Some(Duration::ZERO)) {
                    panic!("a link cannot be reset: {error}");
                }
            }
            link.cut.store(true, Ordering::SeqCst);
        }
        while links.iter().any(|link| link.strong_count() > 0) {
            thread::sleep(LOOK / 5);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // It waits for somebody to come; if nobody can, there is nothing to wait for.
        let _ = TcpStream::connect(self.address);
    }
}

impl Link {
    fn begin(self: Arc<Self>) {
        for from_client in [true, false] {
            let link = Arc::clone(&self);
            thread::spawn(move || {
                let (from, to) = if from_client { (&link.client, &link.server) } else { (&link.server, &link.client) };
                link.pass_on(from, to);
            });
        }
    }

    /// Ends with either side, or when the link is cut.
    fn pass_on(&self, mut from: &TcpStream, mut to: &TcpStream) {
        // A socket that refuses this has ended, which the first read tells.
        let _ = (from.set_read_timeout(Some(LOOK)), to.set_nodelay(true));
        let mut buffer = vec![0; 16 * 1024];
        while !self.cut.load(Ordering::SeqCst) {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Ok(_) | Err(_) => break,
            }
        }
        if !self.cut.load(Ordering::SeqCst) {
            // The other side hears of the end.
            let _ = to.shutdown(Shutdown::Write);
        }
    }
}
