//! Where the server listens, and how that changes while it serves.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hub::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Error;
use crate::client::Ends;
use crate::gate::Gate;
use crate::service::{House, Service};
use crate::settings::Settings;
use crate::sockets::{Ports, listen, tune};

/// How long no connection is accepted after one could not be, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long viewers have to leave when the server stops.
const DRAIN: Duration = Duration::from_secs(3);

/// RTSP to the viewers of a Registry. Clones are handles to the same.
#[derive(Debug, Clone)]
pub struct RtspServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    house: Arc<House>,
    stop: CancellationToken,
    now: Mutex<Option<Open>>,
}

/// The server as it listens.
#[derive(Debug)]
struct Open {
    service: Arc<Service>,
    listener: Arc<TcpListener>,
    /// Connections are accepted as long as this is there.
    _accepting: DropGuard,
}

/// What is to become of the server. All that may fail is done; dropped, nothing happened.
#[derive(Debug)]
pub struct Plan(Step);

#[derive(Debug)]
enum Step {
    Stay,
    Close,
    Go {
        settings: Settings,
        /// A new one; none where it listens where it should.
        listener: Option<TcpListener>,
        ports: Option<Arc<Ports>>,
    },
}

/// Serves connections that somebody else has accepted, such as encrypted ones. Clones serve for the same server.
#[derive(Debug, Clone)]
pub struct Door(RtspServer);

impl RtspServer {
    /// A server that listens nowhere yet; `gate` says who may watch. When `stop` is cancelled, viewers are told that it is over.
    pub fn new(registry: Registry, gate: Arc<dyn Gate>, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            house: Arc::new(House::new(registry, gate)),
            stop,
            now: Mutex::default(),
        }))
    }

    /// The same, with its ports bound. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where a port can't be had.
    pub fn bind(
        registry: Registry,
        settings: Settings,
        gate: Arc<dyn Gate>,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let server = Self::new(registry, gate, stop);
        server.turn(server.plan(Some(settings))?);
        Ok(server)
    }

    /// Binds what `wanted` asks for beside what there is; without it the server is to listen nowhere. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where a port can't be had.
    pub fn plan(&self, wanted: Option<Settings>) -> Result<Plan, Error> {
        let now = self.now();
        let Some(settings) = wanted else {
            return Ok(Plan(Step::Close));
        };
        if now
            .as_ref()
            .is_some_and(|open| open.service.settings == settings)
        {
            return Ok(Plan(Step::Stay));
        }
        let old = now.as_ref().map(|open| &*open.listener);
        let stays = now.as_ref().is_some_and(|open| open.is_at(&settings));
        let listener = (!stays).then(|| listen(&settings, old)).transpose()?;
        let ports = settings
            .udp
            .map(|wanted| self.0.house.ports(settings.listen.ip(), wanted))
            .transpose()?;
        Ok(Plan(Step::Go {
            settings,
            listener,
            ports,
        }))
    }

    /// Does what was planned: who comes from now on is served so. Who is there stays as it is, unless the server closes. Where it
    /// listens now, if that is another place than before.
    pub fn turn(&self, plan: Plan) -> Option<SocketAddr> {
        let mut now = self.now();
        let (settings, listener, ports) = match plan.0 {
            Step::Stay => return None,
            Step::Close => {
                if let Some(open) = now.take() {
                    open.service.stop.cancel();
                }
                return None;
            }
            Step::Go {
                settings,
                listener,
                ports,
            } => (settings, listener, ports),
        };
        let stop = match &*now {
            Some(open) => open.service.stop.clone(),
            None => self.0.stop.child_token(),
        };
        let service = Arc::new(Service {
            house: Arc::clone(&self.0.house),
            settings,
            ports,
            stop,
        });
        if let (None, Some(open)) = (&listener, &mut *now) {
            open.service = service;
            return None;
        }
        let listener = Arc::new(listener?);
        let address = listener.local_addr().ok();
        let over = self.0.stop.child_token();
        tokio::spawn(accept(self.clone(), Arc::clone(&listener), over.clone()));
        *now = Some(Open {
            service,
            listener,
            _accepting: over.drop_guard(),
        });
        address
    }

    /// Where connections are accepted.
    ///
    /// # Errors
    /// Those of the system; `NotConnected` where the server is closed.
    pub fn address(&self) -> io::Result<SocketAddr> {
        let now = self.now();
        let open = now.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        open.listener.local_addr()
    }

    /// Where connections can be handed in.
    pub fn door(&self) -> Door {
        Door(self.clone())
    }

    /// Serves until `stop` of [`RtspServer::new`] is cancelled, and then lets what is under way end, for some seconds at most.
    pub async fn run(self) {
        let Inner { house, stop, .. } = &*self.0;
        stop.cancelled().await;
        drop(self.now().take());
        house.open.close();
        if tokio::time::timeout(DRAIN, house.open.wait())
            .await
            .is_err()
        {
            tracing::warn!("not every RTSP viewer left in time");
        }
    }

    fn now(&self) -> MutexGuard<'_, Option<Open>> {
        // It is replaced as a whole.
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Whether it listens where `settings` want it.
    fn is_at(&self, settings: &Settings) -> bool {
        let before = &self.service.settings;
        let same = (before.listen, before.any_port) == (settings.listen, settings.any_port);
        same || self.listener.local_addr().ok() == Some(settings.listen)
    }
}

impl Door {
    /// Serves a client that came from `peer` to `local`. False if there is no room for it, or the server is closed.
    pub fn serve<S>(&self, io: S, peer: SocketAddr, local: IpAddr) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
    {
        let service = self.0.now().as_ref().map(|open| Arc::clone(&open.service));
        service.is_some_and(|service| service.serve(io, Ends { peer, local }))
    }
}

/// Lets in who comes to `listener` until it is `over`.
async fn accept(server: RtspServer, listener: Arc<TcpListener>, over: CancellationToken) {
    let door = server.door();
    loop {
        let accepted = tokio::select! {
            biased;
            () = over.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let local = tune(&stream).and_then(|()| stream.local_addr());
                if let Ok(local) = local {
                    door.serve(stream, peer, local.ip());
                }
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept an RTSP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether it was the client, and not this machine, that kept a connection from being accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
