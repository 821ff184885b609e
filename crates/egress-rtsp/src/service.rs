//! The sockets, and what all connections share.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hub::{Clock, Registry};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Error;
use crate::client::{Client, Ends};
use crate::gate::Gate;
use crate::settings::{Settings, UDP_PORT, UdpPorts};
use crate::stage::Stages;
use crate::udp::Udp;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;
/// How many connections one address may have open that were not let in anywhere.
const MAX_STRANGERS: usize = 64;
/// How long no connection is accepted after one could not be, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long viewers have to leave when the server stops.
const DRAIN: Duration = Duration::from_secs(3);
/// How much the kernel holds of what was not sent yet, in bytes: a slow viewer must be seen to be slow.
#[cfg(target_os = "linux")]
const NOT_SENT_LOWAT: u32 = 128 << 10;
/// How long a client may leave what it is sent unanswered, before its connection is given up; and after how long of silence
/// it is asked whether it is there.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) stages: Stages,
    /// The wall clock of reports.
    pub(crate) clock: Clock,
    pub(crate) udp: Option<Arc<Udp>>,
    pub(crate) stop: CancellationToken,
    slots: Arc<Semaphore>,
    strangers: Mutex<HashMap<IpAddr, usize>>,
    open: TaskTracker,
}

/// RTSP to the viewers of a Registry.
#[derive(Debug)]
pub struct RtspServer {
    service: Arc<Service>,
    listener: TcpListener,
}

/// Serves connections that somebody else has accepted, such as encrypted ones. Clones serve for the same server.
#[derive(Debug, Clone)]
pub struct Door(Arc<Service>);

/// A place among the connections of an address that were not let in anywhere.
pub(crate) struct Stranger {
    service: Arc<Service>,
    address: IpAddr,
}

impl RtspServer {
    /// Binds the ports; `gate` says who may watch. When `stop` is cancelled, viewers are told that it is over. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// Where a port can't be had.
    pub fn bind(
        registry: Registry,
        settings: Settings,
        gate: Arc<dyn Gate>,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let listener = listen(&settings)?;
        let udp = settings
            .udp
            .map(|ports| datagrams(settings.listen.ip(), ports))
            .transpose()?;
        let slots = Arc::new(Semaphore::new(
            settings.max_connections.min(Semaphore::MAX_PERMITS),
        ));
        Ok(Self {
            service: Arc::new(Service {
                registry,
                settings,
                gate,
                stages: Stages::default(),
                clock: Clock::now(),
                udp: udp.map(Arc::new),
                stop,
                slots,
                strangers: Mutex::default(),
                open: TaskTracker::new(),
            }),
            listener,
        })
    }

    /// Where connections are accepted.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where connections can be handed in.
    pub fn door(&self) -> Door {
        Door(Arc::clone(&self.service))
    }

    /// Serves until `stop` of [`RtspServer::bind`] is cancelled, and then lets what is under way end, for some seconds at most.
    pub async fn run(self) {
        let Self { service, listener } = self;
        let receive = async {
            match &service.udp {
                Some(udp) => udp.receive().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = service.stop.cancelled() => {}
            () = accept(&service, &listener) => {}
            () = receive => {}
        }
        drop(listener);
        service.open.close();
        if tokio::time::timeout(DRAIN, service.open.wait())
            .await
            .is_err()
        {
            tracing::warn!("not every RTSP viewer left in time");
        }
    }
}

impl Door {
    /// Serves a client that came from `peer` to `local`. False if there is no room for it.
    pub fn serve<S>(&self, io: S, peer: SocketAddr, local: IpAddr) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
    {
        let service = &self.0;
        let stranger = Stranger::enter(service, peer.ip());
        let (Some(stranger), Ok(slot)) = (stranger, Arc::clone(&service.slots).try_acquire_owned())
        else {
            tracing::debug!(%peer, "there is no room for an RTSP connection");
            return false;
        };
        let client = Client::new(Arc::clone(service), io, Ends { peer, local }, stranger);
        service.open.spawn(serve(client, slot));
        true
    }
}

async fn serve<S>(client: Client<S>, slot: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
{
    client.run().await;
    drop(slot);
}

async fn accept(service: &Arc<Service>, listener: &TcpListener) {
    let door = Door(Arc::clone(service));
    loop {
        match listener.accept().await {
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

/// Whether it was the client, and not this machine, that kept a connection from being accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

impl Stranger {
    fn enter(service: &Arc<Service>, address: IpAddr) -> Option<Self> {
        let mut strangers = service
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = strangers.entry(address).or_insert(0);
        (*count < MAX_STRANGERS).then(|| {
            *count += 1;
            Self {
                service: Arc::clone(service),
                address,
            }
        })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut strangers = self
            .service
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = strangers.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                strangers.remove(&self.address);
            }
        }
    }
}

/// The socket as configured, or at any port where that may be.
fn listen(settings: &Settings) -> Result<TcpListener, Error> {
    let wanted = settings.listen;
    let error = match bind(wanted) {
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
    let listener = bind(SocketAddr::new(wanted.ip(), 0)).map_err(|_| refused)?;
    let address = listener.local_addr().ok();
    tracing::warn!(%error, ?address, "RTSP takes another port; set [rtsp] listen to one that is free");
    Ok(listener)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the connections of the run before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn datagrams(ip: IpAddr, ports: UdpPorts) -> Result<Udp, Error> {
    let wrong = |port, error: io::Error| Error::Udp {
        ip,
        port,
        why: error.to_string(),
    };
    match ports {
        UdpPorts::At(port) => Udp::bind(ip, port).map_err(|error| wrong(port, error)),
        UdpPorts::Usual => Udp::bind(ip, UDP_PORT).or_else(|error| {
            let udp = Udp::bind_any(ip).map_err(|error| wrong(UDP_PORT, error))?;
            let port = udp.ports().0;
            tracing::info!(%error, port, "RTSP sends datagrams from other ports; [rtsp] udp_port sets them");
            Ok(udp)
        }),
    }
}
