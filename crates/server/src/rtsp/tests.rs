use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;
use crate::config::{Auth, ServerTls};
use crate::doors::Doors;
use crate::doors::tests::{certificate, refused, room};

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

struct Rig {
    rtsp: Rtsp,
    keys: Keys,
    address: SocketAddr,
    _doors: Doors,
    stop: CancellationToken,
}

impl Rig {
    /// RTSP beside pages that have the certificate of `tls`.
    fn new(tls: &ServerTls) -> Self {
        let stop = CancellationToken::new();
        let doors = Doors::open(ANY, tls, &room(), &stop).unwrap();
        let guard = Guard::new(&Auth::default(), true, &stop).unwrap();
        let (keys, address) = (doors.keys(), doors.address().unwrap());
        Self {
            rtsp: Rtsp::new(&Registry::new(), &guard, keys.clone(), &stop),
            keys,
            address,
            _doors: doors,
            stop,
        }
    }

    fn adopt(&self, settings: &Settings) {
        let plan = self.rtsp.plan(settings, ANY.ip()).unwrap();
        self.rtsp.turn(plan);
    }

    fn show(&self, tls: &ServerTls) {
        self.keys.turn(self.keys.plan(self.address, tls).unwrap());
    }

    fn encrypted(&self) -> SocketAddr {
        let secure = self.rtsp.secure();
        let socket = secure.as_ref().unwrap().socket.upgrade().unwrap();
        socket.local_addr().unwrap()
    }
}

/// A connection in TLS to who shows the certificate of `tls`, which is for `name`.
async fn connect(
    address: SocketAddr,
    tls: &ServerTls,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let shown = tls.certificate.as_ref().unwrap();
    roots
        .add(CertificateDer::from_pem_file(shown).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

async fn is_answered(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let request = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"RTSP/1.0 200 OK"));
}

#[tokio::test]
async fn rtsp_in_tls_shows_the_certificate_of_the_moment_also_after_tls_was_off() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.lan", "two.lan"].map(|name| certificate(folder.path(), name));
    let rig = Rig::new(&one);
    let settings = Settings {
        tls_listen: Some(ANY),
        listen: Some(ANY),
        ..Settings::default()
    };
    rig.adopt(&settings);
    let address = rig.encrypted();
    let mut inside = connect(address, &one, "one.lan").await.unwrap();
    is_answered(&mut inside).await;
    rig.show(&two);
    assert!(connect(address, &one, "one.lan").await.is_err());
    is_answered(connect(address, &two, "two.lan").await.unwrap()).await;

    rig.show(&ServerTls::default());
    assert!(connect(address, &two, "two.lan").await.is_err());
    is_answered(&mut inside).await;
    rig.show(&one);
    is_answered(connect(address, &one, "one.lan").await.unwrap()).await;
    rig.stop.cancel();
    refused(address).await;
}

#[tokio::test]
async fn those_who_say_nothing_in_the_handshake_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path(), "one.lan");
    let rig = Rig::new(&tls);
    rig.adopt(&Settings {
        tls_listen: Some(ANY),
        listen: Some(ANY),
        ..Settings::default()
    });
    let address = rig.encrypted();
    let mut silent = Vec::new();
    for _ in 0..2 * MAX_HANDSHAKES {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let patience = Duration::from_secs(5);
    let inside = tokio::time::timeout(patience, connect(address, &tls, "one.lan"));
    is_answered(inside.await.unwrap().unwrap()).await;
    // The oldest were let go.
    assert_eq!(silent[0].read(&mut [0]).await.unwrap(), 0);
    rig.stop.cancel();
}

#[tokio::test]
async fn rtsp_moves_goes_and_comes_back_and_what_can_not_be_is_named() {
    let rig = Rig::new(&ServerTls::default());
    let at = |address| Settings {
        listen: Some(address),
        ..Settings::default()
    };
    rig.adopt(&at(ANY));
    let first = rig.rtsp.0.server.address().unwrap();
    is_answered(TcpStream::connect(first).await.unwrap()).await;
    let taken = std::net::TcpListener::bind(ANY).unwrap();
    let wanted = at(taken.local_addr().unwrap());
    let stuck = rig.rtsp.plan(&wanted, ANY.ip()).unwrap_err();
    assert_eq!(stuck.key, LISTEN);
    let wanted = Settings {
        tls_listen: taken.local_addr().ok(),
        ..at(first)
    };
    let stuck = rig.rtsp.plan(&wanted, ANY.ip()).unwrap_err();
    assert_eq!(stuck.key, TLS_LISTEN);
    let off = Settings {
        enable: false,
        ..Settings::default()
    };
    rig.adopt(&off);
    refused(first).await;
    rig.adopt(&at(first));
    is_answered(TcpStream::connect(first).await.unwrap()).await;
    rig.stop.cancel();
}
