//! TLS for the HTTP side: which certificate is shown (`files`, `acme`), and the handshake.
//!
//! TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. WebSockets come over HTTP/1.1: browsers open a connection of
//! their own for them.

mod acme;
mod files;
mod redirect;
mod store;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls_acme::{ResolvesServerCertAcme, is_tls_alpn_challenge};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::config::ServerTls;
use crate::latest::Latest;

pub(crate) use files::Files;
pub(crate) use redirect::redirect;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is spoken inside, best first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// For those who speak plain HTTP here.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    This port speaks TLS: the URL must begin with https://.\r\n";

/// The server's side of TLS. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Tls(Latest<Shown>);

/// What handshakes are made with.
#[derive(Debug)]
pub(crate) struct Shown {
    config: Arc<ServerConfig>,
    /// For an ACME authority that looks in a handshake whether the name is ours.
    challenge: Option<Arc<ServerConfig>>,
    /// What is ordered, and what one is told that asks over plain HTTP.
    ordered: Option<Arc<ResolvesServerCertAcme>>,
}

impl Tls {
    /// Loads or orders what `settings` ask for, and keeps it up to date until `stop`. None where there is no TLS.
    pub(crate) fn start(
        settings: &ServerTls,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let files = settings
            .files()
            .map(|files| files::serve(files, stop.clone()))
            .transpose()
            .context("can't serve TLS")?;
        if settings.acme.domains.is_empty() {
            return Ok(files.map(|files| {
                Self::new(Shown {
                    config: server_config(files),
                    challenge: None,
                    ordered: None,
                })
            }));
        }
        let (ordered, challenge) =
            acme::serve(&settings.acme, stop.clone()).context("can't use ACME")?;
        let either = Arc::new(Either {
            ordered: Arc::clone(&ordered),
            fallback: files,
        });
        Ok(Some(Self::new(Shown {
            config: server_config(either),
            challenge: Some(challenge),
            ordered: Some(ordered),
        })))
    }

    fn new(shown: Shown) -> Self {
        Self(Latest::new(shown))
    }

    /// Shows what `other` shows, from the next handshake on.
    pub(crate) fn turn_into(&self, other: &Self) {
        self.0.set(other.shown());
    }

    /// What an ACME authority is told that asks about `token` over plain HTTP.
    pub(crate) fn key_authorization(&self, token: &str) -> Option<String> {
        let shown = self.shown();
        shown.ordered.as_ref()?.get_http_01_key_auth(token)
    }

    /// What is shown now.
    pub(crate) fn shown(&self) -> Arc<Shown> {
        self.0.get()
    }

    /// The handshake on `stream`. None: there is nothing to serve on it; it was an ACME authority, or plain HTTP.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<Option<TlsStream<TcpStream>>> {
        let shown = self.shown();
        tokio::time::timeout(HANDSHAKE, shown.handshake(stream))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long"))?
    }
}

impl Shown {
    async fn handshake(&self, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let mut first = [0; 1];
        // Whoever sends a letter sends a method: a handshake begins with 22.
        if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
            return refuse_plain(stream).await.map(|()| None);
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let challenge = self
            .challenge
            .as_ref()
            .filter(|_| is_tls_alpn_challenge(&start.client_hello()));
        if let Some(challenge) = challenge {
            let mut stream = start.into_stream(Arc::clone(challenge)).await?;
            stream.shutdown().await?;
            return Ok(None);
        }
        start.into_stream(Arc::clone(&self.config)).await.map(Some)
    }
}

async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP).await?;
    stream.shutdown().await?;
    // What was not read makes the kernel reset the connection, and the answer is lost.
    let mut rest = [0; 1024];
    for _ in 0..64 {
        if tokio::io::AsyncReadExt::read(&mut stream, &mut rest).await? == 0 {
            break;
        }
    }
    Ok(())
}

fn server_config(certificates: Arc<dyn ResolvesServerCert>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider has both versions")
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Arc::new(config)
}

/// The ordered certificate, or that of the files as long as there is none.
#[derive(Debug)]
struct Either {
    ordered: Arc<ResolvesServerCertAcme>,
    fallback: Option<Arc<files::Served>>,
}

impl ResolvesServerCert for Either {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.ordered
            .resolve(hello)
            .or_else(|| self.fallback.as_ref().map(|files| files.current()))
    }
}

#[cfg(test)]
mod tests;
