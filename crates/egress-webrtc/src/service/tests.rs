//! Viewers on real sockets of 127.0.0.1, with DTLS of their own.

use std::net::SocketAddr;

use dimpl::{Dtls, DtlsCertificate, Output};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::*;
use crate::stun::testing::signed_request;
use crate::testing::{Camera, OFFER, h264, registry, track};

/// The fingerprint in [`OFFER`].
const OFFERED: &str = "7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08";

struct Bench {
    whep: Arc<Whep>,
    stop: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        Self::at([127, 0, 0, 1].into())
    }

    fn at(ip: std::net::IpAddr) -> Self {
        let mut settings = Settings::at(ip);
        settings.listen.set_port(0);
        let stop = CancellationToken::new();
        let registry = registry(Camera::Plays(vec![track(0, &h264())]));
        // The number that UDP got may be taken for TCP, by anybody on this machine.
        let whep = (0..8)
            .map(|_| {
                let settings = watch::Sender::new(settings.clone()).subscribe();
                Whep::bind(registry.clone(), settings, stop.clone())
            })
            .map(|whep| whep.expect("it binds"))
            .find(|whep| !whep.sockets().listeners().is_empty());
        let whep = Arc::new(whep.expect("a number that is free for both"));
        tokio::spawn(Arc::clone(&whep).run());
        Self { whep, stop }
    }

    fn channel(&self) -> Channel {
        let id = hub::StreamId::new("cam").expect("an id");
        self.whep
            .registry()
            .stream(&id)
            .expect("it is there")
            .first_channel()
            .clone()
    }

    /// A viewer whose offer names `named`.
    async fn viewer(&self, named: &DtlsCertificate) -> Client {
        let server = self.whep.sockets().addresses().next().expect("a socket");
        let socket = UdpSocket::bind((server.ip(), 0)).await.expect("a socket");
        socket.connect(server).await.expect("loopback");
        self.viewer_by(Line::Udp(socket), named).await
    }

    async fn tcp(&self) -> TcpStream {
        let server = self.whep.sockets().listeners()[0].local_addr();
        let stream = TcpStream::connect(server.expect("it listens")).await;
        stream.expect("loopback")
    }

    async fn viewer_by(&self, by: Line, named: &DtlsCertificate) -> Client {
        let offer =
            Offer::parse(&OFFER.replace(OFFERED, &named.fingerprint_str())).expect("an offer");
        let place = ("cam".to_owned(), None);
        let answered = self
            .whep
            .answer(&self.channel(), place, "test".into(), offer)
            .await
            .expect("it answers");
        let line = |key: &str| {
            let found = answered.sdp.lines().find_map(|line| line.strip_prefix(key));
            found.expect("the answer has it").to_owned()
        };
        Client {
            line: by,
            ufrag: line("a=ice-ufrag:"),
            password: line("a=ice-pwd:"),
            peer: answered.peer,
        }
    }
}

fn certificate() -> DtlsCertificate {
    certificate::generate_self_signed_certificate().expect("a certificate")
}

/// How a viewer reaches us.
enum Line {
    Udp(UdpSocket),
    Tcp(Mutex<TcpStream>),
}

impl Line {
    async fn send(&self, datagram: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send(datagram).await.expect("loopback")),
            Self::Tcp(stream) => {
                let framed = [&(datagram.len() as u16).to_be_bytes(), datagram].concat();
                // A connection that the server closed takes nothing.
                drop(stream.lock().await.write_all(&framed).await);
            }
        }
    }

    async fn receive(&self) -> Option<Vec<u8>> {
        match self {
            Self::Udp(socket) => {
                let mut buffer = [0; 2048];
                let received = socket.recv(&mut buffer).await.expect("loopback");
                Some(buffer[..received].to_vec())
            }
            Self::Tcp(stream) => {
                let mut stream = stream.lock().await;
                let size = stream.read_u16().await.ok()?;
                let mut datagram = vec![0; size.into()];
                stream.read_exact(&mut datagram).await.ok()?;
                Some(datagram)
            }
        }
    }
}

struct Client {
    line: Line,
    ufrag: String,
    password: String,
    peer: Arc<Peer>,
}

impl Client {
    async fn check(&self, password: &str) {
        let request = signed_request(&format!("{}:Oyef", self.ufrag), password, true);
        self.line.send(&request).await;
    }

    /// What comes next; nothing within half a second is none.
    async fn receive(&self) -> Option<Vec<u8>> {
        let received = timeout(Duration::from_millis(500), self.line.receive());
        received.await.ok()?
    }

    /// Shakes hands with `shown`, and waits for media.
    async fn plays(&self, shown: &DtlsCertificate) -> bool {
        self.media(shown).await.is_some()
    }

    /// The same; answers with what the handshake led to.
    async fn media(&self, shown: &DtlsCertificate) -> Option<Dtls> {
        self.shakes(shown, 50).await
    }

