//! The pair of UDP ports that all viewers share: media goes out from one, reports from the other, and what players send
//! to either says that they are still there.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

/// What the kernel may hold for us, as far as it allows.
const KERNEL_BUFFER: usize = 4 << 20;
/// How much of a datagram is looked at: none of it, but it has to be read.
const READ: usize = 64;
/// How often a pair of neighbouring ports is looked for where any will do.
const TRIES: usize = 64;

/// Whom to tell of what comes from an address. Shared by all ports that there are at once.
pub(crate) type Sessions = Arc<Mutex<HashMap<SocketAddr, Weak<Heard>>>>;

/// When a session was heard last.
#[derive(Debug)]
pub(crate) struct Heard {
    since: Instant,
    millis: AtomicU64,
}

impl Heard {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            millis: AtomicU64::new(0),
        }
    }

    /// Something came at `now`.
    pub(crate) fn note(&self, now: Instant) {
        let since = now.saturating_duration_since(self.since).as_millis();
        self.millis.store(since as u64, Ordering::Relaxed);
    }

    /// When the last thing came.
    pub(crate) fn at(&self) -> Instant {
        self.since + std::time::Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// Both sockets.
#[derive(Debug)]
pub(crate) struct Udp {
    rtp: Port,
    rtcp: Port,
    sessions: Sessions,
    /// Sends that the kernel did not take: packets that are lost.
    refused: AtomicU64,
}

#[derive(Debug)]
struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    number: u16,
    /// Bound to no address in particular: then datagrams say where they come from.
    any: bool,
}

/// As long as it is held, what comes from these addresses is noted.
#[derive(Debug)]
pub(crate) struct Expected {
    udp: Arc<Udp>,
    addresses: [SocketAddr; 2],
    heard: Arc<Heard>,
}

impl Udp {
    /// Binds port `first`, which is even, and the next. Those of `ours` are no hindrance: an address may include another one.
    /// Needs a tokio runtime.
    pub(crate) fn bind(
        ip: IpAddr,
        first: u16,
        sessions: &Sessions,
        ours: &[Arc<Self>],
    ) -> io::Result<Self> {
        let share = |shared| {
            let ports = ours.iter().flat_map(|udp| [&udp.rtp, &udp.rtcp]);
            ports
                .into_iter()
                .try_for_each(|port| SockRef::from(&port.socket).set_reuse_port(shared))
        };
        share(true)?;
        let beside = !ours.is_empty();
        let bound = Port::bind(ip, first, beside)
            .and_then(|rtp| Ok((rtp, Port::bind(ip, first | 1, beside)?)));
        share(false)?;
        let (rtp, rtcp) = bound?;
        Ok(Self {
            rtp,
            rtcp,
            sessions: Arc::clone(sessions),
            refused: AtomicU64::new(0),
        })
    }

    /// Binds any pair of ports.
    pub(crate) fn bind_any(ip: IpAddr, sessions: &Sessions) -> io::Result<Self> {
        let mut tried = Err(io::Error::other("no two neighbouring ports are free"));
        for _ in 0..TRIES {
            let free = Port::bind(ip, 0, false)?.number & !1;
            tried = Self::bind(ip, free, sessions, &[]);
            if tried.is_ok() {
                break;
            }
        }
        tried
    }

    /// The ports, RTP and RTCP.
    pub(crate) fn ports(&self) -> (u16, u16) {
        (self.rtp.number, self.rtcp.number)
    }

    /// Sends `run`, datagrams of `segment` bytes but the last, from `from` to `to`.
    pub(crate) fn send(&self, to: SocketAddr, from: IpAddr, run: &[u8], segment: usize) {
        self.count(self.rtp.send(to, from, run, segment));
    }

    /// Sends an RTCP packet.
    pub(crate) fn report(&self, to: SocketAddr, from: IpAddr, packet: &[u8]) {
        self.count(self.rtcp.send(to, from, packet, packet.len()));
    }

    fn count(&self, sent: io::Result<()>) {
        // A full buffer, or a client that is gone: the packets are lost, as packets may be.
        if let Err(error) = sent {
            let before = self.refused.fetch_add(1, Ordering::Relaxed);
            if before.is_power_of_two() || before == 0 {
                tracing::debug!(%error, times = before + 1, "datagrams could not be sent");
            }
        }
    }

