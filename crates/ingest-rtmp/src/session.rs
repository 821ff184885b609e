//! What is said to a server so that it plays a stream (RTMP §5.2, §7.2), and what it says. Pure: bytes in, [`Event`]s and
//! bytes out.

use bytes::{Buf as _, BufMut, Bytes, BytesMut};

use crate::Location;
use crate::amf::{self, Value};
use crate::chunk::{self, Broken, Message, Reader};

/// What each side sends first, after a byte with the version.
const GREETING: usize = 1536;
const VERSION: u8 = 3;
/// How much a server may send before it hears that it arrived.
const WINDOW: u32 = 2_500_000;
/// The chunk streams that we use: for the protocol itself, and for commands.
const CONTROL: u8 = 2;
const COMMANDS: u8 = 3;
/// How much a server is to hold for us, in milliseconds.
const BUFFER: u32 = 1000;
/// The codecs that we say we take beyond those of the specification (Enhanced RTMP).
const FOUR_CC: [&str; 3] = ["hvc1", "avc1", "mp4a"];

/// Kinds of messages (RTMP §5.4, §7.1).
mod kind {
    pub(super) const CHUNK_SIZE: u8 = 1;
    pub(super) const ABORT: u8 = 2;
    pub(super) const ACKNOWLEDGEMENT: u8 = 3;
    pub(super) const USER_CONTROL: u8 = 4;
    pub(super) const WINDOW: u8 = 5;
    pub(super) const BANDWIDTH: u8 = 6;
    pub(super) const AUDIO: u8 = 8;
    pub(super) const VIDEO: u8 = 9;
    pub(super) const DATA: u8 = 18;
    pub(super) const COMMAND: u8 = 20;
    pub(super) const AGGREGATE: u8 = 22;
}

/// Something a server says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// A message of sound, and its time in milliseconds.
    Audio(u32, Bytes),
    /// One of picture.
    Video(u32, Bytes),
    /// What it says of the stream.
    Metadata(Value),
    /// It plays the stream.
    Playing,
    /// There is no more.
    Ended,
    /// It does not play it, for this reason: its code and its words.
    Refused(String, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its greeting is awaited.
    Greeting,
    /// `connect` was sent, ...
    Connecting,
    /// ... `createStream`, ...
    Creating,
    /// ... and `play`.
    Playing,
}

/// Numbers of what we ask, by which answers are known.
const CONNECT: f64 = 1.0;
const CREATE: f64 = 2.0;

/// A client that plays one stream.
#[derive(Debug)]
pub(crate) struct Session {
    location: Location,
    state: State,
    reader: Reader,
    input: BytesMut,
    /// What is to be sent.
    pub(crate) output: BytesMut,
    received: u32,
    acknowledged: u32,
    window: u32,
    /// Parts of a message that held several.
    queue: Vec<Event>,
}

impl Session {
    /// Says hello; `noise` is sent along, as the protocol wants it.
    pub(crate) fn new(location: Location, noise: impl Fn() -> u8) -> Self {
        let mut output = BytesMut::with_capacity(2 * GREETING);
        output.put_u8(VERSION);
        output.put_bytes(0, 8);
        output.extend((8..GREETING).map(|_| noise()));
        Self {
            location,
            state: State::Greeting,
            reader: Reader::new(),
            input: BytesMut::new(),
            output,
            received: 0,
            acknowledged: 0,
            window: WINDOW,
            queue: Vec::new(),
        }
    }

    /// Takes what the server sent.
    pub(crate) fn feed(&mut self, data: &[u8]) {
        self.input.extend_from_slice(data);
        self.received = self.received.wrapping_add(data.len() as u32);
        if self.state != State::Greeting
            && self.received.wrapping_sub(self.acknowledged) > self.window / 2
        {
            self.acknowledged = self.received;
            self.control(kind::ACKNOWLEDGEMENT, &self.received.to_be_bytes());
        }
    }

