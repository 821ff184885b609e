use std::net::SocketAddr;

/// Why the RTSP server can't run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The port can't be had.
    #[error("can't listen on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        why: String,
    },
    /// The UDP ports can't be had.
    #[error("can't send datagrams from ports {port} and {} of {ip}: {why}", port | 1)]
    Udp {
        /// The address.
        ip: std::net::IpAddr,
        /// The even one of the ports.
        port: u16,
        /// What the system says.
        why: String,
    },
}
