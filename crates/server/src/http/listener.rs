use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use hyper::body::Incoming;
use hyper::service::Service as HyperService;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::body;
use super::newcomers::{Newcomer, Newcomers};
use crate::tls::Tls;

/// How many connections are open at once at most; fewer where the system allows fewer open files.
const MAX_CONNECTIONS: usize = 16_384;
/// Open files that are not viewers' connections: cameras, the log, the runtime, files being read.
const OTHER_FILES: u64 = 512;
/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long a client may take to send the head of a request, and how long it may be idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// How long no connection is accepted after one could not be, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long viewers have to leave when the server stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How much the kernel holds of what was not sent yet, in bytes. A slow viewer must be seen to be slow,
/// so that it skips to a keyframe; megabytes of old pictures in the kernel would hide it.
#[cfg(target_os = "linux")]
const NOT_SENT_LOWAT: u32 = 128 << 10;
/// How long a client may leave what it is sent unanswered, before its connection is given up.
#[cfg(target_os = "linux")]
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// How many requests of one HTTP/2 connection are answered at the same time.
const MAX_STREAMS: u32 = 128;

/// Accepts connections and serves HTTP/1.1 and HTTP/2 on them, in TLS where there is some.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Where it sits once it serves.
    seat: Option<Seat>,
    mover: Mover,
    slots: Arc<Semaphore>,
    capacity: u32,
    newcomers: Newcomers,
}

/// A socket, and TLS on what it accepts.
#[derive(Debug)]
pub(crate) struct Seat {
    socket: Arc<TcpListener>,
    tls: Option<Tls>,
}

/// Moves a [`Listener`] while it serves. Clones are handles to the same.
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

/// Who is at the other end of the connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The connection is encrypted.
    pub(crate) secure: bool,
}

/// What answers requests.
pub(crate) trait App: Clone + Send + Sync + 'static {
    /// The answer in the making.
    type Answer: Future<Output = Response> + Send + Unpin;

    /// Answers `request`, which came from `peer`.
    fn answer(&self, peer: Peer, request: Request) -> Self::Answer;
}

impl App for Router {
    type Answer = Routed;

    fn answer(&self, _: Peer, request: Request) -> Routed {
        Routed(self.clone().call(request))
    }
}

/// The answer of a [`Router`].
pub(crate) struct Routed(pub(super) RouteFuture<Infallible>);

impl Future for Routed {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let Ok(response) = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(response)
    }
}

/// How many connections there are and may be, to look at.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    capacity: u32,
}

impl Slots {
    /// Connections that are open.
    pub(crate) fn open(&self) -> u64 {
        let taken = self.capacity() - self.free.available_permits() as u64;
        // The listener holds the slot of the connection that comes next.
        taken.saturating_sub(1)
    }

    /// How many may be open.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity.into()
    }
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

    async fn moved(&self) -> Option<Seat> {
        loop {
            self.0.moved.notified().await;
            let mut moving = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Next::To(seat) = std::mem::take(&mut moving.next) {
                return seat;
            }
        }
    }
}

impl Listener {
    /// Listens on `address`. `files` is how many open files the system allows.
    #[cfg(test)]
    pub(crate) fn bind(address: SocketAddr, files: Option<u64>) -> io::Result<Self> {
        Seat::bind(address, &[]).map(|seat| Self::at(Some(seat), files))
    }

    /// Listens at `seat`, or nowhere yet.
    pub(crate) fn at(seat: Option<Seat>, files: Option<u64>) -> Self {
        let allowed = files.map_or(u64::MAX, |files| files.saturating_sub(OTHER_FILES).max(64));
        let capacity = MAX_CONNECTIONS.min(usize::try_from(allowed).unwrap_or(MAX_CONNECTIONS));
        let mover = Mover::default();
        mover.place(seat);
        Self {
            seat: None,
            mover,
            slots: Arc::new(Semaphore::new(capacity)),
            capacity: capacity as u32,
            newcomers: Newcomers::new(capacity),
        }
    }