    /// What the server says next, if it has said something.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, Broken> {
        if self.state == State::Greeting && !self.greeted()? {
            return Ok(None);
        }
        loop {
            if let Some(event) = self.queue.pop() {
                return Ok(Some(event));
            }
            let Some(message) = self.reader.read(&mut self.input)? else {
                return Ok(None);
            };
            if let Some(event) = self.message(message)? {
                return Ok(Some(event));
            }
        }
    }

    /// Says that the stream is wanted no more.
    pub(crate) fn leave(&mut self) {
        if self.state == State::Playing {
            self.command(
                0,
                &[
                    Value::Text("deleteStream".to_owned()),
                    Value::Number(3.0),
                    Value::Other,
                    Value::Number(1.0),
                ],
            );
        }
    }

    /// How far it has come, in words.
    pub(crate) fn step(&self) -> &'static str {
        match self.state {
            State::Greeting => "the handshake",
            State::Connecting => "connect",
            State::Creating => "createStream",
            State::Playing => "play",
        }
    }

    /// Takes the server's greeting, and its echo of ours, which nobody checks.
    fn greeted(&mut self) -> Result<bool, Broken> {
        if self
            .input
            .first()
            .is_some_and(|version| *version != VERSION)
        {
            return Err(Broken::NotRtmp);
        }
        if self.input.len() < 1 + 2 * GREETING {
            return Ok(false);
        }
        self.output.extend_from_slice(&self.input[1..=GREETING]);
        self.input.advance(1 + 2 * GREETING);
        self.state = State::Connecting;
        let text = |text: &str| Value::Text(text.to_owned());
        let codecs = FOUR_CC.map(|codec| (codec.to_owned(), Value::Number(1.0)));
        let members = [
            ("app", text(&self.location.app)),
            ("flashVer", text("LNX 9,0,124,2")),
            ("tcUrl", text(&self.location.application())),
            ("fpad", Value::Boolean(false)),
            ("capabilities", Value::Number(15.0)),
            ("audioCodecs", Value::Number(4071.0)),
            ("videoCodecs", Value::Number(252.0)),
            ("videoFunction", Value::Number(1.0)),
            ("videoFourCcInfoMap", Value::Object(codecs.to_vec())),
        ];
        let members = members.map(|(name, value)| (name.to_owned(), value));
        self.command(
            0,
            &[
                text("connect"),
                Value::Number(CONNECT),
                Value::Object(members.to_vec()),
            ],
        );
        Ok(true)
    }

    fn message(&mut self, message: Message) -> Result<Option<Event>, Broken> {
        let word = |at: usize| message.body.get(at..at + 4).map(|mut word| word.get_u32());
        match message.kind {
            kind::CHUNK_SIZE => self.reader.set_size(word(0).unwrap_or(0))?,
            kind::ABORT => self.reader.abort(word(0).unwrap_or(0)),
            kind::WINDOW => self.window = word(0).unwrap_or(WINDOW).max(1),
            kind::BANDWIDTH => self.control(kind::WINDOW, &WINDOW.to_be_bytes()),
            // A ping; its answer has the same time in it.
            kind::USER_CONTROL if message.body.starts_with(&[0, 6]) => {
                let time = word(2).unwrap_or(0).to_be_bytes();
                self.control(kind::USER_CONTROL, &[&[0, 7][..], &time].concat());
            }
            // The end of a stream.
            kind::USER_CONTROL if message.body.starts_with(&[0, 1]) => {
                return Ok(Some(Event::Ended));
            }
            kind::AUDIO => return Ok(Some(Event::Audio(message.time, message.body))),
            kind::VIDEO => return Ok(Some(Event::Video(message.time, message.body))),
            kind::DATA => return Ok(metadata(message.body)),
            kind::COMMAND => return Ok(self.told(message.body)),
            kind::AGGREGATE => self.queue = aggregate(message.time, message.body),
            _ => {}
        }
        Ok(None)
    }

    /// A command: an answer, or how the stream is.
    fn told(&mut self, body: Bytes) -> Option<Event> {
        let values = amf::read(body);
        let name = values.first()?.text()?;
        let number = values.get(1).and_then(Value::number);
        let info = values.get(3);
        match (name, self.state) {
            ("_error", State::Connecting | State::Creating) => Some(refused(info)),
            ("_result", State::Connecting) if number == Some(CONNECT) => {
                self.state = State::Creating;
                self.command(
                    0,
                    &[
                        Value::Text("createStream".to_owned()),
                        Value::Number(CREATE),
                        Value::Other,
                    ],
                );
                None
            }
            ("_result", State::Creating) if number == Some(CREATE) => {
                self.play(info.and_then(Value::number).unwrap_or(1.0) as u32);
                None
            }
            ("onStatus", _) => status(info),
            ("close", _) => Some(Event::Ended),
            _ => None,
        }
    }

    fn play(&mut self, stream: u32) {
        self.state = State::Playing;
        let name = Value::Text(self.location.name.clone());
        // -2000: whatever is there, live first.
        let start = Value::Number(-2000.0);
        self.command(
            stream,
            &[
                Value::Text("play".to_owned()),
                Value::Number(0.0),
                Value::Other,
                name,
                start,
            ],
        );
        let buffer = [&[0, 3][..], &stream.to_be_bytes(), &BUFFER.to_be_bytes()].concat();
        self.control(kind::USER_CONTROL, &buffer);
    }

    fn command(&mut self, stream: u32, values: &[Value]) {
        let mut body = BytesMut::new();
        for value in values {
            value.write(&mut body);
        }
        self.send(COMMANDS, kind::COMMAND, stream, body.freeze());
    }

    fn control(&mut self, kind: u8, body: &[u8]) {
        self.send(CONTROL, kind, 0, Bytes::copy_from_slice(body));
    }

    fn send(&mut self, id: u8, kind: u8, stream: u32, body: Bytes) {
        let message = Message {
            kind,
            time: 0,
            stream,
            body,
        };
        chunk::write(id, &message, &mut self.output);
    }
}

