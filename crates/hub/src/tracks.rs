//! Waiting until it is known what a camera sends.

use std::sync::Arc;
use std::time::Duration;

use media::Track;
use tokio::time::{Instant, sleep, timeout};

use crate::{Channel, State};

/// How long is waited for a camera that is being dialled.
const DIAL: Duration = Duration::from_secs(10);
/// How long is waited for parameters that a camera sends in its stream only.
const PARAMETERS: Duration = Duration::from_secs(3);
/// When it is worth asking again for a camera that has not answered yet.
const LATER: Duration = Duration::from_secs(5);

/// Why it is not known what a camera sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// The Channel was removed.
    #[error("the stream was removed")]
    Gone,
    /// The camera is away.
    #[error("the camera is offline: {why}")]
    Offline {
        /// What went wrong.
        why: String,
        /// When it is worth asking again.
        retry: Duration,
    },
    /// The camera takes its time.
    #[error("the camera has sent nothing within 10 s")]
    Silent {
        /// When it is worth asking again.
        retry: Duration,
    },
}

impl Channel {
    /// The tracks, with their parameters as far as those get known soon. The camera is dialled if somebody watches.
    ///
    /// # Errors
    /// Why there are none, within 10 s.
    pub async fn known_tracks(&self) -> Result<Arc<[Track]>, Unknown> {
        timeout(DIAL, self.wait_for_tracks())
            .await
            .unwrap_or(Err(Unknown::Silent { retry: LATER }))
    }

    async fn wait_for_tracks(&self) -> Result<Arc<[Track]>, Unknown> {
        let (mut tracks, mut state) = (self.tracks(), self.state());
        loop {
            let seen: Arc<[Track]> = tracks.borrow_and_update().clone();
            if let Some(offline) = offline(&state.borrow_and_update()) {
                return Err(offline);
            }
            if is_complete(&seen) {
                return Ok(seen);
            }
            let some = !seen.is_empty();
            tokio::select! {
                changed = tracks.changed() => changed.map_err(|_| Unknown::Gone)?,
                changed = state.changed() => changed.map_err(|_| Unknown::Gone)?,
                () = self.gone() => return Err(Unknown::Gone),
                () = sleep(PARAMETERS), if some => return Ok(seen),
            }
        }
    }
}

fn is_complete(tracks: &[Track]) -> bool {
    let known = |track: &Track| track.format.is_some() || track.unsupported.is_some();
    !tracks.is_empty() && tracks.iter().all(known)
}

fn offline(state: &State) -> Option<Unknown> {
    let fault = state.fault()?;
    let wait = match state {
        State::Backoff { retry_at, .. } => retry_at.saturating_duration_since(Instant::now()),
        _ => Duration::ZERO,
    };
    Some(Unknown::Offline {
        why: fault.message.clone(),
        retry: wait + Duration::from_secs(1),
    })
}

#[cfg(test)]
mod tests {
    use media::{Kind, TrackId};

    use super::*;
    use crate::testing::{Order, script, sound, spec};
    use crate::{Fault, Policy, Publisher, Reason, Registry, RunFuture, Source, StreamId};

    fn channel(registry: &Registry, source: Arc<dyn Source>) -> Channel {
        let spec = spec("cam", source, Policy::default());
        registry.apply(vec![spec]).expect("it fits");
        let id = StreamId::new("cam").expect("an id");
        registry
            .stream(&id)
            .expect("it is there")
            .first_channel()
            .clone()
    }

    /// A camera that never tells the parameters of its track.
    #[derive(Debug)]
    struct Shy;

    impl Source for Shy {
        fn run(&self, mut publisher: Publisher) -> RunFuture<'_> {
            Box::pin(async move {
                publisher.announce(vec![Track {
                    id: TrackId(0),
                    kind: Kind::Video,
                    encoding: "H264".to_owned(),
                    format: None,
                    unsupported: None,
                }]);
                publisher.cancelled().await;
                Ok(())
            })
        }

        fn fingerprint(&self) -> u64 {
            0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tracks_are_waited_for_until_the_camera_has_told_them() {
        let (source, mut director) = script(1, false);
        let registry = Registry::new();
        let channel = channel(&registry, source);
        let _viewer = channel.watch("test");
        let asked = tokio::spawn({
            let channel = channel.clone();
            async move { channel.known_tracks().await }
        });
        director
            .run()
            .await
            .send(Order::Write(sound(0)))
            .expect("it runs");
        let tracks = asked.await.expect("it ends").expect("it plays");
        assert_eq!(tracks.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_says_nothing_is_silent_and_one_that_fails_is_offline() {
        let (source, mut director) = script(1, false);
        let registry = Registry::new();
        let channel = channel(&registry, source);
        let _viewer = channel.watch("test");
        let began = Instant::now();
        let run = director.run().await;
        assert_eq!(
            channel.known_tracks().await,
            Err(Unknown::Silent { retry: LATER })
        );
        assert_eq!(began.elapsed(), DIAL);
        let fault = Fault::new(Reason::Refused, "no cable");
        run.send(Order::Fail(fault)).expect("it runs");
        let offline = channel.known_tracks().await.expect_err("it failed");
        assert_eq!(offline.to_string(), "the camera is offline: no cable");
    }

    #[tokio::test(start_paused = true)]
    async fn parameters_that_do_not_come_are_not_waited_for_beyond_3_s() {
        let registry = Registry::new();
        let channel = channel(&registry, Arc::new(Shy));
        let _viewer = channel.watch("test");
        let began = Instant::now();
        let tracks = channel.known_tracks().await.expect("a track is announced");
        assert!(tracks[0].format.is_none() && began.elapsed() == PARAMETERS);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_when_the_stream_goes() {
        let (source, mut director) = script(1, false);
        let registry = Registry::new();
        let channel = channel(&registry, source);
        let _viewer = channel.watch("test");
        let _run = director.run().await;
        let asked = tokio::spawn({
            let channel = channel.clone();
            async move { channel.known_tracks().await }
        });
        tokio::task::yield_now().await;
        registry.apply(Vec::new()).expect("it fits");
        assert_eq!(asked.await.expect("it ends"), Err(Unknown::Gone));
    }
}
