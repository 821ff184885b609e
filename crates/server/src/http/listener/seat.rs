//! Where a listener listens, and how it moves from there to another address.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::tls::Tls;

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
    /// Listens on `address`, beside `ours`.
    pub(crate) fn bind(address: SocketAddr, ours: &[Arc<TcpListener>]) -> io::Result<Self> {
        let socket = Arc::new(listen::listen(address, ours.iter().map(AsRef::as_ref))?);
        Ok(Self { socket, tls: None })
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
