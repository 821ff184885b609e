//! Tags of parts of the configuration (RFC 9110 §8.8.3).

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use serde_json::Value as Json;
use toml_edit::{DocumentMut, Item};

use crate::events::hex;

/// Makes tags. They change with every secret, so they are keyed: nobody can try secrets against a tag.
#[derive(Debug)]
pub(super) struct Seal(hmac::Key);

/// The tag of a part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Etag(String);

impl Seal {
    /// With a key of this process alone: after a restart all tags are others.
    pub(super) fn new() -> anyhow::Result<Self> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map(Self)
            .map_err(|_| anyhow::anyhow!("the system has no random numbers"))
    }

    /// The tag of what stands at `path` in `document` and is told as `served`.
    pub(super) fn of(&self, document: &DocumentMut, path: &[&str], served: &Json) -> Etag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(served.to_string().as_bytes());
        let root = Some(document.as_item());
        let item = path
            .iter()
            .fold(root, |item, key| item?.as_table_like()?.get(key));
        if let Some(item) = item {
            digest(item, &mut context);
        }
        let tag = context.sign();
        let hex = hex(&tag.as_ref()[..12]);
        Etag(format!("\"{hex}\""))
    }
}

impl Etag {
    /// Whether an `If-Match` names it: strong comparison (RFC 9110 §13.1.1).
    pub(crate) fn is_in(&self, tags: &str) -> bool {
        tags.trim() == "*" || tags.split(',').any(|tag| tag.trim() == self.0)
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn digest(item: &Item, context: &mut hmac::Context) {
    if let Some(table) = item.as_table_like() {
        for (key, item) in table.iter() {
            context.update(key.as_bytes());
            context.update(b"\0");
            digest(item, context);
        }
    } else {
        let value = item.clone().into_value().unwrap_or_else(|_| "".into());
        context.update(value.decorated("", "").to_string().as_bytes());
    }
    context.update(b"\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_changes_with_every_value_secrets_included_and_with_nothing_else() {
        let seal = Seal::new().unwrap();
        let tag = |text: &str| {
            let document: DocumentMut = text.parse().unwrap();
            seal.of(&document, &["a"], &Json::Null)
        };
        let first = tag("[a]\npassword = 'x'\n[b]\nc = 1");
        assert_eq!(first, tag("# new\n[a]\npassword = 'x' # said\n[b]\nc = 2"));
        assert_ne!(first, tag("[a]\npassword = 'y'\n"));
        assert!(first.is_in("*") && first.is_in(&format!("\"x\", {first}")));
        assert!(!first.is_in("\"x\"") && !first.is_in(&format!("W/{first}")));
    }
}
