use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};

use super::*;
use crate::http::{Listener, Room, Seat};

struct Server {
    address: SocketAddr,
    roots: RootCertStore,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = ServerTls {
            certificate: Some(folder.path().join("cert.pem")),
            key: Some(folder.path().join("key.pem")),
            ..ServerTls::default()
        };
        std::fs::write(settings.certificate.as_ref().unwrap(), made.cert.pem()).unwrap();
        std::fs::write(
            settings.key.as_ref().unwrap(),
            made.signing_key.serialize_pem(),
        )
        .unwrap();
        let stop = CancellationToken::new();
        let tls = Tls::start(&settings, &stop).unwrap();
        assert!(tls.is_some());
        let seat = Seat::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
        let address = seat.address().unwrap();
        let listener = Listener::at(Some(seat.with_tls(tls)), Room::new(None, Latest::default()));
        let app = Router::new().route("/", get(|| async { "hello" }));
        tokio::spawn(listener.serve(app, stop.clone()));
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        Self {
            address,
            roots,
            stop,
            _folder: folder,
        }
    }

    async fn connect(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&[u8]],
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(versions)
                .unwrap()
                .with_root_certificates(self.roots.clone())
                .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn both_versions_are_spoken_and_http_2_is_preferred() {
    let server = Server::start();
    for (version, named) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let stream = server
            .connect(&[version], &[b"http/1.1", b"h2"])
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(named));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    }
}

#[tokio::test]
async fn a_request_is_answered_in_tls() {
    let server = Server::start();
    let mut stream = server
        .connect(rustls::ALL_VERSIONS, &[b"http/1.1"])
        .await
        .unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
        "{answer}"
    );
}

#[tokio::test]
async fn who_speaks_plain_http_is_told_so() {
    let server = Server::start();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("https://"),
        "{answer}"
    );
}

#[tokio::test]
async fn who_says_nothing_in_the_handshake_is_dropped() {
    let server = Server::start();
    for begun in [b"".as_slice(), &[22, 3, 1]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        tokio::time::pause();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{answer:?}");
        tokio::time::resume();
    }
}
