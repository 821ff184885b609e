use std::fmt;

/// Why a Source ended or could not start, for people and for machines.
///
/// `message` is a sentence that a camera owner understands, such as `the camera refused the user name or
/// password`. It never holds a secret: a Source writes it, and a Source knows what is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The kind of failure, for machines.
    pub reason: Reason,
    /// The failure in words, for people.
    pub message: String,
}

impl Fault {
    /// A fault of the kind `reason`, told by `message`.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

/// The kinds of failure. [`Reason::code`] is the stable name that the API and the players use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The peer wants a user name and password, or refused the ones it got.
    Unauthorized,
    /// The peer has no such path.
    NotFound,
    /// The host name is unknown, or no route leads to it.
    Unreachable,
    /// The host answered that nothing listens there.
    Refused,
    /// The peer serves as many as it can.
    Busy,
    /// The peer did not answer in time.
    Timeout,
    /// The peer was heard, then fell silent.
    Stalled,
    /// The encrypted connection could not be trusted or set up.
    Tls,
    /// The peer offers nothing that can be played.
    Unsupported,
    /// The peer broke the protocol.
    Protocol,
    /// The peer ended the session.
    Closed,
    /// A defect of ours: the worker panicked and was restarted.
    Internal,
}

impl Reason {
    /// All of them, each at its own number.
    pub const ALL: [Self; 12] = [
        Self::Unauthorized,
        Self::NotFound,
        Self::Unreachable,
        Self::Refused,
        Self::Busy,
        Self::Timeout,
        Self::Stalled,
        Self::Tls,
        Self::Unsupported,
        Self::Protocol,
        Self::Closed,
        Self::Internal,
    ];

    /// The stable machine-readable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Stalled => "stalled",
            Self::Tls => "tls",
            Self::Unsupported => "unsupported",
            Self::Protocol => "protocol",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_stands_at_its_own_number() {
        let numbers: Vec<usize> = Reason::ALL.iter().map(|&reason| reason as usize).collect();
        assert_eq!(numbers, (0..Reason::ALL.len()).collect::<Vec<_>>());
    }
}
