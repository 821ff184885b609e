//! Settings that come from elsewhere, which counts more than the file: changing them over the API would change nothing.

use serde_json::{Map, Value as Json};

use super::Issue;
use super::keeper::at;

/// A setting that comes from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// What gives it, in words.
    by: String,
    /// The keys that lead to the setting.
    path: Vec<String>,
}

impl Given {
    /// The setting at `path` is given by what `by` names.
    pub(crate) fn new(
        by: impl Into<String>,
        path: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            by: by.into(),
            path: path.into_iter().map(Into::into).collect(),
        }
    }

    /// What is wrong with changing what stands at `path`, served as `served`, to `wanted`: nothing, unless this setting would
    /// become another one by it.
    pub(super) fn in_vain(
        &self,
        wanted: &Map<String, Json>,
        path: &[&str],
        served: Option<&Json>,
    ) -> Option<Issue> {
        let inside = self.path.get(path.len()..)?;
        let is_below = path.iter().eq(self.path.iter().take(path.len()));
        let keys: Vec<&str> = inside.iter().map(String::as_str).collect();
        let (first, rest) = keys.split_first().filter(|_| is_below)?;
        let sent = at(wanted.get(*first)?, rest)?;
        if Some(sent) == served.and_then(|served| at(served, &keys)) {
            return None;
        }
        let keys: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let told = format!(
            "this comes from {}, which counts more; change it there, or leave the value as it was served",
            self.by
        );
        Some(Issue::at(&keys, told))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(wanted: &Json, path: &[&str]) -> Option<String> {
        let given = Given::new("`--listen` of the command line", ["server", "listen"]);
        let served = json!({"server": {"listen": "127.0.0.1:1", "drain": "1s"}});
        let issue = given.in_vain(wanted.as_object()?, path, at(&served, path))?;
        assert_eq!(issue.path, ["server", "listen"]);
        Some(issue.message)
    }

    #[test]
    fn what_would_change_nothing_is_told_from_wherever_it_is_sent() {
        let by_section = told(&json!({"listen": "127.0.0.1:2"}), &["server"]);
        assert!(by_section.is_some_and(|why| why.contains("`--listen`")));
        let of_all = told(&json!({"server": {"listen": "127.0.0.1:2"}}), &[]);
        assert!(of_all.is_some());
    }

    #[test]
    fn the_same_value_and_other_settings_may_be_sent() {
        assert_eq!(told(&json!({"listen": "127.0.0.1:1"}), &["server"]), None);
        assert_eq!(told(&json!({"drain": "2s"}), &["server"]), None);
        assert_eq!(told(&json!({"listen": "127.0.0.1:2"}), &["hls"]), None);
    }
}
