//! RTSPtoWeb's `config.json`, and RTSPtoWebRTC's: read as they are, and written back in their own form.
//!
//! Read in this order: [`File::read`] (what it says in our form, and what of it can't be), `server` (the section of that
//! name), `streams` (the cameras), `write` (changes, back into it), [`import()`] (our form, for good).

mod import;
mod read;
mod server;
mod streams;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value as Json};
use toml_edit::{DocumentMut, Item};

use super::issue::{Issue, Show};
use super::{Environment, Loaded, Report, examine};
pub(crate) use import::import;
use server::Login;
pub(crate) use streams::camera_url;

/// A configuration file of RTSPtoWeb or RTSPtoWebRTC, with all that stands in it.
#[derive(Clone)]
pub(crate) struct File {
    json: Map<String, Json>,
    login: Option<Login>,
    warnings: Vec<String>,
}

/// Whether the file at `path`, which says `text`, is JSON: TOML never begins with a brace.
pub(super) fn is_json(path: &Path, text: &str) -> bool {
    let named = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    named
        || text
            .trim_start_matches('\u{feff}')
            .trim_start()
            .starts_with('{')
}

/// Checks the TOML that was made of a file called `name`.
pub(super) fn check(name: &str, toml: &str, environment: &Environment) -> Result<Loaded, Report> {
    examine(toml, environment).map_err(|issues| report(name, issues))
}

impl File {
    /// Reads `text`, the contents of the file called `name`, and says the same in TOML. A stream that can't be is left
    /// out with a warning, as RTSPtoWeb would never show it, and keeps no other from running. `before` is what
    /// the file was before, if it was one.
    pub(super) fn read(
        name: &str,
        text: &str,
        before: Option<&Self>,
    ) -> Result<(Self, String), Report> {
        let json = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(Json::Object(json)) => json,
            Ok(_) => return Err(Report::unreadable(name, "it holds no JSON object: {…}")),
            Err(error) => return Err(Report::unreadable(name, format!("it is not JSON: {error}"))),
        };
        let login = before.and_then(|before| before.login.clone());
        let mut reading = read::Reading::new(&json, login);
        reading.read().map_err(|issues| report(name, issues))?;
        let (document, login, warnings) = reading.finish();
        let mut file = Self {
            json,
            login,
            warnings,
        };
        let toml = file.without_what_can_not_be(name, document)?;
        Ok((file, toml))
    }

    /// What is ignored, or does harm.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Takes what `after` says and `before` did not.
    pub(super) fn change(&mut self, before: &DocumentMut, after: &DocumentMut) {
        write::change(&mut self.json, before, after);
    }

    /// `document` as text, without those streams and extras that make no sense, each with a warning.
    fn without_what_can_not_be(
        &mut self,
        name: &str,
        mut document: DocumentMut,
    ) -> Result<String, Report> {
        loop {
            let toml = document.to_string();
            let Err(issues) = examine(&toml, &Environment::default()) else {
                return Ok(toml);
            };
            for issue in &issues {
                let path: Vec<&str> = issue.path.iter().map(String::as_str).collect();
                let (gone, told) = match path.as_slice() {
                    ["streams", id, "channels", channel, ..] => (
                        &path[..4],
                        format!("channel `{channel}` of stream `{id}` is left out"),
                    ),
                    ["streams", id, ..] => (&path[..2], format!("stream `{id}` is left out")),
                    ["tls", ..] => (&path[..1], "there is no https".to_owned()),
                    ["webrtc", key, ..] => (&path[..2], format!("`webrtc.{key}` is left out")),
                    _ => return Err(report(name, issues)),
                };
                if super::edit::remove(&mut document, gone) {
                    self.warnings.push(format!("{told}: {}", issue.message));
                }
            }
        }
    }
}

/// What the file holds: two blanks a level, as RTSPtoWeb writes it.
impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string_pretty(&self.json).map_err(|_| fmt::Error)?;
        writeln!(f, "{text}")
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What of our own form stands where in RTSPtoWeb's.
const PLACES: [(&[&str], &[&str]); 9] = [
    (&["server", "listen"], &["server", "http_port"]),
    (&["rtsp", "listen"], &["server", "rtsp_port"]),
    (&["tls", "listen"], &["server", "https_port"]),
    (&["tls", "certificate"], &["server", "https_cert"]),
    (&["tls", "key"], &["server", "https_key"]),
    (&["webrtc", "listen"], &["server", "webrtc_port_min"]),
    (&["auth", "users"], &["server", "http_login"]),
    (&["auth", "token_backend"], &["server", "token", "backend"]),
    (&["defaults"], &["channel_defaults"]),
];

/// The report on issues of the TOML: nobody has seen its lines.
fn report(name: &str, issues: Vec<Issue>) -> Report {
    let theirs = |mut issue: Issue| {
        issue.offset = None;
        let place = PLACES.iter().find(|(ours, _)| {
            let path = issue.path.iter().map(String::as_str);
            path.take(ours.len()).eq(ours.iter().copied())
        });
        if let Some((_, theirs)) = place.filter(|_| issue.variable.is_none()) {
            issue.path = theirs.iter().map(|&key| key.to_owned()).collect();
        }
        issue
    };
    Report::new(name, "", issues.into_iter().map(theirs).collect())
}

/// That the value at `path` is not what it has to be.
fn wrong(path: &[&str], what: &str) -> Issue {
    Issue {
        offset: None,
        path: path.iter().map(|&key| key.to_owned()).collect(),
        variable: None,
        message: what.to_owned(),
        show: Show::Key,
    }
}

/// The value of the key `name`, whose letters may be of any case, as in Go; none if it is null.
fn get<'j>(object: &'j Map<String, Json>, name: &str) -> Option<&'j Json> {
    let any_case = || {
        let mut pairs = object.iter();
        pairs
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    object
        .get(name)
        .or_else(any_case)
        .filter(|value| !value.is_null())
}

/// `value` in TOML, where `${` stands for itself. None where there is none.
fn item(value: &Json) -> Option<Item> {
    match value {
        Json::Object(entries) => {
            let mut table = toml_edit::Table::new();
            for (key, value) in entries {
                table.insert(key, item(value).unwrap_or_default());
            }
            Some(Item::Table(table))
        }
        Json::String(text) => Some(toml_edit::value(escaped(text))),
        other => super::edit::toml(other).map(Item::Value),
    }
}

/// `text` as it stands for itself in our form.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}
