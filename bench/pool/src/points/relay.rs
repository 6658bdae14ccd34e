//! Counts round trips where they happen: between the pool and its server.
//!
//! Servers do not count everything: PostgreSQL no bare Sync, MariaDB no ping among its Questions; and PostgreSQL tells only
//! when a connection has been quiet for a while. What a connection sends after it has been answered, and before it is
//! answered again, is one round trip, whatever it is made of.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use url::Url;

/// It relays until it is dropped.
pub struct Relay {
    url: Url,
    counter: Counter,
    _runtime: Runtime,
}

/// How many round trips there were so far.
#[derive(Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Relay {
    /// Leads to the server of this URL.
    pub fn to(server: &Url) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let target = server.socket_addrs(|| default_port(server)).expect("an address that has been reached before");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut url = server.clone();
        url.set_ip_host(address.ip()).expect("a URL with a host");
        url.set_port(Some(address.port())).expect("a URL with a port");
        let counter = Counter::default();
        runtime.spawn(accept(listener, target, counter.clone()));
        Self { url, counter, _runtime: runtime }
    }

    /// The way through it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    pub fn counter(&self) -> Counter {
        self.counter.clone()
    }
}

impl Counter {
    /// The count, once it has stood still for a while.
    pub async fn settled(&self) -> u64 {
        loop {
            let count = self.0.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
            if self.0.load(Ordering::Relaxed) == count {
                return count;
            }
        }
    }
}

fn default_port(url: &Url) -> Option<u16> {
    Some(if url.scheme().starts_with("postgres") { 5432 } else { 3306 })
}

async fn accept(listener: TcpListener, target: Vec<SocketAddr>, counter: Counter) {
    while let Ok((client, _)) = listener.accept().await {
        let (target, counter) = (target.clone(), counter.clone());
        tokio::spawn(async move {
            if let Err(error) = relay(client, &target, &counter).await {
                eprintln!("the relay in front of {target:?} lost a connection: {error}");
            }
        });
    }
}

async fn relay(client: TcpStream, target: &[SocketAddr], counter: &Counter) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_answered = AtomicBool::new(true);
    let asked = || {
        if is_answered.swap(false, Ordering::Relaxed) {
            counter.0.fetch_add(1, Ordering::Relaxed);
        }
    };
    let answered = || is_answered.store(true, Ordering::Relaxed);
    // Whoever hangs up first ends it: a server says nothing more after a farewell.
    tokio::select! {
        outcome = copy(from_client, to_server, asked) => outcome,
        outcome = copy(from_server, to_client, answered) => outcome,
    }
}

/// Passes on what comes, after telling that something came.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, tell: impl Fn()) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match from.read(&mut buffer).await {
            // A pool that is dropped resets what it has not read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Ok(0) => return Ok(()),
            Ok(length) => {
                tell();
                to.write_all(&buffer[..length]).await?;
            }
            Err(error) => return Err(error),
        }
    }
}
