//! A WebSocket client (RFC 6455) that costs as little as it can: it reads frame headers and skips payloads.

use std::io;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Large enough that most reads take all there is.
const READ_BUFFER: usize = 64 << 10;
/// The longest answer to an upgrade request.
const MAX_HEAD: usize = 16 << 10;

/// What a frame is (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON, in our protocol.
    Text,
    /// Media.
    Binary,
    /// A question whether we live.
    Ping,
    /// An answer to ours.
    Pong,
    /// The end, with a code.
    Close,
}

/// A frame's header.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Payload bytes that follow.
    pub len: usize,
}

/// Where to connect to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host and port, as `TcpStream::connect` takes them.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Takes `ws://host:port/path` apart.
    pub fn parse(url: &str) -> Result<Self> {
        let rest = url
            .strip_prefix("ws://")
            .or_else(|| url.strip_prefix("http://"));
        let rest = rest.with_context(|| format!("`{url}` is not ws://HOST:PORT/PATH"))?;
        let (authority, path) = rest.split_once('/').context("the URL has no path")?;
        Ok(Self {
            authority: authority.to_owned(),
            path: format!("/{path}"),
        })
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Client {
    /// Connects and upgrades, offering `subprotocol` if there is one.
    pub async fn connect(target: &Target, subprotocol: Option<&str>) -> Result<Self> {
        let mut stream = TcpStream::connect(&target.authority).await?;
        stream.set_nodelay(true)?;
        let offer = subprotocol.map_or_else(String::new, |name| {
            format!("Sec-WebSocket-Protocol: {name}\r\n")
        });
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{offer}\r\n",
            target.path, target.authority
        );
        stream.write_all(request.as_bytes()).await?;
        let buffer = vec![0; READ_BUFFER].into_boxed_slice();
        let mut client = Self {
            stream,
            buffer,
            start: 0,
            end: 0,
        };
        client.read_answer().await?;
        Ok(client)
    }

    /// Reads the next frame's header. What is left of the last payload must have been read or skipped.
    pub async fn head(&mut self) -> Result<Head> {
        self.want(2).await?;
        let [first, second] = [self.buffer[self.start], self.buffer[self.start + 1]];
        ensure!(first & 0x80 != 0, "the server fragments messages");
        ensure!(second & 0x80 == 0, "the server masks its frames");
        let extra = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        self.want(2 + extra).await?;
        let digits = &self.buffer[self.start + 2..self.start + 2 + extra];
        let long = digits
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.start += 2 + extra;
        let kind = match first & 0x0f {
            1 => Kind::Text,
            2 => Kind::Binary,
            8 => Kind::Close,
            9 => Kind::Ping,
            10 => Kind::Pong,
            other => bail!("opcode {other} is unknown"),
        };
        Ok(Head {
            kind,
            len: if extra == 0 {
                usize::from(second & 0x7f)
            } else {
                long
            },
        })
    }

    /// Throws `len` payload bytes away.
    pub async fn skip(&mut self, mut len: usize) -> Result<()> {
        loop {
            let step = len.min(self.end - self.start);
            self.start += step;
            len -= step;
            if len == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Reads `len` payload bytes into `out`, replacing what it held.
    pub async fn read(&mut self, len: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        while out.len() < len {
            if self.start == self.end {
                self.fill().await?;
            }
            let step = (len - out.len()).min(self.end - self.start);
            out.extend_from_slice(&self.buffer[self.start..self.start + step]);
            self.start += step;
        }
        Ok(())
    }

    /// Sends one short frame, masked with zeros as a client must mask (section 5.3).
    pub async fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        let opcode = match kind {
            Kind::Text => 1,
            Kind::Binary => 2,
            Kind::Close => 8,
            Kind::Ping => 9,
            Kind::Pong => 10,
        };
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            short @ ..126 => frame.push(0x80 | short as u8),
            len => {
                frame.push(0x80 | 0x7e);
                frame.extend_from_slice(
                    &u16::try_from(len)
                        .context("too long to send")?
                        .to_be_bytes(),
                );
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        Ok(self.stream.write_all(&frame).await?)
    }

    async fn read_answer(&mut self) -> Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            ensure!(
                head.len() < MAX_HEAD,
                "the answer to the upgrade does not end"
            );
            self.want(1).await?;
            head.push(self.buffer[self.start]);
            self.start += 1;
        }
        let text = String::from_utf8_lossy(&head);
        ensure!(
            text.starts_with("HTTP/1.1 101"),
            "refused: {}",
            text.lines().next().unwrap_or("")
        );
        Ok(())
    }

    /// Waits until `len` bytes, fewer than the buffer holds, stand at `start`.
    async fn want(&mut self, len: usize) -> Result<()> {
        while self.end - self.start < len {
            if self.start + len > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            self.fill().await?;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let got = self.stream.read(&mut self.buffer[self.end..]).await?;
        if got == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.end += got;
        Ok(())
    }
}
