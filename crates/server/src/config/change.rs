//! What may be asked of the [`Keeper`](super::Keeper), and what becomes of it.

use hub::StreamSpec;
use serde_json::{Map, Value as Json};
use toml_edit::DocumentMut;

use super::edit::{self, Mode, Refused};
use super::{Environment, Issue, Report, check};

/// Who changes something, and wants to be able to go on.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    /// Who it is.
    pub(crate) identity: auth::Identity,
    /// They came from another machine, by no proxy.
    pub(crate) remote: bool,
}

/// What is to become of a part of the configuration.
#[derive(Debug)]
pub(crate) enum Change {
    /// It shall be this.
    Set(Map<String, Json>, Mode),
    /// It shall go.
    Remove,
}

/// What must hold for a change to be made (RFC 9110 §13.1).
#[derive(Debug, Default, Clone)]
pub(crate) struct Condition {
    /// `If-Match`, as it was sent.
    pub(crate) matches: Option<String>,
    /// `If-None-Match`, as it was sent.
    pub(crate) differs: Option<String>,
    /// Who must be able to change it back.
    pub(crate) reversible_by: Option<Author>,
}

/// A change that was made.
#[derive(Debug)]
pub(crate) struct Edited {
    /// It was not there before.
    pub(crate) created: bool,
    /// Why it is in memory alone, where it is.
    pub(crate) unsaved: Option<String>,
    /// The settings that count from the next start on.
    pub(crate) restart: Vec<&'static str>,
}

/// Why a change was not made.
#[derive(Debug)]
pub(crate) enum EditError {
    /// There is no such thing.
    Missing,
    /// It is not what the caller thinks it is.
    Condition(&'static str),
    /// It can't be done as things are.
    Conflict(&'static str),
    /// Whoever makes it could not change it back: why.
    LockedOut(String),
    /// It can't be what was sent.
    Refused(Vec<Refused>),
    /// It, or the whole with it, would make no sense: what is wrong below it, and elsewhere.
    Wrong(Vec<Issue>, Vec<Issue>),
    /// The file was changed by hand, and makes no sense.
    File(Report),
}

/// The Stream that has one Channel with the settings `wanted`, which come from whoever asks: the environment and files say
/// nothing.
pub(crate) fn one_stream(wanted: &Map<String, Json>) -> Result<StreamSpec, EditError> {
    let path = ["streams", "probe"];
    let mut document = DocumentMut::new();
    edit::set(&mut document, &path, wanted, None, Mode::Replace).map_err(EditError::Refused)?;
    let text = document.to_string();
    let loaded = check("the body", &text, &Environment::default())
        .map_err(|report| sorted(&report, &path))?;
    loaded.streams.into_iter().next().ok_or(EditError::Missing)
}

/// What is wrong, parted into what is below `path` and what is elsewhere.
pub(super) fn sorted(report: &Report, path: &[&str]) -> EditError {
    let below = |issue: &&Issue| {
        issue
            .path
            .iter()
            .map(String::as_str)
            .take(path.len())
            .eq(path.iter().copied())
    };
    let (inside, outside): (Vec<_>, Vec<_>) = report.issues().iter().partition(below);
    let own = |issues: Vec<&Issue>| issues.into_iter().cloned().collect();
    EditError::Wrong(own(inside), own(outside))
}
