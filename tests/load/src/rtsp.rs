//! An RTSP client (RFC 2326) that costs as little as it can.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Large enough that most reads take all there is.
const READ_BUFFER: usize = 64 << 10;
/// The header of an interleaved frame.
const FRAMING: usize = 4;

/// What to watch.
#[derive(Debug, Clone)]
pub struct Target {
    /// The whole URL.
    pub url: String,
    /// Where to connect to.
    pub address: SocketAddr,
}

impl Target {
    /// Takes `rtsp://ADDRESS:PORT/path` apart.
    pub fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("rtsp://");
        let rest = rest.with_context(|| format!("`{url}` is not rtsp://ADDRESS:PORT/PATH"))?;
        let (authority, _) = rest.split_once('/').context("the URL has no path")?;
        Ok(Self {
            url: url.to_owned(),
            address: authority.parse().context("the host is no ADDRESS:PORT")?,
        })
    }
}

/// What carries media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The RTSP connection.
    Tcp,
    /// Datagrams to this port.
    Udp(u16),
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    sequence: u32,
    /// Empty before there is one.
    session: String,
}

/// An answer.
#[derive(Debug)]
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Client {
    /// Connects from `from`.
    pub async fn connect(target: &Target, from: Ipv4Addr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
        let stream = socket.connect(target.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; READ_BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            sequence: 0,
            session: String::new(),
        })
    }

    /// Asks for all tracks of `target` by `carrier`, and lets them play.
    pub async fn play(&mut self, target: &Target, carrier: Carrier) -> Result<()> {
        let accept = "Accept: application/sdp\r\n";
        let described = self.ask("DESCRIBE", &target.url, accept).await?;
        let base = described.header("Content-Base").unwrap_or(&target.url);
        let base = base.trim_end_matches('/').to_owned();
        let (_, media) = described
            .body
            .split_once("m=")
            .context("nothing is described")?;
        let controls = media
            .lines()
            .filter_map(|line| line.strip_prefix("a=control:"));
        for (n, control) in controls.enumerate() {
            let transport = match carrier {
                Carrier::Tcp => format!("RTP/AVP/TCP;unicast;interleaved={}-{}", 2 * n, 2 * n + 1),
                Carrier::Udp(port) => format!("RTP/AVP;unicast;client_port={port}-{port}"),
            };
            let url = if control.contains("://") {
                control.to_owned()
            } else {
                format!("{base}/{control}")
            };
            let header = format!("Transport: {transport}\r\n");
            let set_up = self.ask("SETUP", &url, &header).await?;
            let session = set_up.header("Session").context("there is no Session")?;
            session
                .split(';')
                .next()
                .unwrap_or_default()
                .clone_into(&mut self.session);
        }
        self.ask("PLAY", &base, "Range: npt=0-\r\n").await?;
        Ok(())
    }

    /// Says that it is still there.
    pub async fn keep_alive(&mut self, target: &Target) -> Result<()> {
        self.ask("GET_PARAMETER", &target.url, "").await.map(drop)
    }

    async fn ask(&mut self, method: &str, url: &str, headers: &str) -> Result<Answer> {
        self.sequence += 1;
        let session = match self.session.as_str() {
            "" => String::new(),
            session => format!("Session: {session}\r\n"),
        };
        let request = format!(
            "{method} {url} RTSP/1.0\r\nCSeq: {}\r\n{session}{headers}\r\n",
            self.sequence
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            self.want(1).await?;
            head.push(self.buffer[self.start]);
            self.start += 1;
        }
        let mut answer = Answer {
            head: String::from_utf8(head)?,
            body: String::new(),
        };
        let first = answer.head.lines().next().unwrap_or_default();
        ensure!(first.starts_with("RTSP/1.0 200"), "{method}: {first}");
        let size = answer
            .header("Content-Length")
            .map_or(Ok(0), str::parse::<usize>)?;
        self.want(size).await?;
        let body = &self.buffer[self.start..self.start + size];
        answer.body = String::from_utf8_lossy(body).into_owned();
        self.start += size;
        Ok(answer)
    }

    /// The next interleaved frame: its channel and the packet. Answers to requests are not looked for.
    pub async fn frame(&mut self) -> Result<(u8, &[u8])> {
        self.want(FRAMING).await?;
        let head = &self.buffer[self.start..self.start + FRAMING];
        ensure!(head[0] == b'$', "the server sends what is no frame");
        let (channel, size) = (head[1], usize::from(u16::from_be_bytes([head[2], head[3]])));
        self.want(FRAMING + size).await?;
        let packet = self.start + FRAMING;
        self.start = packet + size;
        Ok((channel, &self.buffer[packet..packet + size]))
    }

    /// Waits until `size` bytes stand at `start`.
    async fn want(&mut self, size: usize) -> Result<()> {
        ensure!(size <= self.buffer.len(), "{size} bytes are too many");
        while self.end - self.start < size {
            if self.start + size > self.buffer.len() || self.start == self.end {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            let got = self.stream.read(&mut self.buffer[self.end..]).await?;
            ensure!(got > 0, "the server ended the connection");
            self.end += got;
        }
        Ok(())
    }
}
