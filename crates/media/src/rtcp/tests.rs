use proptest::prelude::*;

use super::*;

#[test]
fn ntp_times_convert_both_ways_and_past_2036() {
    // 2026-11-22T16:00:00.5Z
    let nanos = 1_795_363_200_500_000_000;
    let ntp = NtpTime::from_unix_nanos(nanos);
    assert_eq!(ntp.0 >> 32, 4_004_352_000);
    assert_eq!(ntp.0 & 0xffff_ffff, 1 << 31);
    assert_eq!(ntp.unix_nanos(), nanos);
    let later = 2_500_000_000 * NANOS + 123_456_789;
    assert_eq!(NtpTime::from_unix_nanos(later).unix_nanos(), later);
}

#[test]
fn a_sender_report_reads_back_and_what_follows_too() {
    let report = SenderReport {
        ssrc: 0x1122_3344,
        ntp: NtpTime::from_unix_nanos(1_700_000_000 * NANOS),
        rtp: 90_000,
        packets: 12,
        octets: 3456,
    };
    let mut out = BytesMut::new();
    report.write(&mut out);
    write_cname(report.ssrc, "camera", &mut out);
    write_goodbye(report.ssrc, &mut out);
    let read: Vec<Message> = messages(&out).collect();
    let expected = [
        Message::SenderReport(report),
        Message::Other(202),
        Message::Goodbye(vec![report.ssrc]),
    ];
    assert_eq!(read, expected);
}

#[test]
fn a_receiver_report_has_the_bytes_of_the_rfc() {
    let block = ReportBlock {
        ssrc: 2,
        fraction_lost: 64,
        cumulative_lost: -2,
        highest_sequence: 0x0001_0002,
        jitter: 9,
        last_report: 7,
        delay: 8,
    };
    let mut out = BytesMut::new();
    write_receiver_report(1, &[block], "ab", &mut out);
    let expected = [
        0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 64, 0xff, 0xff, 0xfe, 0, 1, 0, 2, 0, 0, 0, 9, 0,
        0, 0, 7, 0, 0, 0, 8, 0x81, 202, 0, 3, 0, 0, 0, 1, 1, 2, b'a', b'b', 0, 0, 0, 0,
    ];
    assert_eq!(out[..], expected);
    let read = messages(&out).next();
    assert_eq!(
        read,
        Some(Message::ReceiverReport {
            ssrc: 1,
            blocks: vec![block]
        })
    );
}

#[test]
fn a_report_that_is_cut_short_still_tells_its_time() {
    let mut out = BytesMut::new();
    let report = SenderReport {
        ssrc: 5,
        ntp: NtpTime(1 << 40),
        rtp: 6,
        packets: 0,
        octets: 0,
    };
    report.write(&mut out);
    assert_eq!(
        messages(&out[..20]).collect::<Vec<_>>(),
        [Message::SenderReport(report)]
    );
    assert_eq!(
        messages(&out[..12]).collect::<Vec<_>>(),
        [Message::Other(200)]
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_end(data in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(messages(&data).count() <= data.len());
    }
}
