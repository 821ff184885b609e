use super::*;

fn session() -> Session {
    Session::new(Location::parse("rtmp://h/live/cam?key=x").unwrap(), || 7)
}

/// What a server that only wants to be understood answers.
struct Server {
    session: Session,
    reader: Reader,
    input: BytesMut,
}

impl Server {
    /// A server that has exchanged greetings.
    fn greeted() -> Self {
        let mut session = session();
        assert_eq!(
            (session.output.len(), session.output[0]),
            (1 + GREETING, VERSION)
        );
        session.output.clear();
        let mut greeting = vec![VERSION];
        greeting.extend((0..2 * GREETING).map(|n| n as u8));
        session.feed(&greeting[..700]);
        assert_eq!(session.next(), Ok(None));
        session.feed(&greeting[700..]);
        assert_eq!(session.next(), Ok(None));
        let echo = session.output.split_to(GREETING);
        assert_eq!(echo, greeting[1..=GREETING]);
        Self {
            session,
            reader: Reader::new(),
            input: BytesMut::new(),
        }
    }

    /// The commands that came.
    fn heard(&mut self) -> Vec<Vec<Value>> {
        self.input.extend_from_slice(&self.session.output.split());
        let messages = std::iter::from_fn(|| self.reader.read(&mut self.input).unwrap());
        messages
            .filter(|message| message.kind == kind::COMMAND)
            .map(|message| amf::read(message.body))
            .collect()
    }

    fn say(&mut self, kind: u8, body: &[u8]) -> Option<Event> {
        let mut out = BytesMut::new();
        let message = Message {
            kind,
            time: 40,
            stream: 1,
            body: Bytes::copy_from_slice(body),
        };
        chunk::write(3, &message, &mut out);
        self.session.feed(&out);
        self.session.next().unwrap()
    }

    fn command(&mut self, values: &[Value]) -> Option<Event> {
        let mut body = BytesMut::new();
        for value in values {
            value.write(&mut body);
        }
        self.say(kind::COMMAND, &body)
    }

    fn status(&mut self, level: &str, code: &str) -> Option<Event> {
        let member = |name: &str, value: &str| (name.to_owned(), Value::Text(value.to_owned()));
        let info = Value::Object(vec![
            member("level", level),
            member("code", code),
            member("description", "why"),
        ]);
        self.command(&[text("onStatus"), Value::Number(0.0), Value::Other, info])
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_stream_is_asked_for_step_by_step() {
    let mut server = Server::greeted();
    let connect = server.heard().remove(0);
    assert_eq!(connect[0], text("connect"));
    assert_eq!(connect[2].get("app"), Some(&text("live")));
    assert_eq!(connect[2].get("tcUrl"), Some(&text("rtmp://h/live")));
    assert_eq!(
        server.command(&[
            text("_result"),
            Value::Number(1.0),
            Value::Other,
            Value::Other
        ]),
        None
    );
    assert_eq!(server.heard()[0][0], text("createStream"));
    assert_eq!(
        server.command(&[
            text("_result"),
            Value::Number(2.0),
            Value::Other,
            Value::Number(1.0)
        ]),
        None
    );
    let play = server.heard().remove(0);
    assert_eq!((&play[0], &play[3]), (&text("play"), &text("cam?key=x")));
    assert_eq!(
        server.status("status", "NetStream.Play.Start"),
        Some(Event::Playing)
    );
    assert_eq!(
        server.say(kind::AUDIO, b"a"),
        Some(Event::Audio(40, Bytes::from_static(b"a")))
    );
    assert_eq!(
        server.say(kind::VIDEO, b"v"),
        Some(Event::Video(40, Bytes::from_static(b"v")))
    );
    assert_eq!(
        server.status("status", "NetStream.Play.UnpublishNotify"),
        Some(Event::Ended)
    );
    server.session.leave();
    assert_eq!(server.heard()[0][0], text("deleteStream"));
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let mut server = Server::greeted();
    let refused = |code: &str| Some(Event::Refused(code.to_owned(), "why".to_owned()));
    assert_eq!(
        server.status("error", "NetStream.Play.StreamNotFound"),
        refused("NetStream.Play.StreamNotFound")
    );
    let info = Value::Object(vec![
        ("code".to_owned(), text("NetConnection.Connect.Rejected")),
        ("description".to_owned(), text("why")),
    ]);
    let told = server.command(&[text("_error"), Value::Number(1.0), Value::Other, info]);
    assert_eq!(told, refused("NetConnection.Connect.Rejected"));
}

#[test]
fn pings_are_answered_and_what_arrives_is_acknowledged() {
    let mut server = Server::greeted();
    server.heard();
    assert_eq!(server.say(kind::USER_CONTROL, &[0, 6, 1, 2, 3, 4]), None);
    let answer = server.session.output.split();
    assert!(answer.ends_with(&[0, 7, 1, 2, 3, 4]), "{answer:?}");
    assert_eq!(server.say(kind::WINDOW, &2000_u32.to_be_bytes()), None);
    server.say(kind::AUDIO, &[0; 3000]);
    let acknowledged = server.session.output.split();
    assert_eq!(acknowledged[7], kind::ACKNOWLEDGEMENT);
}

#[test]
fn what_is_said_of_the_stream_and_messages_in_one_are_taken_apart() {
    let mut server = Server::greeted();
    let mut body = BytesMut::new();
    let said = Value::Object(vec![("audiocodecid".to_owned(), Value::Number(10.0))]);
    for value in [text("onMetaData"), said.clone()] {
        value.write(&mut body);
    }
    assert_eq!(server.say(kind::DATA, &body), Some(Event::Metadata(said)));
    let tag = |kind: u8, time: u8| [kind, 0, 0, 1, 0, 0, time, 0, 0, 0, 0, kind, 0, 0, 0, 12];
    let first = server.say(kind::AGGREGATE, &[tag(8, 100), tag(9, 120)].concat());
    assert_eq!(first, Some(Event::Audio(40, Bytes::from_static(&[8]))));
    assert_eq!(
        server.session.next(),
        Ok(Some(Event::Video(60, Bytes::from_static(&[9]))))
    );
    assert_eq!(server.session.next(), Ok(None));
}

#[test]
fn who_does_not_speak_rtmp_is_found_out() {
    let mut session = session();
    session.feed(b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(session.next(), Err(Broken::NotRtmp));
}
