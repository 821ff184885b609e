//! The sockets: one port, IPv4 and IPv6, many datagrams a call where the kernel can; and the same port of TCP.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::{TcpListener, UdpSocket};

use crate::Error;
use crate::batch::Batch;
use crate::ice::Path;
use crate::tcp::Connections;

/// What the kernel may hold for us in each direction, as far as it allows.
const KERNEL_BUFFER: usize = 4 << 20;
/// How many connections the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;
/// Room for what one call receives into one slot: datagrams that came together may be joined.
const SLOT: usize = 64 << 10;

/// All sockets.
#[derive(Debug)]
pub(crate) struct Sockets {
    udp: Vec<Udp>,
    tcp: Vec<TcpListener>,
    connections: Arc<Connections>,
    /// Sends that the kernel did not take; the viewers' NACKs bring them back.
    refused: AtomicU64,
}

#[derive(Debug)]
struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
}

impl Sockets {
    /// Binds sockets to `addresses`. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Listen`] for the first that can't be had.
    pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Self, Error> {
        let udp: Result<Vec<Udp>, Error> = addresses
            .iter()
            .map(|address| {
                Udp::bind(*address).map_err(|error| Error::Listen {
                    address: *address,
                    why: error.to_string(),
                })
            })
            .collect();
        Ok(Self {
            udp: udp?,
            tcp: Vec::new(),
            connections: Arc::default(),
            refused: AtomicU64::new(0),
        })
    }

    /// Listens for TCP at the addresses of the UDP sockets.
    ///
    /// # Errors
    /// [`Error::Listen`] for the first that can't be had: then there is no TCP.
    pub(crate) fn listen(&mut self) -> Result<(), Error> {
        let listeners: Result<Vec<TcpListener>, Error> = self
            .addresses()
            .map(|address| {
                listener(address).map_err(|error| Error::Listen {
                    address,
                    why: format!("TCP: {error}"),
                })
            })
            .collect();
        self.tcp = listeners?;
        Ok(())
    }

    /// How many sends the kernel refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Where viewers connect to by TCP.
    pub(crate) fn listeners(&self) -> &[TcpListener] {
        &self.tcp
    }

    /// The viewers who are connected by TCP.
    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Where they are bound to.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.udp.iter().map(|udp| udp.address)
    }

    /// Sends all of a batch, and empties it.
    pub(crate) fn flush(&self, batch: &mut Batch) {
        for (send, contents) in batch.sends() {
            let path = send.path;
            if let Some(id) = path.tcp {
                self.connections.send(id, contents, send.segment);
                continue;
            }
            let socket = self
                .udp
                .iter()
                .find(|udp| udp.address.is_ipv4() == path.remote.is_ipv4());
            let Some(udp) = socket else { continue };
            if udp.send(path.remote, contents, send.segment).is_err() {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        batch.clear();
    }

    /// Hands what comes to `take` for ever, together with a batch of answers.
    pub(crate) async fn receive(&self, take: impl Fn(&[u8], Path, Instant, &mut Batch)) {
        let each = self.udp.iter().map(|udp| udp.receive(self, &take));
        let mut each: Vec<_> = each.map(Box::pin).collect();
        std::future::poll_fn(|cx| {
            for one in &mut each {
                // None of them ends.
                let _ = one.as_mut().poll(cx);
            }
            std::task::Poll::<()>::Pending
        })
        .await;
    }
}

impl Udp {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // The kernel gives what it allows; less is slower, not wrong.
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let address = socket.local_addr()?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self {
            socket,
            state,
            address,
        })
    }

    fn send(&self, destination: SocketAddr, contents: &[u8], segment: usize) -> io::Result<()> {
        let most = self.state.max_gso_segments().max(1);
        for contents in contents.chunks(segment * most) {
            self.state.try_send(
                UdpSockRef::from(&self.socket),
                &Transmit {
                    destination,
                    ecn: None,
                    contents,
                    segment_size: (contents.len() > segment).then_some(segment),
                    src_ip: None,
                },
            )?;
        }
        Ok(())
    }

    async fn receive(&self, sockets: &Sockets, take: &impl Fn(&[u8], Path, Instant, &mut Batch)) {
        let mut buffers = vec![0; SLOT * BATCH_SIZE];
        let mut batch = Batch::default();
        loop {
            let mut slots: Vec<IoSliceMut<'_>> =
                buffers.chunks_mut(SLOT).map(IoSliceMut::new).collect();
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let received = self.socket.async_io(Interest::READABLE, || {
                self.state
                    .recv(UdpSockRef::from(&self.socket), &mut slots, &mut metas)
            });
            let Ok(received) = received.await else {
                // An answer of the network to something that was sent, which nobody waits for.
                tokio::task::yield_now().await;
                continue;
            };
            drop(slots);
            let now = Instant::now();
            for (slot, meta) in metas[..received].iter().enumerate() {
                let path = Path {
                    remote: meta.addr,
                    tcp: None,
                };
                let bytes = &buffers[slot * SLOT..slot * SLOT + meta.len];
                for datagram in bytes.chunks(meta.stride.max(1)) {
                    take(datagram, path, now, &mut batch);
                }
                sockets.flush(&mut batch);
            }
            tokio::task::coop::consume_budget().await;
        }
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The addresses to bind for `address`: both families where it is no address in particular.
pub(crate) fn families(address: SocketAddr) -> Vec<SocketAddr> {
    if !address.ip().is_unspecified() {
        return vec![address];
    }
    let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    any.map(|ip| SocketAddr::new(ip, address.port())).to_vec()
}
