//! The connection to a camera, or to a server of streams, as TLS or as it is (RTSPS, RTMPS): whom it must prove to be, and in words why
//! it did not.
//!
//! It never knows what is said over it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hub::{Fault, Reason};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
pub use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

/// How the encrypted connection is trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Takes any certificate: the connection is encrypted, but whoever sits between can read it all.
    pub insecure_skip_verify: bool,
    /// A PEM file with certificates to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// Whom a connection is to.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'h> {
    /// Its name or address, as the URL has it.
    pub host: &'h str,
    /// What people call it: `camera`, `server`.
    pub kind: &'static str,
    /// What URLs begin with that mean no TLS, such as `rtsp`; with TLS there is an `s` behind it.
    pub scheme: &'static str,
}

/// Why TLS can't be set up as it is described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file with certificates to trust can't be used.
    #[error("the CA file {path} can't be used: {why}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system has no roots of trust and no CA file is given.
    #[error(
        "no certificates to trust were found on this system; name the camera's certificate or its CA in `ca_file`"
    )]
    NoRoots,
    /// TLS can't be set up at all.
    #[error("TLS can't be set up: {0}")]
    Unusable(String),
}

/// The client side of TLS as `tls` wants it: TLS 1.2 and 1.3, certificates verified unless told otherwise.
///
/// # Errors
/// [`Error`].
pub fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let trust = Trust::new(tls, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Unusable(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What is read from and written to.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to a camera, in TLS or not.
pub type Connection = Box<dyn Duplex>;

/// Sets TLS up on `stream`, which leads to `peer`, where there is a `config` for it.
///
/// # Errors
/// A [`Fault`] that says what the owner can do.
pub async fn secure(
    stream: TcpStream,
    peer: Peer<'_>,
    config: Option<&Arc<ClientConfig>>,
) -> Result<Connection, Fault> {
    let Some(config) = config else {
        return Ok(Box::new(stream));
    };
    let host = peer.host;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Fault::new(Reason::Tls, format!("`{host}` can stand in no certificate")))?;
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    Ok(Box::new(stream.await.map_err(|error| fault(peer, &error))?))
}

/// What a failed handshake means for the owner.
fn fault(peer: Peer<'_>, error: &io::Error) -> Fault {
    let Peer { kind, scheme, .. } = peer;
    let inner = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    let message = match inner {
        Some(rustls::Error::InvalidCertificate(why)) => certificate(peer, why),
        Some(rustls::Error::InvalidMessage(_)) => {
            format!(
                "the {kind} does not speak TLS on this port; try {scheme}:// instead of {scheme}s://"
            )
        }
        Some(rustls::Error::PeerIncompatible(why)) => {
            format!("the {kind} offers no TLS that is safe (1.2 or 1.3 is needed): {why:?}")
        }
        Some(why) => format!("the encrypted connection to the {kind} failed: {why}"),
        None => format!(
            "the encrypted connection to the {kind} broke while it was set up: {error}; does it speak TLS on this port?"
        ),
    };
    Fault::new(Reason::Tls, message)
}

fn certificate(Peer { host, kind, .. }: Peer<'_>, why: &CertificateError) -> String {
    let what = match why {
        CertificateError::UnknownIssuer => {
            "is signed by nobody we trust (many sign their own)".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("is not made out to `{host}`")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet; check the clocks".to_owned()
        }
        other => format!("can't be trusted ({other})"),
    };
    format!(
        "the {kind}'s certificate {what}; name that certificate or its CA in `ca_file`, or set `insecure_skip_verify` to take any"
    )
}

/// Which certificates are taken.
#[derive(Debug)]
struct Trust {
    provider: Arc<CryptoProvider>,
    /// The certificates of `ca_file`: the camera's own may stand there, whatever name it is made out to.
    pinned: Vec<CertificateDer<'static>>,
    /// None takes any certificate.
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl Trust {
    fn new(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let pinned = match &tls.ca_file {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let chain = if tls.insecure_skip_verify {
            None
        } else {
            Some(chain(&pinned, provider)?)
        };
        Ok(Self {
            provider: Arc::clone(provider),
            pinned,
            chain,
        })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.chain {
            Some(chain) if !self.pinned.iter().any(|p| p == end_entity) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Trusts the system's roots and `extra`.
fn chain(
    extra: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = native_roots().clone();
    roots.add_parsable_certificates(extra.iter().cloned());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|_| Error::NoRoots)
}

/// The system's roots, read once: reading them takes tens of milliseconds.
fn native_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "a system certificate can't be read");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        roots
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |why: String| Error::CaFile {
        path: path.to_owned(),
        why,
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate in PEM form".to_owned()));
    }
    Ok(certificates)
}
