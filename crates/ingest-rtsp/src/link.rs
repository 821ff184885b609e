//! The connection to a camera: TCP, or TLS over it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use camera_tls::{ClientConfig, Connection, Peer};
use hub::Fault;
use rtsp::{Message, Parser};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{Location, words};

/// How much is read at once at most. Half a second of 1 Mbit/s; one allocation for about 45 packets.
const READ_SIZE: usize = 64 << 10;
/// A buffer with less room than this is replaced.
const MIN_READ: usize = 16 << 10;
/// How long the camera may leave what we send unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses of a host are tried.
const MAX_ADDRESSES: usize = 4;
/// The shortest time that an address gets.
const MIN_CONNECT: Duration = Duration::from_secs(1);

/// A connection with what was read from it and not understood yet.
pub(crate) struct Link {
    io: Connection,
    parser: Parser,
    inbox: BytesMut,
    /// The camera's address.
    pub(crate) peer: SocketAddr,
    /// Ours, as the camera sees it if there is no NAT between.
    pub(crate) local: SocketAddr,
}

impl Link {
    /// Connects to `location` within `patience`, TLS included.
    pub(crate) async fn connect(
        location: &Location,
        tls: Option<&Arc<ClientConfig>>,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let deadline = Instant::now() + patience;
        let stream = timeout_at(deadline, dial(location, patience))
            .await
            .unwrap_or_else(|_| Err(words::connect_timeout(patience)))?;
        let failed = |error| words::connect(&location.host, location.port, &error);
        let peer = stream.peer_addr().map_err(failed)?;
        let local = stream.local_addr().map_err(failed)?;
        // Requests are small and waited for.
        stream.set_nodelay(true).map_err(failed)?;
        let whom = Peer {
            host: &location.host,
            kind: "camera",
            scheme: "rtsp",
        };
        let io = timeout_at(deadline, camera_tls::secure(stream, whom, tls))
            .await
            .unwrap_or_else(|_| Err(words::handshake_timeout(patience)))?;
        Ok(Self {
            io,
            parser: Parser::new(),
            inbox: BytesMut::new(),
            peer,
            local,
        })
    }

    /// Reads what is there, once, and tells how many bytes; an end of the connection is an error.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        if self.inbox.capacity() - self.inbox.len() < MIN_READ {
            self.inbox.reserve(READ_SIZE);
        }
        match self.io.read_buf(&mut self.inbox).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => Ok(length),
        }
    }

    /// The next message in what was read.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, rtsp::Error> {
        self.parser.parse(&mut self.inbox)
    }

    /// How many bytes belonged to no message so far.
    pub(crate) fn garbage(&self) -> u64 {
        self.parser.garbage()
    }

    /// Sends `bytes`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let write = async {
            self.io.write_all(bytes).await?;
            self.io.flush().await
        };
        timeout(WRITE_TIMEOUT, write)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({} to {})", self.local, self.peer)
    }
}

/// Tries the addresses of a host in their order.
async fn dial(location: &Location, patience: Duration) -> Result<TcpStream, Fault> {
    let (host, port) = (location.host.as_str(), location.port);
    let addresses: Vec<SocketAddr> = lookup_host((host, port))
        .await
        .map_err(|error| words::unknown_host(host, &error))?
        .take(MAX_ADDRESSES)
        .collect();
    let each = (patience / addresses.len().max(1) as u32).max(MIN_CONNECT);
    let mut last = words::unknown_host(host, &io::ErrorKind::NotFound.into());
    for address in addresses {
        match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = words::connect(host, port, &error),
            Err(_) => last = words::connect_timeout(each),
        }
    }
    Err(last)
}
