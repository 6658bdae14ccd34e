//! The way to the server: address, account, encryption.

use super::errors;
use crate::{ConnectOptions, Error, ErrorKind, Location, Result, TlsMode};
use mysql_async::{ClientIdentity, Conn, OptsBuilder, SslOpts};
use std::time::Duration;

/// The largest packet the protocol knows. The server's own limit is read later; this one keeps the driver from asking.
const LARGEST_PACKET: usize = 1 << 30;

/// The account where the options name none, as the servers' own clients have it for the first account there is.
const DEFAULT_USER: &str = "root";

/// How a session differs from an application's: what the backup's bulk paths need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An application's.
    Application,
    /// A short one beside it, without a database.
    Beside,
}

/// Connects and logs in; the session is as the server made it.
pub(super) async fn connect(options: &ConnectOptions, purpose: Purpose) -> Result<Conn> {
    let target = options.target();
    let builder = builder(options, purpose)?;
    if (&options.socket, options.tls) == (&None, TlsMode::VerifyCa) {
        return through_tunnel(options, builder).await;
    }
    let encrypted = match (&options.socket, options.tls) {
        // What does not leave the machine needs no encryption, as libpq has it.
        (Some(_), _) | (None, TlsMode::Disable) => None,
        _ => Some(encryption(options)?),
    };
    let Some(encryption) = encrypted else {
        return Conn::new(builder).await.map_err(|error| errors::of_connecting(error, &target));
    };
    let error = match Conn::new(builder.clone().ssl_opts(encryption)).await {
        Ok(conn) => return Ok(conn),
        Err(error) => errors::of_connecting(error, &target),
    };
    if options.tls != TlsMode::Prefer || error.kind() != ErrorKind::Tls {
        return Err(error);
    }
    tracing::debug!(target: "dbkeep::connect", %error, "going on without encryption, which tls=prefer allows");
    Conn::new(builder).await.map_err(|error| errors::of_connecting(error, &target))
}

#[cfg(unix)]
async fn through_tunnel(options: &ConnectOptions, builder: OptsBuilder) -> Result<Conn> {
    let tunnel = super::tunnel::Tunnel::open(options, port(options)?).await?;
    let path = tunnel.path();
    let Some(path) = path.to_str() else {
        return Err(Error::new(ErrorKind::Io, "the folder for temporary files has a name that is not UTF-8"));
    };
    match Conn::new(builder.socket(Some(path))).await {
        Ok(conn) => {
            tunnel.established();
            Ok(conn)
        }
        Err(error @ mysql_async::Error::Server(_)) => Err(errors::of_connecting(error, &options.target())),
        Err(error) => Err(tunnel.trouble(errors::of_connecting(error, &options.target())).await),
    }
}

#[cfg(not(unix))]
async fn through_tunnel(_: &ConnectOptions, _: OptsBuilder) -> Result<Conn> {
    Err(Error::new(ErrorKind::Unsupported, "tls=verify-ca needs Unix sockets, which this system lacks")
        .with_hint("tls=verify-full checks the authority and the name"))
}

fn port(options: &ConnectOptions) -> Result<u16> {
    let Location::Server { default_port } = options.engine.location() else {
        return Err(Error::new(ErrorKind::Options, "this engine has no server"));
    };
    Ok(options.port.unwrap_or(default_port))
}

fn builder(options: &ConnectOptions, purpose: Purpose) -> Result<OptsBuilder> {
    let database = match purpose {
        Purpose::Application => Some(options.database.clone()).filter(|name| !name.is_empty()),
        Purpose::Beside => None,
    };
    let application = options.session.application_name.as_deref().unwrap_or("dbkeep");
    let socket = match &options.socket {
        Some(path) => Some(path.to_str().ok_or_else(|| {
            Error::new(ErrorKind::Options, format!("the socket's path {} is not UTF-8", path.display()))
        })?),
        None => None,
    };
    Ok(OptsBuilder::default()
        .ip_or_hostname(options.host.clone())
        .tcp_port(port(options)?)
        .socket(socket)
        // Otherwise the driver leaves the address it was given for a socket the server tells it of.
        .prefer_socket(false)
        .user(Some(options.user.clone().unwrap_or_else(|| DEFAULT_USER.to_owned())))
        .pass(options.password.as_ref().map(|password| password.expose().to_owned()))
        .db_name(database)
        .tcp_keepalive(Some(Duration::from_secs(60)))
        .max_allowed_packet(Some(LARGEST_PACKET))
        .wait_timeout(Some(28_800))
        .stmt_cache_size(options.statement_cache)
        .client_found_rows(true)
        .connect_attribute("program_name", application))
}

fn encryption(options: &ConnectOptions) -> Result<SslOpts> {
    // The driver asks the process for its provider of cryptography. Another one that was chosen before serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Reads the files for the sake of our own messages.
    crate::tls::client_config(options)?;
    let mut encryption = SslOpts::default();
    match options.tls {
        TlsMode::VerifyFull | TlsMode::VerifyCa => {
            if let Some(path) = &options.tls_ca {
                encryption = encryption.with_root_certs(vec![path.clone().into()]).with_disable_built_in_roots(true);
            }
        }
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => {
            encryption = encryption.with_danger_accept_invalid_certs(true);
        }
    }
    if let (Some(cert), Some(key)) = (&options.tls_cert, &options.tls_key) {
        encryption =
            encryption.with_client_identity(Some(ClientIdentity::new(cert.clone().into(), key.clone().into())));
    }
    Ok(encryption)
}
