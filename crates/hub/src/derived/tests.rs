use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use media::{Frame, TrackId};
use tokio::sync::mpsc;

use super::*;
use crate::testing::{Director, Order, script, sound, spec};
use crate::{Fault, Policy, Reason, Registry, StreamId, Viewer};

/// A Stream of one Channel that is watched, and its camera.
struct Bench {
    registry: Registry,
    viewer: Viewer,
    director: Director,
    run: mpsc::UnboundedSender<Order>,
}

async fn bench() -> Bench {
    let (source, mut director) = script(1, false);
    let registry = Registry::new();
    registry
        .apply(vec![spec("a", source, Policy::default())])
        .expect("it fits");
    let id = StreamId::new("a").expect("an id");
    let stream = registry.stream(&id).expect("it was applied");
    let viewer = stream.first_channel().watch("test");
    let run = director.run().await;
    Bench {
        registry,
        viewer,
        director,
        run,
    }
}

impl Bench {
    fn channel(&self) -> &Channel {
        self.viewer.channel()
    }

    /// The camera sends these, and they are in the Channel's ring.
    async fn send(&self, times: impl IntoIterator<Item = i64>) {
        let mut frames = self.channel().frames_from_now();
        for pts in times {
            self.run.send(Order::Write(sound(pts))).expect("it runs");
            assert!(matches!(frames.next().await, Event::Item(_)));
        }
    }

    fn status(&self) -> DerivedStatus {
        self.channel().status().derived["test"]
    }
}

/// Counts the workers that live.
#[derive(Debug, Default, Clone)]
struct Census {
    made: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
}

struct Citizen(Census);

impl Census {
    fn citizen(&self) -> Citizen {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.alive.fetch_add(1, Ordering::SeqCst);
        Citizen(self.clone())
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }
}

