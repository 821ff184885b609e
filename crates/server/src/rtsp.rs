//! The RTSP server: where it listens, and its connections in TLS; and how that changes while it serves.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use egress_rtsp::{Door, Error, RtspServer};
use hub::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::Rtsp as Settings;
use crate::doors::{Keys, Stuck};
use crate::http::{Guard, Seat};

/// How long no connection is accepted after one could not be, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many handshakes are under way at once at most. The oldest gives way to a new one, so that those who connect and say nothing
/// keep nobody out.
const MAX_HANDSHAKES: usize = 256;

const LISTEN: &[&str] = &["rtsp", "listen"];
const TLS_LISTEN: &[&str] = &["rtsp", "tls_listen"];
const UDP_PORT: &[&str] = &["rtsp", "udp_port"];

/// RTSP, plain and in TLS. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Rtsp(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: RtspServer,
    /// Whose certificate is shown.
    keys: Keys,
    secure: Mutex<Option<Secure>>,
    stop: CancellationToken,
}

/// Where connections in TLS are accepted.
#[derive(Debug)]
struct Secure {
    /// As it was asked for.
    address: SocketAddr,
    /// It is the one who accepts who keeps it open.
    socket: Weak<TcpListener>,
    /// Ends with this.
    _accepting: DropGuard,
}

/// Where RTSP could be. All that may fail is done; dropped, nothing happened.
#[derive(Debug)]
pub(crate) struct Plan {
    server: egress_rtsp::Plan,
    secure: Place,
}

#[derive(Debug)]
enum Place {
    Stays,
    Closes,
    New(SocketAddr, Arc<TcpListener>),
}

impl Rtsp {
    /// Serves nobody yet. Connections in TLS see the certificate of `keys`; `stop` ends it all.
    pub(crate) fn new(
        registry: &Registry,
        guard: &Guard,
        keys: Keys,
        stop: &CancellationToken,
    ) -> Self {
        let gate = Arc::new(guard.clone());
        Self(Arc::new(Inner {
            server: RtspServer::new(registry.clone(), gate, stop.clone()),
            keys,
            secure: Mutex::default(),
            stop: stop.clone(),
        }))
    }

    /// Gets ready to be where `settings` want it, at `pages` if they name no address. Needs a tokio runtime.
    ///
    /// # Errors
    /// An address or a port that can't be had.
    pub(crate) fn plan(&self, settings: &Settings, pages: IpAddr) -> Result<Plan, Stuck> {
        let server = self.0.server.plan(settings.settings(pages));
        let server = server.map_err(|error| {
            let key = match error {
                Error::Udp { .. } => UDP_PORT,
                _ => LISTEN,
            };
            Stuck::new(key, error.to_string())
        })?;
        let wanted = settings.tls_listen.filter(|_| settings.enable);
        let secure = self.secure();
        let now = secure.as_ref();
        let secure = match wanted {
            wanted if wanted == now.map(|secure| secure.address) => Place::Stays,
            None => Place::Closes,
            Some(wanted) => {
                let ours: Vec<_> = now
                    .and_then(|secure| secure.socket.upgrade())
                    .into_iter()
                    .collect();
                let seat = Seat::bind(wanted, &ours)
                    .map_err(|error| Stuck::at(TLS_LISTEN, wanted, &error))?;
                Place::New(wanted, seat.into_socket())
            }
        };
        Ok(Plan { server, secure })
    }

    /// Does what was planned.
    pub(crate) fn turn(&self, plan: Plan) {
        if let Some(address) = self.0.server.turn(plan.server) {
            tracing::info!(event = "serving_rtsp", %address, "serving RTSP");
        }
        let mut secure = self.secure();
        match plan.secure {
            Place::Stays => {}
            Place::Closes => *secure = None,
            Place::New(address, socket) => {
                tracing::info!(event = "serving_rtsps", %address, "serving RTSP in TLS");
                let over = self.0.stop.child_token();
                let (door, keys) = (self.0.server.door(), self.0.keys.clone());
                *secure = Some(Secure {
                    address,
                    socket: Arc::downgrade(&socket),
                    _accepting: over.clone().drop_guard(),
                });
                tokio::spawn(accept(socket, door, keys, over));
            }
        }
    }

    /// Serves until the end, and until all viewers were told.
    pub(crate) async fn run(self) {
        self.0.server.clone().run().await;
    }

    fn secure(&self) -> MutexGuard<'_, Option<Secure>> {
        // It is replaced as a whole.
        self.0.secure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections in TLS until it is `over`.
async fn accept(listener: Arc<TcpListener>, door: Door, keys: Keys, over: CancellationToken) {
    let mut handshakes: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            () = over.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if handshakes.len() >= MAX_HANDSHAKES {
            handshakes.retain(|one| !one.is_finished());
        }
        if handshakes.len() >= MAX_HANDSHAKES
            && let Some(oldest) = handshakes.pop_front()
        {
            oldest.abort();
        }
        let (door, keys) = (door.clone(), keys.clone());
        let handshake = tokio::spawn(async move {
            if let Err(error) = welcome(stream, peer, &door, &keys).await {
                tracing::debug!(%error, %peer, "an RTSP connection in TLS did not come about");
            }
        });
        handshakes.push_back(handshake.abort_handle());
    }
}

async fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    door: &Door,
    keys: &Keys,
) -> std::io::Result<()> {
    egress_rtsp::tune(&stream)?;
    let local = stream.local_addr()?.ip();
    let none = || std::io::Error::other("there is no certificate any more");
    let tls = keys.tls().ok_or_else(none)?;
    if let Some(stream) = tls.accept(stream).await? {
        door.serve(stream, peer, local);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
