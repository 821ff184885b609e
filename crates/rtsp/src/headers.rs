use std::fmt;

use bytes::{BufMut, BytesMut};

/// The headers of a message in their order. Names are compared without regard to case (RFC 2326 §4.2).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the first header called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The values of all headers called `name`.
    pub fn all<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s str> {
        self.0
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// All headers as (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a header after those there are.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Puts a header in the place of all those called `name`.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.push(name, value);
    }

    /// Takes away all headers called `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Continues the last value, for a folded line (RFC 2326 §4, RFC 2068 §2.1).
    pub(crate) fn fold(&mut self, more: &str) {
        if let Some((_, value)) = self.0.last_mut() {
            value.push(' ');
            value.push_str(more);
        }
    }

    /// Writes the headers and the blank line after them.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        for (name, value) in &self.0 {
            put_line(out, name);
            out.put_slice(b": ");
            put_line(out, value);
            out.put_slice(b"\r\n");
        }
        out.put_slice(b"\r\n");
    }
}

impl fmt::Debug for Headers {
    /// Shows everything but credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| {
                let secret = name.eq_ignore_ascii_case("Authorization")
                    || name.eq_ignore_ascii_case("Proxy-Authorization");
                (name, if secret { "[redacted]" } else { value })
            }))
            .finish()
    }
}

/// Writes `text` so that it can't end its line: whatever came in from outside adds no header of its own.
pub(crate) fn put_line(out: &mut BytesMut, text: &str) {
    for part in text.split_inclusive(['\r', '\n', '\0']) {
        match part.as_bytes().split_last() {
            Some((b'\r' | b'\n' | b'\0', rest)) => {
                out.put_slice(rest);
                out.put_u8(b' ');
            }
            _ => out.put_slice(part.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case() {
        let mut headers = Headers::new();
        headers.push("Cseq", "1");
        headers.push("WWW-Authenticate", "Digest");
        headers.push("www-authenticate", "Basic");
        assert_eq!(headers.get("CSeq"), Some("1"));
        assert_eq!(headers.all("Www-Authenticate").count(), 2);
        headers.set("CSEQ", "2");
        assert_eq!(headers.get("cseq"), Some("2"));
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn a_value_from_outside_adds_no_header() {
        let mut headers = Headers::new();
        headers.push("X", "a\r\nSession: stolen");
        let mut out = BytesMut::new();
        headers.write(&mut out);
        assert_eq!(&out[..], b"X: a  Session: stolen\r\n\r\n");
    }

    #[test]
    fn credentials_are_not_shown() {
        let mut headers = Headers::new();
        headers.push("authorization", "Basic c2VjcmV0");
        assert!(!format!("{headers:?}").contains("c2VjcmV0"));
    }
}
