//! Where a listener listens, and how it moves from there to another address.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::tls::Tls;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A socket, and TLS on what it accepts.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(super) socket: Arc<TcpListener>,
    pub(super) tls: Option<Tls>,
}

/// Moves a [`Listener`](super::Listener) while it serves. Clones are handles to the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mover(Arc<Moving>);

#[derive(Debug, Default)]
struct Moving {
    state: Mutex<Place>,
    moved: Notify,
}

/// Where a listener is to go; to no seat: it closes.
#[derive(Debug, Default)]
enum Next {
    #[default]
    Nowhere,
    To(Option<Seat>),
}

#[derive(Debug, Default)]
struct Place {
    /// Where to go.
    next: Next,
    /// It is the listener who keeps it open.
    socket: Option<Weak<TcpListener>>,
}

impl Seat {
    /// Listens on `address`; where that is all addresses and the system has no IPv6, on those of IPv4. Sockets of
    /// `ours` are no hindrance: one that is about to be closed may be at an address that this one includes.
    pub(crate) fn bind(address: SocketAddr, ours: &[Arc<TcpListener>]) -> io::Result<Self> {
        let share = |shared| {
            ours.iter()
                .try_for_each(|other| SockRef::from(other).set_reuse_port(shared))
        };
        share(true)?;
        let bound = bind(address, !ours.is_empty());
        share(false)?;
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
        let socket = match bound {
            Err(error)
                if address.ip() == Ipv6Addr::UNSPECIFIED
                    && error.kind() != io::ErrorKind::AddrInUse =>
            {
                bind(v4, false).map_err(|_| error)
            }
            bound => bound,
        }?;
        let (socket, tls) = (Arc::new(socket), None);
        Ok(Self { socket, tls })
    }

    /// The same in TLS, or without.
    pub(crate) fn with_tls(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// The socket alone.
    pub(crate) fn into_socket(self) -> Arc<TcpListener> {
        self.socket
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// A socket that listens on `address`; `beside` others of ours, who let it, if there are some.
fn bind(address: SocketAddr, beside: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the connections of the run before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // All addresses are those of IPv4, too, whatever the system takes for granted.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(beside)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    // Nobody else shall listen there unnoticed, another server of the same user neither.
    socket.set_reuse_port(false)?;
    TcpListener::from_std(socket.into())
}

impl Mover {
    /// From now on the listener is at `seat`; at none: it is closed. Connections stay.
    pub(crate) fn place(&self, seat: Option<Seat>) {
        let mut moving = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        moving.socket = seat.as_ref().map(|seat| Arc::downgrade(&seat.socket));
        moving.next = Next::To(seat);
        drop(moving);
        self.0.moved.notify_one();
    }

    /// Where it is now, without TLS.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let moving = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = moving.socket.as_ref()?.upgrade()?;
        Some(Seat { socket, tls: None })
    }

    /// The socket that it has now.
    pub(crate) fn socket(&self) -> Option<Arc<TcpListener>> {
        self.seat().map(|seat| seat.socket)
    }

    /// Where it is to go next.
    pub(super) async fn moved(&self) -> Option<Seat> {
        loop {
            self.0.moved.notified().await;
            let mut moving = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Next::To(seat) = std::mem::take(&mut moving.next) {
                return seat;
            }
        }
    }
}
