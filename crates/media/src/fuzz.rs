//! The bodies of the fuzz targets in `tests/fuzz`: each takes any bytes and must neither panic nor keep
//! more than a multiple of them. They live here so that they compile wherever this crate does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use crate::nal::{annexb, random_access, units};
use crate::rtcp::{self, NtpTime, SenderReport};
use crate::rtp::{
    AccessUnit, Depacketizer, Encoding, Header, Limits, MAX_UNIT, Packet, Reception, Reorder,
    Unwrapper,
};
use crate::time::Timeline;
use crate::{Aac, Av1, DecodeTimes, Format, G711, H264, H265, TrackId};

/// The encodings that the first byte of an input chooses from.
const ENCODINGS: [(&str, &str); 10] = [
    ("H264", ""),
    ("H264", "sprop-parameter-sets=Z2QAM6wVFKAoALWQ,aO48sA=="),
    ("H265", ""),
    ("H265", "sprop-max-don-diff=1"),
    ("AV1", ""),
    (
        "MPEG4-GENERIC",
        "config=1408;sizelength=13;indexlength=3;indexdeltalength=3",
    ),
    (
        "MPEG4-GENERIC",
        "config=1408;sizelength=6;indexlength=2;indexdeltalength=2;ctsdeltalength=9;auxiliarydatasizelength=8",
    ),
    ("MP4A-LATM", "cpresent=0;config=400023203fc0"),
    ("L16", ""),
    ("OPUS", ""),
];

/// Parameter sets and configurations: the first byte chooses, the rest is one.
pub fn formats(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    let bytes = Bytes::copy_from_slice(rest);
    let format = match choice % 6 {
        0 => {
            H264::new(bytes, vec![Bytes::from_static(&[0x68, 0xee, 0x3c, 0xb0])]).map(Format::H264)
        }
        1 => {
            let (vps, sps) = rest.split_at(rest.len() / 2);
            let pps = vec![Bytes::from_static(&[0x44, 1, 0xc0, 0x73, 0xc1, 0x89])];
            H265::new(
                Bytes::copy_from_slice(vps),
                Bytes::copy_from_slice(sps),
                pps,
            )
            .map(Format::H265)
        }
        2 => Av1::new(bytes).map(Format::Av1),
        3 => Aac::new(bytes).map(Format::Aac),
        4 => Aac::from_adts(rest).map(Format::Aac),
        _ => {
            let text = String::from_utf8_lossy(rest);
            describe(&text);
            return;
        }
    };
    if let Ok(format) = format {
        let _ = (
            format.clock_rate(),
            format.resolution(),
            format.samples(rest),
        );
        let _ = random_access(&format, rest);
    }
    let _ = annexb::split(rest).count();
}

fn describe(text: &str) {
    let (name, fmtp) = text.split_once(' ').unwrap_or((text, ""));
    for name in [name, "H264", "H265", "mpeg4-generic", "MP4A-LATM"] {
        let encoding = Encoding {
            name,
            clock_rate: 90_000,
            channels: None,
            fmtp: Some(fmtp),
        };
        let _ = Depacketizer::new(&encoding);
    }
}

/// Payloads of one track: an encoding, then packets of two bytes of header and up to 63 bytes, the last
/// of each filled up with more of the same.
pub fn depacketize(data: &[u8]) {
    let mut data = data;
    if data.len() < 2 {
        return;
    }
    let (name, fmtp) = ENCODINGS[usize::from(data.get_u8()) % ENCODINGS.len()];
    let encoding = Encoding {
        name,
        clock_rate: 90_000,
        channels: None,
        fmtp: Some(fmtp),
    };
    let Ok(mut depacketizer) = Depacketizer::new(&encoding) else {
        return;
    };
    while data.len() > 2 {
        let (flags, length) = (data.get_u8(), data.get_u8());
        let length = usize::from(length).min(data.len());
        let payload = Bytes::copy_from_slice(&data[..length]);
        data.advance(length);
        let packet = Packet {
            header: header(flags & 1 == 1, u32::from(flags >> 1 & 7)),
            extension: None,
            payload,
        };
        let lost = u16::from(flags >> 4) & 3;
        let _ = depacketizer.push(packet, lost);
        while let Some(unit) = depacketizer.pull() {
            check(&unit);
        }
    }
}

fn check(unit: &AccessUnit) {
    assert!(!unit.data.is_empty() && unit.data.len() <= MAX_UNIT);
    if matches!(&*unit.format, Format::H264(_) | Format::H265(_)) {
        let whole: usize = units(&unit.data).map(|nal| nal.len() + 4).sum();
        assert_eq!(whole, unit.data.len(), "lengths add up");
    }
}

fn header(marker: bool, timestamp: u32) -> Header {
    Header {
        marker,
        payload_type: 96,
        sequence: 0,
        timestamp,
        ssrc: 0,
    }
}

/// Whole RTP and RTCP packets, each behind a byte of length, through reordering and statistics.
pub fn packets(data: &[u8], mut now: Instant) {
    let mut data = data;
    let (mut reorder, mut reception) = (Reorder::new(Limits::UDP), Reception::new(90_000));
    let mut unwrapper = Unwrapper::new();
    while data.len() > 2 {
        let length = usize::from(data.get_u8()).min(data.len());
        let bytes = Bytes::copy_from_slice(&data[..length]);
        data.advance(length);
        now += Duration::from_millis(length as u64);
        for message in rtcp::messages(&bytes) {
            if let rtcp::Message::SenderReport(report) = message {
                let _ = report.ntp.unix_nanos();
                reception.sender_report(&report, now);
            }
        }
        if let Ok(packet) = Packet::parse(bytes) {
            reception.packet(&packet.header, now);
            unwrapper.unwrap(packet.header.timestamp);
            reorder.push(packet, now);
        }
        while reorder.pop(now).is_some() {}
        let _ = reception.report(now);
    }
}

/// Timestamps, arrivals and sender reports of a track of picture and one of sound.
pub fn timeline(data: &[u8], mut now: Instant) {
    let mut data = data;
    let sound = Arc::new(Format::G711(G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    }));
    let (mut line, mut decode) = (Timeline::new(), DecodeTimes::new(None, 3000));
    let (mut last, mut last_dts) = (i64::MIN, i64::MIN);
    while data.len() >= 8 {
        let (kind, wait, timestamp) = (data.get_u8(), data.get_u16(), data.get_u32());
        now += Duration::from_millis(wait.into());
        if kind % 4 == 0 {
            let report = SenderReport {
                ssrc: 0,
                ntp: NtpTime(u64::from(timestamp) << u32::from(kind >> 2)),
                rtp: timestamp,
                packets: 0,
                octets: 0,
            };
            line.sender_report(TrackId(kind >> 7), &report);
            continue;
        }
        let unit = AccessUnit {
            timestamp,
            keyframe: true,
            lost: 0,
            format: sound.clone(),
            data: Bytes::from_static(&[0; 160]),
        };
        let placed = line.place(TrackId(1), &unit, now);
        assert!(placed.pts > last);
        last = placed.pts;
        let dts = decode.push(i64::from(timestamp));
        assert!(dts > last_dts);
        last_dts = dts;
    }
}
