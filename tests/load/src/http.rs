//! An HTTP/1.1 client that costs as little as it can: one connection, bodies of a known length.

use std::cell::RefCell;
use std::io;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Enough for a playlist, or most of a part.
const READ_BUFFER: usize = 64 << 10;
/// The longest head of an answer.
const MAX_HEAD: usize = 16 << 10;

/// One connection that is kept alive.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    authority: String,
}

thread_local! {
    /// What is read goes here first: thousands of connections with a buffer each would cost the memory's time.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BUFFER]);
}

/// An answer's head.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// Bytes of the body.
    pub len: usize,
    /// A cache in front says that it had it (`X-Cache: HIT`).
    pub hit: bool,
    /// Where what was made is (`Location`).
    pub location: Option<String>,
}

impl Connection {
    /// Connects to `authority`, host and port.
    pub async fn open(authority: &str) -> Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            authority: authority.to_owned(),
        })
    }

    /// Asks for `path` and reads the whole body, which goes to `look`.
    pub async fn get<T>(
        &mut self,
        path: &str,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<(Answer, T)> {
        self.ask(&format!("GET {path}"), "", look).await
    }

    /// Posts `body` of the type `kind` to `path`; the answer's body goes to `look`.
    pub async fn post<T>(
        &mut self,
        path: &str,
        kind: &str,
        body: &str,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<(Answer, T)> {
        let rest = format!(
            "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.ask(&format!("POST {path}"), &rest, look).await
    }

    /// Deletes `path`.
    pub async fn delete(&mut self, path: &str) -> Result<Answer> {
        Ok(self.ask(&format!("DELETE {path}"), "", |_| ()).await?.0)
    }

    /// Sends a request whose line begins with `what`, and whose headers end with `rest`.
    async fn ask<T>(
        &mut self,
        what: &str,
        rest: &str,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<(Answer, T)> {
        let rest = if rest.is_empty() { "\r\n" } else { rest };
        let request = format!("{what} HTTP/1.1\r\nHost: {}\r\n{rest}", self.authority);
        self.stream.write_all(request.as_bytes()).await?;
        let (mut look, mut pieces) = (Some(look), Vec::new());
        loop {
            self.stream.readable().await?;
            let answered = BUFFER.with_borrow_mut(|buffer| {
                let read = match self.stream.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                    read => read?,
                };
                ensure!(read > 0, "the server closed the connection");
                if pieces.is_empty() {
                    let answered = found(&buffer[..read], &mut look)?;
                    if answered.is_some() {
                        return Ok(answered);
                    }
                }
                pieces.extend_from_slice(&buffer[..read]);
                found(&pieces, &mut look)
            })?;
            if let Some(answered) = answered {
                return Ok(answered);
            }
        }
    }
}

/// What `look` sees in the body, once all of it is in `bytes`.
fn found<T>(
    bytes: &[u8],
    look: &mut Option<impl FnOnce(&[u8]) -> T>,
) -> Result<Option<(Answer, T)>> {
    let Some((answer, body)) = whole(bytes)? else {
        return Ok(None);
    };
    let look = look.take().context("an answer is looked at once")?;
    let seen = look(&bytes[body..body + answer.len]);
    Ok(Some((answer, seen)))
}

/// The answer and where its body begins, once all of it is in `bytes`.
fn whole(bytes: &[u8]) -> Result<Option<(Answer, usize)>> {
    let head = read_head(bytes)?;
    ensure!(
        head.is_some() || bytes.len() < MAX_HEAD,
        "the head has no end"
    );
    Ok(head.filter(|(answer, body)| bytes.len() >= body + answer.len))
}

/// The answer and where its body begins, once the head is whole.
fn read_head(bytes: &[u8]) -> Result<Option<(Answer, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status: u16 = status.context("no status")?.parse()?;
    let (mut len, mut hit, mut location) = (None, false, None);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "content-length" => len = Some(value.trim().parse()?),
            "transfer-encoding" => bail!("the body is chunked"),
            "location" => location = Some(value.trim().to_owned()),
            "x-cache" => hit = value.trim() == "HIT",
            _ => {}
        }
    }
    // RFC 9110 section 8.6: such an answer has none.
    let len = if status == 204 { Some(0) } else { len };
    let len = len.context("no Content-Length")?;
    let answer = Answer {
        status,
        len,
        hit,
        location,
    };
    Ok(Some((answer, end + 4)))
}

#[cfg(test)]
mod tests {
    use super::read_head;

    #[test]
    fn a_head_tells_where_the_body_is_and_how_long() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nX-Cache: HIT\r\n\r\nabc";
        let (answer, body) = read_head(bytes).unwrap().unwrap();
        assert_eq!((answer.status, answer.len, answer.hit), (200, 3, true));
        assert_eq!(&bytes[body..], b"abc");
        assert!(read_head(&bytes[..30]).unwrap().is_none());
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
