//! The figures of WebRTC that are not those of a Channel.

use std::fmt;

use egress_webrtc::{Counted, Figures};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::super::encoding::{counters, gauges};

/// A name, what it says, and where that stands.
type Figure = (&'static str, &'static str, fn(&Counted) -> u64);

const GAUGES: [Figure; 3] = [
    (
        "webrtc_joining_viewers",
        "Viewers who were answered and have not connected yet",
        |c| c.joining,
    ),
    (
        "webrtc_keyframe_viewers",
        "Viewers whose line does not hold the stream, and who get keyframes alone",
        |c| c.keyframes_alone,
    ),
    (
        "webrtc_tcp_viewers",
        "Viewers who get their media by TCP",
        |c| c.by_tcp,
    ),
];

const COUNTERS: [Figure; 7] = [
    (
        "webrtc_sent_packets",
        "Packets of pictures and sound that were sent, once or again",
        |c| c.sent,
    ),
    (
        "webrtc_lost_packets",
        "Packets that viewers reported as lost on the way",
        |c| c.lost,
    ),
    (
        "webrtc_resent_packets",
        "Packets that viewers missed and were sent again",
        |c| c.resent,
    ),
    (
        "webrtc_keyframe_requests",
        "How often viewers said that they need a keyframe",
        |c| c.keyframe_requests,
    ),
    (
        "webrtc_ice_restarts",
        "How often viewers came over another network",
        |c| c.ice_restarts,
    ),
    (
        "webrtc_refused_sends",
        "Sends that the kernel refused",
        |c| c.refused_sends,
    ),
    (
        "webrtc_dropped_datagrams",
        "Datagrams for which there was no room in front of a TCP connection",
        |c| c.dropped_datagrams,
    ),
];

#[derive(Debug)]
pub(super) struct WebRtc(pub(super) Figures);

impl Collector for WebRtc {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let (counted, none): (_, &[(&str, &str)]) = (self.0.read(), &[]);
        for (name, help, read) in GAUGES {
            gauges(&mut out, name, None, help)?.gauge(&none, &read(&counted))?;
        }
        for (name, help, read) in COUNTERS {
            counters(&mut out, name, None, help)?.counter(&none, &read(&counted))?;
        }
        let help = "Offers that were refused, by reason";
        let mut refused = counters(&mut out, "webrtc_refused_offers", None, help)?;
        for (reason, count) in &counted.refused_offers {
            refused.counter(&[("reason", *reason)], count)?;
        }
        Ok(())
    }
}
