use std::fmt;
use std::time::Duration;

use crate::Error;

/// The `Session` header (RFC 2326 §12.37).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionHeader {
    /// The session's name.
    pub id: String,
    /// How long the server keeps a session of which it hears nothing.
    pub timeout: Duration,
}

impl SessionHeader {
    /// What a server means that names no timeout.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Reads the header's value. A timeout that is zero or no number counts as none.
    pub fn parse(value: &str) -> Result<Self, Error> {
        let mut parts = value.split(';').map(str::trim);
        let id = parts.next().filter(|id| !id.is_empty());
        let timeout = parts
            .filter_map(|p| p.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))
            .and_then(|(_, v)| v.trim().trim_matches('"').parse().ok())
            .filter(|&seconds: &u32| seconds > 0)
            .map_or(Self::DEFAULT_TIMEOUT, |s| Duration::from_secs(s.into()));
        Ok(Self {
            id: id.ok_or(Error::Session)?.to_owned(),
            timeout,
        })
    }
}

impl fmt::Display for SessionHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};timeout={}", self.id, self.timeout.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_keeps_its_id_and_timeout() -> Result<(), Error> {
        for (value, id, seconds) in [
            ("12345678", "12345678", 60),
            ("12345678;timeout=30", "12345678", 30),
            (" abc ; Timeout = 90 ", "abc", 90),
            ("abc;timeout=0", "abc", 60),
            ("abc;timeout=soon", "abc", 60),
            ("abc;", "abc", 60),
        ] {
            let session = SessionHeader::parse(value)?;
            assert_eq!(
                (session.id.as_str(), session.timeout.as_secs()),
                (id, seconds)
            );
            assert_eq!(SessionHeader::parse(&session.to_string())?, session);
        }
        assert_eq!(SessionHeader::parse(";timeout=60"), Err(Error::Session));
        Ok(())
    }
}
