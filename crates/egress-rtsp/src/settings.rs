use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The port that is listened on if nothing else is said: RTSPtoWeb's.
pub const PORT: u16 = 5541;
/// The UDP port that media is sent from if nothing else is said; reports are sent from the next.
pub const UDP_PORT: u16 = 5542;

/// How viewers reach the RTSP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where connections are accepted.
    pub listen: SocketAddr,
    /// Any other port will do where that of `listen` is taken.
    pub any_port: bool,
    /// Media may be sent over the RTSP connection.
    pub tcp: bool,
    /// Media may be sent as datagrams, from these ports.
    pub udp: Option<UdpPorts>,
    /// How long a session lives of which nothing is heard.
    pub timeout: Duration,
    /// How many connections are open at once at most.
    pub max_connections: usize,
}

/// The UDP ports of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UdpPorts {
    /// This one for media, which is even, and the next for reports.
    At(u16),
    /// [`UDP_PORT`], or any other pair where that is taken.
    Usual,
}

impl Settings {
    /// What is usual, at the address `ip`.
    pub fn at(ip: IpAddr) -> Self {
        Self {
            listen: SocketAddr::new(ip, PORT),
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT),
            any_port: true,
            tcp: true,
            udp: Some(UdpPorts::Usual),
            timeout: Duration::from_secs(60),
            max_connections: 4096,
        }
    }
}
