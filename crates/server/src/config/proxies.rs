//! `[server] trusted_proxies` and `base_path`: what stands in front of the server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

/// A network, or one address: `"10.0.0.0/8"`, `"127.0.0.1"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(IpNet);

/// The path under which all is served: `/`, or `/cameras`. Without a slash at the end; empty for `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BasePath(String);

/// Who may show our pages in a frame, as a content security policy has it: `https://intranet.example.com`, `'self'`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ancestor(String);

impl Ancestor {
    /// The source expression.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Ancestor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:/*[]'".contains(&byte);
        if !text.is_empty() && text.bytes().all(known) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{text}` is no origin; write one such as \"https://intranet.example.com\", or \"*\" for all"
        ))
    }
}

impl<'de> Deserialize<'de> for Ancestor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl Network {
    /// The network itself.
    pub(crate) fn prefix(&self) -> IpNet {
        self.0
    }

    /// Whether `address` is in it. An IPv4 address may come as one of IPv6.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map(|net| Self(net.trunc()))
            .map_err(|_| {
                format!("`{text}` is no address and no network; write \"127.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\"")
            })
    }
}

impl BasePath {
    /// What comes before every path; empty where there is nothing.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BasePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let segment =
            |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
        let path = text.strip_suffix('/').unwrap_or(text);
        match path.strip_prefix('/') {
            None if path.is_empty() && text == "/" => Ok(Self::default()),
            Some(rest) if rest.split('/').all(segment) => Ok(Self(path.to_owned())),
            _ => Err(format!(
                "`{text}` is no path to serve under; write \"/\" or one such as \"/cameras\", of letters, digits, `-`, `_`, `.` and `~`"
            )),
        }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Ancestor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Serialize for BasePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for BasePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_a_prefix_or_one_address() {
        let net: Network = "10.1.2.3/8".parse().unwrap();
        assert!(net.holds("10.200.0.1".parse().unwrap()));
        assert!(net.holds("::ffff:10.0.0.1".parse().unwrap()));
        assert!(!net.holds("11.0.0.1".parse().unwrap()));
        let one: Network = "::1".parse().unwrap();
        assert!(one.holds("::1".parse().unwrap()) && !one.holds("::2".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("proxy.lan".parse::<Network>().is_err());
    }

    #[test]
    fn a_base_path_has_no_slash_at_its_end_and_leads_nowhere_else() {
        for (text, path) in [("/", ""), ("/a", "/a"), ("/a/b/", "/a/b")] {
            assert_eq!(text.parse::<BasePath>().unwrap().as_str(), path);
        }
        for bad in [
            "", "a", "//", "/a//b", "/..", "/a/./b", "/a b", "/a?b", "/%2e", "/ä",
        ] {
            assert!(bad.parse::<BasePath>().is_err(), "{bad}");
        }
    }
}
