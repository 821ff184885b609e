use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::rtp::Header;

fn packet(sequence: u16) -> Packet {
    packet_of(sequence, 7)
}

fn packet_of(sequence: u16, ssrc: u32) -> Packet {
    Packet {
        header: Header {
            marker: false,
            payload_type: 96,
            sequence,
            timestamp: 0,
            ssrc,
        },
        extension: None,
        payload: Bytes::new(),
    }
}

fn drain(buffer: &mut Reorder, now: Instant) -> Vec<(u16, u16)> {
    std::iter::from_fn(|| buffer.pop(now))
        .map(|a| (a.packet.header.sequence, a.lost))
        .collect()
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn packets_in_order_pass_without_delay_across_the_wrap() {
    let (mut buffer, now) = (Reorder::new(Limits::UDP), Instant::now());
    for sequence in [65_534, 65_535, 0, 1] {
        buffer.push(packet(sequence), now);
        assert_eq!(drain(&mut buffer, now), [(sequence, 0)]);
        assert_eq!(buffer.timeout(), None);
    }
}

#[test]
fn a_packet_that_comes_late_is_put_into_place() {
    let (mut buffer, now) = (Reorder::new(Limits::UDP), Instant::now());
    buffer.push(packet(10), now);
    buffer.push(packet(12), now);
    buffer.push(packet(13), now);
    assert_eq!(drain(&mut buffer, now), [(10, 0)]);
    assert_eq!(buffer.timeout(), Some(now + ms(100)));
    buffer.push(packet(11), now + ms(5));
    assert_eq!(drain(&mut buffer, now + ms(5)), [(11, 0), (12, 0), (13, 0)]);
    assert_eq!(buffer.timeout(), None);
    assert_eq!(buffer.counters().reordered, 1);
}

#[test]
fn a_gap_is_given_up_after_the_delay() {
    let (mut buffer, now) = (Reorder::new(Limits::UDP), Instant::now());
    buffer.push(packet(1), now);
    buffer.push(packet(4), now);
    buffer.push(packet(6), now + ms(50));
    assert_eq!(drain(&mut buffer, now + ms(99)), [(1, 0)]);
    assert_eq!(drain(&mut buffer, now + ms(100)), [(4, 2)]);
    assert_eq!(buffer.timeout(), Some(now + ms(150)));
    assert_eq!(drain(&mut buffer, now + ms(150)), [(6, 1)]);
    buffer.push(packet(2), now + ms(160));
    buffer.push(packet(4), now + ms(160));
    assert_eq!(drain(&mut buffer, now + ms(160)), []);
    let counters = buffer.counters();
    assert_eq!(
        (counters.lost, counters.late, counters.duplicates),
        (3, 1, 1)
    );
}

#[test]
fn in_order_limits_never_wait() {
    let (mut buffer, now) = (Reorder::new(Limits::IN_ORDER), Instant::now());
    buffer.push(packet(1), now);
    buffer.push(packet(9), now);
    assert_eq!(drain(&mut buffer, now), [(1, 0), (9, 7)]);
    assert_eq!(buffer.timeout(), None);
}

#[test]
fn the_window_moves_on_when_a_packet_lies_beyond_it() {
    let limits = Limits {
        packets: 4,
        delay: ms(100),
    };
    let (mut buffer, now) = (Reorder::new(limits), Instant::now());
    for sequence in [1, 3, 4, 7] {
        buffer.push(packet(sequence), now);
    }
    assert_eq!(drain(&mut buffer, now), [(1, 0), (3, 1), (4, 0)]);
}

#[test]
fn another_source_begins_anew_when_its_second_packet_follows() {
    let (mut buffer, now) = (Reorder::new(Limits::UDP), Instant::now());
    buffer.push(packet(1), now);
    buffer.push(packet(3), now);
    assert!(!buffer.push(packet_of(40_000, 8), now));
    assert_eq!(drain(&mut buffer, now), [(1, 0)]);
    assert!(buffer.push(packet_of(40_001, 8), now));
    let expected = [(3, 1), (40_000, 1), (40_001, 0)];
    assert_eq!(drain(&mut buffer, now), expected);
    assert_eq!(buffer.counters().restarts, 1);
}

#[test]
fn packets_of_strangers_between_ours_change_nothing() {
    let (mut buffer, now) = (Reorder::new(Limits::UDP), Instant::now());
    for sequence in 1..100u16 {
        buffer.push(packet(sequence), now);
        assert_eq!(drain(&mut buffer, now), [(sequence, 0)]);
        buffer.push(packet_of(sequence, 100 + u32::from(sequence)), now);
        // Right behind ours in number, or the same stranger again.
        buffer.push(packet_of(sequence + 1, 8), now);
        assert_eq!(drain(&mut buffer, now), []);
    }
    let counters = buffer.counters();
    assert_eq!((counters.restarts, counters.lost), (0, 0));
    assert_eq!(counters.strangers, 197);
}

#[test]
fn two_packets_far_off_begin_anew_and_one_does_not() {
    let (mut buffer, now) = (Reorder::new(Limits::UDP), Instant::now());
    buffer.push(packet(1), now);
    buffer.push(packet(20_000), now);
    buffer.push(packet(2), now);
    assert_eq!(drain(&mut buffer, now), [(1, 0), (2, 0)]);
    buffer.push(packet(30_000), now);
    buffer.push(packet(30_001), now);
    assert_eq!(drain(&mut buffer, now), [(30_000, 1), (30_001, 0)]);
}

proptest! {
    #[test]
    fn whatever_comes_the_buffer_stays_bounded_and_ordered(
        steps in prop::collection::vec((any::<u16>(), 0u64..40, 0u32..2, any::<bool>()), 1..400)
    ) {
        let mut buffer = Reorder::new(Limits { packets: 32, delay: ms(30) });
        let mut now = Instant::now();
        let mut sequence = 0u16;
        for (jump, wait, ssrc, small) in steps {
            now += ms(wait);
            sequence = sequence.wrapping_add(if small { jump % 8 } else { jump });
            buffer.push(packet_of(sequence, u32::from(ssrc == 1 && !small)), now);
            prop_assert!(buffer.held.len() <= 32);
            while buffer.pop(now).is_some() {}
            prop_assert!(buffer.timeout().is_none_or(|at| at > now));
        }
    }

    #[test]
    fn any_order_within_the_window_comes_out_sorted(order in Just((0u16..32).collect::<Vec<_>>()).prop_shuffle()) {
        let (mut buffer, now) = (Reorder::new(Limits::UDP), Instant::now());
        buffer.push(packet(999), now);
        for sequence in order {
            buffer.push(packet(1000 + sequence), now);
        }
        let out: Vec<u16> = drain(&mut buffer, now).into_iter().map(|(s, _)| s).collect();
        prop_assert_eq!(out, (999..1032).collect::<Vec<_>>());
    }
}
