use hub::{Fault, Reason};
use proptest::prelude::*;
use sctp_proto::{AssociationHandle, ReliabilityType};
use serde_json::{Value, json};

use super::*;

const OPEN_LUNETTE: &[u8] = b"\x03\0\0\0\0\0\0\0\0\x07\0\0lunette";
const OPEN_DATA: &[u8] = b"\x03\0\0\0\0\0\0\0\0\x04\0\x03datafoo";

/// A viewer's own SCTP against ours, with nothing between them.
struct Bench {
    data: Data,
    endpoint: Endpoint,
    viewer: (AssociationHandle, Association),
    state: watch::Sender<State>,
    now: Instant,
    /// The kinds of what the viewer has heard, and what it was, by channel.
    heard: Vec<(StreamId, Kind, Vec<u8>)>,
    closed: Vec<StreamId>,
}

impl Bench {
    fn new() -> Self {
        let (sender, state) = watch::channel(State::Live);
        let now = Instant::now();
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::new()), None);
        let viewer = endpoint.connect(ClientConfig::new(), PEER).expect("one");
        let mut bench = Self {
            data: Data::new(state, now),
            endpoint,
            viewer,
            state: sender,
            now,
            heard: Vec::new(),
            closed: Vec::new(),
        };
        bench.pass(0);
        bench
    }

    /// Lets time pass, and packets, until there are none.
    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        for _ in 0..50 {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            self.data
                .poll(self.now, |packet| ours.push(packet.to_vec()));
            let (_, viewer) = &mut self.viewer;
            if viewer.poll_timeout().is_some_and(|at| at <= self.now) {
                viewer.handle_timeout(self.now);
            }
            while let Some(transmit) = viewer.poll_transmit(self.now) {
                if let Payload::RawEncode(packets) = transmit.payload {
                    theirs.extend(packets);
                }
            }
            if ours.is_empty() && theirs.is_empty() {
                return;
            }
            for packet in theirs {
                self.data.receive(&packet, self.now);
            }
            for packet in &ours {
                self.hear(packet);
            }
        }
    }

    fn hear(&mut self, packet: &[u8]) {
        let packet = Bytes::copy_from_slice(packet);
        let (_, viewer) = &mut self.viewer;
        if let Some((_, DatagramEvent::AssociationEvent(event))) =
            self.endpoint.handle(self.now, PEER, None, None, packet)
        {
            viewer.handle_event(event);
        }
        while let Some(event) = viewer.poll() {
            match event {
                Event::Stream(StreamEvent::Readable { id }) => {
                    let mut stream = viewer.stream(id).expect("it is there");
                    while let Ok(Some(message)) = stream.read() {
                        let mut bytes = vec![0; message.len()];
                        message.read(&mut bytes).expect("it fits");
                        self.heard.push((id, message.ppi, bytes));
                    }
                }
                Event::Stream(StreamEvent::Finished { id }) => self.closed.push(id),
                _ => {}
            }
        }
    }

    fn open(&mut self, id: StreamId, open: &[u8]) {
        let (_, viewer) = &mut self.viewer;
        let mut stream = viewer.open_stream(id, Kind::Dcep).expect("a new one");
        stream
            .set_reliability_params(false, ReliabilityType::Reliable, 0)
            .expect("it is open");
        stream.write(open).expect("it is open");
        self.pass(0);
    }

    fn say(&mut self, id: StreamId, what: &[u8]) {
        let mut stream = self.viewer.1.stream(id).expect("it is open");
        stream
            .write_with_ppi(what, Kind::String)
            .expect("it is open");
        self.pass(0);
    }

    /// What was told on a channel.
    fn told(&self, of: StreamId) -> Vec<Value> {
        let told = self
            .heard
            .iter()
            .filter(|(id, kind, _)| *id == of && *kind == Kind::String);
        told.map(|(_, _, text)| serde_json::from_slice(text).expect("JSON"))
            .collect()
    }
}

#[test]
fn on_a_channel_with_our_name_the_state_is_told_and_whenever_it_changes() {
    let mut bench = Bench::new();
    bench.open(0, OPEN_LUNETTE);
    assert_eq!(bench.heard[0], (0, Kind::Dcep, vec![DCEP_ACK]));
    let fault = Fault::new(Reason::Unauthorized, "the camera refused the password");
    let retry_at = tokio::time::Instant::from_std(bench.now + Duration::from_millis(2_100));
    bench
        .state
        .send(State::Backoff { fault, retry_at })
        .expect("it listens");
    bench.pass(100);
    let same = bench.state.borrow().clone();
    bench.state.send(same).expect("it listens");
    bench.pass(100);
    bench
        .state
        .send(State::Starting { after: None })
        .expect("it listens");
    bench.pass(100);
    let expected = [
        json!({"type": "state", "state": "live"}),
        json!({"type": "state", "state": "offline", "reason": "unauthorized",
            "message": "the camera refused the password", "retry_in_ms": 2000}),
        json!({"type": "state", "state": "connecting"}),
    ];
    assert_eq!(bench.told(0), expected);
}

