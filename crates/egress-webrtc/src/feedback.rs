//! What viewers say in RTCP (RFC 3550 §6, RFC 4585, draft-alvestrand-rmcat-remb). Pure.

use crate::reports::Report;

const RECEIVER_REPORT: u8 = 201;
const SENDER_REPORT: u8 = 200;
const TRANSPORT: u8 = 205;
const PAYLOAD: u8 = 206;
const GENERIC_NACK: u8 = 1;
const ARRIVALS: u8 = 15;
const PLI: u8 = 1;
const FIR: u8 = 4;
const APPLICATION: u8 = 15;

/// One thing that a viewer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feedback<'a> {
    /// These packets of a source are missing: one, and those of the 16 after it whose bit is set.
    Nack {
        ssrc: u32,
        sequence: u16,
        following: u16,
    },
    /// A keyframe is needed.
    Keyframe { ssrc: u32 },
    /// So many bits a second get through.
    Estimate { bits: u64 },
    /// What was received of a source.
    Report { ssrc: u32, report: Report },
    /// When packets arrived, which `twcc` reads.
    Arrivals { report: &'a [u8] },
}

/// Hands what a compound packet says to `tell`. What is broken or unknown is passed over.
pub(crate) fn read<'a>(mut compound: &'a [u8], mut tell: impl FnMut(Feedback<'a>)) {
    while let Some(header) = compound.first_chunk::<4>() {
        let size = 4 * (usize::from(u16::from_be_bytes([header[2], header[3]])) + 1);
        if header[0] >> 6 != 2 || compound.len() < size {
            return;
        }
        let (count, kind) = (header[0] & 0x1f, header[1]);
        packet(kind, count, &compound[4..size], &mut tell);
        compound = &compound[size..];
    }
}

fn packet<'a>(kind: u8, count: u8, body: &'a [u8], tell: &mut impl FnMut(Feedback<'a>)) {
    match (kind, count) {
        (RECEIVER_REPORT, _) => blocks(body.get(4..), count, tell),
        (SENDER_REPORT, _) => blocks(body.get(24..), count, tell),
        (TRANSPORT, GENERIC_NACK) => {
            let Some(ssrc) = word(body, 4) else { return };
            for pair in body[8..].chunks_exact(4) {
                tell(Feedback::Nack {
                    ssrc,
                    sequence: u16::from_be_bytes([pair[0], pair[1]]),
                    following: u16::from_be_bytes([pair[2], pair[3]]),
                });
            }
        }
        (TRANSPORT, ARRIVALS) => {
            if let Some(report) = body.get(8..) {
                tell(Feedback::Arrivals { report });
            }
        }
        (PAYLOAD, PLI) => {
            if let Some(ssrc) = word(body, 4) {
                tell(Feedback::Keyframe { ssrc });
            }
        }
        (PAYLOAD, FIR) => {
            for entry in body.get(8..).unwrap_or_default().chunks_exact(8) {
                let ssrc = u32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]]);
                tell(Feedback::Keyframe { ssrc });
            }
        }
        (PAYLOAD, APPLICATION) if body.get(8..12) == Some(b"REMB") => {
            // 6 bits of exponent, 18 of mantissa.
            if let Some(value) = word(body, 12) {
                let (exponent, mantissa) = (value >> 18 & 0x3f, value & 0x3_ffff);
                let bits = u128::from(mantissa) << exponent;
                tell(Feedback::Estimate {
                    bits: u64::try_from(bits).unwrap_or(u64::MAX),
                });
            }
        }
        _ => {}
    }
}

fn blocks<'a>(body: Option<&'a [u8]>, count: u8, tell: &mut impl FnMut(Feedback<'a>)) {
    for block in body.unwrap_or_default().chunks_exact(24).take(count.into()) {
        let word = |at| word(block, at).unwrap_or_default();
        let report = Report {
            // 24 bits with a sign, behind those of the part.
            lost: (word(4) << 8).cast_signed() >> 8,
            highest: word(8),
            heard: word(16),
            delay: word(20),
        };
        let ssrc = word(0);
        tell(Feedback::Report { ssrc, report });
    }
}

fn word(body: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*body.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(compound: &[u8]) -> Vec<Feedback<'_>> {
        let mut all = Vec::new();
        read(compound, |feedback| all.push(feedback));
        all
    }

    #[test]
    fn a_browsers_compound_packet_is_read_whole() {
        let report =
            b"\x81\xc9\0\x07\0\0\0\x01\0\0\0\x63\x40\0\0\x05\0\0\0\x09\0\0\0\0\x12\x34\x56\x78\0\0\x80\0";
        let nack = b"\x81\xcd\0\x04\0\0\0\x01\0\0\0\x63\x12\x34\0\x05\xff\xff\0\0";
        let pli = b"\x81\xce\0\x02\0\0\0\x01\0\0\0\x63";
        let fir = b"\x84\xce\0\x04\0\0\0\x01\0\0\0\0\0\0\0\x63\x01\0\0\0";
        let remb = b"\x8f\xce\0\x05\0\0\0\x01\0\0\0\0REMB\x01\x0b\xd0\x90\0\0\0\x63";
        let compound = [&report[..], nack, pli, fir, remb].concat();
        let expected = [
            Feedback::Report {
                ssrc: 99,
                report: Report {
                    lost: 5,
                    highest: 9,
                    heard: 0x1234_5678,
                    delay: 0x8000,
                },
            },
            Feedback::Nack {
                ssrc: 99,
                sequence: 0x1234,
                following: 5,
            },
            Feedback::Nack {
                ssrc: 99,
                sequence: 0xffff,
                following: 0,
            },
            Feedback::Keyframe { ssrc: 99 },
            Feedback::Keyframe { ssrc: 99 },
            Feedback::Estimate { bits: 0x3d090 << 2 },
        ];
        assert_eq!(all(&compound), expected);
        assert_eq!(
            all(&compound[..compound.len() - 1]),
            expected[..5],
            "a cut packet is none"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(kind in 200u8..208, count in 0u8..32, body in prop::collection::vec(any::<u8>(), 0..80)) {
            let words = (body.len() / 4) as u16;
            let header = [0x80 | count, kind, (words >> 8) as u8, words as u8];
            all(&[&header[..], &body].concat());
        }
    }
}
