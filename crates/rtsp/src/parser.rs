use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

use crate::{Error, Headers, Interleaved, Message, Method, Request, Response, Status};

/// The most bytes that a message may have before its body. Real ones stay below 1 KiB.
pub const MAX_HEAD: usize = 16 << 10;
/// The most headers that a message may have.
pub const MAX_HEADERS: usize = 100;
/// The longest body in bytes. Session descriptions of cameras stay below 8 KiB.
pub const MAX_BODY: usize = 256 << 10;
/// How many bytes in a row may belong to no message before the peer is given up.
pub const MAX_GARBAGE: usize = 1 << 20;

/// The longest method name that is still taken for one.
const MAX_METHOD: usize = 32;
/// The longest first line of a message in bytes.
const MAX_START: usize = 4 << 10;
/// What a response begins with.
const VERSION: &[u8] = b"RTSP/";

/// Finds the messages in what a peer sends.
///
/// Feed it one growing buffer: [`Parser::parse`] takes whole messages off its front. Payloads and bodies
/// are slices of that buffer, not copies. Cameras send lines that end in a bare line feed, blank lines
/// between messages, and (Dahua among others) stray bytes between interleaved frames: what begins no
/// message is skipped and counted up to the next `$`, `RTSP/` or request line.
#[derive(Debug, Default)]
pub struct Parser {
    /// How much of the buffer's front is known to hold no end of a head.
    scanned: usize,
    /// How many bytes were skipped since the last message.
    skipping: usize,
    garbage: u64,
}

/// What stands at the front of the buffer.
enum Front {
    Data,
    Head,
    /// Too little is there to tell.
    Unsure,
    Garbage,
}

impl Parser {
    /// A parser at the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one message off the front of `buffer`; `None` asks for more bytes behind it.
    ///
    /// After an error the connection can't be understood any more.
    pub fn parse(&mut self, buffer: &mut BytesMut) -> Result<Option<Message>, Error> {
        loop {
            if self.scanned == 0 {
                skip_blank(buffer);
            }
            let message = match self.front(buffer) {
                Front::Unsure => return Ok(None),
                Front::Data => take_data(buffer),
                Front::Head => match self.take_message(buffer)? {
                    Head::Message(message) => Some(message),
                    Head::Incomplete => None,
                    Head::Garbage => {
                        self.skip(buffer)?;
                        continue;
                    }
                },
                Front::Garbage => {
                    self.skip(buffer)?;
                    continue;
                }
            };
            if message.is_some() {
                self.skipping = 0;
            }
            return Ok(message);
        }
    }

    /// How many bytes belonged to no message so far.
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    fn front(&self, buffer: &[u8]) -> Front {
        match buffer.first() {
            None => Front::Unsure,
            Some(b'$') if self.skipping == 0 => Front::Data,
            Some(b'$') => plausible_data(buffer),
            Some(_) => head_start(buffer),
        }
    }

    /// Takes a message whose start line looks right, once it is whole.
    fn take_message(&mut self, buffer: &mut BytesMut) -> Result<Head, Error> {
        let Some(line) = start_line(buffer) else {
            return Ok(Head::Incomplete);
        };
        let Some(start) = Start::parse(&line) else {
            self.scanned = 0;
            return Ok(Head::Garbage);
        };
        let Some(end) = head_end(buffer, self.scanned) else {
            if buffer.len() > MAX_HEAD {
                return Err(Error::HeadTooLong { limit: MAX_HEAD });
            }
            // The end may straddle what is there and what comes.
            self.scanned = buffer.len().saturating_sub(3);
            return Ok(Head::Incomplete);
        };
        if end > MAX_HEAD {
            return Err(Error::HeadTooLong { limit: MAX_HEAD });
        }
        let text = String::from_utf8_lossy(&buffer[..end]);
        let mut headers = parse_headers(text.lines().skip(1))?;
        let length = content_length(&headers)?;
        if buffer.len() < end + length {
            // The head is parsed again when the body is whole: rare, and bounded by `MAX_HEAD`.
            self.scanned = end.saturating_sub(3);
            return Ok(Head::Incomplete);
        }
        headers.remove("Content-Length");
        buffer.advance(end);
        self.scanned = 0;
        let body = buffer.split_to(length).freeze();
        Ok(Head::Message(start.into_message(headers, body)))
    }

    /// Skips from a byte that begins nothing to the next that might.
    fn skip(&mut self, buffer: &mut BytesMut) -> Result<(), Error> {
        let next = (1..buffer.len())
            .find(|&at| may_begin(buffer, at))
            .unwrap_or(buffer.len());
        buffer.advance(next);
        self.skipping += next;
        self.garbage += next as u64;
        if self.skipping > MAX_GARBAGE {
            return Err(Error::NotRtsp {
                bytes: self.skipping,
            });
        }
        Ok(())
    }
}

enum Head {
    Message(Message),
    Incomplete,
    Garbage,
}

