//! Accepts connections. Where is `seat`'s; how many there may be `room`'s and `line`'s; who they are and how long they may stay
//! idle `guest`'s; what is said over them `visit`'s.

mod guest;
mod line;
mod room;
mod seat;
mod stream;
mod visit;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use self::guest::Guest;
use self::room::{Refused, Slot};
use self::stream::{Connection, Stream};
use self::visit::Visit;
use crate::tls::Tls;

pub(crate) use self::room::Room;
pub(crate) use self::seat::{Mover, Seat};

/// How long no connection is accepted after one could not be, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often it is logged that connections can't be accepted or are refused.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How long viewers have to leave when the server stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How many are told at the same time why they are refused; others are closed without a word.
const MAX_FAREWELLS: usize = 64;
/// How long one of those has to read it.
const FAREWELL: Duration = Duration::from_secs(1);
/// How much the kernel holds of what was not sent yet, in bytes. A slow viewer must be seen to be slow,
/// so that it skips to a keyframe; megabytes of old pictures in the kernel would hide it.
#[cfg(target_os = "linux")]
const NOT_SENT_LOWAT: u32 = 128 << 10;
/// How long a client may leave what it is sent unanswered, before its connection is given up.
#[cfg(target_os = "linux")]
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// Accepts connections and serves HTTP/1.1 and HTTP/2 on them, in TLS where there is some.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Where it sits once it serves.
    seat: Option<Seat>,
    mover: Mover,
    room: Room,
    farewells: Arc<Semaphore>,
    told: Seldom,
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
pub(crate) struct Routed(pub(in crate::http) RouteFuture<Infallible>);

impl Future for Routed {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let Ok(response) = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(response)
    }
}

impl Listener {
    /// Listens at `seat`, or nowhere yet.
    pub(crate) fn at(seat: Option<Seat>, room: Room) -> Self {
        let mover = Mover::default();
        mover.place(seat);
        Self {
            seat: None,
            mover,
            room,
            farewells: Arc::new(Semaphore::new(MAX_FAREWELLS)),
            told: Seldom::default(),
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

    /// Serves `app` until `stop`, then lets what is under way end, for [`DRAIN`] at most.
    pub(crate) async fn serve(mut self, app: impl App, stop: CancellationToken) {
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
                Ok(accepted) => self.welcome(accepted, &app, &stop).await,
                Err(error) if is_of_the_client(&error) => {
                    tracing::debug!(%error, "a client left before it was accepted");
                }
                Err(error) => {
                    if self.told.is_due() {
                        tracing::warn!(%error, "can't accept a connection");
                    }
                    self.room.make_room();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.mover.place(None);
        self.seat = None;
        // Sockets that were upgraded are no longer HTTP's, but have their place in the room.
        if tokio::time::timeout(DRAIN, self.room.empty())
            .await
            .is_err()
        {
            tracing::warn!("not every viewer left in time");
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        let Some(seat) = &self.seat else {
            return std::future::pending().await;
        };
        let (stream, address) = seat.socket.accept().await?;
        let tls = seat.tls.clone();
        Ok(Accepted {
            stream,
            address,
            tls,
        })
    }

    async fn welcome(&self, accepted: Accepted, app: &impl App, stop: &CancellationToken) {
        if let Err(error) = tune(&accepted.stream) {
            tracing::debug!(%error, "a connection was closed as soon as it was open");
        }
        match self.room.enter(accepted.address.ip()).await {
            Ok((guest, slot)) => {
                let host = Host {
                    app: app.clone(),
                    room: self.room.clone(),
                    stop: stop.clone(),
                };
                tokio::spawn(host.receive(accepted, guest, slot));
            }
            Err(refused) => self.refuse(accepted, refused),
        }
    }

    /// Closes a connection, and says why where that can be read and costs little.
    fn refuse(&self, accepted: Accepted, refused: Refused) {
        let address = accepted.address.ip();
        if self.told.is_due() {
            match refused {
                Refused::OverAddress(most) => tracing::warn!(
                    %address,
                    most,
                    "connections are refused: this address has as many as one may, all in use; if it is a proxy, name it in `server.trusted_proxies`, or raise `server.max_connections_per_address`"
                ),
                Refused::Full(most) => {
                    tracing::warn!(
                        most,
                        "connections are refused: there are as many as there may be, all in use"
                    );
                }
            }
        }
        let Ok(turn) = Arc::clone(&self.farewells).try_acquire_owned() else {
            return;
        };
        if accepted.tls.is_none() {
            tokio::spawn(async move {
                let said = say_why(accepted.stream, refused);
                let _ = tokio::time::timeout(FAREWELL, said).await;
                drop(turn);
            });
        }
    }
}

async fn say_why(mut stream: TcpStream, refused: Refused) -> io::Result<()> {
    let (status, why) = match refused {
        Refused::OverAddress(most) => (
            "429 Too Many Requests",
            format!("This address has {most} connections here, which is as many as one may have."),
        ),
        Refused::Full(most) => (
            "503 Service Unavailable",
            format!(
                "There are {most} connections to this server, which is as many as it may have."
            ),
        ),
    };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n{why}\n",
        why.len() + 1
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    // What was not read makes the kernel reset the connection, and the answer is lost.
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// What is worth a line in the log, but not many.
#[derive(Debug, Default)]
struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= TOLD_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
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

/// A connection that nothing was read from yet.
#[derive(Debug)]
struct Accepted {
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Tls>,
}

/// What every connection needs.
struct Host<A> {
    app: A,
    room: Room,
    stop: CancellationToken,
}

impl<A: App> Host<A> {
    /// Serves a connection, unless it has to make room for another.
    async fn receive(self, accepted: Accepted, guest: Arc<Guest>, slot: Slot) {
        tokio::select! {
            () = self.serve(accepted, &guest, slot) => {}
            () = guest.dismissed() => tracing::debug!("a connection without use made room"),
        }
        self.room.has_left(&guest);
    }

    async fn serve(&self, accepted: Accepted, guest: &Arc<Guest>, slot: Slot) {
        let Accepted {
            stream,
            address,
            tls,
        } = accepted;
        let secure = tls.is_some();
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
        let visit = Visit {
            app: self.app.clone(),
            peer: Peer { address, secure },
            guest: Arc::clone(guest),
        };
        let connection = Connection::new(stream, guest.meter(), slot);
        visit
            .serve(connection, self.room.counts(), &self.stop)
            .await;
    }
}
