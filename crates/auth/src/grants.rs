use std::fmt;
use std::str::FromStr;

use crate::{Action, Error, Glob};

/// One thing that may be done, with all streams or with some: `watch`, `watch:front*`.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    action: Action,
    streams: Glob,
}

/// All that somebody may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

/// A name for some grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// May do everything.
    Admin,
    /// May watch every stream.
    Viewer,
}

impl Role {
    /// What it stands for.
    pub fn grants(self) -> Grants {
        match self {
            Self::Admin => Grants::all(),
            Self::Viewer => Grants(vec![Grant::whole(Action::Watch)]),
        }
    }
}

impl Grant {
    /// To do `action` with every stream.
    pub fn whole(action: Action) -> Self {
        let streams = Glob::any();
        Self { action, streams }
    }

    /// To do `action` with the streams that fit.
    pub fn with(action: Action, streams: Glob) -> Self {
        Self { action, streams }
    }
}

impl Grants {
    /// Everything.
    pub fn all() -> Self {
        Self(Action::ALL.map(Grant::whole).to_vec())
    }

    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// These, and `more`.
    #[must_use]
    pub fn and(mut self, more: impl IntoIterator<Item = Grant>) -> Self {
        self.0.extend(more);
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `action` may be done: with `stream`, or, where it is about no stream of its own, with all.
    pub fn allow(&self, action: Action, stream: Option<&str>) -> bool {
        let mut of_action = self.0.iter().filter(|grant| grant.action == action);
        of_action.any(|grant| match stream {
            Some(id) => grant.streams.fits(id),
            None => grant.streams.is_any(),
        })
    }

    /// Whether `action` may be done with some stream at least.
    pub fn allow_some(&self, action: Action) -> bool {
        self.0.iter().any(|grant| grant.action == action)
    }

    /// Reads grants that are separated by blanks, as they stand in a claim of a JWT.
    ///
    /// # Errors
    /// [`Error::Grant`] or [`Error::Glob`] for the first that is none.
    pub fn parse_list(text: &str) -> Result<Self, Error> {
        text.split_ascii_whitespace().map(str::parse).collect()
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}

impl IntoIterator for Grants {
    type Item = Grant;
    type IntoIter = std::vec::IntoIter<Grant>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromStr for Grant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (action, streams) = match text.split_once(':') {
            Some((action, streams)) => (action, streams.parse()?),
            None => (text, Glob::any()),
        };
        let action =
            Action::named(action).ok_or_else(|| Error::Grant(text.chars().take(128).collect()))?;
        Ok(Self { action, streams })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.streams.is_any() {
            return f.write_str(self.action.name());
        }
        write!(f, "{}:{}", self.action, self.streams.as_str())
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_an_action_and_perhaps_a_pattern() {
        let grants = Grants::parse_list("watch:front* watch:back metrics").unwrap();
        assert!(grants.allow(Action::Watch, Some("front-door")));
        assert!(!grants.allow(Action::Watch, Some("garden")));
        assert!(!grants.allow(Action::Watch, None), "not all streams");
        assert!(grants.allow_some(Action::Watch) && !grants.allow_some(Action::Control));
        assert!(grants.allow(Action::Metrics, None));
        assert!(!grants.allow(Action::Control, Some("front-door")));
        assert_eq!(
            format!("{grants:?}"),
            "Grants([watch:front*, watch:back, metrics])"
        );
        for bad in ["wacth", "watch:", "watch:a b", ":front", "*"] {
            assert!(bad.parse::<Grant>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_viewer_watches_and_an_admin_does_everything() {
        for action in Action::ALL {
            assert!(Role::Admin.grants().allow(action, None));
            let watches = action == Action::Watch;
            assert_eq!(Role::Viewer.grants().allow(action, None), watches);
        }
    }
}