/// A start line that makes sense.
enum Start {
    Request(Method, String),
    Response(Status, String),
}

impl Start {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim_end();
        if line.contains(char::is_control) {
            return None;
        }
        if line.starts_with("RTSP/") {
            let (_, rest) = line.split_once(' ')?;
            let rest = rest.trim_start();
            let (code, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
            let code = code.parse().ok().filter(|c| (100..1000).contains(c))?;
            return Some(Self::Response(Status(code), phrase.trim().to_owned()));
        }
        let (method, rest) = line.split_once(' ')?;
        let (url, version) = rest.trim().rsplit_once(' ')?;
        version
            .starts_with("RTSP/")
            .then(|| Self::Request(Method::new(method), url.trim().to_owned()))
    }

    fn into_message(self, headers: Headers, body: Bytes) -> Message {
        match self {
            Self::Request(method, url) => Message::Request(Request {
                method,
                url,
                headers,
                body,
            }),
            Self::Response(status, phrase) => Message::Response(Response {
                status,
                phrase,
                headers,
                body,
            }),
        }
    }
}

/// Blank lines between messages are nobody's, and not worth counting.
fn skip_blank(buffer: &mut BytesMut) {
    let blank = buffer
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    buffer.advance(blank);
}

fn take_data(buffer: &mut BytesMut) -> Option<Message> {
    let &[_, channel, high, low, ..] = &buffer[..] else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if buffer.len() < 4 + length {
        return None;
    }
    buffer.advance(4);
    let payload = buffer.split_to(length).freeze();
    Some(Message::Data(Interleaved { channel, payload }))
}

/// Whether a `$` among garbage begins a frame: the payload is RTP or RTCP of version 2 (RFC 3550 §5.1),
/// and what follows it begins something as well.
fn plausible_data(buffer: &[u8]) -> Front {
    let &[_, _, high, low, first, ..] = buffer else {
        return Front::Unsure;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 4 || first >> 6 != 2 {
        return Front::Garbage;
    }
    match buffer.get(4 + length) {
        None if buffer.len() < 4 + length => Front::Unsure,
        None | Some(b'$' | b'\r' | b'\n' | b'A'..=b'Z') => Front::Data,
        Some(_) => Front::Garbage,
    }
}

/// Whether the buffer begins like a response (`RTSP/`) or like a request (an upper-case word, a space).
fn head_start(buffer: &[u8]) -> Front {
    let word = buffer
        .iter()
        .take(MAX_METHOD)
        .take_while(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-'))
        .count();
    if word == 0 || word == MAX_METHOD {
        return Front::Garbage;
    }
    let known = buffer.len().min(VERSION.len());
    match buffer.get(word) {
        None => Front::Unsure,
        Some(b' ') => Front::Head,
        Some(b'/') if buffer[..known] == VERSION[..known] => Front::Head,
        Some(_) => Front::Garbage,
    }
}

/// Whether a message may begin at `at`, which is not the front: a frame or a response anywhere, a request
/// at the start of a line only.
fn may_begin(buffer: &[u8], at: usize) -> bool {
    match buffer[at] {
        b'$' => true,
        b'R' => buffer[at..].iter().zip(VERSION).all(|(a, b)| a == b),
        byte => byte.is_ascii_uppercase() && buffer[at - 1] == b'\n',
    }
}

/// The first line, once it is whole. One that is too long comes back cut, and makes no sense then.
fn start_line(buffer: &[u8]) -> Option<Cow<'_, str>> {
    let front = &buffer[..buffer.len().min(MAX_START)];
    let end = match front.iter().position(|&b| b == b'\n') {
        Some(end) => end,
        None if front.len() == MAX_START => VERSION.len(),
        None => return None,
    };
    Some(String::from_utf8_lossy(&front[..end]))
}

/// Where the blank line after a head ends, if it is there. Lines end in CR LF or in LF alone.
fn head_end(buffer: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += buffer.get(at..)?.iter().position(|&b| b == b'\n')? + 1;
        match buffer.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// Lines without a name are left out, and so are names with control characters: written again without these they
/// would be other headers.
fn parse_headers<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Headers, Error> {
    let mut headers = Headers::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            headers.fold(line.trim());
        } else if let Some((name, value)) = line.split_once(':')
            && !name.contains(char::is_control)
        {
            if headers.len() == MAX_HEADERS {
                return Err(Error::TooManyHeaders { limit: MAX_HEADERS });
            }
            headers.push(name.trim(), value.trim());
        }
    }
    Ok(headers)
}

/// The length of the body; none is 0, and so is one that is no number.
fn content_length(headers: &Headers) -> Result<usize, Error> {
    let length: u64 = headers
        .get("Content-Length")
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    usize::try_from(length)
        .ok()
        .filter(|&l| l <= MAX_BODY)
        .ok_or(Error::BodyTooLong {
            length,
            limit: MAX_BODY,
        })
}

#[cfg(test)]
mod tests;