    /// The address that it listens on.
    #[cfg(test)]
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        let seat = self.mover.seat();
        seat.ok_or(io::ErrorKind::NotConnected)?.address()
    }

    /// Moves it, once it serves.
    pub(crate) fn mover(&self) -> Mover {
        self.mover.clone()
    }

    /// How many connections there are and may be.
    pub(crate) fn slots(&self) -> Slots {
        Slots {
            free: Arc::clone(&self.slots),
            capacity: self.capacity,
        }
    }

    /// Serves `app` until `stop`, then lets what is under way end, for [`DRAIN`] at most.
    pub(crate) async fn serve(mut self, app: impl App, stop: CancellationToken) {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                seat = self.mover.moved() => {
                    self.seat = seat;
                    continue;
                }
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => {
                    tokio::spawn(connection(accepted, app.clone(), graceful.watcher()));
                }
                Err(error) if is_of_the_client(&error) => {
                    tracing::debug!(%error, "a client left before it was accepted");
                }
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.mover.place(None);
        self.seat = None;
        let all_gone = async {
            graceful.shutdown().await;
            // Sockets that were upgraded are no longer the HTTP side's, but hold their slot.
            let _all = self.slots.acquire_many(self.capacity).await;
        };
        if tokio::time::timeout(DRAIN, all_gone).await.is_err() {
            tracing::warn!("not every viewer left in time");
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        let Some(seat) = &self.seat else {
            return std::future::pending().await;
        };
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => self.slot_of_another().await?,
        };
        let (stream, address) = seat.socket.accept().await?;
        if let Err(error) = tune(&stream) {
            tracing::debug!(%error, "a connection was closed as soon as it was open");
        }
        Ok(Accepted {
            stream,
            address,
            tls: seat.tls.clone(),
            newcomer: self.newcomers.join(),
            slot,
        })
    }

    /// All slots are taken: whoever came first of those that never asked for anything has to leave.
    async fn slot_of_another(&self) -> io::Result<OwnedSemaphorePermit> {
        if !self.newcomers.dismiss_one() {
            tracing::warn!(
                connections = self.capacity,
                "no more connections are accepted until one ends"
            );
        }
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        slot.map_err(io::Error::other)
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
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

/// Raises the number of files (and so of sockets) that may be open to what the system allows at most, and
/// returns it.
pub(crate) fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

async fn connection(accepted: Accepted, app: impl App, watcher: Watcher) {
    let Accepted {
        stream,
        address,
        tls,
        newcomer,
        slot,
    } = accepted;
    let peer = Peer {
        address,
        secure: tls.is_some(),
    };
    let serve = async {
        let stream = match tls {
            None => Stream::Plain(stream),
            Some(tls) => match tls.accept(stream).await {
                Ok(Some(stream)) => Stream::Tls(Box::new(stream)),
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    return;
                }
            },
        };
        let connection = Connection {
            stream,
            _slot: slot,
        };
        let visit = Visit {
            app,
            peer,
            newcomer: Arc::clone(&newcomer),
        };
        serve_http(connection, visit, watcher).await;
    };
    tokio::select! {
        () = serve => {}
        () = newcomer.dismissed() => tracing::debug!("a connection that never asked made room"),
    }
}

/// What one connection asks for.
#[derive(Debug)]
struct Visit<A> {
    app: A,
    peer: Peer,
    newcomer: Arc<Newcomer>,
}

impl<A: App> HyperService<Request<Incoming>> for Visit<A> {
    type Response = Response;
    type Error = Infallible;
    type Future = Answered<A::Answer>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.newcomer.asked.store(true, Ordering::Relaxed);
        Answered(self.app.answer(self.peer, body::bounded(request)))
    }
}

/// As hyper wants answers.
struct Answered<F>(F);

impl<F: Future<Output = Response> + Unpin> Future for Answered<F> {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(Ok)
    }
}

async fn serve_http(connection: Connection, visit: Visit<impl App>, watcher: Watcher) {
    let newcomer = Arc::clone(&visit.newcomer);
    let builder = builder();
    let served = builder.serve_connection_with_upgrades(TokioIo::new(connection), visit);
    let mut served = pin!(watcher.watch(served));
    // Before the protocol is known, hyper's own timeout does not run.
    let served = tokio::select! {
        served = &mut served => served,
        () = tokio::time::sleep(HEAD_TIMEOUT) => {
            if !newcomer.asked.load(Ordering::Relaxed) {
                return;
            }
            served.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(error, "a connection ended early");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(HEAD_TIMEOUT);
    builder
}

/// A connection that nothing was read from yet.
#[derive(Debug)]
struct Accepted {
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Tls>,
    newcomer: Arc<Newcomer>,
    slot: OwnedSemaphorePermit,
}

/// A connection, which holds one of the slots as long as it is open, upgraded or not.
#[derive(Debug)]
struct Connection {
    stream: Stream,
    _slot: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls `$do` on whatever stream it is.
macro_rules! either {
    ($self:ident, $stream:ident => $do:expr) => {
        match &mut $self.stream {
            Stream::Plain($stream) => $do,
            Stream::Tls($stream) => $do,
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
