//! An offer as browsers make it, and what an answer says.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};

/// Payload types of the offer.
const H264: u8 = 106;
const RTX: u8 = 107;

/// Who we are in an offer.
#[derive(Debug)]
pub struct Us<'a> {
    /// Name fragment of ICE.
    pub ufrag: &'a str,
    /// Password of ICE.
    pub password: &'a str,
    /// SHA-256 of the certificate, in pairs of digits.
    pub fingerprint: &'a str,
}

/// What an answer says.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The server's name fragment.
    pub ufrag: String,
    /// The server's password.
    pub password: String,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// We begin the DTLS handshake.
    pub client: bool,
    /// Where it may be reached over UDP and IPv4, as it ranks them.
    pub candidates: Vec<SocketAddr>,
    /// Payload type of pictures.
    pub payload_type: u8,
    /// Payload type of what is sent again.
    pub rtx: Option<u8>,
}

/// An offer to receive H.264, with what browsers offer beside it that a sender may have to do.
#[must_use]
pub fn offer(us: &Us<'_>) -> String {
    let lines = [
        "v=0".to_owned(),
        "o=- 1 1 IN IP4 127.0.0.1".to_owned(),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
        "a=group:BUNDLE 0".to_owned(),
        format!("m=video 9 UDP/TLS/RTP/SAVPF {H264} {RTX}"),
        "c=IN IP4 0.0.0.0".to_owned(),
        format!("a=ice-ufrag:{}", us.ufrag),
        format!("a=ice-pwd:{}", us.password),
        format!("a=fingerprint:sha-256 {}", us.fingerprint),
        "a=setup:actpass".to_owned(),
        "a=mid:0".to_owned(),
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time".to_owned(),
        "a=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay".to_owned(),
        "a=recvonly".to_owned(),
        "a=rtcp-mux".to_owned(),
        format!("a=rtpmap:{H264} H264/90000"),
        format!("a=rtcp-fb:{H264} goog-remb"),
        format!("a=rtcp-fb:{H264} nack"),
        format!("a=rtcp-fb:{H264} nack pli"),
        format!(
            "a=fmtp:{H264} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
        ),
        format!("a=rtpmap:{RTX} rtx/90000"),
        format!("a=fmtp:{RTX} apt={H264}"),
    ];
    lines.map(|line| line + "\r\n").concat()
}

impl Answer {
    /// Reads an answer.
    pub fn parse(sdp: &str) -> Result<Self> {
        let lines = || sdp.lines().map(str::trim);
        let value = |name: &str| lines().find_map(|line| line.strip_prefix(name));
        let must = |name: &str| value(name).with_context(|| format!("the answer has no {name}"));
        let (mut payload_type, mut rtx) = (None, None);
        for (number, name) in lines().filter_map(|l| l.strip_prefix("a=rtpmap:")?.split_once(' ')) {
            match name.to_ascii_lowercase().as_str() {
                "h264/90000" => payload_type = Some(number.parse()?),
                "rtx/90000" => rtx = Some(number.parse()?),
                _ => {}
            }
        }
        Ok(Self {
            ufrag: must("a=ice-ufrag:")?.to_owned(),
            password: must("a=ice-pwd:")?.to_owned(),
            fingerprint: must("a=fingerprint:sha-256 ")?.to_ascii_uppercase(),
            client: must("a=setup:")? != "active",
            candidates: lines().filter_map(candidate).collect(),
            payload_type: payload_type.context("the answer has no H.264")?,
            rtx,
        })
    }
}

fn candidate(line: &str) -> Option<SocketAddr> {
    let fields: Vec<&str> = line.strip_prefix("a=candidate:")?.split(' ').collect();
    let udp = fields.get(2)?.eq_ignore_ascii_case("udp");
    let ip: IpAddr = fields.get(4)?.parse().ok()?;
    let port = fields.get(5)?.parse().ok()?;
    (udp && ip.is_ipv4()).then_some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_where_to_and_who() {
        let sdp = "v=0\r\na=candidate:1 1 udp 9 10.0.0.1 8555 typ host\r\na=candidate:2 1 tcp 9 10.0.0.1 8555 typ host tcptype passive\r\n\
            a=candidate:3 1 udp 9 fe80::1 8555 typ host\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 aa:bb\r\na=setup:passive\r\n\
            a=rtpmap:106 H264/90000\r\na=rtpmap:107 rtx/90000\r\n";
        let answer = Answer::parse(sdp).unwrap();
        assert_eq!(answer.candidates, ["10.0.0.1:8555".parse().unwrap()]);
        assert!(answer.client && answer.fingerprint == "AA:BB");
        assert_eq!((answer.payload_type, answer.rtx), (106, Some(107)));
        assert!(Answer::parse("v=0").is_err());
    }
}