#[test]
fn channels_of_other_names_are_opened_and_what_is_said_on_them_is_let_pass() {
    let mut bench = Bench::new();
    bench.open(0, OPEN_DATA);
    for _ in 0..20 {
        bench.say(0, b"ping");
    }
    assert_eq!(bench.heard, [(0, Kind::Dcep, vec![DCEP_ACK])]);
    assert!(!bench.data.is_closed());
}

#[test]
fn all_channels_close_when_it_is_over_and_ours_says_why() {
    let mut bench = Bench::new();
    bench.open(0, OPEN_DATA);
    bench.open(2, OPEN_LUNETTE);
    bench.data.close(&Ended::OtherCodec);
    assert!(!bench.data.is_closed(), "the viewer does not know yet");
    for _ in 0..10 {
        bench.pass(100);
    }
    bench.closed.sort_unstable();
    assert_eq!(bench.closed, [0, 2]);
    let ended = json!({"type": "state", "state": "ended", "reason": "codecs_changed"});
    assert_eq!(bench.told(2).last(), Some(&ended));
    assert!(bench.data.is_closed());
}

#[test]
fn a_channel_that_the_viewer_closes_is_forgotten_and_its_number_is_free_again() {
    let mut bench = Bench::new();
    for round in 1..4 {
        bench.open(0, OPEN_LUNETTE);
        bench
            .viewer
            .1
            .stream(0)
            .expect("open")
            .close()
            .expect("it closes");
        for _ in 0..5 {
            bench.pass(100);
        }
        assert!(bench.data.is_closed());
        assert_eq!(bench.told(0).len(), round);
    }
}

#[test]
fn a_lost_goodbye_is_said_again() {
    let mut bench = Bench::new();
    bench.open(0, OPEN_LUNETTE);
    bench.data.close(&Ended::Shutdown);
    for _ in 0..3 {
        bench.now += Duration::from_millis(100);
        bench.data.poll(bench.now, |_| {});
    }
    for _ in 0..10 {
        bench.pass(100);
    }
    assert_eq!(bench.closed, [0]);
    assert_eq!(bench.told(0).len(), 2, "that it ended was told, too");
}

#[test]
fn who_opens_more_channels_than_anybody_needs_loses_all() {
    let mut bench = Bench::new();
    for id in 0..=MAX_OPEN as u16 {
        bench.open(id, OPEN_DATA);
    }
    assert!(bench.data.over && bench.data.sctp.is_none());
    assert!(bench.data.is_closed());
}

#[test]
fn messages_larger_than_we_said_end_the_association_and_floods_are_dropped() {
    let mut bench = Bench::new();
    bench.open(0, OPEN_DATA);
    bench.viewer.1.set_max_send_message_size(1 << 20);
    bench.say(0, &vec![0; MAX_MESSAGE as usize + 1]);
    assert!(bench.data.over);
    let mut bench = Bench::new();
    let taken = (0..2_000)
        .filter(|_| bench.data.may_send(bench.now))
        .count();
    assert!(taken < 500, "{taken}");
    bench.now += Duration::from_secs(1);
    let taken = (0..2_000)
        .filter(|_| bench.data.may_send(bench.now))
        .count();
    assert_eq!(taken, 10);
}

#[test]
fn a_viewer_that_waits_for_us_to_begin_is_begun_with() {
    let (_sender, state) = watch::channel(State::Live);
    let mut data = Data::new(state, Instant::now());
    data.connect();
    let mut first = Vec::new();
    data.poll(Instant::now(), |packet| first = packet.to_vec());
    assert_eq!(first.get(12), Some(&1), "an INIT chunk");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        noise in prop::collection::vec(any::<u8>(), 0..100),
        at in 0usize..60,
        bit in 0u8..8,
    ) {
        let mut bench = Bench::new();
        bench.open(0, OPEN_LUNETTE);
        bench.data.receive(&noise, bench.now);
        bench.viewer.1.stream(0).expect("open").write(&noise).ok();
        let packet = bench.viewer.1.poll_transmit(bench.now);
        if let Some(Payload::RawEncode(packets)) = packet.map(|transmit| transmit.payload) {
            for packet in packets {
                let mut packet = packet.to_vec();
                let place = at % packet.len();
                packet[place] ^= 1 << bit;
                // The checksum of SCTP is no defence: who sends this makes it right.
                packet[8..12].fill(0);
                let sum = crc32c(&packet).to_le_bytes();
                packet[8..12].copy_from_slice(&sum);
                bench.data.receive(&packet, bench.now);
            }
        }
        bench.data.poll(bench.now + Duration::from_secs(1), |_| {});
        let open = label(&noise).map(<[u8]>::len);
        prop_assert!(open.is_none_or(|size| size <= noise.len()));
    }
}

/// RFC 9260 appendix A, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[test]
fn the_viewer_of_the_fuzz_target_gets_an_association_and_opens_channels() {
    let seed = include_bytes!("../../../../tests/fuzz/seeds/sctp_chunks/channels");
    assert_eq!(converse(seed), 2);
    assert_eq!(converse(b""), 0);
}
