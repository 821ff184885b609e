use hub::{Fault, Reason};
use media::Kind;
use serde_json::json;

use super::*;
use crate::testing::{
    Got, Order, PICTURE, Rig, SOUND, a_law, baseline, high, pass, picture, sound, track,
};

const S: Duration = Duration::from_secs(1);
const ROOM: usize = 1 << 20;
const ALL: &[&str] = &["avc1.640033", "flac"];

fn state(name: &str) -> Got {
    Got::Text(json!({ "type": "state", "state": name }))
}

fn is_tracks(got: &Got) -> bool {
    matches!(got, Got::Text(text) if text["type"] == "tracks")
}

/// Where the hub begins a Stream's time line, in ticks of the picture.
const BEGIN: u64 = 90_000;

#[tokio::test(start_paused = true)]
async fn a_viewer_is_told_state_and_tracks_and_then_gets_the_newest_gop() {
    let mut rig = Rig::new();
    let (mut early, _) = rig.view(Session::lunette(), ROOM);
    early.hello(ALL).await;
    let video = baseline();
    rig.write([
        picture(&video, 0, true),
        picture(&video, 1, false),
        picture(&video, 2, true),
        picture(&video, 3, false),
    ])
    .await;
    assert_eq!(early.next().await, Some(state("connecting")));
    let (mut client, _) = rig.view(Session::lunette(), ROOM);
    client.hello(ALL).await;
    let got = client.take(5).await;
    assert_eq!(got[0], state("live"));
    let Got::Text(tracks) = &got[1] else {
        panic!("{got:?}")
    };
    assert_eq!(tracks["mime"], r#"video/mp4; codecs="avc1.42C01F""#);
    assert_eq!(tracks["tracks"][0]["width"], 1280);
    assert!(matches!(got[2], Got::Init(_)));
    assert_eq!(
        got[3..],
        [
            Got::Fragment(1, BEGIN + 7200, 2),
            Got::Fragment(1, BEGIN + 10_800, 3)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_hello_is_closed_with_1002_after_ten_seconds() {
    let rig = Rig::new();
    let began = Instant::now();
    let (mut client, _) = rig.view(Session::lunette(), ROOM);
    let closed = client.closed().await;
    assert_eq!(closed, Some((1002, "no hello within 10 s".to_owned())));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_breaks_the_protocol_is_told_how() {
    let rig = Rig::new();
    let (mut client, _) = rig.view(Session::legacy(), ROOM);
    client.send(0x83, b"").await;
    let (code, reason) = client.closed().await.expect("a close");
    assert_eq!((code, reason.contains("opcode 3")), (1002, true));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_vanished_is_gone_within_fifteen_seconds() {
    let rig = Rig::new();
    let (mut client, ended) = rig.view(Session::legacy(), ROOM);
    client.awake = false;
    let began = Instant::now();
    assert!(matches!(ended.await, Ok(Ended::Closed(close)) if close.code == 4001));
    assert!(began.elapsed() <= 15 * S, "{:?}", began.elapsed());
    assert_eq!(rig.channel.status().viewers.get("mse"), None);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_answers_pings_stays_through_a_silent_camera() {
    let rig = Rig::new();
    let (mut client, ended) = rig.view(Session::legacy(), ROOM);
    let waiting = timeout(120 * S, client.next()).await;
    assert!(waiting.is_err(), "nothing but pings");
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_ping_of_the_client_is_answered_and_its_close_too() {
    let rig = Rig::new();
    let (mut client, ended) = rig.view(Session::legacy(), ROOM);
    client.send(0x89, b"?").await;
    assert_eq!(client.next().await, Some(Got::Pong));
    client.send(0x88, &1001_u16.to_be_bytes()).await;
    assert_eq!(client.next().await, Some(Got::Close(1000, String::new())));
    assert_eq!(client.next().await, None);
    assert!(ended.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_slow_viewer_skips_to_a_keyframe_and_is_told() {
    let mut rig = Rig::new();
    let (mut client, _) = rig.view(Session::lunette(), 2048);
    client.hello(ALL).await;
    let video = baseline();
    // 20 s of video, a keyframe each second, while nothing is read.
    rig.write((0..500).map(|n| picture(&video, n, n % 25 == 0)))
        .await;
    let mut last = -1;
    let mut skipped = 0;
    while last < 499 {
        match client.next().await.expect("it is open") {
            Got::Text(text) if text["type"] == "skipped" => {
                skipped += text["frames"].as_i64().expect("a number");
                let Some(Got::Fragment(_, dts, _)) = client.next().await else {
                    panic!("a fragment follows")
                };
                last = (dts - BEGIN) as i64 / 3600;
                assert_eq!(last % 25, 0, "a keyframe");
            }
            Got::Fragment(_, dts, _) => {
                last += 1;
                assert_eq!((dts - BEGIN) as i64 / 3600, last, "without a gap");
            }
            _ => {}
        }
    }
    assert!(skipped > 300, "{skipped}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_legacy_viewer_sees_no_hole_in_its_time_line() {
    let mut rig = Rig::new();
    let (mut client, _) = rig.view(Session::legacy(), 2048);
    let video = baseline();
    rig.write((0..500).map(|n| picture(&video, n + 1000, n % 25 == 0)))
        .await;
    let mut due = 0;
    let mut payload = 0;
    while payload != (1499 % 256) as u8 {
        if let Some(Got::Fragment(_, dts, first)) = client.next().await {
            assert_eq!(dts, due);
            due += 3600;
            payload = first;
        }
    }
    assert!(due < 300 * 3600, "frames were skipped");
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_takes_nothing_for_ten_seconds_is_dropped() {
    let mut rig = Rig::new();
    let (mut client, ended) = rig.view(Session::legacy(), 300);
    let began = Instant::now();
    rig.write((0..9).map(|n| picture(&baseline(), n, n == 0)))
        .await;
    assert!(matches!(ended.await, Ok(Ended::Closed(close)) if close.code == 4002));
    assert_eq!(began.elapsed().as_secs(), 10);
    client.awake = false;
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_takes_a_little_all_the_time_is_not_dropped() {
    let mut rig = Rig::new();
    let (mut client, ended) = rig.view(Session::legacy(), 300);
    rig.write((0..9).map(|n| picture(&baseline(), n, n == 0)))
        .await;
    for _ in 0..10 {
        pass(4 * S).await;
        client.next().await.expect("it is open");
    }
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn new_parameters_are_announced_with_a_fresh_init_segment() {
    let mut rig = Rig::new();
    let (mut client, _) = rig.view(Session::lunette(), ROOM);
    client.hello(ALL).await;
    rig.write([picture(&baseline(), 0, true), picture(&high(), 1, true)])
        .await;
    // The states are told beside the media.
    let mut got = client.take(8).await;
    got.retain(|got| got != &state("connecting") && got != &state("live"));
    assert!(is_tracks(&got[0]) && is_tracks(&got[3]), "{got:?}");
    assert!(matches!((&got[1], &got[4]), (Got::Init(a), Got::Init(b)) if a != b));
    assert_eq!(got[5], Got::Fragment(1, BEGIN + 3600, 1));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_restarts_keeps_its_viewers_and_the_time_line() {
    let mut rig = Rig::new();
    let (mut client, ended) = rig.view(Session::lunette(), ROOM);
    client.hello(ALL).await;
    let video = baseline();
    rig.write([picture(&video, 0, true), picture(&video, 1, false)])
        .await;
    client.take(6).await;
    rig.order(Order::Fail(Fault::new(
        Reason::Closed,
        "the camera hung up",
    )));
    let Some(Got::Text(offline)) = client.next().await else {
        panic!("the state is told")
    };
    assert_eq!(
        (&offline["state"], &offline["reason"]),
        (&json!("offline"), &json!("closed"))
    );
    // The new session begins at zero again, with equal parameters.
    rig.write([picture(&video, 0, true), picture(&video, 1, false)])
        .await;
    let mut times = Vec::new();
    while times.len() < 2 {
        let got = client.next().await.expect("it is open");
        assert!(!is_tracks(&got), "nothing to initialise again");
        if let Got::Fragment(_, dts, _) = got {
            times.push(dts);
        }
    }
    assert_eq!(times[0], BEGIN + 7200, "right behind what was");
    assert_eq!(times[1] - times[0], 3600);
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_legacy_viewer_gets_codecs_init_and_times_from_zero() {
    let mut rig = Rig::new();
    let (video, audio) = (baseline(), a_law());
    let (_early, _) = rig.view(Session::legacy(), ROOM);
    rig.order(Order::Announce(vec![
        track(PICTURE, Kind::Video, Some(&video)),
        track(SOUND, Kind::Audio, Some(&audio)),
    ]));
    rig.write([
        picture(&video, 99, true),
        picture(&video, 100, true),
        sound(&audio, 199),
        sound(&audio, 200),
        picture(&video, 101, false),
    ])
    .await;
    let (mut client, _) = rig.view(Session::legacy(), ROOM);
    let got = client.take(5).await;
    assert_eq!(got[0], Got::Codecs("avc1.42C01F,flac".to_owned()));
    assert!(matches!(got[1], Got::Init(_)));
    assert_eq!(got[2], Got::Fragment(1, 0, 100));
    assert!(matches!(got[3], Got::Fragment(2, 0, _)), "{:?}", got[3]);
    assert_eq!(got[4], Got::Fragment(1, 3600, 101));
}

#[tokio::test(start_paused = true)]
async fn viewers_of_a_removed_stream_are_told_so() {
    let mut rig = Rig::new();
    let (mut client, _) = rig.view(Session::lunette(), ROOM);
    client.hello(ALL).await;
    rig.write([picture(&baseline(), 0, true)]).await;
    rig.registry.apply(Vec::new()).expect("nothing is fine");
    assert_eq!(client.closed().await.map(|c| c.0), Some(4000));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_says_so() {
    let rig = Rig::new();
    let (mut client, _) = rig.view(Session::lunette(), ROOM);
    rig.stop.cancel();
    assert_eq!(client.closed().await.map(|c| c.0), Some(1001));
}

#[tokio::test(start_paused = true)]
async fn all_viewers_share_one_stage_which_ends_with_the_last() {
    let mut rig = Rig::new();
    let (mut one, first) = rig.view(Session::legacy(), ROOM);
    let (mut two, second) = rig.view(Session::legacy(), ROOM);
    rig.write([picture(&baseline(), 0, true)]).await;
    assert_eq!(one.take(3).await, two.take(3).await);
    assert_eq!(rig.stages(), 1);
    drop((one, two));
    assert!(matches!(
        (first.await, second.await),
        (Ok(Ended::Left), Ok(Ended::Left))
    ));
    assert_eq!(rig.stages(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_sent_away_is_told_so_and_the_others_stay() {
    let mut rig = Rig::new();
    let (mut one, first) = rig.view(Session::legacy(), ROOM);
    let (mut two, second) = rig.view(Session::legacy(), ROOM);
    rig.write([picture(&baseline(), 0, true)]).await;
    one.take(3).await;
    let [viewer, other] = rig.registry.viewers().try_into().expect("two viewers");
    assert!(viewer.bytes > 0 && viewer.protocol == "mse");
    assert!(rig.registry.kick(viewer.id));
    assert!(matches!(one.next().await, Some(Got::Close(4004, _))));
    drop(one);
    assert!(matches!(first.await, Ok(Ended::Closed(_))));
    two.take(3).await;
    assert!(!second.is_finished());
    let left: Vec<_> = rig.registry.viewers().iter().map(|v| v.id).collect();
    assert_eq!(left, [other.id]);
}

/// After how long sound that follows a picture reaches each of `viewers`.
async fn sound_takes(viewers: usize) -> Vec<Duration> {
    let mut rig = Rig::new();
    let mut clients = Vec::new();
    for _ in 0..viewers {
        let (mut client, _) = rig.view(Session::lunette(), ROOM);
        client.hello(ALL).await;
        clients.push(client);
    }
    let (video, audio) = (baseline(), a_law());
    rig.order(Order::Announce(vec![
        track(PICTURE, Kind::Video, Some(&video)),
        track(SOUND, Kind::Audio, Some(&audio)),
    ]));
    rig.write([picture(&video, 0, true), sound(&audio, 0)])
        .await;
    let began = Instant::now();
    let mut took = Vec::new();
    for client in &mut clients {
        while !matches!(client.next().await, Some(Got::Fragment(2, ..))) {}
        took.push(began.elapsed());
    }
    took
}

#[tokio::test(start_paused = true)]
async fn a_crowd_gets_sound_within_50_ms_and_few_viewers_at_once() {
    assert_eq!(sound_takes(2).await, [Duration::ZERO; 2]);
    let crowd = sound_takes(40).await;
    // The clock of the runtime ticks in milliseconds.
    let bound = Duration::from_millis(49)..=Duration::from_millis(52);
    assert!(crowd.iter().all(|took| bound.contains(took)), "{crowd:?}");
}
