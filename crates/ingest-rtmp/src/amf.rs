//! AMF 0 (Adobe's "Action Message Format", 2007): the values of commands. Pure.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// How deep objects may be nested.
const MAX_DEPTH: usize = 8;
/// How many values a message may hold in all.
const MAX_VALUES: usize = 1024;

/// A value, as far as anybody here wants to know.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Boolean(bool),
    Text(String),
    Object(Vec<(String, Self)>),
    /// Null, undefined, dates, arrays without names, and whatever else there is.
    Other,
}

impl Value {
    /// The member called `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        members
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Appends the value.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Number(number) => {
                out.put_u8(0);
                out.put_f64(*number);
            }
            Self::Boolean(truth) => {
                out.put_u8(1);
                out.put_u8(u8::from(*truth));
            }
            Self::Text(text) => {
                out.put_u8(2);
                put_text(text, out);
            }
            Self::Object(members) => {
                out.put_u8(3);
                for (name, value) in members {
                    put_text(name, out);
                    value.write(out);
                }
                out.put_slice(&[0, 0, 9]);
            }
            Self::Other => out.put_u8(5),
        }
    }
}

/// The values in a message. It ends at the first that makes no sense.
pub(crate) fn read(mut data: Bytes) -> Vec<Value> {
    let (mut values, mut left) = (Vec::new(), MAX_VALUES);
    while data.has_remaining()
        && let Some(value) = value(&mut data, 0, &mut left)
    {
        values.push(value);
    }
    values
}

fn put_text(text: &str, out: &mut BytesMut) {
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    out.put_u16(bytes.len() as u16);
    out.put_slice(bytes);
}

fn value(data: &mut Bytes, depth: usize, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    if depth > MAX_DEPTH {
        return None;
    }
    match data.try_get_u8().ok()? {
        0 => data.try_get_f64().ok().map(Value::Number),
        1 => data
            .try_get_u8()
            .ok()
            .map(|truth| Value::Boolean(truth != 0)),
        2 => {
            let length = data.try_get_u16().ok()?;
            text(data, length.into()).map(Value::Text)
        }
        3 => members(data, depth, left).map(Value::Object),
        5 | 6 => Some(Value::Other),
        // An array with names: their number, which is only a hint, and then as an object.
        8 => {
            data.try_get_u32().ok()?;
            members(data, depth, left).map(Value::Object)
        }
        10 => {
            for _ in 0..data.try_get_u32().ok()? {
                value(data, depth + 1, left)?;
            }
            Some(Value::Other)
        }
        // A date: milliseconds and a time zone.
        11 => {
            data.try_get_f64().ok()?;
            data.try_get_u16().ok()?;
            Some(Value::Other)
        }
        12 => {
            let length = data.try_get_u32().ok()?;
            text(data, length as usize).map(Value::Text)
        }
        _ => None,
    }
}

fn members(data: &mut Bytes, depth: usize, left: &mut usize) -> Option<Vec<(String, Value)>> {
    let mut members = Vec::new();
    loop {
        let length = data.try_get_u16().ok()?;
        let name = text(data, length.into())?;
        if name.is_empty() && data.first() == Some(&9) {
            data.advance(1);
            return Some(members);
        }
        members.push((name, value(data, depth + 1, left)?));
    }
}

fn text(data: &mut Bytes, length: usize) -> Option<String> {
    if length > data.len() {
        return None;
    }
    Some(String::from_utf8_lossy(&data.split_to(length)).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let values = [
            Value::Text("connect".to_owned()),
            Value::Number(1.0),
            Value::Object(vec![
                ("app".to_owned(), Value::Text("live".to_owned())),
                ("on".to_owned(), Value::Boolean(true)),
            ]),
            Value::Other,
        ];
        let mut out = BytesMut::new();
        for value in &values {
            value.write(&mut out);
        }
        let read = read(out.freeze());
        assert_eq!(read, values);
        assert_eq!(read[2].get("app").and_then(Value::text), Some("live"));
    }

    #[test]
    fn an_array_with_names_is_an_object_and_a_cut_one_ends_the_list() {
        let data = b"\x08\0\0\0\x01\0\x01a\0\x40\0\0\0\0\0\0\0\0\0\x09\x01\x01\x02\0\x09x";
        let values = read(Bytes::from_static(data));
        assert_eq!(values[0].get("a").and_then(Value::number), Some(2.0));
        assert_eq!(values[1..], [Value::Boolean(true)]);
    }

    #[test]
    fn nesting_and_numbers_are_bounded() {
        let deep = Bytes::from(b"\x03\0\x01a".repeat(1000));
        assert!(read(deep).is_empty());
        assert_eq!(read(Bytes::from(vec![5; 5000])).len(), MAX_VALUES);
        let many = [&[10, 0xff, 0xff, 0xff, 0xff][..], &[5; 5000]].concat();
        assert!(read(Bytes::from(many)).is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_reader(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(Bytes::from(data));
        }
    }
}
