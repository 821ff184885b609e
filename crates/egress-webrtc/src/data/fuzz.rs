//! A viewer who makes an association, and then says anything: what a fuzz target drives.

use std::time::Instant;

use hub::State;
use tokio::sync::watch;

use super::{Data, PACKET};

/// The ports, which mean nothing inside DTLS.
const PORTS: [u8; 4] = [0x13, 0x88, 0x13, 0x88];
/// INIT (RFC 9260 §3.3.2): tag 7, a window of 64 KiB, 16 streams each way, numbers from 1 on.
const INIT: &[u8] = b"\x01\0\0\x14\0\0\0\x07\0\x01\0\0\0\x10\0\x10\0\0\0\x01";
const INIT_ACK_HEAD: usize = 20;
const COMMON_HEAD: usize = 12;
const COOKIE: u16 = 7;
const COOKIE_ECHO: u8 = 10;

/// Says `script` to data channels, whose association stands: pieces behind their lengths of two bytes, the chunks of a packet each.
/// Answers how many channels are open then.
pub(crate) fn converse(script: &[u8]) -> usize {
    let (_sender, state) = watch::channel(State::Live);
    let now = Instant::now();
    let mut viewer = Viewer {
        data: Data::new(state, now),
        tag: [0; 4],
        now,
    };
    viewer
        .associate()
        .expect("an association is made with whoever asks as the RFC says");
    let mut rest = script;
    while let Some((size, more)) = rest.split_first_chunk() {
        let (chunks, after) = more.split_at(more.len().min(u16::from_be_bytes(*size).into()));
        viewer.say(chunks);
        rest = after;
    }
    viewer.open()
}

struct Viewer {
    data: Data,
    /// What our packets must name.
    tag: [u8; 4],
    now: Instant,
}

impl Viewer {
    fn associate(&mut self) -> Option<()> {
        let answers = self.say(INIT);
        let ack = answers.first()?.get(COMMON_HEAD..)?;
        self.tag = *ack.get(4..)?.first_chunk()?;
        let cookie = parameter(ack.get(INIT_ACK_HEAD..)?, COOKIE)?;
        let size = (4 + cookie.len()) as u16;
        self.say(&[&[COOKIE_ECHO, 0], &size.to_be_bytes()[..], cookie].concat());
        Some(())
    }

    /// Says what is in one packet. Returns the answers.
    fn say(&mut self, chunks: &[u8]) -> Vec<Vec<u8>> {
        self.now += PACKET;
        let mut packet = [&PORTS[..], &self.tag, &[0; 4], chunks].concat();
        let sum = crc32c(&packet).to_le_bytes();
        packet[8..COMMON_HEAD].copy_from_slice(&sum);
        self.data.receive(&packet, self.now);
        let mut answers = Vec::new();
        self.data
            .poll(self.now, |packet| answers.push(packet.to_vec()));
        answers
    }

    fn open(&self) -> usize {
        let association = self
            .data
            .sctp
            .as_ref()
            .and_then(|sctp| sctp.association.as_ref());
        association.map_or(0, |association| association.stream_ids().len())
    }
}

/// The value of the parameter of a kind (RFC 9260 §3.2.1).
fn parameter(mut all: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let kind = u16::from_be_bytes(*all.first_chunk()?);
        let size = usize::from(u16::from_be_bytes(*all.get(2..)?.first_chunk()?));
        if kind == wanted {
            return all.get(4..size);
        }
        all = all.get(size.max(4).next_multiple_of(4)..)?;
    }
}

/// RFC 9260, appendix A.
fn crc32c(bytes: &[u8]) -> u32 {
    let shift = |sum: u32, _| (sum >> 1) ^ ((sum & 1) * 0x82f6_3b78);
    let sum = bytes
        .iter()
        .fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), shift));
    !sum
}
