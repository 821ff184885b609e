//! The demo camera as a client sees it that we did not write: retina.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use demo_camera::{DemoCamera, User};
use futures_util::StreamExt as _;
use retina::client::{
    Credentials, PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions,
    Transport, UdpTransportOptions,
};
use retina::codec::CodecItem;
use tokio_util::sync::CancellationToken;

/// How many pictures are taken before a verdict: 0.4 s of them.
const PICTURES: usize = 10;

async fn camera(user: Option<User>) -> url::Url {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let camera = DemoCamera::bind(any, user).await.unwrap();
    let url = camera.url().parse().unwrap();
    tokio::spawn(camera.serve(CancellationToken::new()));
    url
}

async fn plays(url: url::Url, options: SessionOptions, transport: Transport) {
    let mut session = Session::describe(url, options).await.unwrap();
    for track in 0..session.streams().len() {
        let options = SetupOptions::default().transport(transport.clone());
        session.setup(track, options).await.unwrap();
    }
    let session = session.play(PlayOptions::default()).await.unwrap();
    let mut frames = Box::pin(session.demuxed().unwrap());
    let (mut pictures, mut sounds) = (Vec::new(), Vec::new());
    while pictures.len() < PICTURES {
        match frames.next().await.unwrap().unwrap() {
            CodecItem::VideoFrame(frame) => {
                assert_eq!(frame.loss(), 0);
                assert_eq!(frame.is_random_access_point(), pictures.is_empty());
                pictures.push(frame.timestamp().elapsed());
            }
            CodecItem::AudioFrame(frame) => sounds.push(frame.timestamp().elapsed()),
            _ => {}
        }
    }
    assert!(
        pictures.windows(2).all(|pair| pair[1] - pair[0] == 3600),
        "{pictures:?}"
    );
    assert!(
        sounds.windows(2).all(|pair| pair[1] - pair[0] == 1024),
        "{sounds:?}"
    );
    assert!(sounds.len() > PICTURES);
}

#[tokio::test]
async fn a_client_plays_over_tcp() {
    let transport = Transport::Tcp(TcpTransportOptions::default());
    plays(camera(None).await, SessionOptions::default(), transport).await;
}

#[tokio::test]
async fn a_client_plays_over_udp() {
    let transport = Transport::Udp(UdpTransportOptions::default());
    plays(camera(None).await, SessionOptions::default(), transport).await;
}

#[tokio::test]
async fn a_client_proves_who_it_is() {
    let user = User {
        name: "admin".to_owned(),
        password: "p/w\"#".to_owned(),
    };
    let url = camera(Some(user)).await;
    assert!(
        Session::describe(url.clone(), SessionOptions::default())
            .await
            .is_err()
    );
    let known = Credentials {
        username: "admin".to_owned(),
        password: "p/w\"#".to_owned(),
    };
    let options = SessionOptions::default().creds(Some(known));
    plays(url, options, Transport::Tcp(TcpTransportOptions::default())).await;
}
