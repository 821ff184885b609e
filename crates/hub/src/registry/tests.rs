use std::time::Duration;

use crate::testing::{Director, Order, script, sound, spec};
use crate::{Channel, Event, Fault, Policy, Reason, Registry, State, StreamId};

const S: Duration = Duration::from_secs(1);

fn policy(on_demand: bool) -> Policy {
    Policy {
        on_demand,
        linger: 5 * S,
        stall: 10 * S,
        ..Policy::default()
    }
}

fn channel(registry: &Registry, id: &str) -> Channel {
    let id = StreamId::new(id).expect("an id");
    registry
        .stream(&id)
        .expect("it was applied")
        .first_channel()
        .clone()
}

/// A Registry of one Stream `a`.
fn one(on_demand: bool) -> (Registry, Channel, Director) {
    let (source, director) = script(1, false);
    let registry = Registry::new();
    registry
        .apply(vec![spec("a", source, policy(on_demand))])
        .expect("it fits");
    let channel = channel(&registry, "a");
    (registry, channel, director)
}

async fn state(channel: &Channel, name: &str) -> State {
    let mut state = channel.state();
    state
        .wait_for(|state| state.name() == name)
        .await
        .expect("the channel lives")
        .clone()
}

#[tokio::test(start_paused = true)]
async fn a_viewer_makes_the_source_run_and_its_leaving_ends_it() {
    let (_registry, channel, mut director) = one(true);
    let viewer = channel.watch("test");
    let run = director.run().await;
    state(&channel, "starting").await;
    run.send(Order::Write(sound(0))).expect("it runs");
    state(&channel, "live").await;
    assert_eq!(channel.status().viewers.get("test"), Some(&1));
    drop(viewer);
    state(&channel, "lingering").await;
    state(&channel, "idle").await;
    assert_eq!(director.sessions(), 0);
    assert_eq!(
        channel.status().ring.items,
        0,
        "an idle channel holds no memory"
    );
}

#[tokio::test(start_paused = true)]
async fn a_viewer_survives_a_camera_that_restarts() {
    let (_registry, channel, mut director) = one(true);
    let _viewer = channel.watch("test");
    let mut frames = channel.frames();
    let run = director.run().await;
    run.send(Order::Write(sound(100_000))).expect("it runs");
    let Event::Item(first) = frames.next().await else {
        panic!("a frame")
    };
    run.send(Order::Fail(Fault::new(Reason::Closed, "rebooting")))
        .expect("it runs");
    let backoff = state(&channel, "backoff").await;
    assert_eq!(
        backoff.fault().map(|f| f.message.as_str()),
        Some("rebooting")
    );
    let run = director.run().await;
    run.send(Order::Write(sound(5))).expect("it runs");
    let Event::Item(second) = frames.next().await else {
        panic!("a frame")
    };
    assert!(second.discontinuity && second.dts > first.dts);
    state(&channel, "live").await;
}

