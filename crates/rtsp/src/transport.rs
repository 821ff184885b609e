use std::fmt;

use crate::Error;
use crate::error::excerpt;

/// What carries RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lower {
    /// Interleaved frames on the RTSP connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// One specification of the `Transport` header (RFC 2326 §12.39).
///
/// A client sends what it wants, a server answers with what it gives. Pairs of channels and ports are
/// (RTP, RTCP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// TCP or UDP.
    pub lower: Lower,
    /// One for all, by UDP.
    pub multicast: bool,
    /// The profile: `AVP`, or `SAVP` for SRTP.
    pub profile: String,
    /// The channels of interleaved frames.
    pub interleaved: Option<(u8, u8)>,
    /// Where the client receives.
    pub client_port: Option<(u16, u16)>,
    /// Where the server sends from and receives.
    pub server_port: Option<(u16, u16)>,
    /// The ports of a multicast group.
    pub port: Option<(u16, u16)>,
    /// The sender's synchronization source.
    pub ssrc: Option<u32>,
    /// Where the server sends from, if it is not where it answers from.
    pub source: Option<String>,
    /// Where the server sends to.
    pub destination: Option<String>,
    /// How many hops multicast packets live.
    pub ttl: Option<u8>,
    /// `PLAY` or `RECORD`; none means `PLAY`.
    pub mode: Option<String>,
}

impl Transport {
    /// Interleaved on the RTSP connection, on a pair of channels.
    pub fn tcp(rtp: u8, rtcp: u8) -> Self {
        Self {
            interleaved: Some((rtp, rtcp)),
            ..Self::new(Lower::Tcp)
        }
    }

    /// Datagrams to a pair of the client's ports.
    pub fn udp(rtp: u16, rtcp: u16) -> Self {
        Self {
            client_port: Some((rtp, rtcp)),
            ..Self::new(Lower::Udp)
        }
    }

    /// Reads the first specification that makes sense: what a server answers.
    pub fn parse(value: &str) -> Result<Self, Error> {
        Self::parse_list(value)
            .into_iter()
            .next()
            .ok_or_else(|| Error::Transport {
                value: excerpt(value),
            })
    }

    /// Reads all specifications that make sense, in the client's order of preference.
    pub fn parse_list(value: &str) -> Vec<Self> {
        value.split(',').filter_map(Self::parse_one).collect()
    }

    fn new(lower: Lower) -> Self {
        Self {
            lower,
            multicast: false,
            profile: "AVP".to_owned(),
            interleaved: None,
            client_port: None,
            server_port: None,
            port: None,
            ssrc: None,
            source: None,
            destination: None,
            ttl: None,
            mode: None,
        }
    }

    fn parse_one(spec: &str) -> Option<Self> {
        let mut parts = spec.split(';').map(str::trim);
        let mut protocol = parts.next()?.split('/');
        if !protocol.next()?.eq_ignore_ascii_case("RTP") {
            return None;
        }
        let profile = protocol.next()?.to_ascii_uppercase();
        let lower = match protocol.next() {
            Some(lower) if lower.eq_ignore_ascii_case("TCP") => Lower::Tcp,
            _ => Lower::Udp,
        };
        let mut transport = Self {
            profile,
            ..Self::new(lower)
        };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            transport.take(name.trim(), value.trim());
        }
        if transport.interleaved.is_some() {
            // Some servers answer `RTP/AVP` here and mean TCP all the same.
            transport.lower = Lower::Tcp;
        }
        Some(transport)
    }

    /// Takes one parameter. Values that make no sense count as absent, and unknown ones are nobody's.
    fn take(&mut self, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "multicast" => self.multicast = true,
            "interleaved" => self.interleaved = pair(value, u8::checked_add),
            "client_port" => self.client_port = pair(value, u16::checked_add),
            "server_port" => self.server_port = pair(value, u16::checked_add),
            "port" => self.port = pair(value, u16::checked_add),
            "ssrc" => {
                let digits = value.trim_start_matches("0x").trim();
                self.ssrc = u32::from_str_radix(digits, 16).ok();
            }
            "source" => self.source = text(value),
            "destination" => self.destination = text(value),
            "ttl" => self.ttl = value.parse().ok(),
            "mode" => self.mode = text(&value.to_ascii_uppercase()),
            _ => {}
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RTP/{}", self.profile)?;
        if self.lower == Lower::Tcp {
            f.write_str("/TCP")?;
        }
        f.write_str(if self.multicast {
            ";multicast"
        } else {
            ";unicast"
        })?;
        write_text(f, "destination", self.destination.as_deref())?;
        write_text(f, "source", self.source.as_deref())?;
        write_pair(f, "interleaved", self.interleaved)?;
        write_pair(f, "port", self.port)?;
        write_pair(f, "client_port", self.client_port)?;
        write_pair(f, "server_port", self.server_port)?;
        if let Some(ttl) = self.ttl {
            write!(f, ";ttl={ttl}")?;
        }
        if let Some(ssrc) = self.ssrc {
            write!(f, ";ssrc={ssrc:08X}")?;
        }
        match &self.mode {
            Some(mode) => write!(f, ";mode=\"{mode}\""),
            None => Ok(()),
        }
    }
}