    /// Tells `heard` of what comes from `addresses` from now on.
    pub(crate) fn expect(
        self: &Arc<Self>,
        addresses: [SocketAddr; 2],
        heard: &Arc<Heard>,
    ) -> Expected {
        let mut sessions = self.sessions();
        for address in addresses {
            sessions.insert(address, Arc::downgrade(heard));
        }
        Expected {
            udp: Arc::clone(self),
            addresses,
            heard: Arc::clone(heard),
        }
    }

    /// Receives for ever.
    pub(crate) async fn receive(&self) {
        tokio::join!(self.receive_at(&self.rtp), self.receive_at(&self.rtcp));
    }

    async fn receive_at(&self, port: &Port) {
        let mut rest = [0; READ];
        loop {
            // An error is an answer of the network to something that was sent, which nobody waits for.
            if let Ok((_, from)) = port.socket.recv_from(&mut rest).await {
                let heard = self.sessions().get(&from).and_then(Weak::upgrade);
                if let Some(heard) = heard {
                    heard.note(Instant::now());
                }
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SocketAddr, Weak<Heard>>> {
        // What is in there is whole at any moment.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let ours = Arc::downgrade(&self.heard);
        let mut sessions = self.udp.sessions();
        for address in self.addresses {
            // Somebody else may have the address by now.
            if sessions
                .get(&address)
                .is_some_and(|known| known.ptr_eq(&ours))
            {
                sessions.remove(&address);
            }
        }
    }
}

impl Port {
    fn bind(ip: IpAddr, number: u16, beside: bool) -> io::Result<Self> {
        let address = SocketAddr::new(ip, number);
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        socket.set_nonblocking(true)?;
        // The kernel gives what it allows; less is slower, not wrong.
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.set_reuse_port(beside)?;
        socket.bind(&address.into())?;
        // Nobody else shall take what comes there.
        socket.set_reuse_port(false)?;
        let socket = UdpSocket::from_std(socket.into())?;
        let number = socket.local_addr()?.port();
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let any = ip.is_unspecified();
        Ok(Self {
            socket,
            state,
            number,
            any,
        })
    }

    fn send(
        &self,
        destination: SocketAddr,
        from: IpAddr,
        contents: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        let most = self.state.max_gso_segments().max(1);
        for contents in contents.chunks((segment * most).max(1)) {
            self.state.try_send(
                UdpSockRef::from(&self.socket),
                &Transmit {
                    destination,
                    ecn: None,
                    contents,
                    segment_size: (contents.len() > segment).then_some(segment),
                    src_ip: self.any.then_some(from),
                },
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn datagrams_arrive_one_by_one_and_who_answers_is_heard() {
        let udp = Arc::new(Udp::bind_any(LOCAL, &Sessions::default()).unwrap());
        let (rtp, rtcp) = udp.ports();
        assert_eq!((rtp % 2, rtcp), (0, rtp + 1));
        let client = UdpSocket::bind((LOCAL, 0)).await.unwrap();
        let address = client.local_addr().unwrap();
        udp.send(address, LOCAL, b"aaabbbc", 3);
        udp.report(address, LOCAL, b"report");
        let mut got = Vec::new();
        for _ in 0..4 {
            let mut buffer = [0; 99];
            let (size, from) = client.recv_from(&mut buffer).await.unwrap();
            got.push((
                String::from_utf8_lossy(&buffer[..size]).into_owned(),
                from.port() == rtp,
            ));
        }
        let expected = [("aaa", true), ("bbb", true), ("c", true), ("report", false)];
        assert_eq!(got, expected.map(|(text, media)| (text.to_owned(), media)));

        let start = Instant::now()
            .checked_sub(std::time::Duration::from_secs(9))
            .unwrap();
        let heard = Arc::new(Heard::new(start));
        let expected = udp.expect([address, address], &heard);
        let receiver = Arc::clone(&udp);
        let receiving = tokio::spawn(async move { receiver.receive().await });
        client.send_to(b"x", (LOCAL, rtcp)).await.unwrap();
        while heard.at() == start {
            tokio::task::yield_now().await;
        }
        drop(expected);
        assert!(udp.sessions().is_empty());
        receiving.abort();
    }

    #[tokio::test]
    async fn a_port_that_is_wanted_and_taken_is_an_error() {
        let sessions = Sessions::default();
        let taken = Arc::new(Udp::bind_any(LOCAL, &sessions).unwrap());
        let port = taken.ports().0;
        assert!(Udp::bind(LOCAL, port, &sessions, &[]).is_err());
        let all = Ipv4Addr::UNSPECIFIED.into();
        assert!(Udp::bind(all, port, &sessions, &[]).is_err());
        assert!(Udp::bind(all, port, &sessions, &[taken]).is_ok());
    }
}
