use std::fmt;

use crate::{Action, Grants};

/// Who somebody is. Its `Display` is for the log, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Nobody in particular.
    Anonymous,
    /// Somebody at this machine, where no credentials are configured.
    Local,
    /// A user, by name.
    User(String),
    /// An API key, by name.
    Key(String),
    /// The subject of a JWT.
    Jwt(String),
    /// Whoever holds a signed media URL.
    Media,
    /// Whoever the token backend lets in.
    Backend,
}

/// Somebody, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub who: Who,
    /// What they may do.
    pub grants: Grants,
    /// When that ends, in seconds since the Unix epoch, if it does.
    pub expires: Option<u64>,
}

impl Identity {
    /// Somebody for as long as the configuration stays.
    pub fn new(who: Who, grants: Grants) -> Self {
        let expires = None;
        Self {
            who,
            grants,
            expires,
        }
    }

    /// The same, up to `expires`.
    #[must_use]
    pub fn until(mut self, expires: u64) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Whether they may do `action` with `stream`, or with all.
    pub fn may(&self, action: Action, stream: Option<&str>) -> bool {
        self.grants.allow(action, stream)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Local => f.write_str("local"),
            Self::User(name) => write!(f, "user {}", name.escape_debug()),
            Self::Key(name) => write!(f, "key {}", name.escape_debug()),
            Self::Jwt(subject) => write!(f, "jwt {}", subject.escape_debug()),
            Self::Media => f.write_str("media url"),
            Self::Backend => f.write_str("token backend"),
        }
    }
}
