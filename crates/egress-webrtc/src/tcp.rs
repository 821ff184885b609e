//! ICE over TCP (RFC 6544) for viewers whose network lets no UDP through: they connect to the port of the same number,
//! and each datagram goes with its length before it (RFC 4571).
//!
//! Nothing is queued for a connection that is slow: what it does not take is not made. While the rest of a datagram waits, its
//! viewer is not served, and its place in the ring stays behind, where the usual rules for slow viewers hold.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::batch::Batch;
use crate::ice::Path;
use crate::service::Whep;

/// What the kernel may hold of a connection that was not sent yet. It is the delay of a slow one.
const UNSENT: u32 = 32 << 10;
/// What may wait here when the kernel takes no more: what one turn of a viewer makes. What is more is dropped.
const MAX_WAITING: usize = 256 << 10;
/// The largest datagram that a viewer may send; checks, handshakes and reports are smaller than 1500 bytes.
const MAX_DATAGRAM: usize = 4 << 10;
/// Connections of whom no valid check came yet. When more come, the oldest go.
const MAX_NEWCOMERS: usize = 256;
/// How long a connection may be without a valid check.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether a silent connection still has its viewer.
const LOOK: Duration = Duration::from_secs(1);
/// A pause where the system has no connections left.
const PAUSE: Duration = Duration::from_millis(100);

/// All connections, by the number in their [`Path`].
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: RwLock<HashMap<u64, Arc<Connection>>>,
    next: AtomicU64,
    /// Datagrams for which there was no room; the viewers' NACKs bring them back.
    dropped: AtomicU64,
}

/// One connection, as those who send see it.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    waiting: Mutex<Vec<u8>>,
    blocked: Notify,
}

impl Connections {
    /// Sends datagrams of `segment` bytes each, the last may be smaller.
    pub(crate) fn send(&self, id: u64, contents: &[u8], segment: usize) {
        let Some(connection) = self.get(id) else {
            return;
        };
        let dropped = connection.send(contents, segment);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    /// How many datagrams were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether a connection takes no more for now.
    pub(crate) fn is_full(&self, id: u64) -> bool {
        self.get(id)
            .is_some_and(|connection| !connection.waiting().is_empty())
    }

    fn get(&self, id: u64) -> Option<Arc<Connection>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.get(&id).cloned()
    }

    fn add(&self, stream: TcpStream) -> (u64, Arc<Connection>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            stream,
            waiting: Mutex::default(),
            blocked: Notify::new(),
        });
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(id, Arc::clone(&connection));
        (id, connection)
    }

    fn remove(&self, id: u64) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.remove(&id);
    }
}

impl Connection {
    fn waiting(&self) -> MutexGuard<'_, Vec<u8>> {
        // What is in there is whole at any moment.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers how many datagrams were dropped.
    fn send(&self, contents: &[u8], segment: usize) -> u64 {
        let mut waiting = self.waiting();
        let idle = waiting.is_empty();
        let mut dropped = 0;
        for datagram in contents.chunks(segment.max(1)) {
            let size = u16::try_from(datagram.len()).ok();
            match size.filter(|_| waiting.len() + datagram.len() <= MAX_WAITING) {
                Some(size) => {
                    waiting.extend_from_slice(&size.to_be_bytes());
                    waiting.extend_from_slice(datagram);
                }
                None => dropped += 1,
            }
        }
        if idle {
            self.write(&mut waiting);
        }
        dropped
    }

    /// Writes what the kernel takes.
    fn write(&self, waiting: &mut Vec<u8>) {
        let mut written = 0;
        while written < waiting.len() {
            match self.stream.try_write(&waiting[written..]) {
                Ok(size) => written += size,
                // Its task notices what else may be wrong.
                Err(_) => break,
            }
        }
        waiting.drain(..written);
        if waiting.is_empty() {
            // Memory of a burst is not kept for each viewer.
            waiting.shrink_to(0);
        } else {
            self.blocked.notify_one();
        }
    }

    /// Writes what waits whenever the kernel takes more; ends with the connection.
    async fn unblock(&self) -> io::Result<()> {
        loop {
            self.blocked.notified().await;
            self.stream.writable().await?;
            self.write(&mut self.waiting());
        }
    }
}

