//! The text of a configuration: TOML, whatever form the file has in which it stands.

use std::path::Path;

use toml_edit::DocumentMut;

use super::rtsptoweb::File;
use super::{Environment, Loaded, Report, check, rtsptoweb};

/// What a configuration file says in our own form; and beside it RTSPtoWeb's, where the file has that one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    toml: String,
    foreign: Option<File>,
}

impl From<String> for Text {
    /// Of TOML.
    fn from(toml: String) -> Self {
        Self {
            toml,
            foreign: None,
        }
    }
}

impl Text {
    /// What the file at `path` says. `before` is what it said when it was read last, if it was.
    pub(crate) fn read(path: &Path, before: Option<&Self>) -> Result<Self, Report> {
        let text = super::read(path)?;
        if !rtsptoweb::is_json(path, &text) {
            return Ok(text.into());
        }
        let before = before.and_then(|before| before.foreign.as_ref());
        let (file, toml) = File::read(&path.display().to_string(), &text, before)?;
        Ok(Self {
            toml,
            foreign: Some(file),
        })
    }

    /// What it means, with what `environment` adds.
    pub(crate) fn check(&self, name: &str, environment: &Environment) -> Result<Loaded, Report> {
        match &self.foreign {
            None => check(name, &self.toml, environment),
            Some(_) => rtsptoweb::check(name, &self.toml, environment),
        }
    }

    /// What of a foreign file is ignored, or does harm, in words.
    pub(crate) fn warnings(&self) -> &[String] {
        self.foreign.as_ref().map_or(&[], File::warnings)
    }

    /// Says so in the log.
    pub(crate) fn warn(&self) {
        for warning in self.warnings() {
            tracing::warn!(event = "config_warning", "{warning}");
        }
    }

    /// In TOML.
    pub(crate) fn toml(&self) -> &str {
        &self.toml
    }

    /// To change, or to look into.
    ///
    /// # Panics
    /// Never, once it was checked.
    pub(crate) fn document(&self) -> DocumentMut {
        self.toml
            .parse()
            .expect("what is in force was read by the same parser")
    }

    /// The same, once it was changed to say `document`.
    pub(super) fn changed(&self, document: &DocumentMut) -> Self {
        let foreign = self.foreign.clone().map(|mut file| {
            file.change(&self.document(), document);
            file
        });
        Self {
            toml: document.to_string(),
            foreign,
        }
    }

    /// What its file holds.
    pub(super) fn in_its_form(&self) -> String {
        match &self.foreign {
            None => self.toml.clone(),
            Some(file) => file.to_string(),
        }
    }

    /// Whether its file has RTSPtoWeb's form.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign.is_some()
    }
}
