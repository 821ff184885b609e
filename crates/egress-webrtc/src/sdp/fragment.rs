use std::fmt::Write as _;

use super::answer::{Candidate, candidates};
use crate::Error;
use crate::ice::Credentials;

/// A trickle fragment (RFC 8840): what a viewer says after its offer.
///
/// The candidates in it are of no use to an ICE-lite agent, which sends to where checks come from; so whatever they
/// say of names, TCP or unknown transports is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The name fragment, where the fragment has one.
    pub(crate) ufrag: Option<String>,
}

impl Fragment {
    /// Reads a fragment.
    ///
    /// # Errors
    /// [`Error::Fragment`] where a line is none, or nothing in it is about ICE.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::Fragment(what);
        let (mut ufrag, mut about_ice) = (None, false);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let form = line.as_bytes();
            if form.len() < 2 || !form[0].is_ascii_lowercase() || form[1] != b'=' {
                return Err(wrong("a line of a fragment has the form `a=…`".to_owned()));
            }
            let Some(attribute) = line.strip_prefix("a=") else {
                continue;
            };
            let (key, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            about_ice |= matches!(
                key,
                "ice-ufrag" | "ice-pwd" | "candidate" | "end-of-candidates" | "ice-options"
            );
            if key == "ice-ufrag" {
                let value = value.trim();
                if value.len() < 4 || value.len() > 256 {
                    return Err(wrong("`a=ice-ufrag` has 4 to 256 characters".to_owned()));
                }
                ufrag.get_or_insert_with(|| value.to_owned());
            }
        }
        if !about_ice {
            return Err(wrong("the fragment says nothing about ICE".to_owned()));
        }
        Ok(Self { ufrag })
    }

    /// What tells a viewer of our side after a restart. `section` is that of the transport ([`super::head`]).
    pub(crate) fn answer(ice: &Credentials, section: &str, ours: &[Candidate]) -> String {
        let mut out = String::with_capacity(512);
        let _ = write!(
            out,
            "a=ice-lite\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n{section}",
            ice.ufrag, ice.password
        );
        candidates(&mut out, ours);
        out
    }
}