impl Drop for Citizen {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A worker that answers every frame with two of another track, and panics where the second byte is a 1.
fn derive(bench: &Bench, census: &Census) -> Derived {
    let census = census.clone();
    bench.channel().derive("test", move || {
        let citizen = census.citizen();
        move |frame: &Arc<Frame>| {
            let _here = &citizen;
            assert!(frame.data[1] != 1, "as the test ordered");
            let made = |pts| Frame {
                track: TrackId(9),
                pts,
                dts: pts,
                ..Frame::clone(frame)
            };
            vec![made(frame.pts), made(frame.pts + 80)]
        }
    })
}

async fn item(derived: &mut Derived) -> Arc<Frame> {
    match derived.next().await {
        Event::Item(frame) => frame,
        other => panic!("{other:?}"),
    }
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_runs_once_for_all_who_read_and_on_the_channels_own_time_line() {
    let (bench, census) = (bench().await, Census::default());
    let mut first = derive(&bench, &census);
    let mut second = derive(&bench, &census);
    assert_eq!(
        (census.alive(), first.readers()),
        (0, 2),
        "it has not been polled yet"
    );
    let mut frames = bench.channel().frames_from_now();
    bench.send([0, 160]).await;
    for _ in 0..2 {
        let Event::Item(original) = frames.next().await else {
            panic!("a frame")
        };
        let (one, other) = (item(&mut first).await, item(&mut second).await);
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!((one.track, one.pts), (TrackId(9), original.pts));
        assert_eq!(item(&mut first).await.pts, original.pts + 80);
        assert_eq!(item(&mut second).await.pts, original.pts + 80);
    }
    assert_eq!((census.made(), bench.status().frames), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn it_goes_with_the_last_who_reads_and_begins_anew_with_the_next() {
    let (bench, census) = (bench().await, Census::default());
    let mut first = derive(&bench, &census);
    let second = derive(&bench, &census);
    bench.send([0]).await;
    item(&mut first).await;
    drop(first);
    tokio::task::yield_now().await;
    assert_eq!((census.alive(), bench.status().readers), (1, 1));
    drop(second);
    until(|| census.alive() == 0).await;
    assert!(
        bench.status().ring.is_none(),
        "no memory is held for nobody"
    );
    bench.send([160]).await;
    let mut third = derive(&bench, &census);
    bench.send([320]).await;
    let begin = item(&mut third).await;
    assert_eq!(
        begin.pts % 8000,
        320,
        "what nobody was there for is not made"
    );
    assert_eq!((census.made(), bench.status().frames), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn who_comes_later_begins_with_what_is_made_next() {
    let (bench, census) = (bench().await, Census::default());
    let mut first = derive(&bench, &census);
    bench.send([0, 160, 320]).await;
    for _ in 0..6 {
        item(&mut first).await;
    }
    let mut second = derive(&bench, &census);
    assert!(second.try_next().is_none());
    bench.send([480]).await;
    assert_eq!(item(&mut second).await.pts % 8000, 480);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_is_made_anew_and_its_readers_see_a_hole() {
    let (bench, census) = (bench().await, Census::default());
    let mut derived = derive(&bench, &census);
    bench.send([0]).await;
    item(&mut derived).await;
    item(&mut derived).await;
    let mut bad = sound(160);
    bad.data = bytes::Bytes::from_static(&[0xd5, 1]);
    bench.run.send(Order::Write(bad)).expect("it runs");
    bench.send([320]).await;
    let after = item(&mut derived).await;
    assert_eq!((after.pts % 8000, after.discontinuity), (320, true));
    assert!(!item(&mut derived).await.discontinuity);
    assert_eq!(
        (census.made(), census.alive(), bench.status().panics),
        (2, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_time_and_again_is_given_up_without_harm_to_the_channel() {
    let (bench, census) = (bench().await, Census::default());
    let mut derived = derive(&bench, &census);
    let mut frames = bench.channel().frames();
    for pts in 0..4 {
        let mut bad = sound(160 * pts);
        bad.data = bytes::Bytes::from_static(&[0xd5, 1]);
        bench.run.send(Order::Write(bad)).expect("it runs");
        assert!(matches!(frames.next().await, Event::Item(_)));
    }
    assert!(matches!(derived.next().await, Event::Closed));
    assert_eq!((census.made(), bench.status().panics), (3, 3));
    // Whoever asks next has a new one.
    let mut next = derive(&bench, &census);
    bench.send([800]).await;
    item(&mut next).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_session_left_is_no_place_to_start() {
    let (mut bench, census) = (bench().await, Census::default());
    let mut derived = derive(&bench, &census);
    bench.send([0]).await;
    item(&mut derived).await;
    item(&mut derived).await;
    let fault = Fault::new(Reason::Closed, "rebooting");
    bench.run.send(Order::Fail(fault)).expect("it runs");
    bench.run = bench.director.run().await;
    tokio::task::yield_now().await;
    let mut late = derive(&bench, &census);
    assert!(late.try_next().is_none());
    bench.send([0]).await;
    let (one, other) = (item(&mut derived).await, item(&mut late).await);
    assert!(Arc::ptr_eq(&one, &other));
    assert!(one.discontinuity, "as the frame it was made of");
    assert_eq!(census.made(), 1, "a restart of the camera keeps the worker");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_goes_takes_its_workers_along() {
    let (bench, census) = (bench().await, Census::default());
    let mut derived = derive(&bench, &census);
    bench.registry.apply(Vec::new()).expect("it fits");
    assert!(matches!(derived.next().await, Event::Closed));
    until(|| census.alive() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn kinds_have_a_worker_each() {
    let bench = bench().await;
    let named = |kind| {
        bench
            .channel()
            .derive(kind, || |frame: &Arc<Frame>| vec![Frame::clone(frame)])
    };
    let (mut one, mut other) = (named("one"), named("other"));
    bench.send([0]).await;
    let (a, b) = (item(&mut one).await, item(&mut other).await);
    assert!(!Arc::ptr_eq(&a, &b));
    assert_eq!(bench.channel().status().derived.len(), 2);
}
