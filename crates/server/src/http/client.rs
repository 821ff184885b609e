//! Who a request is from, as far as the proxies in front can be believed.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{HeaderMap, HeaderName};

use super::listener::Peer;
use crate::config::Network;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const VIA: HeaderName = HeaderName::from_static("via");
/// How many proxies one behind the other are followed at most.
const MAX_HOPS: usize = 16;

/// In the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address.
    pub(crate) address: IpAddr,
    /// It speaks TLS, to us or to a proxy that is believed.
    pub(crate) secure: bool,
    /// Some proxy has handed the request on, whether it is believed or not.
    pub(crate) forwarded: bool,
}

impl Client {
    /// Of a request that came over no connection.
    pub(crate) const UNKNOWN: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        secure: false,
        forwarded: false,
    };

    /// Whether it is another machine, whose request came by no proxy.
    pub(crate) fn is_remote(&self) -> bool {
        !self.forwarded && !self.address.is_loopback() && !self.address.is_unspecified()
    }

    /// The client of a request with `headers` that came over the connection to `peer`.
    ///
    /// The header `Forwarded` (RFC 7239) or those that begin with `X-Forwarded-` count where the peer is one of `trusted`;
    /// of the addresses in them, the last one that is not itself `trusted`. Where both are there and name different
    /// clients, one of them was made up, and neither counts.
    pub(crate) fn of(peer: Peer, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let told = [&FORWARDED, &FORWARDED_FOR, &REAL_IP, &VIA];
        let direct = Self {
            address: peer.address.ip().to_canonical(),
            secure: peer.secure,
            forwarded: told.into_iter().any(|name| headers.contains_key(name)),
        };
        let believed = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
        if !believed(direct.address) {
            return direct;
        }
        let last_stranger = |hops: Vec<Option<IpAddr>>| {
            let mut hops = hops.into_iter().rev().take(MAX_HOPS);
            hops.find(|hop| hop.is_none_or(|address| !believed(address)))
                .flatten()
        };
        let old = last_stranger(list(headers, &FORWARDED_FOR).map(address).collect());
        let elements: Vec<&str> = list(headers, &FORWARDED).collect();
        let new = elements
            .iter()
            .map(|element| parameter(element, "for").and_then(address));
        let new = last_stranger(new.collect());
        let both = headers.contains_key(FORWARDED) && headers.contains_key(FORWARDED_FOR);
        let address = match (old, new) {
            (Some(old), Some(new)) if old != new => return direct,
            _ if both && old != new => return direct,
            (old, new) => old.or(new).unwrap_or(direct.address),
        };
        let proto = list(headers, &FORWARDED_PROTO).last();
        let proto = proto.or_else(|| parameter(elements.last()?, "proto"));
        Self {
            address,
            secure: proto.map_or(direct.secure, |proto| proto.eq_ignore_ascii_case("https")),
            ..direct
        }
    }
}

/// The comma-separated values of all headers `name`, in order.
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// A parameter of an element of `Forwarded`, unquoted.
fn parameter<'e>(element: &'e str, name: &str) -> Option<&'e str> {
    let mut pairs = element
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.trim_matches('"'))
}

/// An address, perhaps with a port; brackets around IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(address, _)| address)?,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::http::HeaderValue;

    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> Client {
        let address: SocketAddr = format!("{peer}:5000").parse().unwrap();
        let peer = Peer {
            address,
            secure: false,
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Client::of(peer, &map, &["10.0.0.0/8".parse().unwrap()])
    }

    fn seen(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        client(peer, headers).address.to_string()
    }

    #[test]
    fn headers_count_from_trusted_proxies_alone() {
        let header = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(seen("192.0.2.1", &header), "192.0.2.1");
        assert!(!client("192.0.2.1", &header).secure);
        assert!(client("192.0.2.1", &header).forwarded);
        assert_eq!(seen("10.0.0.1", &header), "1.2.3.4");
        assert!(client("10.0.0.1", &header).secure);
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_put_into_the_header_itself_does_not_count() {
        let spoofed = [("x-forwarded-for", "9.9.9.9, 1.2.3.4, 10.0.0.2")];
        assert_eq!(seen("10.0.0.1", &spoofed), "1.2.3.4");
        let spoofed = [
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-for", "1.2.3.4"),
        ];
        assert_eq!(seen("10.0.0.1", &spoofed), "1.2.3.4");
        let rubbish = [("x-forwarded-for", "9.9.9.9, rubbish")];
        assert_eq!(seen("10.0.0.1", &rubbish), "10.0.0.1");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        let header = [(
            "forwarded",
            r#"for=9.9.9.9, For="[2001:db8::1]:80";proto=https;by=10.0.0.1"#,
        )];
        assert_eq!(seen("10.0.0.1", &header), "2001:db8::1");
        assert!(client("10.0.0.1", &header).secure);
        assert_eq!(
            seen("10.0.0.1", &[("forwarded", "for=_hidden")]),
            "10.0.0.1"
        );
    }

    #[test]
    fn of_two_headers_that_disagree_neither_counts() {
        let both = [("forwarded", "for=9.9.9.9"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(seen("10.0.0.1", &both), "10.0.0.1");
        let both = [
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4:77"),
        ];
        assert_eq!(seen("10.0.0.1", &both), "1.2.3.4");
    }
}
