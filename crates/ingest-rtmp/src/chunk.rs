//! Messages out of chunks, and into them (RTMP §5.3). Pure.

use std::collections::HashMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The longest message that is taken, in bytes: a large keyframe.
pub(crate) const MAX_MESSAGE: usize = 8 << 20;
/// How many bytes of messages may be under way at once.
const MAX_PENDING: usize = 2 * MAX_MESSAGE;
/// How many chunk streams a server may use. Real ones use fewer than ten.
const MAX_STREAMS: usize = 64;
/// What chunks hold at most until something else is said.
const FIRST_SIZE: usize = 128;
/// A time that does not fit into 24 bits stands behind the header.
const EXTENDED: u32 = 0xff_ffff;

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    /// Milliseconds, of 32 bits.
    pub(crate) time: u32,
    pub(crate) stream: u32,
    pub(crate) body: Bytes,
}

/// The server breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("a chunk continues what has not begun")]
    Orphan,
    #[error("a message of {0} bytes is announced; at most 8 MiB are taken")]
    TooLong(usize),
    #[error("more than 16 MiB of messages are under way at once")]
    TooMuch,
    #[error("more than 64 chunk streams are used")]
    TooManyStreams,
    #[error("chunks of {0} bytes are announced")]
    ChunkSize(u32),
    #[error("the server does not speak RTMP")]
    NotRtmp,
}

/// Puts messages together.
#[derive(Debug)]
pub(crate) struct Reader {
    size: usize,
    streams: HashMap<u32, Stream>,
    /// Bytes of messages that are under way.
    pending: usize,
}

/// What a chunk stream goes on from.
#[derive(Debug, Default)]
struct Stream {
    time: u32,
    delta: u32,
    length: usize,
    kind: u8,
    message: u32,
    extended: bool,
    body: BytesMut,
}