    /// The same, as far as it gets with so many of the server's datagrams.
    async fn shakes(&self, shown: &DtlsCertificate, datagrams: usize) -> Option<Dtls> {
        self.check(&self.password).await;
        let config = Arc::new(Config::builder().build().expect("it is good"));
        let mut dtls = Dtls::new_12(config, shown.clone(), Instant::now());
        dtls.set_active(true);
        let _ = dtls.handle_timeout(Instant::now());
        for _ in 0..datagrams {
            let mut buffer = [0; 2048];
            loop {
                match dtls.poll_output(&mut buffer) {
                    Output::Packet(packet) => self.line.send(packet).await,
                    Output::Timeout(_) => break,
                    _ => {}
                }
            }
            let datagram = self.receive().await?;
            match datagram[0] {
                20..=63 => drop(dtls.handle_packet(&datagram)),
                128..=191 => return Some(dtls),
                _ => {}
            }
        }
        None
    }

    /// Waits until it is over.
    async fn is_over(&self) -> bool {
        let over = async {
            while !self.peer.is_over() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(3), over).await.is_ok()
    }
}

#[tokio::test]
async fn a_viewer_with_the_certificate_that_its_offer_names_gets_media() {
    let (bench, certificate) = (Bench::new(), certificate());
    let client = bench.viewer(&certificate).await;
    assert!(client.plays(&certificate).await);
    assert!(client.peer.session().flows());
    bench.stop.cancel();
}

#[tokio::test]
async fn a_viewer_with_another_certificate_gets_none_and_is_sent_away() {
    let bench = Bench::new();
    let client = bench.viewer(&certificate()).await;
    assert!(!client.plays(&certificate()).await);
    assert!(client.peer.is_over() && !client.peer.session().flows());
}

#[tokio::test]
async fn a_check_by_who_does_not_know_the_password_is_not_answered() {
    let bench = Bench::new();
    let client = bench.viewer(&certificate()).await;
    client.check("a guess").await;
    assert_eq!(client.receive().await, None);
    client.check(&client.password).await;
    let answer = client.receive().await.expect("an answer");
    assert_eq!(answer[..2], [1, 1]);
}

#[tokio::test]
async fn t34_a_handshake_that_is_cut_off_anywhere_is_over_after_10_s_and_leaves_nothing() {
    let (bench, certificate) = (Bench::new(), certificate());
    let mut cut = Vec::new();
    for datagrams in 0..3 {
        let client = bench.viewer(&certificate).await;
        assert!(client.shakes(&certificate, datagrams).await.is_none());
        cut.push(client);
    }
    assert_eq!(bench.whep.joining(), cut.len());
    let now = Instant::now();
    bench.whep.pass(now + crate::session::HANDSHAKE / 2);
    assert_eq!(bench.whep.joining(), cut.len());
    bench.whep.pass(now + crate::session::HANDSHAKE);
    assert!(cut.iter().all(|client| client.peer.is_over()));
    assert_eq!((bench.whep.joining(), bench.whep.peers.paths()), (0, 0));
    drop(cut);
    assert_eq!(bench.channel().viewers().len(), 0);
}

#[tokio::test]
async fn t25_a_viewer_that_is_not_heard_for_25_s_is_gone_and_its_place_is_free() {
    let (bench, certificate) = (Bench::new(), certificate());
    let client = bench.viewer(&certificate).await;
    assert!(client.plays(&certificate).await);
    assert_eq!(bench.channel().viewers().len(), 1);
    let now = Instant::now();
    bench.whep.pass(now + Duration::from_secs(24));
    assert!(!client.peer.is_over());
    bench.whep.pass(now + Duration::from_secs(26));
    assert!(client.peer.is_over() && bench.whep.peer(&client.peer.id).is_none());
    drop(client);
    assert_eq!(bench.channel().viewers().len(), 0);
}

#[tokio::test]
async fn t26_a_viewer_that_ends_dtls_has_left() {
    let (bench, certificate) = (Bench::new(), certificate());
    let client = bench.viewer(&certificate).await;
    let mut dtls = client.media(&certificate).await.expect("media");
    dtls.close().expect("it is open");
    let mut buffer = [0; 2048];
    while let Output::Packet(packet) = dtls.poll_output(&mut buffer) {
        client.line.send(packet).await;
    }
    assert!(client.is_over().await);
}

#[tokio::test]
async fn t26_the_end_of_dtls_ends_the_session() {
    let (bench, certificate) = (Bench::new(), certificate());
    let client = bench.viewer(&certificate).await;
    assert!(client.plays(&certificate).await);
    bench.whep.leave(&client.peer);
    assert!(client.peer.is_over());
    assert!(bench.whep.peer(&client.peer.id).is_none());
    let mut left = false;
    while let Some(datagram) = client.receive().await {
        // An alert of DTLS 1.2.
        left |= datagram[0] == 21;
    }
    assert!(left, "the viewer is told");
}