/// Serves those who connect to `listeners`, for ever.
pub(crate) async fn serve(listeners: &[TcpListener], whep: Arc<Whep>) {
    let (mut tasks, mut newcomers) = (JoinSet::new(), VecDeque::new());
    loop {
        let accepted = tokio::select! {
            accepted = accept(listeners) => accepted,
            Some(_) = tasks.join_next() => continue,
        };
        let Ok((stream, remote)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let known = Arc::new(AtomicBool::new(false));
        let task = tasks.spawn(one(Arc::clone(&whep), stream, remote, Arc::clone(&known)));
        make_room(&mut newcomers, (known, task));
    }
}

fn make_room(
    newcomers: &mut VecDeque<(Arc<AtomicBool>, AbortHandle)>,
    newest: (Arc<AtomicBool>, AbortHandle),
) {
    newcomers.push_back(newest);
    if newcomers.len() > MAX_NEWCOMERS {
        newcomers.retain(|(known, task)| !known.load(Ordering::Relaxed) && !task.is_finished());
    }
    if newcomers.len() > MAX_NEWCOMERS
        && let Some((_, oldest)) = newcomers.pop_front()
    {
        oldest.abort();
    }
}

async fn accept(listeners: &[TcpListener]) -> io::Result<(TcpStream, SocketAddr)> {
    std::future::poll_fn(|cx| {
        let mut each = listeners.iter().map(|listener| listener.poll_accept(cx));
        each.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

/// Forgets a connection however its task ends.
struct Leaving<'a>(&'a Connections, u64);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.remove(self.1);
    }
}

async fn one(whep: Arc<Whep>, stream: TcpStream, remote: SocketAddr, known: Arc<AtomicBool>) {
    let socket = SockRef::from(&stream);
    // Without these it is slower, not wrong.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
    let connections = whep.sockets().connections();
    let (id, connection) = connections.add(stream);
    let _leaving = Leaving(connections, id);
    let path = Path {
        remote,
        tcp: Some(id),
    };
    tokio::select! {
        () = receive(&whep, &connection.stream, path, &known) => {}
        _ = connection.unblock() => {}
    }
}

/// Takes what comes, until the connection has no viewer, says nothing, or nonsense.
async fn receive(whep: &Whep, stream: &TcpStream, path: Path, known: &AtomicBool) {
    let (mut bytes, mut batch) = (Vec::new(), Batch::default());
    let since = Instant::now();
    loop {
        let ready = timeout(LOOK, stream.readable()).await;
        let welcome = if known.load(Ordering::Relaxed) {
            whep.knows(path)
        } else {
            since.elapsed() < PATIENCE
        };
        match ready {
            _ if !welcome => return,
            Err(_) => continue,
            Ok(_) => {}
        }
        bytes.reserve(MAX_DATAGRAM);
        match stream.try_read_buf(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let Some(taken) = take(whep, &bytes, path, &mut batch) else {
            return;
        };
        bytes.drain(..taken);
        if taken > 0 {
            if !whep.knows(path) {
                return;
            }
            known.store(true, Ordering::Relaxed);
        }
        tokio::task::coop::consume_budget().await;
    }
}

/// Takes the datagrams that are there whole. Answers how many bytes they are; none where it is nonsense.
fn take(whep: &Whep, bytes: &[u8], path: Path, batch: &mut Batch) -> Option<usize> {
    let now = Instant::now();
    let taken = each(bytes, |datagram| whep.contained(datagram, path, now, batch));
    whep.sockets().flush(batch);
    taken
}

/// Hands over the datagrams that are there whole. Answers how many bytes they are; none where what follows them is larger than any.
fn each(bytes: &[u8], mut take: impl FnMut(&[u8])) -> Option<usize> {
    let mut rest = bytes;
    while let Some((size, more)) = rest.split_first_chunk() {
        let size = usize::from(u16::from_be_bytes(*size));
        if size > MAX_DATAGRAM {
            return None;
        }
        let Some((datagram, after)) = more.split_at_checked(size) else {
            break;
        };
        take(datagram);
        rest = after;
    }
    Some(bytes.len() - rest.len())
}

/// The datagrams in a stream that comes in pieces; what fuzz targets drive.
pub(crate) fn cut<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut bytes, mut datagrams) = (Vec::new(), Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        let Some(taken) = each(&bytes, |datagram| datagrams.push(datagram.to_vec())) else {
            break;
        };
        bytes.drain(..taken);
    }
    datagrams
}

#[cfg(test)]
mod tests;
