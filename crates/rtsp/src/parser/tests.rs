use bytes::BytesMut;
use proptest::prelude::*;

use super::*;

/// Feeds `input` in pieces of `step` bytes and returns everything that came out.
fn parse_in_steps(input: &[u8], step: usize) -> Result<Vec<Message>, Error> {
    let mut parser = Parser::new();
    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    for piece in input.chunks(step) {
        buffer.extend_from_slice(piece);
        while let Some(message) = parser.parse(&mut buffer)? {
            messages.push(message);
        }
    }
    Ok(messages)
}

fn parse(input: &[u8]) -> Vec<Message> {
    let whole = parse_in_steps(input, input.len().max(1)).unwrap();
    for step in [1, 2, 3, 7] {
        assert_eq!(
            parse_in_steps(input, step).unwrap(),
            whole,
            "in steps of {step}"
        );
    }
    whole
}

fn kinds(messages: &[Message]) -> String {
    messages
        .iter()
        .map(|m| match m {
            Message::Request(_) => 'q',
            Message::Response(_) => 's',
            Message::Data(_) => '$',
        })
        .collect()
}

fn rtp(channel: u8, length: usize) -> Vec<u8> {
    let mut payload = vec![0x80; length];
    payload[1..].fill(0x11);
    let mut out = BytesMut::new();
    Interleaved::write(channel, &payload, &mut out).unwrap();
    out.to_vec()
}

