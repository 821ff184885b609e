use std::fmt;

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See and hear a stream, and know how its camera is.
    Watch,
    /// Send a stream.
    Publish,
    /// See and change the configuration, restart, remove viewers.
    Control,
    /// Read the metrics.
    Metrics,
}

impl Action {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Watch, Self::Publish, Self::Control, Self::Metrics];

    /// The word for it in grants, in the log and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Publish => "publish",
            Self::Control => "control",
            Self::Metrics => "metrics",
        }
    }

    /// The action that `name` is the word for.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
