use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, Deserializer};

use super::Config;
use super::issue::{Issue, Show};
use crate::redact;

/// How many problems of one file are told at once.
const MAX_ISSUES: usize = 20;
/// How alike an unknown key and a known one must be for the known one to be suggested (0 to 1).
const ALIKE: f64 = 0.7;

/// A configuration file after parsing: what was understood, where it stands, and what was wrong.
#[derive(Debug)]
pub(crate) struct Parsed<'t> {
    /// Everything that was understood.
    pub(crate) config: Config,
    /// Everything that was not.
    pub(crate) issues: Vec<Issue>,
    table: DeTable<'t>,
}

impl<'t> Parsed<'t> {
    /// Parses `text`. Each key that is wrong becomes one issue and is left out of the configuration, so
    /// that all wrong keys are found in one go.
    pub(crate) fn new(text: &'t str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut parsed = Self {
            config: Config::default(),
            issues: errors.iter().take(MAX_ISSUES).map(syntax).collect(),
            table: table.get_ref().clone(),
        };
        if parsed.issues.is_empty() {
            parsed.read(table);
        }
        parsed
    }

    /// Where the value at the end of `path` stands, or the last key of the path that the file has.
    pub(crate) fn offset(&self, path: &[&str]) -> Option<usize> {
        let mut table = &self.table;
        let mut offset = None;
        for name in path {
            let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
                break;
            };
            offset = Some(key.span().start);
            let DeValue::Table(inner) = value.get_ref() else {
                break;
            };
            table = inner;
        }
        offset
    }

    fn read(&mut self, mut table: toml::Spanned<DeTable<'t>>) {
        for _ in 0..MAX_ISSUES {
            let error = match Config::deserialize(Deserializer::from(table.clone())) {
                Ok(config) => {
                    self.config = config;
                    return;
                }
                Err(error) => error,
            };
            let path = error
                .span()
                .map(|span| path_to(table.get_ref(), &span))
                .unwrap_or_default();
            self.issues.push(value(&error, &path));
            if !remove(table.get_mut(), &path) {
                return;
            }
        }
    }
}

fn syntax(error: &toml::de::Error) -> Issue {
    Issue {
        offset: error.span().map(|span| span.start),
        path: String::new(),
        message: format!("this is not TOML: {}", redact::urls(error.message())),
        show: Show::Key,
    }
}

fn value(error: &toml::de::Error, path: &[String]) -> Issue {
    let (message, show) = match unknown_key(error.message(), path) {
        Some(message) => (message, Show::Key),
        None => (redact::urls(error.message()), Show::Value),
    };
    Issue {
        offset: error.span().map(|span| span.start),
        path: path.join("."),
        message,
        show,
    }
}

/// Says of a key that serde does not know which one may have been meant. serde tells the known keys in its
/// message alone: ``unknown field `a`, expected one of `b`, `c` ``.
fn unknown_key(message: &str, path: &[String]) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let table = match path.split_last() {
        Some((_, [])) | None => "at the top".to_owned(),
        Some((_, table)) => format!("in [{}]", table.join(".")),
    };
    let hint = match closest(unknown, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.join(", ")),
    };
    Some(format!("there is no key `{unknown}` {table}; {hint}"))
}

fn closest<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(unknown, known), *known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// The keys that lead to the smallest key or value that holds `span`.
fn path_to(table: &DeTable<'_>, span: &Range<usize>) -> Vec<String> {
    let mut best = (usize::MAX, Vec::new());
    search(table, span, &mut Vec::new(), &mut best);
    best.1
}

fn search(
    table: &DeTable<'_>,
    span: &Range<usize>,
    path: &mut Vec<String>,
    best: &mut (usize, Vec<String>),
) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        for range in [key.span(), value.span()] {
            let holds = range.start <= span.start && span.end <= range.end;
            if holds && range.len() < best.0 {
                *best = (range.len(), path.clone());
            }
        }
        if let DeValue::Table(inner) = value.get_ref() {
            search(inner, span, path, best);
        }
        path.pop();
    }
}

fn remove(table: &mut DeTable<'_>, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else {
        return false;
    };
    if rest.is_empty() {
        let before = table.len();
        table.remove(name.as_str());
        return table.len() < before;
    }
    let inner = table.iter_mut().find(|(key, _)| key.get_ref() == name);
    match inner.map(|(_, value)| value.get_mut()) {
        Some(DeValue::Table(inner)) => remove(inner, rest),
        _ => false,
    }
}
