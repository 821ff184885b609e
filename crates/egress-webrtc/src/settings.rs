use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// How viewers reach us, and what they are told for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The port, and the addresses it is bound to; an unspecified one means both families.
    pub listen: SocketAddr,
    /// Viewers may connect by TCP, too, at the port of the same number.
    pub tcp: bool,
    /// If `listen` is taken, any port will do.
    pub any_port: bool,
    /// Addresses that viewers are told besides, or instead, of our own: those of a router in front of us.
    pub advertise: Vec<Advertised>,
    /// Only addresses of these interfaces are told; all if empty.
    pub interfaces: Vec<String>,
    /// Only addresses in these networks are told; all if empty.
    pub networks: Vec<IpNet>,
    /// STUN and TURN servers that viewers are told of.
    pub ice_servers: Vec<IceServer>,
}

/// The port if nothing else is said.
pub const PORT: u16 = 8555;

impl Settings {
    /// What holds where nothing is configured: at port [`PORT`] of `ip`.
    pub fn at(ip: IpAddr) -> Self {
        Self {
            listen: SocketAddr::new(ip, PORT),
            tcp: true,
            any_port: true,
            advertise: Vec::new(),
            interfaces: Vec::new(),
            networks: Vec::new(),
            ice_servers: Vec::new(),
        }
    }
}

/// An address that viewers are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advertised {
    /// This one.
    Ip(IpAddr),
    /// What a host name means, looked up now and then.
    Host(String),
    /// What a STUN server sees us as.
    Stun(String),
}

impl FromStr for Advertised {
    type Err = String;

    /// An IP address, a host name, or `stun:` and a server as `host:port`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(server) = text.strip_prefix("stun:") {
            let port = server
                .rsplit_once(':')
                .and_then(|(_, port)| port.parse::<u16>().ok());
            return match port {
                Some(_) => Ok(Self::Stun(server.to_owned())),
                None => Ok(Self::Stun(format!("{server}:3478"))),
            };
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if text.is_empty() || !text.chars().all(good) {
            return Err(format!(
                "`{text}` is neither an IP address, nor a host name, nor \"stun:host:port\""
            ));
        }
        Ok(Self::Host(text.to_owned()))
    }
}

/// A STUN or TURN server that viewers may use.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Such as `turn:turn.example.org:3478?transport=udp`.
    pub url: String,
    /// For TURN.
    pub username: Option<String>,
    /// For TURN. Viewers are told it.
    pub credential: Option<String>,
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertised_address_is_one_of_three_things() {
        let parse = |text: &str| text.parse::<Advertised>();
        assert_eq!(
            parse("::1"),
            Ok(Advertised::Ip("::1".parse().expect("an address")))
        );
        assert_eq!(
            parse("a.example"),
            Ok(Advertised::Host("a.example".to_owned()))
        );
        assert_eq!(
            parse("stun:a.example"),
            Ok(Advertised::Stun("a.example:3478".to_owned()))
        );
        assert_eq!(
            parse("stun:a.example:19302"),
            Ok(Advertised::Stun("a.example:19302".to_owned()))
        );
        assert!(parse("1.2.3.4:8555").is_err() && parse("").is_err());
    }
}
