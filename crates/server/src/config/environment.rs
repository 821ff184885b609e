//! What the environment says: `LUNETTE_SERVER__LISTEN` counts more than `server.listen` of the file, and `${NAME}` in a
//! text of the file stands for a variable. Neither is ever written into the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::issue::{Issue, Show};

/// What the names of overriding variables begin with.
const PREFIX: &str = "LUNETTE_";
/// What stands between the keys. A variable without it is none of ours: no setting stands at the top of a file.
const BETWEEN: &str = "__";

/// The variables of the process, or of a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

/// A setting that comes from the environment.
#[derive(Debug)]
pub(super) struct Override<'e> {
    pub(super) variable: &'e str,
    pub(super) path: Vec<String>,
    text: &'e str,
}

impl Environment {
    /// The environment of this process. Variables that are no text are not there.
    pub(crate) fn of_process() -> Self {
        let pairs = std::env::vars_os();
        Self(
            pairs
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(pairs.iter().map(owned).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Puts what the variables say into `table`, each at a place beyond `end`, the end of the file's text.
    pub(super) fn put<'t>(&'t self, table: &mut DeTable<'t>, end: usize) -> Vec<Override<'t>> {
        let mut all = Vec::new();
        for (variable, text) in &self.0 {
            let Some(keys) = variable
                .strip_prefix(PREFIX)
                .filter(|k| k.contains(BETWEEN))
            else {
                continue;
            };
            let keys: Vec<&str> = keys.split(BETWEEN).collect();
            let span = place(end, all.len());
            let mut path = Vec::new();
            let value = parsed(text, &span).unwrap_or_else(|| DeValue::String(text.into()));
            set(table, &keys, Spanned::new(span, value), &mut path);
            all.push(Override {
                variable,
                path,
                text,
            });
        }
        all
    }
}

impl<'e> Override<'e> {
    /// Takes the text as it is, where it was taken for a number, a truth value or a list. False if it was taken so before.
    pub(super) fn as_text(&self, table: &mut DeTable<'e>) -> bool {
        let Some(value) = find(table, &self.path) else {
            return false;
        };
        let other = !value.is_str();
        *value = DeValue::String(self.text.into());
        other
    }
}

/// Where the override number `n` stands.
pub(super) fn place(end: usize, n: usize) -> Range<usize> {
    let at = end + 1 + 2 * n;
    at..at + 1
}

/// The number of the override that stands at `offset`.
pub(super) fn number(end: usize, offset: usize) -> Option<usize> {
    offset.checked_sub(end + 1).map(|beyond| beyond / 2)
}

/// Replaces `${NAME}` in all texts of `table`. Returns what was put in for what, and what can't be.
pub(super) fn expand(
    table: &mut DeTable<'_>,
    environment: &Environment,
) -> (Vec<(String, String)>, Vec<Issue>) {
    let mut expansion = Expansion {
        environment,
        done: Vec::new(),
        issues: Vec::new(),
        path: Vec::new(),
    };
    expansion.table(table);
    (expansion.done, expansion.issues)
}

struct Expansion<'e> {
    environment: &'e Environment,
    done: Vec<(String, String)>,
    issues: Vec<Issue>,
    path: Vec<String>,
}

impl Expansion<'_> {
    fn table(&mut self, table: &mut DeTable<'_>) {
        for (key, value) in table.iter_mut() {
            self.path.push(key.get_ref().to_string());
            self.value(value);
            self.path.pop();
        }
    }

    fn value(&mut self, value: &mut Spanned<DeValue<'_>>) {
        let offset = value.span().start;
        match value.get_mut() {
            DeValue::String(text) if text.contains("${") => match self.text(text) {
                Ok(full) => {
                    self.done.push((full.clone(), text.to_string()));
                    *text = Cow::Owned(full);
                }
                Err(message) => self.issues.push(Issue {
                    offset: Some(offset),
                    path: self.path.clone(),
                    variable: None,
                    message,
                    show: Show::Key,
                }),
            },
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    self.value(item);
                }
            }
            DeValue::Table(table) => self.table(table),
            _ => {}
        }
    }

    fn text(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, found) = rest.split_at(at);
            // `$${` is a `${` that stands for itself.
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = &found[2..];
                continue;
            }
            out.push_str(before);
            let (inner, after) = found[2..].split_once('}').ok_or(
                "after `${` comes the name of an environment variable and `}`; write `$${` for a `${` itself",
            )?;
            let (name, fallback) = match inner.split_once(":-") {
                Some((name, fallback)) => (name, Some(fallback)),
                None => (inner, None),
            };
            let value = self.environment.get(name).filter(|value| !value.is_empty());
            out.push_str(value.or(fallback).ok_or_else(|| {
                format!("there is no environment variable `{name}`; set it, or write `${{{name}:-…}}` with what counts without it")
            })?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// The value that `text` is in TOML: a number, a truth value, a text in quotes, or a list of them.
fn parsed<'t>(text: &'t str, span: &Range<usize>) -> Option<DeValue<'t>> {
    match DeValue::parse(text.trim()).ok()?.into_inner() {
        DeValue::Array(items) => {
            let mut placed = DeArray::new();
            for item in items {
                placed.push(Spanned::new(span.clone(), item.into_inner()));
            }
            Some(DeValue::Array(placed))
        }
        DeValue::Table(_) | DeValue::Datetime(_) => None,
        value => Some(value),
    }
}

fn set<'t>(
    table: &mut DeTable<'t>,
    keys: &[&str],
    value: Spanned<DeValue<'t>>,
    path: &mut Vec<String>,
) {
    let Some((first, rest)) = keys.split_first() else {
        return;
    };
    let known = table
        .keys()
        .find(|key| as_variable(key.get_ref()) == *first);
    let name = known.map_or_else(
        || first.to_ascii_lowercase(),
        |key| key.get_ref().to_string(),
    );
    path.push(name.clone());
    let span = value.span();
    if rest.is_empty() {
        table.remove(name.as_str());
        table.insert(Spanned::new(span, name.into()), value);
        return;
    }
    if !table
        .get(name.as_str())
        .is_some_and(|inner| inner.get_ref().is_table())
    {
        table.remove(name.as_str());
        let inner = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        table.insert(Spanned::new(span, name.clone().into()), inner);
    }
    if let Some(DeValue::Table(inner)) = table.get_mut(name.as_str()).map(Spanned::get_mut) {
        set(inner, rest, value, path);
    }
}

/// How `key` is written in the name of a variable.
fn as_variable(key: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    key.chars().map(letter).collect()
}

fn find<'a, 't>(table: &'a mut DeTable<'t>, path: &[String]) -> Option<&'a mut DeValue<'t>> {
    let (first, rest) = path.split_first()?;
    let value = table.get_mut(first.as_str())?.get_mut();
    match (rest, value) {
        ([], value) => Some(value),
        (rest, DeValue::Table(inner)) => find(inner, rest),
        _ => None,
    }
}
