//! `[webrtc]`: how viewers reach the server over WebRTC.

use std::net::{IpAddr, SocketAddr};

use egress_webrtc::{Advertised, IceServer, Settings};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::resolve::Problem;
use super::{Network, units};

/// WebRTC, whose viewers all share one port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebRtc {
    /// Where media is sent from; without it port 8555 of the address of `server.listen`, or any free one where that is taken.
    #[serde(
        deserialize_with = "units::some_address",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub(crate) listen: Option<SocketAddr>,
    /// Viewers whose network lets no UDP through connect by TCP, at the port of the same number.
    pub(crate) tcp: bool,
    /// Addresses that viewers are told besides our own: IP addresses, host names, `stun:host:port`.
    pub(crate) advertise: Vec<String>,
    /// Viewers are told the addresses of these interfaces only; of all if there are none.
    pub(crate) interfaces: Vec<String>,
    /// Of our own addresses viewers are told those in these networks only; all if there are none.
    #[schema(value_type = Vec<String>)]
    pub(crate) networks: Vec<Network>,
    /// STUN and TURN servers that viewers are told of.
    pub(crate) ice_servers: Vec<Server>,
}

impl Default for WebRtc {
    fn default() -> Self {
        Self {
            listen: None,
            tcp: true,
            advertise: Vec::new(),
            interfaces: Vec::new(),
            networks: Vec::new(),
            ice_servers: Vec::new(),
        }
    }
}

/// A STUN or TURN server that viewers are told of.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = IceServer)]
pub(crate) struct Server {
    /// Such as `turn:turn.example.org:3478?transport=udp`.
    url: String,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "masked")]
    credential: Option<String>,
}

/// A secret leaves the server in no answer but those that are for it.
#[expect(clippy::ref_option, reason = "serde's signature")]
fn masked<T, S: Serializer>(_: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(crate::redact::HIDDEN)
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl WebRtc {
    /// What it says, for a server whose pages are at `server`.
    pub(crate) fn settings(&self, server: IpAddr) -> Settings {
        let usual = Settings::at(server);
        Settings {
            listen: self.listen.unwrap_or(usual.listen),
            tcp: self.tcp,
            any_port: self.listen.is_none(),
            advertise: self
                .advertise
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
            interfaces: self.interfaces.clone(),
            networks: self.networks.iter().map(Network::prefix).collect(),
            ice_servers: self.ice_servers.iter().map(Server::told).collect(),
        }
    }

    /// Tells what only the whole shows to be wrong.
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        for text in &self.advertise {
            if let Err(wrong) = text.parse::<Advertised>() {
                problems.push(Problem::new(&["webrtc", "advertise"], wrong));
            }
        }
        for server in &self.ice_servers {
            if let Some(wrong) = server.wrong() {
                problems.push(Problem::new(&["webrtc", "ice_servers"], wrong));
            }
        }
    }
}

impl Server {
    fn told(&self) -> IceServer {
        IceServer {
            url: self.url.clone(),
            username: self.username.clone(),
            credential: self.credential.clone(),
        }
    }

    /// What is wrong with it. It goes into a header, so its characters are looked at.
    fn wrong(&self) -> Option<&'static str> {
        let known = ["stun:", "stuns:", "turn:", "turns:"];
        let plain = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let url = plain(&self.url) && !self.url.contains(['<', '>', ' ']);
        if !url || !known.iter().any(|scheme| self.url.starts_with(scheme)) {
            return Some(
                "an ICE server has a `url` such as \"stun:stun.example.org\" or \"turn:turn.example.org?transport=udp\"",
            );
        }
        let (username, credential) = (&self.username, &self.credential);
        if username.is_some() != credential.is_some() {
            return Some("a TURN server has both a `username` and a `credential`");
        }
        let both = [username, credential].into_iter().flatten();
        let mut odd = both.filter(|text| !plain(text));
        odd.next()
            .map(|_| "`username` and `credential` are of plain ASCII characters")
    }
}
