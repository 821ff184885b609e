//! The figures of Streams, their Channels, and what goes out to Viewers.

use std::collections::BTreeMap;
use std::fmt;

use hub::{ChannelStatus, Delivered, DerivedStatus, Histogram, Registry, RingStatus, StreamId};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::super::encoding::{Family, counters, gauges, histograms};
use super::Settings;

/// Every state that a Channel can be in.
const STATES: [&str; 5] = ["idle", "starting", "live", "lingering", "backoff"];

/// A family of counters: its name, its unit, what it counts, and where that stands.
type Counter<T> = (&'static str, Option<Unit>, &'static str, fn(&T) -> u64);

/// One counter of each for every Channel.
const COUNTERS: [Counter<ChannelStatus>; 9] = [
    (
        "channel_frames",
        None,
        "Frames that came from the camera",
        |c| c.frames,
    ),
    (
        "channel_received",
        Some(Unit::Bytes),
        "Bytes of frames from the camera",
        |c| c.bytes,
    ),
    (
        "channel_keyframes",
        None,
        "Frames at which a viewer can begin",
        |c| c.keyframes,
    ),
    (
        "channel_lost_packets",
        None,
        "Packets lost on the way from the camera",
        |c| c.lost_packets,
    ),
    (
        "channel_dropped_frames",
        None,
        "Frames that were incomplete, or needed one that was",
        |c| c.dropped_frames,
    ),
    (
        "channel_repaired_times",
        None,
        "Pictures whose time did not increase and was mended",
        |c| c.repaired_times,
    ),
    (
        "channel_late_frames",
        None,
        "Units of sound that came too late for their place",
        |c| c.late_frames,
    ),
    (
        "channel_starts",
        None,
        "How often the camera was dialled",
        |c| c.starts,
    ),
    (
        "channel_ring_overflows",
        None,
        "How often one GOP alone was larger than ring.bytes",
        |c| c.ring.overflows,
    ),
];

/// One counter of each for every Channel and protocol.
const DELIVERED: [Counter<Delivered>; 4] = [
    ("channel_viewers_joined", None, "Viewers who joined", |d| {
        d.joins
    }),
    (
        "channel_sent_frames",
        None,
        "Frames handed to viewers' sockets (hls: none are counted)",
        |d| d.frames,
    ),
    (
        "channel_sent",
        Some(Unit::Bytes),
        "Bytes handed to viewers' sockets",
        |d| d.bytes,
    ),
    (
        "channel_viewer_skipped_frames",
        None,
        "Frames that viewers who were too slow did not get",
        |d| d.skipped,
    ),
];

/// One counter of each for every Channel and kind of what is made of its frames.
const DERIVED: [Counter<DerivedStatus>; 3] = [
    (
        "channel_derived_frames",
        None,
        "Frames made of the camera's, such as its sound in another codec",
        |d| d.frames,
    ),
    (
        "channel_derived_skips",
        None,
        "Frames of the camera that the worker which makes these came too late for",
        |d| d.skipped,
    ),
    (
        "channel_derived_panics",
        None,
        "How often that worker failed and was made anew",
        |d| d.panics,
    ),
];

#[derive(Debug)]
pub(super) struct Streams {
    registry: Registry,
    settings: Settings,
}

/// All Channels at one moment.
struct Scene {
    channels: Vec<(StreamId, ChannelStatus)>,
    streams: usize,
    /// How many of the Channels are told of one by one; the rest is in the sums alone.
    shown: usize,
}

type Labels<'a> = [(&'static str, &'a str); 2];

impl Streams {
    pub(super) fn new(registry: Registry, settings: Settings) -> Self {
        Self { registry, settings }
    }
}

impl Collector for Streams {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let streams = self.registry.list();
        let channels: Vec<_> = streams
            .iter()
            .flat_map(hub::Stream::channels)
            .map(|channel| (channel.stream().clone(), channel.status()))
            .collect();
        let scene = Scene {
            shown: channels.len().min(self.settings.max_channels()),
            streams: streams.len(),
            channels,
        };
        scene.sums(&mut out)?;
        scene.cameras(&mut out)?;
        scene.rings(&mut out)?;
        scene.viewers(&mut out)?;
        let timings = self.registry.timings();
        let help = "From one keyframe to the next, over all cameras";
        histograms(&mut out, "keyframe_interval", help)?.histogram(&NONE, &timings.keyframes)?;
        let delays = timings.delays();
        let by_protocol = |family: &mut Family<'_>, of: fn(&hub::Delays) -> &Histogram| {
            delays
                .iter()
                .map(|(protocol, delays)| (protocol, of(delays)))
                .filter(|(_, histogram)| histogram.read().count() > 0)
                .try_for_each(|(protocol, histogram)| {
                    family.histogram(&[("protocol", *protocol)], histogram)
                })
        };
        let help = "From a viewer's request to its first media (hls: to its first playlist)";
        by_protocol(&mut histograms(&mut out, "first_frame", help)?, |d| {
            &d.first_frame
        })?;
        let help = "How old frames are when they are handed to a viewer's socket, those from before it joined left out";
        by_protocol(&mut histograms(&mut out, "frame_age", help)?, |d| &d.age)
    }
}

const NONE: [(&str, &str); 0] = [];

