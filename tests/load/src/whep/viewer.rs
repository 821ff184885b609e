//! One viewer: ICE, DTLS, SRTP, and what it says back, as a browser would. No socket and no clock in here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::{digest, hmac};
use dimpl::{Config, Dtls, DtlsCertificate, Output};

use super::media::{self, Header, Place, Track};
use super::sdp::Answer;
use super::srtp::Srtp;
use super::stun;

/// How long an unanswered check waits before it is sent again.
const RETRY: Duration = Duration::from_millis(50);
/// How often a viewer whose media flows checks: Chromium does every 2.5 s.
const CONSENT: Duration = Duration::from_millis(2500);
/// How often it reports.
const REPORT: Duration = Duration::from_secs(1);
/// What it says that gets through, in bit/s: its line is no bound.
const ESTIMATE: u64 = 200_000_000;
const DATAGRAM: usize = 2048;
/// A packet says what the camera stamped within so many packets of a picture.
const LOOKED_AT: u32 = 2;

/// When what happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// The answer to the offer was there.
    pub answered: Option<Instant>,
    /// The answer to an ICE check was.
    pub checked: Option<Instant>,
    /// The DTLS handshake was over.
    pub connected: Option<Instant>,
    /// The first packet of media came.
    pub media: Option<Instant>,
    /// The first keyframe was whole.
    pub picture: Option<Instant>,
}

/// How far a viewer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Takes media, and says when it leaves.
    Watches,
    /// Offers, and is not heard again.
    Offers,
    /// Goes through ICE, and begins no handshake.
    Checks,
    /// Takes media, and is gone without a word.
    Vanishes,
    /// By turns all of these.
    Mixed,
}

/// What all viewers of one process share.
#[derive(Debug)]
pub struct Common {
    /// Of all viewers.
    pub certificate: DtlsCertificate,
    /// Of their handshakes.
    pub config: Arc<Config>,
}

/// One viewer.
pub struct Viewer {
    user: String,
    theirs: hmac::Key,
    ours: hmac::Key,
    answer: Answer,
    way: Way,
    selected: Option<SocketAddr>,
    check_at: Instant,
    dtls: Box<Dtls>,
    dtls_at: Option<Instant>,
    srtp: Option<Srtp>,
    verified: bool,
    report_at: Instant,
    reported: (u64, u64),
    ssrc: u32,
    scratch: Vec<u8>,
    /// What came.
    pub track: Track,
    /// Bytes of RTP that came.
    pub bytes: u64,
    /// When.
    pub times: Times,
    /// The server said goodbye.
    pub over: bool,
}

/// A picture came whole.
#[derive(Debug, Clone, Copy)]
pub struct Whole {
    /// From the camera's write to the arrival of the last packet, where it is stamped.
    pub delay: Option<Duration>,
}

/// What sends a datagram.
pub type Send<'a> = dyn FnMut(SocketAddr, &[u8]) + 'a;

impl Viewer {
    /// A viewer whose offer (with `ufrag` and `password`) was answered.
    #[must_use]
    pub fn new(
        common: &Common,
        (ufrag, password): (&str, &str),
        answer: Answer,
        way: Way,
        now: Instant,
    ) -> Self {
        let mut dtls = Box::new(Dtls::new_12(
            Arc::clone(&common.config),
            common.certificate.clone(),
            now,
        ));
        dtls.set_active(answer.client);
        Self {
            user: format!("{}:{ufrag}", answer.ufrag),
            theirs: stun::key(&answer.password),
            ours: stun::key(password),
            answer,
            way,
            selected: None,
            check_at: now,
            dtls,
            dtls_at: None,
            srtp: None,
            verified: false,
            report_at: now,
            reported: (0, 0),
            ssrc: 0,
            scratch: Vec::new(),
            track: Track::default(),
            bytes: 0,
            times: Times {
                answered: Some(now),
                ..Times::default()
            },
            over: false,
        }
    }

    /// Bits of the key that media comes with; 0 before the handshake is over.
    #[must_use]
    pub fn key_bits(&self) -> u16 {
        self.srtp.as_ref().map_or(0, |srtp| srtp.bits)
    }

    /// Does what time asks for.
    pub fn time(&mut self, now: Instant, send: &mut Send<'_>) -> Result<()> {
        if self.way == Way::Offers || self.over {
            return Ok(());
        }
        if now >= self.check_at {
            self.check_at = now
                + if self.selected.is_some() {
                    CONSENT
                } else {
                    RETRY
                };
            let check = stun::check(rand(), &self.user, &self.theirs);
            match self.selected {
                Some(to) => send(to, &check),
                None => self
                    .answer
                    .candidates
                    .iter()
                    .for_each(|to| send(*to, &check)),
            }
        }
        if self.dtls_at.is_some_and(|at| at <= now) {
            let _ = self.dtls.handle_timeout(now);
            self.poll(now, send)?;
        }
        if self.srtp.is_some() && self.ssrc != 0 && now >= self.report_at {
            self.report_at = now + REPORT;
            self.report(send)?;
        }
        Ok(())
    }

    /// A datagram came; `at` is when the kernel got it. Answers with the picture that it completed.
    pub fn datagram(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        (now, at): (Instant, Duration),
        send: &mut Send<'_>,
    ) -> Result<Option<Whole>> {
        match datagram.first() {
            Some(0..=3) => self.stun(datagram, from, now, send)?,
            Some(20..=63) => {
                let _ = self.dtls.handle_timeout(now);
                self.dtls.handle_packet(datagram).context("a DTLS record")?;
                self.poll(now, send)?;
            }
            // RFC 5761 section 4.
            Some(128..=191) if !matches!(datagram.get(1), Some(192..=223)) => {
                return self.media(datagram, now, at, send);
            }
            _ => {}
        }
        Ok(None)
    }