fn refused(info: Option<&Value>) -> Event {
    let member = |name| {
        info.and_then(|info| info.get(name)?.text())
            .unwrap_or_default()
            .to_owned()
    };
    Event::Refused(member("code"), member("description"))
}

fn status(info: Option<&Value>) -> Option<Event> {
    let text = |name| {
        info.and_then(|info| info.get(name)?.text())
            .unwrap_or_default()
    };
    match text("code") {
        "NetStream.Play.Start" => Some(Event::Playing),
        "NetStream.Play.Stop" | "NetStream.Play.UnpublishNotify" | "NetStream.Play.Complete" => {
            Some(Event::Ended)
        }
        _ if text("level") == "error" => Some(refused(info)),
        _ => None,
    }
}

fn metadata(body: Bytes) -> Option<Event> {
    let values = amf::read(body);
    let is = |value: &Value| value.text() == Some("onMetaData");
    let at = values.iter().position(is)?;
    values.into_iter().nth(at + 1).map(Event::Metadata)
}

/// The messages in an aggregate (RTMP §7.1.6), last first: each as FLV has it, and the size of all that behind it.
fn aggregate(time: u32, mut body: Bytes) -> Vec<Event> {
    const HEAD: usize = 11;
    let (mut events, mut first) = (Vec::new(), None);
    while body.len() >= HEAD {
        let mut head = body.split_to(HEAD);
        let (kind, length) = (head.get_u8(), head.get_uint(3) as usize);
        let low = head.get_uint(3) as u32;
        let own = u32::from(head.get_u8()) << 24 | low;
        if body.len() < length {
            break;
        }
        let data = body.split_to(length);
        body.advance(body.len().min(4));
        let at = time.wrapping_add(own.wrapping_sub(*first.get_or_insert(own)));
        match kind {
            kind::AUDIO => events.push(Event::Audio(at, data)),
            kind::VIDEO => events.push(Event::Video(at, data)),
            _ => {}
        }
    }
    events.reverse();
    events
}

#[cfg(test)]
mod tests;