/// A chunk's header that is whole.
struct Head {
    id: u32,
    format: u8,
    /// Where the payload begins.
    end: usize,
    time: Option<u32>,
    length: Option<usize>,
    kind: Option<u8>,
    stream: Option<u32>,
    extended: bool,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            size: FIRST_SIZE,
            streams: HashMap::new(),
            pending: 0,
        }
    }

    /// What chunks hold at most from now on.
    pub(crate) fn set_size(&mut self, size: u32) -> Result<(), Broken> {
        if size == 0 || size >> 31 != 0 {
            return Err(Broken::ChunkSize(size));
        }
        self.size = (size as usize).min(MAX_MESSAGE);
        Ok(())
    }

    /// The message of chunk stream `id` comes no more.
    pub(crate) fn abort(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            self.pending -= stream.body.len();
            stream.body.clear();
        }
    }

    /// Takes chunks off the front of `data` up to the end of a message; None where more is needed.
    pub(crate) fn read(&mut self, data: &mut BytesMut) -> Result<Option<Message>, Broken> {
        while let Some(head) = self.head(data)? {
            let Some(stream) = self.streams.get(&head.id) else {
                return Err(Broken::Orphan);
            };
            let length = head.length.unwrap_or(stream.length);
            // Whatever has a header of its own begins anew.
            let held = if head.format < 3 {
                0
            } else {
                stream.body.len()
            };
            let rest = length.saturating_sub(held);
            let take = rest.min(self.size);
            if data.len() < head.end + take {
                return Ok(None);
            }
            data.advance(head.end);
            if let Some(message) = self.take(&head, data.split_to(take))? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The header at the front of `data`, if it is whole. Its chunk stream is there then.
    fn head(&mut self, data: &[u8]) -> Result<Option<Head>, Broken> {
        let mut rest = data;
        let Ok(first) = rest.try_get_u8() else {
            return Ok(None);
        };
        let id = match first & 0x3f {
            0 => rest.try_get_u8().map(|id| 64 + u32::from(id)),
            1 => rest.try_get_u16_le().map(|id| 64 + u32::from(id)),
            id => Ok(u32::from(id)),
        };
        let Ok(id) = id else {
            return Ok(None);
        };
        let format = first >> 6;
        if !self.streams.contains_key(&id) {
            if format == 3 {
                return Err(Broken::Orphan);
            }
            if self.streams.len() == MAX_STREAMS {
                return Err(Broken::TooManyStreams);
            }
            self.streams.insert(id, Stream::default());
        }
        let known = &self.streams[&id];
        let size = [11, 7, 3, 0][usize::from(format)];
        if rest.len() < size {
            return Ok(None);
        }
        let mut head = Head {
            id,
            format,
            end: 0,
            time: None,
            length: None,
            kind: None,
            stream: None,
            extended: known.extended,
        };
        if format < 3 {
            let time = rest.get_uint(3) as u32;
            head.time = Some(time);
            head.extended = time == EXTENDED;
        }
        if format < 2 {
            let length = rest.get_uint(3) as usize;
            if length > MAX_MESSAGE {
                return Err(Broken::TooLong(length));
            }
            (head.length, head.kind) = (Some(length), Some(rest.get_u8()));
        }
        if format == 0 {
            head.stream = Some(rest.get_u32_le());
        }
        if head.extended {
            let Ok(time) = rest.try_get_u32() else {
                return Ok(None);
            };
            head.time = head.time.map(|_| time);
        }
        head.end = data.len() - rest.len();
        Ok(Some(head))
    }

    fn take(&mut self, head: &Head, payload: BytesMut) -> Result<Option<Message>, Broken> {
        let Some(stream) = self.streams.get_mut(&head.id) else {
            return Err(Broken::Orphan);
        };
        let begins = stream.body.is_empty();
        if !begins && head.format < 3 {
            // A new message before the last one was whole: that one is lost.
            self.pending -= stream.body.len();
            stream.body.clear();
        }
        stream.extended = head.extended;
        stream.length = head.length.unwrap_or(stream.length);
        stream.kind = head.kind.unwrap_or(stream.kind);
        stream.message = head.stream.unwrap_or(stream.message);
        match (head.format, head.time) {
            (0, Some(time)) => (stream.time, stream.delta) = (time, 0),
            (_, Some(delta)) => {
                stream.delta = delta;
                stream.time = stream.time.wrapping_add(delta);
            }
            // A message that begins without a header of its own is as far from the last one as that was from its own.
            (_, None) if begins => stream.time = stream.time.wrapping_add(stream.delta),
            (_, None) => {}
        }
        if stream.body.is_empty() && payload.len() == stream.length {
            return Ok(Some(stream.message(payload.freeze())));
        }
        self.pending += payload.len();
        if self.pending > MAX_PENDING {
            return Err(Broken::TooMuch);
        }
        stream.body.extend_from_slice(&payload);
        if stream.body.len() < stream.length {
            return Ok(None);
        }
        self.pending -= stream.body.len();
        let body = stream.body.split().freeze();
        Ok(Some(stream.message(body)))
    }
}

impl Stream {
    fn message(&self, body: Bytes) -> Message {
        Message {
            kind: self.kind,
            time: self.time,
            stream: self.message,
            body,
        }
    }
}

/// Appends a short message on chunk stream `id`, in chunks of the size that is understood from the beginning.
pub(crate) fn write(id: u8, message: &Message, out: &mut BytesMut) {
    out.put_u8(id & 0x3f);
    out.put_uint(message.time.min(EXTENDED - 1).into(), 3);
    out.put_uint(message.body.len() as u64, 3);
    out.put_u8(message.kind);
    out.put_u32_le(message.stream);
    for (n, chunk) in message.body.chunks(FIRST_SIZE).enumerate() {
        if n > 0 {
            out.put_u8(0xc0 | id & 0x3f);
        }
        out.put_slice(chunk);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u8, time: u32, size: usize) -> Message {
        Message {
            kind,
            time,
            stream: 1,
            body: Bytes::from(vec![kind; size]),
        }
    }

    fn all(reader: &mut Reader, data: &mut BytesMut) -> Vec<Message> {
        std::iter::from_fn(|| reader.read(data).unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read_back_however_it_arrives() {
        let messages = [
            message(20, 0, 300),
            message(9, 40, 128),
            message(8, 50, 1),
            message(9, 80, 0),
        ];
        let mut out = BytesMut::new();
        for message in &messages {
            write(3, message, &mut out);
        }
        let (mut reader, mut data, mut read) = (Reader::new(), BytesMut::new(), Vec::new());
        for byte in out {
            data.put_u8(byte);
            read.extend(all(&mut reader, &mut data));
        }
        assert_eq!(read, messages);
        assert!(data.is_empty());
    }

    #[test]
    fn short_headers_go_on_from_the_last_and_streams_may_alternate() {
        let mut data = BytesMut::new();
        // Two messages of 200 bytes in turns, on chunk streams 4 and 6.
        for (id, kind) in [(4, 8), (6, 9)] {
            data.put_slice(&[id, 0, 0, 100, 0, 0, 200, kind, 1, 0, 0, 0]);
            data.put_bytes(kind, 128);
        }
        for (id, kind) in [(4, 8), (6, 9)] {
            data.put_u8(0xc0 | id);
            data.put_bytes(kind, 72);
        }
        // 20 ms later, of the same length; and again.
        data.put_slice(&[0x80 | 4, 0, 0, 20]);
        data.put_bytes(8, 128);
        data.put_u8(0xc0 | 4);
        data.put_bytes(8, 72);
        data.put_u8(0xc0 | 4);
        data.put_bytes(8, 128);
        data.put_u8(0xc0 | 4);
        data.put_bytes(8, 72);
        let read = all(&mut Reader::new(), &mut data);
        let seen: Vec<_> = read
            .iter()
            .map(|message| (message.kind, message.time, message.body.len()))
            .collect();
        assert_eq!(
            seen,
            [(8, 100, 200), (9, 100, 200), (8, 120, 200), (8, 140, 200)]
        );
    }

    #[test]
    fn times_beyond_24_bits_stand_behind_each_header() {
        let mut data = BytesMut::new();
        data.put_slice(&[5, 0xff, 0xff, 0xff, 0, 0, 130, 9, 1, 0, 0, 0]);
        data.put_u32(0x0123_4567);
        data.put_bytes(7, 128);
        data.put_u8(0xc5);
        data.put_u32(0x0123_4567);
        data.put_bytes(7, 2);
        let read = all(&mut Reader::new(), &mut data);
        assert_eq!((read[0].time, read[0].body.len()), (0x0123_4567, 130));
    }

    #[test]
    fn what_a_server_makes_us_hold_is_bounded() {
        let mut reader = Reader::new();
        let mut data = BytesMut::from(&[4, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0][..]);
        assert_eq!(reader.read(&mut data), Err(Broken::TooLong(0xff_ffff)));
        let mut reader = Reader::new();
        assert_eq!(reader.set_size(0), Err(Broken::ChunkSize(0)));
        reader.set_size(1 << 20).unwrap();
        let begin = |id: u8| {
            let mut data = BytesMut::from(&[id, 0, 0, 0, 0x7f, 0xff, 0xff, 9, 1, 0, 0, 0][..]);
            data.put_bytes(0, 1 << 20);
            data
        };
        let outcome: Vec<_> = (3..40).map(|id| reader.read(&mut begin(id))).collect();
        assert_eq!(outcome[15], Ok(None));
        assert_eq!(outcome[16], Err(Broken::TooMuch));
        let mut reader = Reader::new();
        let mut data = BytesMut::new();
        for id in 0..=u8::MAX {
            data.put_slice(&[0, id, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
        }
        let outcome = std::iter::from_fn(|| Some(reader.read(&mut data)))
            .take(100)
            .find(Result::is_err);
        assert_eq!(outcome, Some(Err(Broken::TooManyStreams)));
        let mut data = BytesMut::from(&[0xc4, 0][..]);
        assert_eq!(Reader::new().read(&mut data), Err(Broken::Orphan));
    }

    #[test]
    fn a_message_that_is_given_up_leaves_nothing_behind() {
        let mut reader = Reader::new();
        let mut data = BytesMut::from(&[4, 0, 0, 0, 0, 1, 0, 9, 1, 0, 0, 0][..]);
        data.put_bytes(0, 128);
        assert_eq!(reader.read(&mut data), Ok(None));
        assert_eq!(reader.pending, 128);
        reader.abort(4);
        assert_eq!(reader.pending, 0);
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_reader(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            let (mut reader, mut data) = (Reader::new(), BytesMut::from(&data[..]));
            while let Ok(Some(_)) = reader.read(&mut data) {}
        }
    }
}