impl Scene {
    /// What is told of all Channels together.
    fn sums(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        gauges(out, "streams", None, "Streams")?.gauge(&NONE, &(self.streams as u64))?;
        let mut states: BTreeMap<&str, u64> = STATES.map(|state| (state, 0)).into();
        let mut viewers: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, channel) in &self.channels {
            *states.entry(channel.state.name()).or_default() += 1;
            for (protocol, count) in &channel.viewers {
                *viewers.entry(protocol).or_default() += *count as u64;
            }
            for protocol in channel.delivered.keys() {
                viewers.entry(protocol).or_default();
            }
        }
        let mut family = gauges(out, "channels", None, "Channels by state")?;
        for (state, count) in &states {
            family.gauge(&[("state", *state)], count)?;
        }
        let help = "Viewers by protocol, over all channels (hls: channels that are packaged)";
        let mut family = gauges(out, "viewers", None, help)?;
        for (protocol, count) in &viewers {
            family.gauge(&[("protocol", *protocol)], count)?;
        }
        let help = "Channels of which nothing is told one by one, since there are more than [metrics] max_channels";
        let cut = (self.channels.len() - self.shown) as u64;
        gauges(out, "metrics_channels_cut", None, help)?.gauge(&NONE, &cut)
    }

    /// What comes from cameras.
    fn cameras(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 for the state that a channel is in";
        let mut family = gauges(out, "channel_state", None, help)?;
        for (labels, channel) in self.shown() {
            for state in STATES {
                let is = u64::from(channel.state.name() == state);
                family.gauge(&(labels, [("state", state)]), &is)?;
            }
        }
        for (name, unit, help, of) in &COUNTERS {
            let mut family = counters(out, name, unit.as_ref(), help)?;
            for (labels, channel) in self.shown() {
                family.counter(&labels, &of(channel))?;
            }
        }
        let help = "How often a session with the camera failed, by reason";
        let mut family = counters(out, "channel_failures", None, help)?;
        for (labels, channel) in self.shown() {
            for (reason, count) in &channel.failures_by_reason {
                family.counter(&(labels, [("reason", reason.code())]), count)?;
            }
        }
        let help = "From the newest keyframe but one to the newest";
        let mut family = gauges(out, "channel_keyframe_interval", Some(&Unit::Seconds), help)?;
        for (labels, channel) in self.shown() {
            if let Some(interval) = channel.keyframe_interval {
                family.gauge(&labels, &interval.as_secs_f64())?;
            }
        }
        Ok(())
    }

    /// What is kept of Channels.
    fn rings(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Bytes kept for viewers who join or are behind";
        let mut family = gauges(out, "channel_ring", Some(&Unit::Bytes), help)?;
        for (labels, channel) in self.shown() {
            family.gauge(&labels, &(channel.ring.bytes as u64))?;
        }
        let help =
            "How often one of our own workers was too slow for a camera, by the bound that it hit";
        let mut family = counters(out, "channel_worker_skips", None, help)?;
        for (labels, channel) in self.shown() {
            let RingStatus {
                skips_behind,
                skips_bytes,
                ..
            } = channel.ring;
            for (reason, count) in reasons(skips_behind, skips_bytes) {
                family.counter(&(labels, [("reason", reason)]), &count)?;
            }
        }
        for (name, unit, help, of) in &DERIVED {
            let mut family = counters(out, name, unit.as_ref(), help)?;
            for (labels, channel) in self.shown() {
                for (kind, derived) in &channel.derived {
                    family.counter(&(labels, [("kind", *kind)]), &of(derived))?;
                }
            }
        }
        Ok(())
    }

    /// What goes out.
    fn viewers(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Viewers by protocol (hls: 1 while the channel is packaged)";
        let mut family = gauges(out, "channel_viewers", None, help)?;
        for (labels, channel) in self.shown() {
            for protocol in channel.delivered.keys() {
                let count = channel.viewers.get(protocol).copied().unwrap_or(0) as u64;
                family.gauge(&(labels, [("protocol", *protocol)]), &count)?;
            }
        }
        for (name, unit, help, of) in &DELIVERED {
            let mut family = counters(out, name, unit.as_ref(), help)?;
            for (labels, channel) in self.shown() {
                for (protocol, delivered) in &channel.delivered {
                    family.counter(&(labels, [("protocol", *protocol)]), &of(delivered))?;
                }
            }
        }
        let help = "How often a viewer was too slow and skipped to a keyframe, by the bound that it hit: too far behind live, or more bytes than are kept";
        let mut family = counters(out, "channel_viewer_skips", None, help)?;
        for (labels, channel) in self.shown() {
            for (protocol, delivered) in &channel.delivered {
                for (reason, count) in reasons(delivered.skips_behind, delivered.skips_bytes) {
                    let more = [("protocol", *protocol), ("reason", reason)];
                    family.counter(&(labels, more), &count)?;
                }
            }
        }
        Ok(())
    }

    fn shown(&self) -> impl Iterator<Item = (Labels<'_>, &ChannelStatus)> {
        self.channels[..self.shown].iter().map(|(stream, channel)| {
            let labels = [
                ("stream", stream.as_str()),
                ("channel", channel.id.as_str()),
            ];
            (labels, channel)
        })
    }
}

fn reasons(behind: u64, bytes: u64) -> [(&'static str, u64); 2] {
    [("behind", behind), ("bytes", bytes)]
}
