use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::latest::Latest;

pub(crate) fn room() -> Room {
    Room::new(None, Latest::default())
}

/// What is answered to a request at `address`; nothing where nobody listens.
async fn ask(stream: &mut TcpStream) -> String {
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = [0; 512];
    let n = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..n]).into_owned()
}

/// A connection to a listener that is about to move there.
async fn connect(address: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(address).await {
            Ok(stream) => return stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

pub(crate) async fn refused(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The settings of a certificate for `name` that was just made.
pub(crate) fn certificate(folder: &std::path::Path, name: &str) -> ServerTls {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let settings = ServerTls {
        certificate: Some(folder.join(format!("{name}.pem"))),
        key: Some(folder.join(format!("{name}.key"))),
        ..ServerTls::default()
    };
    let files = settings.files().unwrap();
    std::fs::write(files.certificate, made.cert.pem()).unwrap();
    std::fs::write(files.key, made.signing_key.serialize_pem()).unwrap();
    settings
}

#[tokio::test]
async fn doors_move_while_people_are_inside_and_stay_where_they_are_if_they_can_not() {
    let stop = CancellationToken::new();
    let plain = ServerTls::default();
    let doors = Doors::open(([127, 0, 0, 1], 0).into(), &plain, &room(), &stop).unwrap();
    let (keys, first) = (doors.keys(), doors.address().unwrap());
    let app = Router::new().route("/", get(|| async { "hello" }));
    let served = tokio::spawn(doors.serve(app, stop.clone()));
    let mut inside = connect(first).await;
    assert!(ask(&mut inside).await.ends_with("hello"));

    // All addresses, with the same port: the old one is among them.
    let all = SocketAddr::from(([0, 0, 0, 0], first.port()));
    let plan = keys.plan(all, &plain).unwrap();
    assert!(!plan.is_local());
    keys.turn(plan);
    let elsewhere = SocketAddr::from(([127, 0, 0, 9], first.port()));
    assert!(ask(&mut connect(elsewhere).await).await.ends_with("hello"));
    assert!(ask(&mut connect(first).await).await.ends_with("hello"));
    assert!(
        ask(&mut inside).await.ends_with("hello"),
        "connections stay"
    );
    assert!(TcpListener::bind(all).await.is_err(), "nobody else listens");

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().map(|address| (address, taken)).unwrap();
    let stuck = keys.plan(taken.0, &plain).unwrap_err();
    assert_eq!(stuck.key, ["server", "listen"]);
    assert!(stuck.to_string().contains("in use"), "{stuck}");
    assert!(ask(&mut connect(first).await).await.ends_with("hello"));

    // And back.
    keys.turn(keys.plan(first, &plain).unwrap());
    refused(elsewhere).await;
    assert!(ask(&mut connect(first).await).await.ends_with("hello"));

    stop.cancel();
    drop(inside);
    served.await.unwrap();
    refused(first).await;
}

#[tokio::test]
async fn tls_comes_and_goes_and_shows_another_certificate() {
    let (stop, folder) = (CancellationToken::new(), tempfile::tempdir().unwrap());
    let plain = ServerTls::default();
    let doors = Doors::open(([127, 0, 0, 1], 0).into(), &plain, &room(), &stop).unwrap();
    let (keys, address) = (doors.keys(), doors.address().unwrap());
    let app = Router::new().route("/", get(|| async { "hello" }));
    let served = tokio::spawn(doors.serve(app, stop.clone()));

    let one = certificate(folder.path(), "one.lan");
    keys.turn(keys.plan(address, &one).unwrap());
    while !ask(&mut connect(address).await).await.contains("400") {}
    let kept = keys.now().tls.as_ref().unwrap().tls.clone();
    let before = kept.shown();

    // With a redirect, and another certificate in the very same TLS.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let aside = port.local_addr().unwrap();
    drop(port);
    let two = ServerTls {
        redirect: Some(aside),
        ..certificate(folder.path(), "two.lan")
    };
    keys.turn(keys.plan(address, &two).unwrap());
    assert!(!Arc::ptr_eq(&before, &kept.shown()));
    let told = ask(&mut connect(aside).await).await;
    assert!(
        told.contains(&format!("https://localhost:{}/", address.port())),
        "{told}"
    );

    keys.turn(keys.plan(address, &plain).unwrap());
    while !ask(&mut connect(address).await).await.ends_with("hello") {}
    refused(aside).await;
    stop.cancel();
    served.await.unwrap();
}