/// `a-b`, or `a` alone, which means its successor as well.
fn pair<T>(value: &str, add: fn(T, T) -> Option<T>) -> Option<(T, T)>
where
    T: std::str::FromStr + Copy + From<u8>,
{
    let (first, second) = value.split_once('-').unwrap_or((value, ""));
    let first: T = first.trim().parse().ok()?;
    let second = second.trim().parse().ok().or_else(|| add(first, 1.into()));
    Some((first, second?))
}

fn text(value: &str) -> Option<String> {
    let value = value.trim_matches('"').trim();
    (!value.is_empty()).then(|| value.to_owned())
}

fn write_text(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&str>) -> fmt::Result {
    match value {
        Some(value) => write!(f, ";{name}={value}"),
        None => Ok(()),
    }
}

fn write_pair<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: Option<(T, T)>,
) -> fmt::Result {
    match value {
        Some((a, b)) => write!(f, ";{name}={a}-{b}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() -> Result<(), Error> {
        for transport in [
            Transport::tcp(0, 1),
            Transport::udp(5000, 5001),
            Transport {
                server_port: Some((6000, 6001)),
                ssrc: Some(0x0012_ABCD),
                source: Some("192.0.2.1".into()),
                mode: Some("PLAY".into()),
                ..Transport::udp(5000, 5001)
            },
        ] {
            assert_eq!(Transport::parse(&transport.to_string())?, transport);
        }
        Ok(())
    }

    #[test]
    fn a_channel_without_a_range_means_its_successor_as_well() -> Result<(), Error> {
        let transport = Transport::parse("RTP/AVP/TCP;unicast;interleaved=4")?;
        assert_eq!(transport.interleaved, Some((4, 5)));
        Ok(())
    }

    #[test]
    fn interleaved_channels_mean_tcp_whatever_the_protocol_says() -> Result<(), Error> {
        let transport = Transport::parse("rtp/avp ; unicast ;interleaved = 2-3; ssrc= 0x1f")?;
        assert_eq!(transport.lower, Lower::Tcp);
        assert_eq!(transport.interleaved, Some((2, 3)));
        assert_eq!(transport.ssrc, Some(0x1f));
        Ok(())
    }

    #[test]
    fn values_that_make_no_sense_count_as_absent() -> Result<(), Error> {
        let transport =
            Transport::parse("RTP/AVP/UDP;unicast;client_port=5000-5001;server_port=;ssrc=zz;;x")?;
        assert_eq!(transport.lower, Lower::Udp);
        assert_eq!(transport.client_port, Some((5000, 5001)));
        assert_eq!((transport.server_port, transport.ssrc), (None, None));
        assert_eq!(
            Transport::parse("RTP/AVP/TCP;interleaved=255")?.interleaved,
            None
        );
        Ok(())
    }

    #[test]
    fn a_client_may_offer_several() {
        let offers = Transport::parse_list(
            "MP2T/H2221/UDP, RTP/AVP;unicast;client_port=1-2,RTP/AVP/TCP;interleaved=0-1",
        );
        let lowers: Vec<Lower> = offers.iter().map(|t| t.lower).collect();
        assert_eq!(lowers, [Lower::Udp, Lower::Tcp]);
        assert!(Transport::parse("MP2T/H2221/UDP").is_err());
    }
}
