//! A camera as a Source, against scripted cameras on real sockets.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod common;

use std::time::Duration;

use common::{Feed, Script, Scripted, Takes, Watched, sound};
use hub::Reason;
use ingest_rtsp::{Config, TransportChoice};

fn config(camera: &Scripted) -> Config {
    let mut config = Config::new(&camera.url()).unwrap();
    config.timeouts.play = Duration::from_millis(300);
    config
}

fn setups(camera: &Scripted) -> Vec<&'static str> {
    let log = camera.log();
    let setups = log.iter().filter(|entry| entry.starts_with("SETUP"));
    setups
        .map(|entry| if entry.contains("TCP") { "tcp" } else { "udp" })
        .collect()
}

#[tokio::test]
async fn frames_come_by_tcp() {
    let camera = Scripted::start(Script::default()).await;
    let mut watched = Watched::new(config(&camera));
    let frames = watched.frames(50).await;
    assert!(frames.windows(2).all(|w| w[1].pts - w[0].pts == 160));
    assert!(
        frames
            .windows(2)
            .all(|w| w[1].data[0] == w[0].data[0].wrapping_add(1))
    );
    assert_eq!(setups(&camera), ["tcp"]);
}

#[tokio::test]
async fn a_camera_that_refuses_tcp_is_taken_by_udp_and_remembered() {
    for code in [400, 461, 501] {
        let script = Script {
            tcp: Takes::Refuses(code),
            ..Script::default()
        };
        let camera = Scripted::start(script).await;
        let mut watched = Watched::new(config(&camera));
        watched.frames(5).await;
        assert_eq!(setups(&camera), ["tcp", "udp"]);
        watched.leave().await;
        let _viewer = watched.channel.watch("again");
        watched.frames(5).await;
        assert_eq!(setups(&camera), ["tcp", "udp", "udp"]);
    }
}

#[tokio::test]
async fn a_camera_that_sends_nothing_by_tcp_is_taken_by_udp() {
    for tcp in [Takes::Silent, Takes::HangsUp] {
        let script = Script {
            tcp,
            ..Script::default()
        };
        let camera = Scripted::start(script).await;
        Watched::new(config(&camera)).frames(5).await;
        assert_eq!(setups(&camera), ["tcp", "udp"]);
    }
}

#[tokio::test]
async fn udp_that_does_not_arrive_gives_way_to_tcp() {
    for udp in [Takes::Silent, Takes::Refuses(461)] {
        let script = Script {
            udp,
            ..Script::default()
        };
        let camera = Scripted::start(script).await;
        let mut config = config(&camera);
        config.transport = TransportChoice::Udp;
        Watched::new(config).frames(5).await;
        assert_eq!(setups(&camera), ["udp", "tcp"]);
    }
}

