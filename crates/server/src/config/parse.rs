use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::environment::{self, Environment, Override};
use super::issue::{Issue, Show};
use super::{Config, Given};
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
    /// The end of the text; what stands behind it comes from the environment.
    end: usize,
    overrides: Vec<Override<'t>>,
    /// What stands for what was written, where the environment was asked.
    expanded: Vec<(String, String)>,
}

impl<'t> Parsed<'t> {
    /// Parses `text`, with what `environment` adds. Each key that is wrong becomes one issue and is left out of the configuration, so
    /// that all wrong keys are found in one go.
    pub(crate) fn new(text: &'t str, environment: &'t Environment) -> Self {
        let (mut table, errors) = DeTable::parse_recoverable(text);
        let end = text.len();
        let overrides = environment.put(table.get_mut(), end);
        let (expanded, unknown) = environment::expand(table.get_mut(), environment);
        let mut parsed = Self {
            config: Config::default(),
            issues: errors.iter().take(MAX_ISSUES).map(syntax).collect(),
            table: table.get_ref().clone(),
            end,
            overrides,
            expanded,
        };
        if parsed.issues.is_empty() {
            parsed.issues = unknown;
            parsed.read(table);
        }
        parsed.attribute();
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
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        offset
    }

    fn value(&self, error: &toml::de::Error, path: &[String]) -> Issue {
        let (message, show) = match unknown_key(error.message(), path) {
            Some(message) => (message, Show::Key),
            None => (redact::urls(&told(error.message())), Show::Value),
        };
        Issue {
            offset: error.span().map(|span| span.start),
            path: path.to_vec(),
            variable: None,
            message: self.as_written(message),
            show,
        }
    }

    /// `message` with what was written where it quotes what that stands for.
    pub(crate) fn as_written(&self, message: String) -> String {
        let back = |message: String, (full, raw): &(String, String)| match full.as_str() {
            "" => message,
            full => message.replace(full, raw),
        };
        self.expanded.iter().fold(message, back)
    }

    /// What comes from the environment.
    pub(crate) fn given(&self) -> Vec<Given> {
        let all = self.overrides.iter();
        all.filter(|set| !set.path.is_empty())
            .map(|set| {
                let by = format!("the environment variable {}", set.variable);
                Given::new(by, &set.path)
            })
            .collect()
    }

    /// Notes in all issues which of them come from the environment.
    pub(crate) fn attribute(&mut self) {
        for issue in &mut self.issues {
            for set in &self.overrides {
                attribute(set, issue);
            }
        }
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
            let set = error
                .span()
                .and_then(|span| environment::number(self.end, span.start));
            if let Some(set) = set.and_then(|n| self.overrides.get(n))
                && set.as_text(table.get_mut())
            {
                continue;
            }
            let issue = self.value(&error, &path);
            self.issues.push(issue);
            if !remove(table.get_mut(), &path) {
                return;
            }
        }
    }
}

fn syntax(error: &toml::de::Error) -> Issue {
    Issue {
        offset: error.span().map(|span| span.start),
        path: Vec::new(),
        variable: None,
        message: format!("this is not TOML: {}", redact::urls(error.message())),
        show: Show::Key,
    }
}

/// Notes in an issue that the value at its path comes from the environment.
fn attribute(set: &Override<'_>, issue: &mut Issue) {
    if !set.path.is_empty() && issue.path.starts_with(&set.path) {
        issue.variable = Some(set.variable.to_owned());
        issue.offset = None;
    }
}

/// What serde says, without the names that things have in the code.
fn told(message: &str) -> String {
    match message.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a table"),
        None => message.to_owned(),
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
            // What comes from the environment stands in one place with the tables that it needs.
            if holds && range.len() <= best.0 {
                *best = (range.len(), path.clone());
            }
        }
        match value.get_ref() {
            DeValue::Table(inner) => search(inner, span, path, best),
            DeValue::Array(items) => search_list(items, span, path, best),
            _ => {}
        }
        path.pop();
    }
}

/// The same in a list of tables.
fn search_list(
    items: &DeArray<'_>,
    span: &Range<usize>,
    path: &mut Vec<String>,
    best: &mut (usize, Vec<String>),
) {
    for (n, item) in items.iter().enumerate() {
        if let DeValue::Table(inner) = item.get_ref() {
            path.push(n.to_string());
            search(inner, span, path, best);
            path.pop();
        }
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
        Some(DeValue::Array(items)) => {
            let n: Option<usize> = rest[0].parse().ok();
            match n.and_then(|n| items.get_mut(n)).map(toml::Spanned::get_mut) {
                Some(DeValue::Table(inner)) => remove(inner, &rest[1..]),
                _ => false,
            }
        }
        _ => false,
    }
}
