use std::time::Instant;

use super::Header;
use crate::rtcp::{ReportBlock, SenderReport};

/// What a receiver report says of one sender, kept up to date packet by packet (RFC 3550 §6.4 and §A).
///
/// Feed it packets as they come from the wire, before they are put in order.
#[derive(Debug, Clone)]
pub struct Reception {
    clock_rate: u32,
    ssrc: Option<u32>,
    first: u64,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// Jitter in 1/16 ticks (§A.8).
    jitter: u64,
    last: Option<(Instant, u32)>,
    report: Option<(u32, Instant)>,
}

impl Reception {
    /// Statistics of a track whose RTP clock has `clock_rate` ticks per second.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            ssrc: None,
            first: 0,
            highest: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
            jitter: 0,
            last: None,
            report: None,
        }
    }

    /// Takes a packet that came at `now`. Another source begins anew.
    pub fn packet(&mut self, header: &Header, now: Instant) {
        if self.ssrc != Some(header.ssrc) {
            *self = Self::new(self.clock_rate);
            self.ssrc = Some(header.ssrc);
            self.first = u64::from(header.sequence);
            self.highest = self.first;
        }
        self.received += 1;
        let step = header.sequence.wrapping_sub(self.highest as u16) as i16;
        if step > 0 {
            self.highest += step as u64;
        }
        self.arrival(header.timestamp, now);
    }

    /// Takes the sender's report that came at `now`.
    pub fn sender_report(&mut self, report: &SenderReport, now: Instant) {
        self.report = Some((report.ntp.middle(), now));
    }

    /// The block for a receiver report at `now`, and the beginning of the next interval of
    /// `fraction_lost`. None before the first packet.
    pub fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let ssrc = self.ssrc?;
        let expected = self.highest - self.first + 1;
        let lost = expected as i64 - self.received as i64;
        let expected_now = expected - self.expected_before;
        let received_now = self.received - self.received_before;
        self.expected_before = expected;
        self.received_before = self.received;
        let fraction = (expected_now.saturating_sub(received_now) * 256)
            .checked_div(expected_now)
            .unwrap_or(0);
        let (last_report, delay) = match self.report {
            None => (0, 0),
            Some((report, at)) => {
                let delay = now.saturating_duration_since(at).as_millis() * 65_536 / 1000;
                (report, u32::try_from(delay).unwrap_or(u32::MAX))
            }
        };
        Some(ReportBlock {
            ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.highest as u32,
            jitter: (self.jitter >> 4) as u32,
            last_report,
            delay,
        })
    }

    /// §A.8: the mean deviation of the spacing of packets at the receiver from that at the sender.
    fn arrival(&mut self, timestamp: u32, now: Instant) {
        if let Some((before, sent)) = self.last {
            let passed = now.saturating_duration_since(before).as_nanos();
            let passed = (passed * u128::from(self.clock_rate) / 1_000_000_000) as i64;
            let sent = i64::from(timestamp.wrapping_sub(sent) as i32);
            let difference = (passed - sent).unsigned_abs();
            // A camera whose timestamps jump must not spoil the mean for minutes.
            let difference = difference.min(u64::from(self.clock_rate));
            self.jitter = self.jitter + difference - ((self.jitter + 8) >> 4);
        }
        self.last = Some((now, timestamp));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rtcp::NtpTime;

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header {
            marker: false,
            payload_type: 96,
            sequence,
            timestamp,
            ssrc: 3,
        }
    }

    #[test]
    fn losses_are_counted_by_interval_and_in_all_across_the_wrap() {
        let (mut reception, now) = (Reception::new(90_000), Instant::now());
        assert_eq!(reception.report(now), None);
        for sequence in [65_533u16, 65_534, 0, 1] {
            reception.packet(&header(sequence, 0), now);
        }
        let block = reception.report(now).unwrap();
        assert_eq!(block.highest_sequence, 0x0001_0001);
        assert_eq!((block.cumulative_lost, block.fraction_lost), (1, 51));
        for sequence in [2, 2] {
            reception.packet(&header(sequence, 0), now);
        }
        let block = reception.report(now).unwrap();
        assert_eq!((block.cumulative_lost, block.fraction_lost), (0, 0));
    }

    #[test]
    fn even_packets_have_no_jitter_and_uneven_ones_do() {
        let (mut reception, start) = (Reception::new(90_000), Instant::now());
        for i in 0..100u16 {
            let now = start + Duration::from_millis(40 * u64::from(i));
            reception.packet(&header(i, 3600 * u32::from(i)), now);
        }
        assert_eq!(reception.report(start).unwrap().jitter, 0);
        for i in 100..400u16 {
            let late = if i % 2 == 0 { 10 } else { 0 };
            let now = start + Duration::from_millis(40 * u64::from(i) + late);
            reception.packet(&header(i, 3600 * u32::from(i)), now);
        }
        let jitter = reception.report(start).unwrap().jitter;
        assert!((880..=900).contains(&jitter), "{jitter}");
    }

    #[test]
    fn the_delay_since_the_last_sender_report_is_told() {
        let (mut reception, now) = (Reception::new(90_000), Instant::now());
        reception.packet(&header(1, 0), now);
        let report = SenderReport {
            ssrc: 3,
            ntp: NtpTime(0x1234_5678_9abc_def0),
            rtp: 0,
            packets: 0,
            octets: 0,
        };
        reception.sender_report(&report, now);
        let block = reception.report(now + Duration::from_millis(1500)).unwrap();
        assert_eq!((block.last_report, block.delay), (0x5678_9abc, 98_304));
    }
}
