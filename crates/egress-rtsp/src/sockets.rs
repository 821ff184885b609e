//! How the sockets are bound and tuned.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::Error;
use crate::settings::{Settings, UDP_PORT, UdpPorts};
use crate::udp::{Sessions, Udp};

/// How much the kernel holds of what was not sent yet, in bytes: a slow viewer must be seen to be slow.
#[cfg(target_os = "linux")]
const NOT_SENT_LOWAT: u32 = 128 << 10;
/// How long a client may leave what it is sent unanswered, before its connection is given up; and after how long of silence
/// it is asked whether it is there.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// A pair of UDP ports that is read as long as somebody holds this.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) udp: Arc<Udp>,
    /// What was asked for.
    wanted: (IpAddr, UdpPorts),
    reading: AbortHandle,
}

impl Ports {
    /// Binds what is wanted at `ip`, beside `ours`. Needs a tokio runtime.
    pub(crate) fn bind(
        ip: IpAddr,
        ports: UdpPorts,
        sessions: &Sessions,
        ours: &[Arc<Self>],
    ) -> Result<Self, Error> {
        let ours: Vec<_> = ours.iter().map(|ports| Arc::clone(&ports.udp)).collect();
        let udp = Arc::new(datagrams(ip, ports, sessions, &ours)?);
        let reader = Arc::clone(&udp);
        let reading = tokio::spawn(async move { reader.receive().await }).abort_handle();
        Ok(Self {
            udp,
            wanted: (ip, ports),
            reading,
        })
    }

    /// Whether they are what is wanted at `ip`.
    pub(crate) fn are(&self, ip: IpAddr, ports: UdpPorts) -> bool {
        self.wanted == (ip, ports)
            || (self.wanted.0 == ip && ports == UdpPorts::At(self.udp.ports().0))
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Sets a connection so that a viewer that is slow or gone is noticed.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(DEAD_AFTER))?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_notsent_lowat(NOT_SENT_LOWAT)?;
        socket.set_tcp_user_timeout(Some(DEAD_AFTER))?;
    }
    Ok(())
}

/// The socket as configured, or at any port where that may be; `old`, which is about to be closed, is no hindrance.
pub(crate) fn listen(settings: &Settings, old: Option<&TcpListener>) -> Result<TcpListener, Error> {
    let wanted = settings.listen;
    let error = match listen::listen(wanted, old) {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let refused = Error::Listen {
        address: wanted,
        why: error.to_string(),
    };
    if !settings.any_port {
        return Err(refused);
    }
    let listener = listen::listen(SocketAddr::new(wanted.ip(), 0), None).map_err(|_| refused)?;
    let address = listener.local_addr().ok();
    tracing::warn!(%error, ?address, "RTSP takes another port; set [rtsp] listen to one that is free");
    Ok(listener)
}

fn datagrams(
    ip: IpAddr,
    ports: UdpPorts,
    sessions: &Sessions,
    ours: &[Arc<Udp>],
) -> Result<Udp, Error> {
    let wrong = |port, error: io::Error| Error::Udp {
        ip,
        port,
        why: error.to_string(),
    };
    match ports {
        UdpPorts::At(port) => {
            Udp::bind(ip, port, sessions, ours).map_err(|error| wrong(port, error))
        }
        UdpPorts::Usual => Udp::bind(ip, UDP_PORT, sessions, ours).or_else(|error| {
            let udp = Udp::bind_any(ip, sessions).map_err(|error| wrong(UDP_PORT, error))?;
            let port = udp.ports().0;
            tracing::info!(%error, port, "RTSP sends datagrams from other ports; [rtsp] udp_port sets them");
            Ok(udp)
        }),
    }
}
