use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::channel::{Channel, locked};
use crate::notice::{Board, Notice, Notices};
use crate::supervisor::supervise;
use crate::{
    ChannelId, ChannelSpec, STOP_GRACE, StreamId, StreamSpec, Timings, ViewerId, ViewerStatus,
};

/// All Streams. Clones are handles to the same Registry.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    streams: RwLock<Arc<Streams>>,
    /// Held through an `apply`, so that two of them follow each other.
    supervisors: Mutex<Supervisors>,
    timings: Arc<Timings>,
    board: Board,
    /// Where Sources run; with those who supervise them without one.
    sources: Option<Handle>,
}

/// The tasks that supervise Channels.
#[derive(Debug, Default)]
struct Supervisors {
    tasks: JoinSet<()>,
    /// Those whose Channel goes, while its Source says goodbye: one that comes under the same ids waits for that, so that
    /// the camera has one session alone.
    leaving: HashMap<(StreamId, ChannelId), CancellationToken>,
}

impl Supervisors {
    /// Has `channel` run, once the one before it under these ids is over.
    fn begin(&mut self, channel: &Channel, sources: Option<Handle>) {
        let key = (channel.stream().clone(), channel.id().clone());
        let before = self.leaving.get(&key).cloned();
        let shared = Arc::clone(&channel.0);
        self.tasks.spawn(async move {
            let _over = shared.over.clone().drop_guard();
            if let Some(before) = before {
                before.cancelled().await;
            }
            supervise(shared, sources).await;
        });
    }

    /// Has `channel` go.
    fn end(&mut self, channel: &Channel) {
        channel.0.gone.cancel();
        let key = (channel.stream().clone(), channel.id().clone());
        self.leaving.insert(key, channel.0.over.clone());
    }

    /// Forgets those that are over.
    fn sweep(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.leaving.retain(|_, over| !over.is_cancelled());
    }
}

/// What there is at one moment: never changed, only replaced, so that nobody waits for a reader.
#[derive(Debug, Default)]
struct Streams {
    order: Vec<Stream>,
    index: HashMap<StreamId, usize>,
}

/// A camera by its id, with its Channels. A handle to what there was when it was looked up.
#[derive(Debug, Clone)]
pub struct Stream(Arc<StreamInner>);

#[derive(Debug)]
struct StreamInner {
    id: StreamId,
    name: String,
    channels: Vec<Channel>,
}

/// Why a set of wishes can't be applied. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Two Streams have one id.
    #[error("two streams have the id `{0}`; each needs its own")]
    TwoStreams(StreamId),
    /// Two Channels of a Stream have one id.
    #[error("stream `{0}` has two channels with the id `{1}`; each needs its own")]
    TwoChannels(StreamId, ChannelId),
    /// A Stream without Channels.
    #[error("stream `{0}` has no channels; it needs at least one")]
    NoChannels(StreamId),
}

/// What an `apply` changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Streams that are new.
    pub added: Vec<StreamId>,
    /// Streams of which anything changed.
    pub changed: Vec<StreamId>,
    /// Streams that are gone.
    pub removed: Vec<StreamId>,
}

impl Registry {
    /// An empty Registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty Registry whose Sources run on `sources`, with threads of their own: a thousand cameras that send at the same
    /// instant then delay nobody but each other.
    pub fn with_sources_on(sources: Handle) -> Self {
        Self(Arc::new(Inner {
            sources: Some(sources),
            ..Inner::default()
        }))
    }

    /// The runtime that Sources have to themselves, where they do.
    pub fn runtime_of_sources(&self) -> Option<&Handle> {
        self.0.sources.as_ref()
    }

    /// Makes what runs equal to what is wished for, and touches only what differs: Viewers of all other
    /// Channels, and of a Channel whose Source is the same, notice nothing. This is the one way in which
    /// Streams come, change and go. Must be called within a tokio runtime.
    pub fn apply(&self, wished: Vec<StreamSpec>) -> Result<Applied, ApplyError> {
        check(&wished)?;
        let mut supervisors = locked(&self.0.supervisors);
        supervisors.sweep();
        let before = self.streams();
        let mut applied = Applied::default();
        let mut after = Streams::default();
        for spec in wished {
            let old = before.get(&spec.id);
            let (stream, changed) = self.merge(old, spec, &mut supervisors);
            match old {
                None => applied.added.push(stream.id().clone()),
                Some(_) if changed => applied.changed.push(stream.id().clone()),
                Some(_) => {}
            }
            after.index.insert(stream.id().clone(), after.order.len());
            after.order.push(stream);
        }
        for gone in before
            .order
            .iter()
            .filter(|old| after.get(old.id()).is_none())
        {
            applied.removed.push(gone.id().clone());
            gone.channels()
                .iter()
                .for_each(|channel| supervisors.end(channel));
        }
        *self
            .0
            .streams
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        self.announce(&applied);
        Ok(applied)
    }

    /// The Stream with this id.
    pub fn stream(&self, id: &StreamId) -> Option<Stream> {
        self.streams().get(id).cloned()
    }

    /// All Streams, in the order in which they were wished for.
    pub fn list(&self) -> Vec<Stream> {
        self.streams().order.clone()
    }

