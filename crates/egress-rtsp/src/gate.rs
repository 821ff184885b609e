//! Who may watch: asked of the server, which has one policy for all protocols.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hub::Leave;

/// What [`Gate::admit`] returns.
pub type Admission<'a> = Pin<Box<dyn Future<Output = Result<Leave, Refused>> + Send + 'a>>;

/// Knows who may watch what.
pub trait Gate: Send + Sync + fmt::Debug + 'static {
    /// Whether somebody may watch, and what tells them that they may no more. Asked before anything is told of the Stream, even
    /// that there is none.
    fn admit(&self, ask: Ask) -> Admission<'_>;
}

/// Somebody who wants to watch something.
#[derive(Debug)]
pub struct Ask {
    /// The Stream's id, as it stands in the URL.
    pub stream: String,
    /// The Channel's id, where the URL has one.
    pub channel: Option<String>,
    /// Who they say they are.
    pub presented: Presented,
    /// Where they come from.
    pub address: IpAddr,
}

/// Who somebody says they are. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Presented {
    /// Nothing.
    Nothing,
    /// `?token=` in the URL.
    QueryToken(String),
    /// `Authorization: Bearer`.
    Bearer(String),
    /// `Authorization: Basic`.
    Basic {
        /// The user.
        name: String,
        /// Their password.
        password: String,
    },
}

/// Why somebody may not watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// They must say who they are, or it was wrong what they said.
    Unauthenticated,
    /// They may not, for this reason.
    Forbidden(String),
    /// They guessed too often, and may try again after this time.
    TooMany(Duration),
}

impl Presented {
    /// What a request says with this `Authorization` and this token in its URL. The token counts first, as on the media
    /// routes over HTTP.
    pub(crate) fn of(token: Option<String>, authorization: Option<&str>) -> Self {
        if let Some(token) = token {
            return Self::QueryToken(token);
        }
        authorization.and_then(Self::parse).unwrap_or(Self::Nothing)
    }

    fn parse(authorization: &str) -> Option<Self> {
        let (scheme, rest) = authorization.trim().split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(Self::Basic {
            name: name.to_owned(),
            password: password.to_owned(),
        })
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_and_never_shown() {
        let basic = format!("basic {}", BASE64_STANDARD.encode("ann:s3cret:x"));
        let (name, password) = ("ann".to_owned(), "s3cret:x".to_owned());
        for (token, header, expected) in [
            (
                None,
                Some(basic.as_str()),
                Presented::Basic { name, password },
            ),
            (
                None,
                Some("Bearer  s3cret"),
                Presented::Bearer("s3cret".to_owned()),
            ),
            (
                Some("s3cret"),
                Some("Bearer x"),
                Presented::QueryToken("s3cret".to_owned()),
            ),
            (None, Some("Digest username=\"s3cret\""), Presented::Nothing),
            (None, Some("Basic !!!"), Presented::Nothing),
            (None, Some("Basic"), Presented::Nothing),
            (None, None, Presented::Nothing),
        ] {
            let presented = Presented::of(token.map(str::to_owned), header);
            assert!(!format!("{presented:?}").contains("s3cret"));
            assert_eq!(presented, expected, "{header:?}");
        }
    }
}
