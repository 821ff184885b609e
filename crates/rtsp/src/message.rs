use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::headers::put_line;
use crate::{Error, Headers};

/// One thing that a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A request: from a client, or from a server to its client.
    Request(Request),
    /// The response to a request.
    Response(Response),
    /// An RTP or RTCP packet between the messages.
    Data(Interleaved),
}

/// A method (RFC 2326 §10). Methods are compared with regard to case, as the RFC wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Which methods are there? Also a keep-alive.
    Options,
    /// What does the session consist of?
    Describe,
    /// The client publishes: this is what it consists of.
    Announce,
    /// Sets up one track.
    Setup,
    /// Starts the data.
    Play,
    /// Stops the data and keeps the session.
    Pause,
    /// Starts taking the client's data.
    Record,
    /// Ends the session.
    Teardown,
    /// Asks for parameters; with an empty body a keep-alive.
    GetParameter,
    /// Sets parameters.
    SetParameter,
    /// The server sends its client elsewhere.
    Redirect,
    /// Any other method.
    Other(String),
}

impl Method {
    /// The method called `name`.
    pub fn new(name: &str) -> Self {
        match name {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "ANNOUNCE" => Self::Announce,
            "SETUP" => Self::Setup,
            "PLAY" => Self::Play,
            "PAUSE" => Self::Pause,
            "RECORD" => Self::Record,
            "TEARDOWN" => Self::Teardown,
            "GET_PARAMETER" => Self::GetParameter,
            "SET_PARAMETER" => Self::SetParameter,
            "REDIRECT" => Self::Redirect,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name on the wire.
    pub fn name(&self) -> &str {
        match self {
            Self::Options => "OPTIONS",
            Self::Describe => "DESCRIBE",
            Self::Announce => "ANNOUNCE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Pause => "PAUSE",
            Self::Record => "RECORD",
            Self::Teardown => "TEARDOWN",
            Self::GetParameter => "GET_PARAMETER",
            Self::SetParameter => "SET_PARAMETER",
            Self::Redirect => "REDIRECT",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A status code (RFC 2326 §7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

impl Status {
    /// 200
    pub const OK: Self = Self(200);
    /// 400
    pub const BAD_REQUEST: Self = Self(400);
    /// 401
    pub const UNAUTHORIZED: Self = Self(401);
    /// 403
    pub const FORBIDDEN: Self = Self(403);
    /// 404
    pub const NOT_FOUND: Self = Self(404);
    /// 405
    pub const METHOD_NOT_ALLOWED: Self = Self(405);
    /// 453
    pub const NOT_ENOUGH_BANDWIDTH: Self = Self(453);
    /// 454
    pub const SESSION_NOT_FOUND: Self = Self(454);
    /// 455
    pub const NOT_VALID_IN_THIS_STATE: Self = Self(455);
    /// 459
    pub const AGGREGATE_NOT_ALLOWED: Self = Self(459);
    /// 461
    pub const UNSUPPORTED_TRANSPORT: Self = Self(461);
    /// 500
    pub const INTERNAL_SERVER_ERROR: Self = Self(500);
    /// 501
    pub const NOT_IMPLEMENTED: Self = Self(501);
    /// 503
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    /// 551
    pub const OPTION_NOT_SUPPORTED: Self = Self(551);

    /// Whether the request was fulfilled (2xx).
    pub fn is_success(self) -> bool {
        (200..300).contains(&self.0)
    }

    /// Whether the answer is to be had elsewhere (3xx).
    pub fn is_redirect(self) -> bool {
        (300..400).contains(&self.0)
    }

    /// The phrase that goes with the code.
    pub fn phrase(self) -> &'static str {
        match self.0 {
            100 => "Continue",
            200 => "OK",
            301 => "Moved Permanently",
            302 => "Moved Temporarily",
            303 => "See Other",
            305 => "Use Proxy",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            406 => "Not Acceptable",
            408 => "Request Time-out",
            413 => "Request Entity Too Large",
            415 => "Unsupported Media Type",
            451 => "Parameter Not Understood",
            453 => "Not Enough Bandwidth",
            454 => "Session Not Found",
            455 => "Method Not Valid in This State",
            457 => "Invalid Range",
            459 => "Aggregate Operation Not Allowed",
            461 => "Unsupported Transport",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            505 => "RTSP Version not supported",
            551 => "Option not supported",
            _ => "Unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.phrase())
    }
}

/// A request (RFC 2326 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// What it is asked of: an absolute URL, or `*`.
    pub url: String,
    /// The headers, without `Content-Length`, which is written as `body` demands.
    pub headers: Headers,
    /// The body, mostly empty.
    pub body: Bytes,
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// The number that pairs it with its response (RFC 2326 §12.17).
    pub fn cseq(&self) -> Option<u32> {
        cseq(&self.headers)
    }

    /// Writes the request behind what is in `out`.
    pub fn write(&self, out: &mut BytesMut) {
        put_line(out, self.method.name());
        out.put_u8(b' ');
        put_line(out, &self.url);
        out.put_slice(b" RTSP/1.0\r\n");
        write_rest(&self.headers, &self.body, out);
    }
}

/// A response (RFC 2326 §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// How it went.
    pub status: Status,
    /// How it went in the peer's words. Written as [`Status::phrase`] where empty.
    pub phrase: String,
    /// The headers, without `Content-Length`, which is written as `body` demands.
    pub headers: Headers,
    /// The body, mostly empty.
    pub body: Bytes,
}

impl Response {
    /// A response without headers or a body.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            phrase: String::new(),
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// A response to `request`, carrying its `CSeq`.
    pub fn to(request: &Request, status: Status) -> Self {
        let mut response = Self::new(status);
        if let Some(cseq) = request.headers.get("CSeq") {
            response.headers.push("CSeq", cseq);
        }
        response
    }

    /// The number of the request that it answers.
    pub fn cseq(&self) -> Option<u32> {
        cseq(&self.headers)
    }

    /// Writes the response behind what is in `out`.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_slice(format!("RTSP/1.0 {} ", self.status.0).as_bytes());
        let phrase = if self.phrase.is_empty() {
            self.status.phrase()
        } else {
            &self.phrase
        };
        put_line(out, phrase);
        out.put_slice(b"\r\n");
        write_rest(&self.headers, &self.body, out);
    }
}

/// An RTP or RTCP packet on the connection of its session (RFC 2326 §10.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interleaved {
    /// The channel that SETUP gave to the packets of this kind.
    pub channel: u8,
    /// The packet.
    pub payload: Bytes,
}

impl Interleaved {
    /// The four bytes before a payload of `length` bytes on `channel`.
    pub fn header(channel: u8, length: usize) -> Result<[u8; 4], Error> {
        let short = u16::try_from(length).map_err(|_| Error::PayloadTooLong { length })?;
        let [high, low] = short.to_be_bytes();
        Ok([b'$', channel, high, low])
    }

    /// Writes a frame with `payload` on `channel` behind what is in `out`.
    pub fn write(channel: u8, payload: &[u8], out: &mut BytesMut) -> Result<(), Error> {
        let header = Self::header(channel, payload.len())?;
        out.reserve(header.len() + payload.len());
        out.put_slice(&header);
        out.put_slice(payload);
        Ok(())
    }
}

fn cseq(headers: &Headers) -> Option<u32> {
    headers.get("CSeq")?.trim().parse().ok()
}

fn write_rest(headers: &Headers, body: &Bytes, out: &mut BytesMut) {
    if !body.is_empty() {
        out.put_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    headers.write(out);
    out.put_slice(body);
}
