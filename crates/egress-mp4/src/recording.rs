use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use hub::{Channel, Event, FrameReader, Viewer, Who};
use media::Track;
use tokio::time::{Instant, timeout};

use crate::{Error, Mp4};

/// How long it is waited for a camera that is being dialled, and for one that goes silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who watches a Channel and writes down what comes.
pub struct Recording {
    watching: Viewer,
    kicked: Pin<Box<dyn Future<Output = ()> + Send>>,
    frames: FrameReader,
    mp4: Mp4,
    length: Duration,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    Run,
    Over,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("channel", self.watching.channel())
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// Watches `channel` as `who` for a file of `length`. A camera that does not run is dialled.
    ///
    /// # Errors
    /// Why there will be no file.
    pub async fn start(channel: &Channel, who: Who, length: Duration) -> Result<Self, Error> {
        let watching = channel.watch(who);
        let known = |tracks: &std::sync::Arc<[Track]>| {
            let known = |track: &Track| track.format.is_some() || track.unsupported.is_some();
            !tracks.is_empty() && tracks.iter().all(known)
        };
        let mut tracks = channel.tracks();
        let complete = timeout(PATIENCE, tracks.wait_for(known)).await;
        drop(complete);
        let tracks = channel.tracks().borrow().clone();
        if tracks.is_empty() {
            return Err(Error::NotReady);
        }
        let mp4 = Mp4::new(&tracks)?;
        mp4.init()?;
        Ok(Self {
            kicked: Box::pin(watching.kicked()),
            frames: channel.frames(),
            watching,
            mp4,
            length,
            step: Step::Begin,
        })
    }

    /// What is to be written next, in order; none when it is over: the file is long enough, or nothing has come for a
    /// while, or what comes can't go into the same file.
    pub async fn next(&mut self) -> Option<Vec<Bytes>> {
        match self.step {
            Step::Begin => {
                self.step = Step::Run;
                self.mp4.init().ok().map(|init| vec![init])
            }
            Step::Run => Some(self.run().await),
            Step::Over => None,
        }
    }

    /// How long the file is by now.
    pub fn length(&self) -> Duration {
        self.mp4.length()
    }

    async fn run(&mut self) -> Vec<Bytes> {
        let mut silent_at = Instant::now() + PATIENCE;
        while self.mp4.length() < self.length {
            let event = tokio::select! {
                event = self.frames.next() => event,
                () = &mut self.kicked => break,
                () = self.watching.channel().gone() => break,
                () = tokio::time::sleep_until(silent_at) => break,
            };
            let frame = match event {
                Event::Item(frame) => frame,
                Event::Skipped(_) => continue,
                Event::Closed => break,
            };
            silent_at = Instant::now() + PATIENCE;
            match self.mp4.push(&frame) {
                None => break,
                Some(parts) if parts.is_empty() => {}
                Some(parts) => return parts,
            }
        }
        self.step = Step::Over;
        self.mp4.finish()
    }
}