#[tokio::test]
async fn tcp_alone_does_not_try_udp() {
    let script = Script {
        tcp: Takes::Refuses(461),
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    let mut config = config(&camera);
    config.transport = TransportChoice::Tcp;
    let fault = Watched::new(config).fault().await;
    assert_eq!(fault.reason, Reason::Unsupported);
    assert_eq!(setups(&camera), ["tcp"]);
}

#[tokio::test]
async fn a_camera_that_sends_nothing_at_all_is_said_to() {
    let script = Script {
        tcp: Takes::Silent,
        udp: Takes::Silent,
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    let fault = Watched::new(config(&camera)).fault().await;
    assert_eq!(fault.reason, Reason::Timeout);
    assert!(
        fault.message.contains("TCP") && fault.message.contains("UDP"),
        "{fault}"
    );
}

#[tokio::test]
async fn datagrams_from_a_port_that_was_not_told_are_taken() {
    let script = Script {
        tcp: Takes::Refuses(461),
        odd_port: true,
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    Watched::new(config(&camera)).frames(5).await;
}

#[tokio::test]
async fn datagrams_out_of_order_are_put_in_order() {
    let order = [1, 2, 4, 3, 5, 7, 8, 6, 9];
    let script = Script {
        tcp: Takes::Refuses(461),
        feed: Feed::Packets(order.iter().map(|&n| (0, sound(n))).collect()),
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    let mut watched = Watched::new(config(&camera));
    let numbers: Vec<u8> = watched.frames(9).await.iter().map(|f| f.data[0]).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(watched.channel.status().lost_packets, 0);
}

#[tokio::test]
async fn a_lost_packet_is_counted_and_marked() {
    let script = Script {
        feed: Feed::Packets([1, 2, 5, 6].map(|n| (0, sound(n))).to_vec()),
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    let mut watched = Watched::new(config(&camera));
    let frames = watched.frames(4).await;
    let marks: Vec<bool> = frames.iter().map(|f| f.discontinuity).collect();
    assert_eq!(marks, [false, false, true, false]);
    assert_eq!(watched.channel.status().lost_packets, 2);
}

#[tokio::test]
async fn a_redirect_is_followed_with_the_credentials() {
    // admin:secret
    let script = Script {
        authorization: Some("Basic YWRtaW46c2VjcmV0"),
        ..Script::default()
    };
    let there = Scripted::start(script.clone()).await;
    let here = Scripted::start(Script {
        describe: Some((302, there.url())),
        ..script
    })
    .await;
    let url = here.url().replace("rtsp://", "rtsp://admin:secret@");
    Watched::new(Config::new(&url).unwrap()).frames(5).await;
}

#[tokio::test]
async fn a_redirect_that_leads_back_ends() {
    let camera = Scripted::start(Script::default()).await;
    let around = Scripted::start(Script {
        describe: Some((301, "rtsp://127.0.0.1:1/never".into())),
        ..Script::default()
    })
    .await;
    drop(camera);
    let fault = Watched::new(config(&around)).fault().await;
    assert_eq!(fault.reason, Reason::Refused);
}

#[tokio::test]
async fn a_wrong_password_is_said_so() {
    let script = Script {
        authorization: Some("Basic YWRtaW46c2VjcmV0"),
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    for (user, words) in [("admin:hunter2@", "refused"), ("", "none are given")] {
        let url = camera.url().replace("rtsp://", &format!("rtsp://{user}"));
        let fault = Watched::new(Config::new(&url).unwrap()).fault().await;
        assert_eq!(fault.reason, Reason::Unauthorized);
        assert!(fault.message.contains(words), "{fault}");
        assert!(!fault.message.contains("hunter2"));
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_is_said_so() {
    let script = Script {
        describe: Some((404, String::new())),
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    assert_eq!(
        Watched::new(config(&camera)).fault().await.reason,
        Reason::NotFound
    );
}

#[tokio::test]
async fn a_codec_that_nobody_plays_is_named() {
    let script = Script {
        sdp: "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n",
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    let fault = Watched::new(config(&camera)).fault().await;
    assert_eq!(fault.reason, Reason::Unsupported);
    assert!(fault.message.contains("VP8"), "{fault}");
}

#[tokio::test]
async fn a_camera_that_is_not_there_is_told_from_one_that_does_not_answer() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let mut config = Config::new(&format!("rtsp://127.0.0.1:{port}/x")).unwrap();
    config.timeouts.request = Duration::from_millis(100);
    let mute = Watched::new(config.clone()).fault().await;
    assert_eq!(mute.reason, Reason::Timeout);
    assert!(mute.message.contains("OPTIONS"), "{mute}");
    drop(free);
    let refused = Watched::new(config).fault().await;
    assert_eq!(refused.reason, Reason::Refused);
    let nowhere = Config::new("rtsp://no-such-host.invalid/x").unwrap();
    let unknown = Watched::new(nowhere).fault().await;
    assert_eq!(unknown.reason, Reason::Unreachable);
    assert!(unknown.message.contains("no-such-host.invalid"));
}

#[tokio::test]
async fn a_peer_that_does_not_speak_rtsp_is_given_up() {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await;
        }
    });
    let config = Config::new(&format!("rtsp://127.0.0.1:{port}/x")).unwrap();
    assert_eq!(Watched::new(config).fault().await.reason, Reason::Closed);
}

#[tokio::test]
async fn a_session_ends_with_teardown_when_nobody_watches() {
    let camera = Scripted::start(Script::default()).await;
    let mut watched = Watched::new(config(&camera));
    watched.frames(5).await;
    watched.leave().await;
    assert_eq!(camera.log().last().map(String::as_str), Some("TEARDOWN"));
}

#[tokio::test]
async fn a_camera_that_never_pauses_lets_others_have_their_turn() {
    let script = Script {
        feed: Feed::Flood,
        ..Script::default()
    };
    let camera = Scripted::start(script).await;
    let mut watched = Watched::new(config(&camera));
    watched.frame().await;
    let (mut most, mut before) = (0, watched.channel.status().bytes);
    let start = before;
    while before - start < 64 << 20 {
        tokio::task::yield_now().await;
        let bytes = watched.channel.status().bytes;
        most = most.max(bytes - before);
        before = bytes;
    }
    // 256 KiB, and one read that goes beyond; without a pause it would be megabytes.
    assert!(most <= 512 << 10, "{most} bytes between two turns");
}
