//! The datagrams of a session: a pair of ports for each track.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// How much the kernel shall keep for us: half a second of 32 Mbit/s. It may keep less.
const RECEIVE_BUFFER: usize = 2 << 20;
/// The longest datagram.
const MAX_DATAGRAM: usize = 64 << 10;
/// How much is allocated at once; datagrams are slices of it.
const CHUNK: usize = 256 << 10;
/// How many datagrams are taken at once.
const MAX_BATCH: usize = 64;
/// How many ports are tried for an even one whose successor is free.
const MAX_TRIES: usize = 64;

/// A packet that came as a datagram.
#[derive(Debug)]
pub(crate) struct Datagram {
    /// The lane that its port belongs to.
    pub(crate) lane: usize,
    /// RTCP, not RTP.
    pub(crate) control: bool,
    /// The packet.
    pub(crate) data: Bytes,
}

/// The ports of a session.
#[derive(Debug)]
pub(crate) struct Ports {
    /// RTP and RTCP by turns.
    sockets: Vec<UdpSocket>,
    chunk: BytesMut,
    /// Whose packets are taken.
    from: Vec<IpAddr>,
    /// Which socket is asked first next time.
    turn: usize,
    strangers: u64,
}

impl Ports {
    /// Binds pairs of ports, RTP on an even one and RTCP on the next (RFC 3550 §11), for `count` tracks on the
    /// address that the camera sees. Only what comes from `camera` will be taken.
    pub(crate) fn bind(local: SocketAddr, camera: IpAddr, count: usize) -> io::Result<Self> {
        let mut sockets = Vec::with_capacity(2 * count);
        for _ in 0..count {
            let (rtp, rtcp) = bind_pair(local)?;
            sockets.extend([rtp, rtcp]);
        }
        Ok(Self {
            sockets,
            chunk: BytesMut::new(),
            from: vec![camera.to_canonical()],
            turn: 0,
            strangers: 0,
        })
    }

    /// The port numbers, a pair for each lane.
    pub(crate) fn numbers(&self) -> io::Result<Vec<(u16, u16)>> {
        self.sockets
            .chunks(2)
            .map(|pair| Ok((pair[0].local_addr()?.port(), pair[1].local_addr()?.port())))
            .collect()
    }

    /// Takes packets from `address` as well: the camera has said that it sends from there.
    pub(crate) fn also_from(&mut self, address: IpAddr) {
        self.from.push(address.to_canonical());
    }

    /// How many datagrams came from somebody else and were dropped.
    pub(crate) fn strangers(&self) -> u64 {
        self.strangers
    }

    /// Waits for datagrams and puts a batch of them behind what is in `batch`.
    pub(crate) async fn receive(&mut self, batch: &mut Vec<Datagram>) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_receive(context, batch)).await
    }

    /// Sends `data` from the RTP or RTCP port of `lane`. Whether it arrives is not known; nor whether it left:
    /// a full socket buffer or an unreachable port is no reason to stop receiving.
    pub(crate) fn send(&self, lane: usize, control: bool, data: &[u8], to: SocketAddr) {
        if let Some(socket) = self.sockets.get(2 * lane + usize::from(control))
            && let Err(error) = socket.try_send_to(data, to)
        {
            tracing::trace!(%error, %to, "a datagram was not sent");
        }
    }

    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Vec<Datagram>,
    ) -> Poll<io::Result<()>> {
        let before = batch.len();
        self.turn = (self.turn + 1) % self.sockets.len();
        for index in 0..self.sockets.len() {
            let index = (self.turn + index) % self.sockets.len();
            while batch.len() < before + MAX_BATCH {
                match self.poll_one(index, context) {
                    Poll::Ready(Ok(datagram)) => batch.extend(datagram),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
        }
        if batch.len() > before {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// One datagram of socket `index`, or nothing in place of a stranger's.
    fn poll_one(
        &mut self,
        index: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Datagram>>> {
        if self.chunk.capacity() - self.chunk.len() < MAX_DATAGRAM {
            self.chunk = BytesMut::with_capacity(CHUNK);
        }
        let socket = &self.sockets[index];
        let (length, from) = loop {
            std::task::ready!(socket.poll_recv_ready(context))?;
            match socket.try_recv_buf_from(&mut self.chunk) {
                Ok(received) => break received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // What an earlier datagram of ours met (an ICMP error) is no failure of receiving.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        };
        let data = self.chunk.split_to(length).freeze();
        if !self.from.contains(&from.ip().to_canonical()) {
            self.strangers += 1;
            return Poll::Ready(Ok(None));
        }
        Poll::Ready(Ok(Some(Datagram {
            lane: index / 2,
            control: index % 2 == 1,
            data,
        })))
    }
}

fn bind_pair(local: SocketAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..MAX_TRIES {
        let first = bind(local, 0)?;
        let port = first.local_addr()?.port();
        // An odd port is the second of a pair whose first may be free.
        let other = if port % 2 == 0 {
            port.checked_add(1)
        } else {
            Some(port - 1)
        };
        match other.map(|other| bind(local, other)) {
            Some(Ok(second)) if port % 2 == 0 => return Ok((first, second)),
            Some(Ok(second)) => return Ok((second, first)),
            Some(Err(error)) => last = error,
            None => {}
        }
    }
    Err(last)
}

fn bind(mut address: SocketAddr, port: u16) -> io::Result<UdpSocket> {
    address.set_port(port);
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER) {
        tracing::debug!(%error, "the receive buffer stays as it is");
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LOCAL: SocketAddr = SocketAddr::new(HERE, 0);

    #[tokio::test]
    async fn rtp_has_an_even_port_and_rtcp_the_next() -> io::Result<()> {
        let ports = Ports::bind(LOCAL, HERE, 2)?;
        for (rtp, rtcp) in ports.numbers()? {
            assert_eq!((rtp % 2, rtcp), (0, rtp + 1));
        }
        Ok(())
    }

    #[tokio::test]
    async fn each_datagram_finds_its_lane() -> io::Result<()> {
        let mut ports = Ports::bind(LOCAL, HERE, 2)?;
        let camera = UdpSocket::bind((HERE, 0)).await?;
        let numbers = ports.numbers()?;
        camera.send_to(b"a", (HERE, numbers[1].0)).await?;
        camera.send_to(b"b", (HERE, numbers[0].1)).await?;
        let mut batch = Vec::new();
        while batch.len() < 2 {
            ports.receive(&mut batch).await?;
        }
        let mut seen: Vec<_> = batch
            .iter()
            .map(|d| (d.lane, d.control, &d.data[..]))
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, [(0, true, &b"b"[..]), (1, false, &b"a"[..])]);
        Ok(())
    }

    #[tokio::test]
    async fn strangers_are_not_heard() -> io::Result<()> {
        let camera = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let mut ports = Ports::bind(LOCAL, camera, 1)?;
        let to = (HERE, ports.numbers()?[0].0);
        UdpSocket::bind((HERE, 0))
            .await?
            .send_to(b"stranger", to)
            .await?;
        UdpSocket::bind((camera, 0))
            .await?
            .send_to(b"camera", to)
            .await?;
        let mut batch = Vec::new();
        ports.receive(&mut batch).await?;
        assert_eq!((&batch[0].data[..], ports.strangers()), (&b"camera"[..], 1));
        Ok(())
    }
}