    /// What is measured over all Channels.
    pub fn timings(&self) -> &Timings {
        &self.0.timings
    }

    /// All who watch, in the order of the Streams.
    pub fn viewers(&self) -> Vec<ViewerStatus> {
        let streams = self.streams();
        let channels = streams.order.iter().flat_map(Stream::channels);
        channels.flat_map(Channel::viewers).collect()
    }

    /// One of those who watch.
    pub fn viewer(&self, id: ViewerId) -> Option<ViewerStatus> {
        let streams = self.streams();
        let mut channels = streams.order.iter().flat_map(Stream::channels);
        channels.find_map(|channel| channel.viewer(id))
    }

    /// Sends the Viewer `id` away; false if there is none.
    pub fn kick(&self, id: ViewerId) -> bool {
        let streams = self.streams();
        let mut channels = streams.order.iter().flat_map(Stream::channels);
        channels.any(|channel| channel.kick(id))
    }

    /// What happens from now on.
    pub fn notices(&self) -> Notices {
        self.0.board.listen()
    }

    /// Ends all Channels and waits until their Sources have said goodbye, for a few seconds at most.
    pub async fn shutdown(&self) {
        let mut supervisors = std::mem::take(&mut *locked(&self.0.supervisors)).tasks;
        let streams = std::mem::take(
            &mut *self
                .0
                .streams
                .write()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for channel in streams.order.iter().flat_map(Stream::channels) {
            channel.0.gone.cancel();
        }
        let all = async { while supervisors.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE + Duration::from_secs(1), all)
            .await
            .is_err()
        {
            tracing::warn!("not every camera session ended in time");
        }
    }

    /// The Stream that `spec` wishes for, made of `old` as far as it goes, and whether it differs from it.
    fn merge(
        &self,
        old: Option<&Stream>,
        spec: StreamSpec,
        supervisors: &mut Supervisors,
    ) -> (Stream, bool) {
        let StreamSpec {
            id,
            name,
            channels: wished,
        } = spec;
        let old_channels = old.map_or(&[][..], Stream::channels);
        let mut changed =
            old.is_some_and(|old| old.name() != name) || old_channels.len() != wished.len();
        let mut channels = Vec::with_capacity(wished.len());
        for wish in wished {
            if let Some(kept) = old.and_then(|old| old.channel(&wish.id)) {
                changed |= kept.apply(wish);
                channels.push(kept.clone());
            } else {
                changed = true;
                channels.push(self.open(id.clone(), wish, supervisors));
            }
        }
        let kept: HashSet<_> = channels.iter().map(Channel::id).collect();
        for gone in old_channels.iter().filter(|old| !kept.contains(old.id())) {
            supervisors.end(gone);
        }
        (
            Stream(Arc::new(StreamInner { id, name, channels })),
            changed,
        )
    }

    fn open(&self, stream: StreamId, spec: ChannelSpec, supervisors: &mut Supervisors) -> Channel {
        let channel = Channel::new(
            stream,
            spec,
            Arc::clone(&self.0.timings),
            self.0.board.clone(),
        );
        supervisors.begin(&channel, self.0.sources.clone());
        channel
    }

    fn announce(&self, applied: &Applied) {
        let board = &self.0.board;
        let Applied {
            added,
            changed,
            removed,
        } = applied;
        for (ids, notice) in [
            (added, Notice::StreamAdded as fn(StreamId) -> Notice),
            (changed, Notice::StreamChanged),
            (removed, Notice::StreamRemoved),
        ] {
            for id in ids {
                board.tell(|| notice(id.clone()));
            }
        }
    }

    fn streams(&self) -> Arc<Streams> {
        Arc::clone(
            &self
                .0
                .streams
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Streams {
    fn get(&self, id: &StreamId) -> Option<&Stream> {
        self.index.get(id).map(|&at| &self.order[at])
    }
}

impl Stream {
    /// Its id, unique in the Registry.
    pub fn id(&self) -> &StreamId {
        &self.0.id
    }

    /// Its name for people; may be empty.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its Channels, at least one.
    pub fn channels(&self) -> &[Channel] {
        &self.0.channels
    }

    /// The Channel with this id.
    pub fn channel(&self, id: &ChannelId) -> Option<&Channel> {
        self.0.channels.iter().find(|channel| channel.id() == id)
    }

    /// The Channel that URLs without a channel mean.
    ///
    /// # Panics
    /// Never: `apply` refuses a Stream without Channels.
    pub fn first_channel(&self) -> &Channel {
        self.0
            .channels
            .first()
            .expect("apply refuses a Stream without Channels")
    }
}

fn check(wished: &[StreamSpec]) -> Result<(), ApplyError> {
    let mut streams = HashSet::new();
    for stream in wished {
        if !streams.insert(&stream.id) {
            return Err(ApplyError::TwoStreams(stream.id.clone()));
        }
        if stream.channels.is_empty() {
            return Err(ApplyError::NoChannels(stream.id.clone()));
        }
        let mut channels = HashSet::new();
        if let Some(twice) = stream
            .channels
            .iter()
            .find(|channel| !channels.insert(&channel.id))
        {
            return Err(ApplyError::TwoChannels(stream.id.clone(), twice.id.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