#[tokio::test(start_paused = true)]
async fn thousand_viewers_and_a_restart_cost_one_camera_session() {
    let (_registry, channel, mut director) = one(true);
    let viewers: Vec<_> = (0..1000).map(|_| channel.watch("test")).collect();
    director.run().await;
    channel.restart();
    director.run().await;
    assert_eq!(director.sessions(), 1);
    drop(viewers);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_comes_back_at_once_waits_for_the_goodbye_of_the_one_before() {
    let (source, mut director) = script(1, true);
    let registry = Registry::new();
    let wish = || vec![spec("a", source.clone(), policy(false))];
    registry.apply(wish()).expect("it fits");
    director.run().await;
    for _ in 0..3 {
        registry.apply(Vec::new()).expect("it fits");
        registry.apply(wish()).expect("it fits");
    }
    tokio::time::sleep(S / 10).await;
    assert_eq!(director.sessions(), 1, "the first one is deaf");
    director.run().await;
    assert_eq!(director.sessions(), 1, "and was given up");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ignores_its_cancelling_is_dropped_before_the_next_starts() {
    let (source, mut director) = script(1, true);
    let registry = Registry::new();
    registry
        .apply(vec![spec("a", source, policy(false))])
        .expect("it fits");
    director.run().await;
    channel(&registry, "a").restart();
    director.run().await;
    assert_eq!(director.sessions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_stream_leaves_49_others_without_a_gap() {
    let scripts: Vec<_> = (0..50).map(|n| script(n, false)).collect();
    let specs = scripts.iter().enumerate();
    let specs = specs
        .map(|(n, (source, _))| spec(&format!("s{n}"), source.clone(), policy(false)))
        .collect();
    let registry = Registry::new();
    registry.apply(specs).expect("they fit");
    let mut runs = Vec::new();
    let mut directors: Vec<_> = scripts.into_iter().map(|(_, director)| director).collect();
    for director in &mut directors {
        runs.push(director.run().await);
    }
    let channels: Vec<_> = registry
        .list()
        .iter()
        .map(|s| s.first_channel().clone())
        .collect();
    let mut readers: Vec<_> = channels.iter().map(Channel::frames).collect();
    for n in 0..10 {
        if n == 5 {
            runs[0].send(Order::Panic).expect("it runs");
        }
        for run in &runs[1..] {
            run.send(Order::Write(sound(n * 160))).expect("it runs");
        }
        for reader in &mut readers[1..] {
            let Event::Item(frame) = reader.next().await else {
                panic!("a gap")
            };
            let expected = 8000 + n * 160;
            assert_eq!((frame.dts, frame.discontinuity), (expected, false));
        }
    }
    let fault = state(&channels[0], "backoff").await.fault().cloned();
    assert_eq!(fault.map(|f| f.reason), Some(Reason::Internal));
    directors[0]
        .run()
        .await
        .send(Order::Write(sound(0)))
        .expect("it was started anew");
    state(&channels[0], "live").await;
    assert_eq!(channels[1].status().starts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_camera_is_restarted_and_one_that_is_heard_is_not() {
    let (_registry, channel, mut director) = one(false);
    let run = director.run().await;
    run.send(Order::Write(sound(0))).expect("it runs");
    for _ in 0..30 {
        tokio::time::advance(5 * S).await;
        run.send(Order::Heard).expect("it still runs");
        tokio::task::yield_now().await;
    }
    assert_eq!(channel.status().starts, 1);
    director.run().await;
    assert_eq!(channel.status().starts, 2);
    assert_eq!(
        channel.state().borrow().fault().map(|f| f.reason),
        Some(Reason::Stalled)
    );
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_state_is_woken_by_changes_alone() {
    let (_registry, channel, mut director) = one(false);
    let run = director.run().await;
    run.send(Order::Write(sound(0))).expect("it runs");
    state(&channel, "live").await;
    let mut followed = channel.state();
    followed.borrow_and_update();
    // The supervisor looks whether the camera is silent, several times.
    for _ in 0..6 {
        run.send(Order::Heard).expect("it runs");
        tokio::time::sleep(9 * S).await;
    }
    assert!(!followed.has_changed().expect("the channel lives"));
}

#[tokio::test(start_paused = true)]
async fn apply_touches_only_what_changed() {
    let (a, mut da) = script(1, false);
    let (b, mut db) = script(2, false);
    let registry = Registry::new();
    let wish = |name: &str, b_key| {
        let mut kept = spec("a", a.clone(), policy(false));
        name.clone_into(&mut kept.name);
        vec![kept, spec("b", b_key, policy(false))]
    };
    let applied = registry.apply(wish("", b.clone())).expect("it fits");
    assert_eq!(applied.added.len(), 2);
    da.run().await;
    db.run().await;
    assert_eq!(
        registry.apply(wish("", b.clone())).expect("it fits"),
        crate::Applied::default()
    );

    let (other, mut dother) = script(3, false);
    let applied = registry.apply(wish("Front door", other)).expect("it fits");
    assert_eq!(applied.changed.len(), 2);
    dother.run().await;
    assert_eq!((da.sessions(), db.sessions()), (1, 0));
    assert_eq!(
        channel(&registry, "a").status().starts,
        1,
        "a new name restarts nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_viewer_of_a_removed_stream_is_told() {
    let (registry, channel, mut director) = one(true);
    let _viewer = channel.watch("test");
    director.run().await;
    let mut frames = channel.frames();
    let applied = registry.apply(Vec::new()).expect("it fits");
    assert_eq!(applied.removed.len(), 1);
    assert!(matches!(frames.next().await, Event::Closed));
    channel.gone().await;
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_contradicts_itself_changes_nothing() {
    let (registry, channel, mut director) = one(false);
    director.run().await;
    let (b, _db) = script(2, false);
    let twice = vec![
        spec("b", b.clone(), policy(true)),
        spec("b", b, policy(true)),
    ];
    assert!(registry.apply(twice).is_err());
    assert_eq!(channel.status().starts, 1);
    assert_eq!(registry.list().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_the_goodbyes_of_all_sources() {
    let (registry, _channel, mut director) = one(false);
    director.run().await;
    registry.shutdown().await;
    assert_eq!(director.sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_listed_with_what_is_known_and_can_be_sent_away() {
    let (registry, channel, _director) = one(true);
    let guest = crate::Guest::new(Some([10, 0, 0, 7].into()), crate::Leave::default());
    let first = channel.watch(guest.using(Some("Firefox")).over("mse"));
    let second = channel.watch("hls");
    first.sent().add(1000);
    let [a, b] = registry.viewers().try_into().expect("two viewers");
    assert_eq!((a.id, b.id), (first.id(), second.id()));
    assert_eq!((a.protocol, a.bytes, a.stream.as_str()), ("mse", 1000, "a"));
    assert_eq!(
        (a.remote, a.agent.as_deref()),
        (Some([10, 0, 0, 7].into()), Some("Firefox"))
    );
    assert!(registry.kick(b.id));
    second.kicked().await;
    drop(second);
    assert!(!registry.kick(b.id), "it has gone");
    assert!(tokio::time::timeout(S, first.kicked()).await.is_err());
    assert_eq!(registry.viewer(a.id).map(|viewer| viewer.id), Some(a.id));
}

#[tokio::test(start_paused = true)]
async fn listeners_are_told_what_happens_and_how_much_they_missed() {
    let (registry, channel, mut director) = one(true);
    let mut notices = registry.notices();
    let mut told = async || format!("{:?}", notices.next().await.expect("the registry lives"));
    let viewer = channel.watch("mse");
    assert!(told().await.starts_with("ViewerJoined"));
    let run = director.run().await;
    assert!(told().await.ends_with("condition: Connecting }"));
    run.send(Order::Write(sound(0))).expect("it runs");
    assert!(told().await.ends_with("condition: Live }"));
    run.send(Order::Fail(Fault::new(Reason::Closed, "rebooting")))
        .expect("it runs");
    assert!(told().await.contains("Offline(Fault { reason: Closed"));
    // It is dialled again meanwhile, which is no news.
    director
        .run()
        .await
        .send(Order::Write(sound(0)))
        .expect("it runs");
    assert!(told().await.ends_with("condition: Live }"));
    drop(viewer);
    assert!(told().await.starts_with("ViewerLeft"));
    assert!(told().await.ends_with("condition: Idle }"));
    registry.apply(Vec::new()).expect("it fits");
    assert_eq!(told().await, "StreamRemoved(\"a\")");
    for _ in 0..3000 {
        drop(channel.watch("mse"));
    }
    told().await;
    assert_eq!(notices.missed(), 6000 - 4096);
}
