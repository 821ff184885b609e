//! One UDP socket for many viewers, each of whom has an address of its own in 127.0.0.0/8.

use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A burst to a thousand viewers waits here while others are looked at.
const KERNEL_BUFFER: usize = 128 << 20;
/// Room for datagrams that the kernel joined.
const SLOT: usize = 64 << 10;
/// The first viewer's address; that of the nth is so many higher.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

/// The socket.
#[derive(Debug)]
pub struct Net {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Datagrams for one viewer.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// Whose they are.
    pub viewer: usize,
    /// Where from.
    pub from: SocketAddr,
    /// When the kernel got them, since 1970.
    pub at: Duration,
    /// All bytes, and how many a datagram has; the last may be shorter.
    pub bytes: &'a [u8],
    /// The length of all but the last.
    pub stride: usize,
}

impl Net {
    /// Binds it. Needs a tokio runtime.
    pub fn bind() -> Result<Self> {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_nonblocking(true)?;
        // Only root may have so much; without, losses are our own, and are reported as such.
        if setsockopt(&socket, RcvBufForce, &KERNEL_BUFFER).is_err() {
            let _ = nix::sys::socket::setsockopt(
                &socket,
                nix::sys::socket::sockopt::RcvBuf,
                &KERNEL_BUFFER,
            );
        }
        let socket = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self { socket, state })
    }

    /// Its port.
    pub fn port(&self) -> Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// The address of viewer number `n`.
    #[must_use]
    pub fn address(n: usize) -> Ipv4Addr {
        Ipv4Addr::from_bits(FIRST.to_bits() + n as u32)
    }

    /// Sends one datagram as viewer `n`. What the kernel does not take is lost, as on any network.
    pub fn send(&self, n: usize, to: SocketAddr, contents: &[u8]) {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents,
            segment_size: None,
            src_ip: Some(IpAddr::V4(Self::address(n))),
        };
        let _ = self
            .state
            .try_send(UdpSockRef::from(&self.socket), &transmit);
    }

    /// Hands all that comes to `take` for ever.
    pub async fn receive(&self, mut take: impl FnMut(Arrived<'_>)) -> Result<()> {
        let mut buffers = vec![0; SLOT * BATCH_SIZE];
        loop {
            let mut slots: Vec<IoSliceMut<'_>> =
                buffers.chunks_mut(SLOT).map(IoSliceMut::new).collect();
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let received = self.socket.async_io(Interest::READABLE, || {
                self.state
                    .recv(UdpSockRef::from(&self.socket), &mut slots, &mut metas)
            });
            let Ok(received) = received.await else {
                tokio::task::yield_now().await;
                continue;
            };
            for (meta, slot) in metas[..received].iter().zip(&slots) {
                let Some(IpAddr::V4(to)) = meta.dst_ip else {
                    continue;
                };
                take(Arrived {
                    viewer: to.to_bits().wrapping_sub(FIRST.to_bits()) as usize,
                    from: meta.addr,
                    at: meta.timestamp.unwrap_or_default(),
                    bytes: &slot[..meta.len],
                    stride: meta.stride.max(1),
                });
            }
            tokio::task::coop::consume_budget().await;
        }
    }
}
