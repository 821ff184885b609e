use std::net::SocketAddr;
use std::sync::Arc;

use dimpl::SrtpProfile;
use media::rtp::Packet;

use super::*;
use crate::testing::{h264, picture};
use crate::unit::Packets;

/// A lane whose packets are looked at without their encryption: with counter mode the header stays, and so does the size.
struct Bench {
    lane: Lane,
    srtp: Srtp,
    packets: Packets,
    cache: Cache,
    batch: Batch,
}

const PATH: Path = Path {
    remote: SocketAddr::V4(std::net::SocketAddrV4::new(
        std::net::Ipv4Addr::LOCALHOST,
        9,
    )),
    tcp: None,
};

impl Bench {
    fn new(rtx: bool) -> Self {
        let wire = Wire {
            track: TrackId(0),
            payload_type: 102,
            ssrc: 0xaaaa,
            rtx: rtx.then_some((103, 0xbbbb)),
            playout_delay: Some(6),
            abs_send_time: rtx.then_some(2),
            transport_wide: rtx.then_some(5),
            estimates: false,
            clock_rate: 90_000,
        };
        Self {
            lane: Lane::new(wire),
            srtp: Srtp::new(&[5; 60], SrtpProfile::AES128_CM_SHA1_80, false).expect("keys"),
            packets: Packets::default(),
            cache: Cache::default(),
            batch: Batch::default(),
        }
    }

    fn unit(&mut self, n: i64, size: usize) -> Arc<Unit> {
        let frame = picture(&h264(), n, n == 0, size);
        let unit = self
            .packets
            .push(&frame)
            .expect("in order")
            .expect("it is sent")
            .item;
        self.cache.push(&unit);
        unit
    }

    fn send(&mut self, unit: &Unit) -> Vec<Vec<u8>> {
        self.send_late(unit, 0)
    }

    /// Sends a unit so many milliseconds after it came.
    fn send_late(&mut self, unit: &Unit, millis: u64) -> Vec<Vec<u8>> {
        self.lane.begin(unit, Duration::from_millis(millis), true);
        for payload in &unit.packets {
            self.lane
                .send(payload, 1, &self.srtp, PATH, &mut self.batch)
                .expect("it seals");
        }
        self.sent()
    }

    fn resend(&mut self, sequence: u16) -> Vec<Vec<u8>> {
        self.lane
            .resend(sequence, &self.cache, 2, &self.srtp, PATH, &mut self.batch)
            .expect("it seals");
        self.sent()
    }

    fn sent(&mut self) -> Vec<Vec<u8>> {
        let datagrams = |(send, bytes): (&crate::batch::Send, &[u8])| {
            let datagrams: Vec<Vec<u8>> = bytes.chunks(send.segment).map(<[u8]>::to_vec).collect();
            datagrams
        };
        let all = self.batch.sends().flat_map(datagrams).collect();
        self.batch.clear();
        all
    }
}

fn header(datagram: &[u8]) -> media::rtp::Header {
    Packet::parse(datagram.to_vec().into())
        .expect("a packet")
        .header
}

#[test]
fn numbers_go_up_by_one_whatever_is_left_out_and_no_datagram_is_too_large() {
    let mut bench = Bench::new(true);
    let units: Vec<_> = (0..4).map(|n| bench.unit(n, 4000)).collect();
    let mut all = bench.send(&units[0]);
    all.extend(bench.send(&units[3]));
    assert!(all.iter().all(|datagram| datagram.len() <= 1200));
    let first = header(&all[0]).sequence;
    for (n, datagram) in all.iter().enumerate() {
        let header = header(datagram);
        assert_eq!(header.sequence, first.wrapping_add(n as u16));
        assert_eq!((header.ssrc, header.payload_type), (0xaaaa, 102));
    }
    let times: Vec<u32> = all
        .iter()
        .map(|datagram| header(datagram).timestamp)
        .collect();
    assert_eq!(
        times.last().expect("packets").wrapping_sub(times[0]),
        3 * 3600
    );
    assert!(header(all.last().expect("packets")).marker);
}

