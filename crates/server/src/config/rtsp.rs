//! `[rtsp]`: how players and recorders reach the RTSP server.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use egress_rtsp::{Settings, UdpPorts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::resolve::Problem;
use super::units::{self, Period};

/// The shortest and the longest time that a session may be silent: players say something every half of it.
const TIMEOUTS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(3600)];

/// RTSP for players and recorders: VLC, ffmpeg, NVRs (docs/rtsp.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RtspSettings)]
pub(crate) struct Rtsp {
    /// Serve streams over RTSP.
    pub(crate) enable: bool,
    /// Where RTSP is served; without it port 5541 of the address of `server.listen`, or any free one where that is taken.
    #[serde(
        deserialize_with = "units::some_address",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where RTSP is served in TLS (`rtsps://`), with the certificate of `[tls]`.
    #[serde(
        deserialize_with = "units::some_address",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub(crate) tls_listen: Option<SocketAddr>,
    /// What may carry media: `tcp` is the RTSP connection itself, `udp` are datagrams.
    pub(crate) transports: Vec<RtspTransport>,
    /// The UDP port that media is sent from, an even one; the next is for reports. Without it 5542, or any free pair where
    /// that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) udp_port: Option<u16>,
    /// A session of which nothing is heard for so long ends.
    pub(crate) timeout: Period,
    /// How many connections may be open at once.
    pub(crate) max_connections: usize,
}

/// What carries media to a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RtspTransport {
    /// The RTSP connection.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Default for Rtsp {
    fn default() -> Self {
        let usual = Settings::default();
        Self {
            enable: true,
            listen: None,
            tls_listen: None,
            transports: vec![RtspTransport::Tcp, RtspTransport::Udp],
            udp_port: None,
            timeout: Period(usual.timeout),
            max_connections: usual.max_connections,
        }
    }
}

impl Rtsp {
    /// What it says, for a server whose pages are at `server`. None where there is to be no RTSP.
    pub(crate) fn settings(&self, server: IpAddr) -> Option<Settings> {
        let usual = Settings::at(server);
        let ports = self.udp_port.map_or(UdpPorts::Usual, UdpPorts::At);
        let udp = self.transports.contains(&RtspTransport::Udp);
        self.enable.then(|| Settings {
            listen: self.listen.unwrap_or(usual.listen),
            any_port: self.listen.is_none(),
            tcp: self.transports.contains(&RtspTransport::Tcp),
            udp: udp.then_some(ports),
            timeout: self.timeout.0,
            max_connections: self.max_connections,
        })
    }

    /// Tells what only the whole shows to be wrong; whether there is a certificate says `tls`.
    pub(super) fn check(&self, tls: bool, problems: &mut Vec<Problem>) {
        let mut wrong = |key, message: &str| problems.push(Problem::new(&["rtsp", key], message));
        if self.transports.is_empty() {
            wrong(
                "transports",
                "something has to carry media: [\"tcp\", \"udp\"], or one of them",
            );
        }
        if self.udp_port.is_some_and(|port| port % 2 != 0 || port == 0) {
            wrong(
                "udp_port",
                "RTP has an even port, and the next one is for reports; write one such as 5542",
            );
        }
        let [shortest, longest] = TIMEOUTS;
        if self.timeout.0 < shortest
            || self.timeout.0 > longest
            || self.timeout.0.subsec_nanos() != 0
        {
            wrong(
                "timeout",
                "a session ends after \"10s\" to \"1h\" of silence, in whole seconds",
            );
        }
        if self.max_connections == 0 {
            wrong(
                "max_connections",
                "allow at least 1; enable = false switches RTSP off",
            );
        }
        if self.tls_listen.is_some() && !tls {
            wrong(
                "tls_listen",
                "rtsps:// needs a certificate: name one in [tls], with its key, or acme.domains",
            );
        }
    }
}