#[test]
fn a_response_has_its_status_headers_and_body() {
    let messages =
        parse(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-length : 4\r\nX: a\r\n b\r\n\r\nabcd");
    let [Message::Response(response)] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!(response.status, Status::OK);
    assert_eq!(response.cseq(), Some(2));
    assert_eq!(&response.body[..], b"abcd");
    assert_eq!(response.headers.get("x"), Some("a b"));
}

#[test]
fn a_request_has_its_method_and_url() {
    let messages = parse(b"SETUP rtsp://h/a b/track1 RTSP/1.0\r\nCSeq: 3\r\n\r\n");
    let [Message::Request(request)] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!(request.method, Method::Setup);
    assert_eq!(request.url, "rtsp://h/a b/track1");
}

#[test]
fn lines_may_end_in_a_bare_line_feed() {
    let messages = parse(b"RTSP/1.0 200 OK\nCseq: 2\nSession: 1\n\nRTSP/1.0 404\n\n");
    assert_eq!(kinds(&messages), "ss");
}

#[test]
fn blank_lines_and_data_stand_between_messages() {
    let mut input = b"\r\n\r\nRTSP/1.0 200 OK\r\n\r\n\r\n".to_vec();
    input.extend(rtp(0, 20));
    input.extend(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    input.extend(rtp(1, 8));
    input.extend(b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n");
    assert_eq!(kinds(&parse(&input)), "s$q$s");
}

#[test]
fn garbage_between_frames_is_skipped_and_counted() {
    let mut input = rtp(0, 20);
    input.extend([0x00, b'$', 0x01, 0x02, b'$', b'$', 0xff]);
    input.extend(rtp(0, 30));
    input.extend(rtp(0, 30));
    input.extend(b"\x01\x02\x03R\x04RTSP");
    input.extend(b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n");
    input.extend(rtp(2, 40));
    let messages = parse(&input);
    assert_eq!(kinds(&messages), "$$$s$");
    let mut parser = Parser::new();
    let mut buffer = BytesMut::from(&input[..]);
    while parser.parse(&mut buffer).unwrap().is_some() {}
    assert_eq!(parser.garbage(), 7 + 9);
}

#[test]
fn a_body_longer_than_announced_is_garbage_until_the_next_message() {
    let mut input = b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabcdef=1\r\nXY\r\n".to_vec();
    input.extend(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\n");
    assert_eq!(kinds(&parse(&input)), "ss");
}

#[test]
fn a_start_line_with_control_characters_is_garbage() {
    let input = b"OPTIONS \0\0 RTSP/1.0\r\n\r\nRTSP/1.0 200 \x01\r\n\r\nOPTIONS * RTSP/1.0\r\n\r\n";
    assert_eq!(kinds(&parse(input)), "q");
}

#[test]
fn an_empty_frame_is_a_frame() {
    assert_eq!(kinds(&parse(b"$\x00\x00\x00$\x01\x00\x00")), "$$");
}

#[test]
fn payloads_are_slices_of_what_was_read() {
    let input = rtp(0, 1000);
    let mut buffer = BytesMut::from(&input[..]);
    let at = buffer.as_ptr() as usize;
    let Ok(Some(Message::Data(data))) = Parser::new().parse(&mut buffer) else {
        panic!("a frame")
    };
    assert_eq!(data.payload.as_ptr() as usize, at + 4);
}

#[test]
fn nothing_grows_without_bound() {
    let long = [b"OPTIONS * RTSP/1.0\r\nX: ".to_vec(), vec![b'a'; MAX_HEAD]].concat();
    assert!(matches!(
        parse_in_steps(&long, 1000),
        Err(Error::HeadTooLong { .. })
    ));
    let body = b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n";
    assert!(matches!(
        parse_in_steps(body, 1000),
        Err(Error::BodyTooLong { .. })
    ));
    let many = [
        b"RTSP/1.0 200 OK\r\n".to_vec(),
        b"a:b\r\n".repeat(MAX_HEADERS + 1),
        b"\r\n".to_vec(),
    ];
    assert!(matches!(
        parse_in_steps(&many.concat(), 1000),
        Err(Error::TooManyHeaders { .. })
    ));
    let garbage = vec![b'.'; MAX_GARBAGE + 2];
    assert!(matches!(
        parse_in_steps(&garbage, 4096),
        Err(Error::NotRtsp { .. })
    ));
    let web = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    assert!(parse(web).is_empty());
}

fn message() -> impl Strategy<Value = Message> {
    let headers = proptest::collection::vec(("[A-Za-z]{1,9}", "[!-~]{0,12}"), 0..5);
    let body = proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    let build = |pairs: Vec<(String, String)>| {
        let mut headers = Headers::new();
        pairs
            .into_iter()
            .filter(|(n, _)| !n.eq_ignore_ascii_case("content-length"))
            .for_each(|(n, v)| headers.push(&n, v));
        headers
    };
    prop_oneof![
        (
            "[A-Z_]{1,12}",
            "rtsp://[!-~]{1,20}",
            headers.clone(),
            body.clone()
        )
            .prop_map(move |(method, url, pairs, body)| Message::Request(Request {
                method: Method::new(&method),
                url,
                headers: build(pairs),
                body,
            })),
        (100u16..1000, "[A-Z]{1,9}", headers, body).prop_map(move |(code, phrase, pairs, body)| {
            Message::Response(Response {
                status: Status(code),
                phrase,
                headers: build(pairs),
                body,
            })
        }),
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)).prop_map(
            |(channel, payload)| Message::Data(Interleaved {
                channel,
                payload: payload.into(),
            })
        ),
    ]
}

fn write(message: &Message, out: &mut BytesMut) {
    match message {
        Message::Request(request) => request.write(out),
        Message::Response(response) => response.write(out),
        Message::Data(data) => Interleaved::write(data.channel, &data.payload, out).unwrap(),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_however_it_is_cut(
        messages in proptest::collection::vec(message(), 0..6), step in 1usize..50
    ) {
        let mut out = BytesMut::new();
        for message in &messages {
            write(message, &mut out);
        }
        prop_assert_eq!(parse_in_steps(&out, step), Ok(messages));
    }

    #[test]
    fn no_bytes_upset_the_parser(
        input in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'$'), Just(b'\n'), Just(b'R'), Just(b' ')], 0..600),
        step in 1usize..100
    ) {
        let _ = parse_in_steps(&input, step);
    }

    #[test]
    fn a_frame_after_any_garbage_is_found_again(
        garbage in proptest::collection::vec(any::<u8>(), 1..60)
    ) {
        let mut input = b"RTSP/1.0 200 OK\r\n\r\n\x00".to_vec();
        input.extend(garbage.iter().filter(|b| **b != b'$' && !b.is_ascii_uppercase()));
        for _ in 0..3 {
            input.extend(rtp(0, 40));
        }
        prop_assert_eq!(kinds(&parse_in_steps(&input, 11).unwrap()), "s$$$");
    }
}

#[test]
fn a_header_whose_name_has_control_characters_is_none() {
    let messages = parse(b"RTSP/1.0 200 OK\r\nContent-Length\0: 9\r\nCSeq: 1\r\n\r\n");
    let [Message::Response(response)] = &messages[..] else {
        panic!("one response: {messages:?}")
    };
    let mut written = BytesMut::new();
    response.write(&mut written);
    assert_eq!(written, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
}
