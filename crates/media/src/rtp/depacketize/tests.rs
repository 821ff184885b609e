mod audio;
mod av1;
mod h264;
mod h265;
mod hostile;

use bytes::Bytes;

use super::{AccessUnit, Depacketizer, Encoding};
use crate::rtp::{Header, Packet};
use crate::{Error, nal};

/// A track as a test drives it: sequence numbers count up by themselves.
struct Track {
    depacketizer: Depacketizer,
    sequence: u16,
    lost: u16,
}

impl Track {
    fn new(name: &str, clock_rate: u32, fmtp: &str) -> Self {
        let encoding = Encoding {
            name,
            clock_rate,
            channels: None,
            fmtp: Some(fmtp).filter(|fmtp| !fmtp.is_empty()),
        };
        Self {
            depacketizer: Depacketizer::new(&encoding).unwrap(),
            sequence: 0,
            lost: 0,
        }
    }

    /// Loses `count` packets before the next.
    fn lose(&mut self, count: u16) {
        self.lost = count;
    }

    /// Pushes one packet; gives the units that it completed.
    fn try_push(
        &mut self,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
    ) -> Result<Vec<AccessUnit>, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let packet = Packet {
            header: Header {
                marker,
                payload_type: 96,
                sequence: self.sequence,
                timestamp,
                ssrc: 1,
            },
            extension: None,
            payload: Bytes::copy_from_slice(payload),
        };
        let lost = std::mem::take(&mut self.lost);
        let result = self.depacketizer.push(packet, lost);
        let units = std::iter::from_fn(|| self.depacketizer.pull()).collect();
        result.map(|()| units)
    }

    fn push(&mut self, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<AccessUnit> {
        self.try_push(timestamp, marker, payload).unwrap()
    }

    /// Pushes packets of one timestamp, the last with the marker.
    fn picture(&mut self, timestamp: u32, payloads: &[&[u8]]) -> Vec<AccessUnit> {
        let last = payloads.len() - 1;
        let pushed = payloads.iter().enumerate();
        pushed
            .flat_map(|(index, payload)| self.push(timestamp, index == last, payload))
            .collect()
    }

    fn dropped(&self) -> u64 {
        self.depacketizer.dropped()
    }
}

/// The NAL units of a unit.
fn nals(unit: &AccessUnit) -> Vec<Vec<u8>> {
    nal::units(&unit.data).map(<[u8]>::to_vec).collect()
}

#[test]
fn an_encoding_that_nobody_plays_is_named_with_what_to_set_instead() {
    for (name, advice) in [
        ("JPEG", "H.264 or H.265"),
        ("G726-32", "AAC, G.711 (PCMA or PCMU) or Opus"),
        ("vnd.onvif.metadata", "nothing needs to be set"),
        ("X-UNHEARD-OF", "H.264"),
    ] {
        let encoding = Encoding {
            name,
            clock_rate: 90_000,
            channels: None,
            fmtp: None,
        };
        let error = Depacketizer::new(&encoding).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(advice), "{error}");
    }
}
