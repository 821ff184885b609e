use serde_json::{Map, Value as Json};
use toml_edit::{DocumentMut, Item, Table};

use super::super::issue::Issue;
use super::server::Login;
use super::{get, item, wrong};

/// What Lunette's own settings stand under, in a file that RTSPtoWeb reads, too.
const OURS: &str = "lunette";
/// The sections that RTSPtoWeb knows.
const SECTIONS: [&str; 4] = ["server", "streams", "channel_defaults", OURS];

/// A `config.json` on its way into our form.
pub(super) struct Reading<'j> {
    pub(super) json: &'j Map<String, Json>,
    pub(super) document: DocumentMut,
    /// The login, and the hash of its password, as they were before.
    pub(super) login: Option<Login>,
    pub(super) warnings: Vec<String>,
    pub(super) issues: Vec<Issue>,
}

impl<'j> Reading<'j> {
    pub(super) fn new(json: &'j Map<String, Json>, login: Option<Login>) -> Self {
        Self {
            json,
            document: DocumentMut::new(),
            login,
            warnings: Vec::new(),
            issues: Vec::new(),
        }
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// What is of the wrong type: RTSPtoWeb would not start with it either.
    pub(super) fn read(&mut self) -> Result<(), Vec<Issue>> {
        for key in self.json.keys() {
            if !SECTIONS.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                self.warn(format!(
                    "there is no section `{key}`; it is ignored, and kept"
                ));
            }
        }
        self.server();
        self.streams();
        if let Some(Json::Object(ours)) = get(self.json, OURS) {
            merge(self.document.as_table_mut(), ours);
        }
        if self.issues.is_empty() {
            Ok(())
        } else {
            Err(std::mem::take(&mut self.issues))
        }
    }

    pub(super) fn finish(self) -> (DocumentMut, Option<Login>, Vec<String>) {
        (self.document, self.login, self.warnings)
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// The table at `path` of what is made, made where it is missing.
    pub(super) fn table(&mut self, path: &[&str]) -> &mut Table {
        let mut table = self.document.as_table_mut();
        for (depth, key) in path.iter().enumerate() {
            let fresh = || {
                let mut fresh = Table::new();
                fresh.set_implicit(depth + 1 < path.len());
                Item::Table(fresh)
            };
            table = table
                .entry(key)
                .or_insert_with(fresh)
                .as_table_mut()
                .expect("only tables stand on the way to what is made here");
        }
        table.set_implicit(false);
        table
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, object: &Map<String, Json>, path: &[&str]) -> Option<String> {
        match get(object, path.last()?)? {
            Json::String(text) => Some(text.clone()),
            _ => self.not(path, "this must be a text, in quotes"),
        }
    }

    /// A text that is not empty, if it is there.
    pub(super) fn some_text(
        &mut self,
        object: &Map<String, Json>,
        path: &[&str],
    ) -> Option<String> {
        self.text(object, path).filter(|text| !text.is_empty())
    }

    /// A truth value, if it is there.
    pub(super) fn truth(&mut self, object: &Map<String, Json>, path: &[&str]) -> Option<bool> {
        match get(object, path.last()?)? {
            Json::Bool(truth) => Some(*truth),
            _ => self.not(path, "this must be true or false, without quotes"),
        }
    }

    /// An object, if it is there.
    pub(super) fn object<'o>(
        &mut self,
        object: &'o Map<String, Json>,
        path: &[&str],
    ) -> Option<&'o Map<String, Json>> {
        match get(object, path.last()?)? {
            Json::Object(inner) => Some(inner),
            _ => self.not(path, "this must be an object: {…}"),
        }
    }

    /// That something is of the wrong type.
    pub(super) fn not<T>(&mut self, path: &[&str], what: &str) -> Option<T> {
        self.issues.push(wrong(path, what));
        None
    }
}

/// Puts what `ours` says into `table`, over what stands there.
fn merge(table: &mut Table, ours: &Map<String, Json>) {
    for (key, value) in ours {
        match (value, table.get_mut(key).and_then(Item::as_table_mut)) {
            (Json::Object(ours), Some(inner)) => merge(inner, ours),
            _ => {
                table.insert(key, item(value).unwrap_or_default());
            }
        }
    }
}
