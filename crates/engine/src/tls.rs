//! TLS for the engines with a server: one stack, rustls with ring.

use crate::{ConnectOptions, Error, ErrorKind, Result, TlsMode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// The client's side of TLS for these options. Not to be called with [`TlsMode::Disable`].
///
/// # Errors
/// `Tls` when a certificate or key file cannot be used.
pub(crate) fn client_config(options: &ConnectOptions) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Tls, "TLS cannot be set up").with_source(error))?;
    let builder = match options.tls {
        TlsMode::VerifyFull => builder.with_root_certificates(roots(options)?),
        TlsMode::VerifyCa => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName::new(roots(options)?, provider)?))
        }
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        }
    };
    match (&options.tls_cert, &options.tls_key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?;
            builder.with_client_auth_cert(certificates(cert)?, key).map_err(|error| {
                Error::new(ErrorKind::Tls, "the client certificate and its key cannot be used").with_source(error)
            })
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(Error::new(ErrorKind::Options, "tls_cert and tls_key belong together, one is missing")
            .with_hint("name the file with the certificate and the one with its key, or neither")),
    }
}

fn roots(options: &ConnectOptions) -> Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    match &options.tls_ca {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| unusable(path, error))?;
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    Ok(Arc::new(roots))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| unusable(path, error))?;
    if certificates.is_empty() {
        return Err(Error::new(ErrorKind::Tls, format!("{} holds no certificate", path.display()))
            .with_hint("a PEM file with -----BEGIN CERTIFICATE----- is wanted"));
    }
    Ok(certificates)
}

fn unusable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Tls, format!("{} cannot be used for TLS", path.display()))
        .with_source(error)
        .with_hint("a PEM file that this program may read is wanted")
}

/// Checks the chain, not the name: `verify-ca`.
#[derive(Debug)]
struct AnyName {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    inner: Arc<WebPkiServerVerifier>,
}

impl AnyName {
    fn new(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>) -> Result<Self> {
        let inner = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| Error::new(ErrorKind::Tls, "there is no authority to trust").with_source(error))?;
        Ok(Self { roots, provider, inner })
    }
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Takes any certificate: `prefer` and `require` protect from listeners only, as libpq defines them
/// (<https://www.postgresql.org/docs/current/libpq-ssl.html>, table 32.1).
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
