use std::fmt;

use crate::redact;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issue {
    /// Where, in bytes from the start of the file, where it is known.
    pub(crate) offset: Option<usize>,
    /// The keys that lead to it, such as `streams`, `front`, `url`; may be empty.
    pub(crate) path: Vec<String>,
    /// The environment variable that it comes from, if not from the file.
    pub(crate) variable: Option<String>,
    /// What is wrong and what would be right, without secrets.
    pub(crate) message: String,
    /// How much of the line may be shown.
    pub(crate) show: Show,
}

impl Issue {
    /// That what stands at `path` can't be as things are.
    pub(crate) fn at(path: &[&str], message: String) -> Self {
        Self {
            offset: None,
            path: path.iter().map(|&key| key.to_owned()).collect(),
            variable: None,
            message,
            show: Show::Key,
        }
    }
}

/// How much of a line of the file may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// All of it but what is known to be secret.
    Value,
    /// The key alone: the value was not understood, so it may be a secret.
    Key,
}

/// All that is wrong with a configuration file, ready to be shown: it holds no secret.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    text: String,
    issues: Vec<Issue>,
}

impl Report {
    /// The report on `issues` in `text`, the contents of the file called `name`, in the order of the file.
    pub(crate) fn new(name: &str, text: &str, mut issues: Vec<Issue>) -> Self {
        issues.sort_by_key(|issue| issue.offset.unwrap_or(usize::MAX));
        issues.dedup();
        let mut out = match issues.len() {
            1 => format!("{name}: 1 problem\n"),
            n => format!("{name}: {n} problems\n"),
        };
        for issue in &issues {
            out.push('\n');
            out.push_str(&one(name, text, issue));
        }
        Self { text: out, issues }
    }

    /// One by one; none where the whole can't be read.
    pub(crate) fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// The file called `name` can't be read at all.
    pub(crate) fn unreadable(name: &str, why: impl fmt::Display) -> Self {
        format!("can't read the configuration file {name}: {why}").into()
    }
}

impl From<String> for Report {
    /// A report of one sentence, which must not hold a secret.
    fn from(sentence: String) -> Self {
        Self {
            text: sentence,
            issues: Vec::new(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

impl std::error::Error for Report {}

fn one(name: &str, text: &str, issue: &Issue) -> String {
    let path = match issue.path.join(".") {
        path if path.is_empty() => path,
        path => format!("{path}: "),
    };
    let message = &issue.message;
    if let Some(variable) = &issue.variable {
        return format!("{variable}, an environment variable: {path}{message}\n");
    }
    let Some(offset) = issue.offset else {
        return format!("{name}: {path}{message}\n");
    };
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    let number = before.matches('\n').count() + 1;
    let column = before[start..].chars().count() + 1;
    let line = text[start..].lines().next().unwrap_or_default();
    let shown = match issue.show {
        Show::Value => Some(redact::line(line)),
        Show::Key => redact::key_only(line),
    };
    let quoted = shown.map_or_else(String::new, |line| format!("  {number:>4} | {line}\n"));
    format!("{name}:{number}:{column}: {path}{message}\n{quoted}")
}