    fn stun(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        now: Instant,
        send: &mut Send<'_>,
    ) -> Result<()> {
        match (stun::kind(datagram), from) {
            (Some(stun::Kind::Request), SocketAddr::V4(v4)) => {
                send(from, &stun::answer(datagram, v4, &self.ours));
            }
            (Some(stun::Kind::Success), _) if self.selected.is_none() => {
                self.selected = Some(from);
                self.times.checked = Some(now);
                // Not all at the same moment.
                self.check_at = now + CONSENT.mul_f64(0.5 + (rand() % 1000) as f64 / 2000.0);
                if self.way != Way::Checks {
                    let _ = self.dtls.handle_timeout(now);
                    self.poll(now, send)?;
                }
            }
            (Some(stun::Kind::Other), _) => bail!("the server refused an ICE check"),
            _ => {}
        }
        Ok(())
    }

    fn poll(&mut self, now: Instant, send: &mut Send<'_>) -> Result<()> {
        let mut buffer = [0; DATAGRAM];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    if let Some(to) = self.selected {
                        send(to, packet);
                    }
                }
                Output::Timeout(at) => {
                    self.dtls_at = Some(at);
                    return Ok(());
                }
                Output::PeerCert(certificate) => {
                    let is = fingerprint(certificate);
                    ensure!(
                        is == self.answer.fingerprint,
                        "the server's certificate is not that of its answer"
                    );
                    self.verified = true;
                }
                Output::KeyingMaterial(material, profile) => {
                    self.srtp = Some(Srtp::new(&material, profile, self.answer.client)?);
                }
                Output::Connected => {
                    ensure!(self.verified, "the server showed no certificate");
                    self.times.connected = Some(now);
                    self.report_at = now + REPORT.mul_f64((rand() % 1000) as f64 / 1000.0);
                }
                Output::CloseNotify => self.over = true,
                _ => {}
            }
        }
    }

    fn media(
        &mut self,
        packet: &[u8],
        now: Instant,
        at: Duration,
        send: &mut Send<'_>,
    ) -> Result<Option<Whole>> {
        let (Some(header), Some(srtp)) = (Header::parse(packet), &self.srtp) else {
            return Ok(None);
        };
        if Some(header.payload_type) == self.answer.rtx {
            self.track.recover();
            return Ok(None);
        }
        if header.payload_type != self.answer.payload_type {
            return Ok(None);
        }
        self.times.media.get_or_insert(now);
        self.bytes += packet.len() as u64;
        self.ssrc = header.ssrc;
        let Place::Next { number, missing } = self.track.take(&header) else {
            return Ok(None);
        };
        let picture = &mut self.track.picture;
        if self.times.picture.is_none() || picture.stamp.is_none() && picture.packets <= LOOKED_AT {
            let payload = srtp
                .open(packet, header.len, number, &mut self.scratch)
                .context("a packet that does not open")?;
            picture.stamp = picture.stamp.or_else(|| media::find_stamp(payload));
            picture.keyframe |= media::is_keyframe(payload);
        }
        let whole = (header.marker && picture.whole).then(|| Whole {
            delay: picture.stamp.map(|stamp| at.saturating_sub(stamp)),
        });
        if whole.is_some() && picture.keyframe {
            self.times.picture.get_or_insert(now);
        }
        if missing > 0 {
            self.nack(number - missing, missing, send)?;
        }
        Ok(whole)
    }

    /// Asks for up to 17 packets.
    fn nack(&mut self, first: u64, count: u64, send: &mut Send<'_>) -> Result<()> {
        let mut packet = vec![0x81, 205, 0, 3, 0, 0, 0, 1];
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(&(first as u16).to_be_bytes());
        packet.extend_from_slice(&((1_u32 << (count - 1).min(16)) - 1).to_be_bytes()[2..]);
        self.rtcp(packet, send)
    }

    /// A receiver report, and what gets through (REMB).
    fn report(&mut self, send: &mut Send<'_>) -> Result<()> {
        let highest = self.track.highest.unwrap_or(0);
        let (received, missing) = (self.track.received, self.track.missing);
        let expected = (received + missing).saturating_sub(self.reported.0 + self.reported.1);
        let lost = missing.saturating_sub(self.reported.1);
        self.reported = (received, missing);
        let fraction = (256 * lost).checked_div(expected).unwrap_or(0).min(255) as u8;
        let mut packet = vec![0x81, 201, 0, 7, 0, 0, 0, 1];
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.push(fraction);
        packet.extend_from_slice(&(missing as u32).to_be_bytes()[1..]);
        packet.extend_from_slice(&(highest as u32).to_be_bytes());
        packet.extend_from_slice(&[0; 12]);
        packet.extend_from_slice(&[0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0]);
        packet.extend_from_slice(b"REMB");
        let exponent = ESTIMATE.ilog2() - 17;
        let value = 1 << 24 | exponent << 18 | (ESTIMATE >> exponent) as u32;
        packet.extend_from_slice(&value.to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        self.rtcp(packet, send)
    }

    fn rtcp(&mut self, mut packet: Vec<u8>, send: &mut Send<'_>) -> Result<()> {
        if let (Some(srtp), Some(to)) = (&mut self.srtp, self.selected) {
            srtp.seal_rtcp(&mut packet)?;
            send(to, &packet);
        }
        Ok(())
    }
}

/// SHA-256 in pairs of upper case digits with colons between.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> String {
    let sum = digest::digest(&digest::SHA256, certificate);
    let pairs: Vec<String> = sum
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

/// A random number.
#[must_use]
pub fn rand() -> u64 {
    let mut bytes = [0; 8];
    // Which fails on no system that this runs on.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_be_bytes(bytes)
}