#[test]
fn a_lost_packet_comes_again_over_rtx_with_its_time_and_its_number_inside() {
    let mut bench = Bench::new(true);
    let units: Vec<_> = (0..3).map(|n| bench.unit(n, 4000)).collect();
    let sent: Vec<_> = units.iter().flat_map(|unit| bench.send(unit)).collect();
    let lost = header(&sent[5]);
    let again = bench.resend(lost.sequence);
    let found = header(&again[0]);
    assert_eq!((found.ssrc, found.payload_type), (0xbbbb, 103));
    assert_eq!(
        (found.timestamp, found.marker),
        (lost.timestamp, lost.marker)
    );
    assert_eq!(
        again[0].len(),
        sent[5].len() + 2,
        "the original number is in it"
    );
    let next = header(&bench.resend(lost.sequence)[0]);
    assert_eq!(
        next.sequence,
        found.sequence.wrapping_add(1),
        "no number is used twice"
    );
}

#[test]
fn without_rtx_a_lost_packet_comes_again_bit_by_bit() {
    let mut bench = Bench::new(false);
    let unit = bench.unit(0, 4000);
    let sent = bench.send(&unit);
    for datagram in &sent {
        assert_eq!(
            bench.resend(header(datagram).sequence),
            std::slice::from_ref(datagram)
        );
    }
}

#[test]
fn what_was_never_sent_or_long_ago_is_not_sent_again() {
    let mut bench = Bench::new(true);
    assert!(bench.resend(7).is_empty());
    let unit = bench.unit(0, 100);
    let first = header(&bench.send(&unit)[0]).sequence;
    assert!(bench.resend(first.wrapping_add(100)).is_empty());
    assert!(bench.resend(first.wrapping_sub(1)).is_empty());
    for n in 1..300 {
        let unit = bench.unit(n, 100);
        bench.send(&unit);
    }
    assert!(bench.resend(first).is_empty());
}

#[test]
fn pictures_that_come_again_get_times_right_behind_the_last() {
    let mut bench = Bench::new(true);
    let units: Vec<_> = (0..4).map(|n| bench.unit(n, 100)).collect();
    let mut times: Vec<u32> = Vec::new();
    for unit in units.iter().chain(&units[..3]) {
        times.extend(
            bench
                .send(unit)
                .first()
                .map(|datagram| header(datagram).timestamp),
        );
    }
    let steps: Vec<u32> = times
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    assert_eq!(steps, [3600, 3600, 3600, 90, 90, 90]);
}

#[test]
fn pictures_that_a_viewer_catches_up_with_have_the_time_of_now() {
    let mut bench = Bench::new(true);
    let units: Vec<_> = (0..5).map(|n| bench.unit(n, 100)).collect();
    // A picture each 40 ms; four are sent within 7 ms, when the fourth is 5 ms old.
    let late = [120, 80 + 5, 40 + 7, 5 + 2, 0];
    let times: Vec<u32> = units
        .iter()
        .zip(late)
        .map(|(unit, late)| header(&bench.send_late(unit, late)[0]).timestamp)
        .collect();
    let steps: Vec<u32> = times
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    assert_eq!(steps, [5 * 90, 2 * 90, 90, 40 * 90 - 8 * 90]);
}

#[test]
fn the_viewer_is_told_for_how_long_to_keep_pictures() {
    let mut bench = Bench::new(true);
    let told = |datagram: &[u8]| {
        let at = datagram.windows(1).position(|byte| byte[0] == 6 << 4 | 2);
        datagram[at.expect("the extension") + 1..][..3].to_vec()
    };
    let unit = bench.unit(0, 100);
    // 0 ms and 400 ms: each picture is shown at once.
    assert_eq!(told(&bench.send(&unit)[0][12..]), [0, 0, 40]);
    bench.lane.keep(Duration::from_millis(355));
    let unit = bench.unit(1, 100);
    assert_eq!(told(&bench.send(&unit)[0][12..]), [0x02, 0x30, 0x4b]);
}

#[test]
fn losses_are_counted_once_and_never_more_than_were_sent() {
    let mut bench = Bench::new(true);
    let unit = bench.unit(0, 5_000);
    bench.send(&unit);
    let sent = unit.packets.len() as u64;
    assert_eq!(
        (bench.lane.take_packets(), bench.lane.take_packets()),
        (sent, 0)
    );
    let told: Vec<u64> = [0, 2, 2, -5, 1, 3]
        .map(|lost| bench.lane.report_lost(lost))
        .into();
    assert_eq!(told, [0, 2, 0, 0, 0, 1]);
    assert_eq!(bench.lane.report_lost(i32::MAX), sent - 3);
}