#[tokio::test]
async fn datagrams_from_strangers_change_nothing_and_are_not_answered() {
    let bench = Bench::new();
    let server: SocketAddr = bench.whep.sockets().addresses().next().expect("a socket");
    let certificate = certificate();
    let client = bench.viewer(&certificate).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    for first in 0..=255u8 {
        let mut datagram = vec![first; 40];
        datagram[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        stranger.send_to(&datagram, server).await.expect("loopback");
    }
    let mut buffer = [0; 64];
    let answer = timeout(Duration::from_millis(200), stranger.recv(&mut buffer)).await;
    assert!(answer.is_err(), "nobody is answered who is not known");
    assert!(client.plays(&certificate).await);
}

#[tokio::test]
async fn viewers_that_come_and_go_leave_nothing() {
    let (bench, certificate) = (Bench::new(), certificate());
    for _ in 0..50 {
        let client = bench.viewer(&certificate).await;
        assert!(client.plays(&certificate).await);
        bench.whep.leave(&client.peer);
    }
    assert_eq!(bench.whep.joining(), 0);
    assert_eq!(bench.channel().viewers().len(), 0);
}

#[tokio::test]
async fn a_viewer_gets_media_by_tcp_where_no_udp_gets_through() {
    let (bench, certificate) = (Bench::new(), certificate());
    let line = Line::Tcp(Mutex::new(bench.tcp().await));
    let client = bench.viewer_by(line, &certificate).await;
    assert!(client.plays(&certificate).await);
    bench.whep.leave(&client.peer);
    while client.receive().await.is_some() {}
    let Line::Tcp(stream) = &client.line else {
        unreachable!()
    };
    let mut byte = [0];
    let closed = timeout(Duration::from_secs(3), stream.lock().await.read(&mut byte)).await;
    assert!(
        matches!(closed, Ok(Ok(0) | Err(_))),
        "who is gone is hung up on"
    );
}

#[tokio::test]
async fn who_connects_by_tcp_without_a_valid_check_is_hung_up_on() {
    let bench = Bench::new();
    let certificate = certificate();
    let mut large = vec![0xff, 0xff];
    large.resize(5_000, 0);
    for nonsense in [b"\0\x04GET ".to_vec(), large] {
        let mut stream = bench.tcp().await;
        stream.write_all(&nonsense).await.expect("loopback");
        let mut byte = [0];
        let closed = timeout(Duration::from_secs(3), stream.read(&mut byte)).await;
        assert!(matches!(closed, Ok(Ok(0) | Err(_))));
    }
    let line = Line::Tcp(Mutex::new(bench.tcp().await));
    let client = bench.viewer_by(line, &certificate).await;
    client.check("a guess").await;
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn who_checks_from_ever_new_addresses_is_known_by_a_few_of_them() {
    let (bench, certificate) = (Bench::new(), certificate());
    let client = bench.viewer(&certificate).await;
    for port in 1..1_000 {
        let name = format!("{}:Oyef", client.ufrag);
        let check = signed_request(&name, &client.password, false);
        let path = Path {
            remote: SocketAddr::from(([10, 0, 0, 1], port)),
            tcp: None,
        };
        let mut batch = Batch::default();
        bench
            .whep
            .contained(&check, path, Instant::now(), &mut batch);
        assert!(bench.whep.knows(path));
    }
    assert_eq!(bench.whep.peers.paths(), 16);
}

#[tokio::test]
async fn a_viewer_gets_media_by_ipv6() {
    let ip = std::net::Ipv6Addr::LOCALHOST.into();
    if UdpSocket::bind((ip, 0)).await.is_err() {
        // Some build machines have no IPv6.
        return;
    }
    let (bench, certificate) = (Bench::at(ip), certificate());
    let client = bench.viewer(&certificate).await;
    assert!(client.plays(&certificate).await);
}

#[tokio::test]
async fn the_next_viewer_is_told_what_the_settings_say_by_then() {
    let mut settings = Settings::at([127, 0, 0, 1].into());
    settings.listen.set_port(0);
    let told = watch::Sender::new(settings.clone());
    let registry = registry(Camera::Plays(vec![track(0, &h264())]));
    let whep = Whep::bind(registry, told.subscribe(), CancellationToken::new()).expect("it binds");
    let public = SocketAddr::from(([192, 0, 2, 9], 0)).ip();
    let is_told = || {
        whep.candidates()
            .iter()
            .any(|candidate| candidate.address.ip() == public)
    };
    assert!(!is_told());
    settings.advertise = vec![crate::Advertised::Ip(public)];
    told.send_replace(settings);
    assert!(is_told());
}
