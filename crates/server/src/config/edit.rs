//! Changes to the text of the configuration that leave alone what they don't change: comments, order, references. Pure.

mod list;

use serde_json::{Map, Value as Json};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::redact;

/// Tables whose entries are named by people: each has a header of its own, `[auth.users.ann]`.
const NAMED: [&str; 3] = ["channels", "users", "keys"];

/// Keys whose values are served as a mask, or with one in it.
const SECRET: [&str; 7] = [
    "url",
    "password",
    "secret",
    "signing_key",
    "credential",
    "password_hash",
    "hash",
];

/// What becomes of what a change does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It goes (PUT).
    Replace,
    /// It stays (PATCH, RFC 7396).
    Merge,
}

/// A value that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The keys that lead to it, within what was sent.
    pub(crate) path: Vec<String>,
    /// What is wrong and what would be right.
    pub(crate) message: &'static str,
}

/// Makes what stands at `path` in `document` what `wanted` says. `served` is what the API tells of it now, where it is
/// there: whatever is sent back as it was served is left as it stands in the file, secrets and references too.
pub(crate) fn set(
    document: &mut DocumentMut,
    path: &[&str],
    wanted: &Map<String, Json>,
    served: Option<&Json>,
    mode: Mode,
) -> Result<(), Vec<Refused>> {
    let mut change = Change {
        mode,
        whole: path.is_empty(),
        path: Vec::new(),
        refused: Vec::new(),
    };
    let table = open(document.as_table_mut(), path);
    change.table(table, wanted, served);
    if change.refused.is_empty() {
        Ok(())
    } else {
        Err(change.refused)
    }
}

/// Takes out what stands at `path`; false if nothing does.
pub(crate) fn remove(document: &mut DocumentMut, path: &[&str]) -> bool {
    let Some((last, way)) = path.split_last() else {
        return false;
    };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for key in way {
        match table.get_mut(key).and_then(Item::as_table_like_mut) {
            Some(inner) => table = inner,
            None => return false,
        }
    }
    table.remove(last).is_some()
}

/// Whether anything stands at `path`.
#[cfg(test)]
fn holds(document: &DocumentMut, path: &[&str]) -> bool {
    let mut item = document.as_item();
    for key in path {
        match item.as_table_like().and_then(|table| table.get(key)) {
            Some(inner) => item = inner,
            None => return false,
        }
    }
    true
}

/// The table at `path`, made where it is missing.
fn open<'d>(mut table: &'d mut dyn TableLike, path: &[&str]) -> &'d mut dyn TableLike {
    for (depth, key) in path.iter().enumerate() {
        if !table.get(key).is_some_and(Item::is_table_like) {
            let mut fresh = Table::new();
            // `[streams]` itself need not be written.
            fresh.set_implicit(depth + 1 < path.len());
            table.insert(key, Item::Table(fresh));
        }
        table = table
            .get_mut(key)
            .and_then(Item::as_table_like_mut)
            .expect("it was made just now, if it was not there");
    }
    table
}

struct Change {
    mode: Mode,
    /// It is about all of the document, whose entries are sections.
    whole: bool,
    path: Vec<String>,
    refused: Vec<Refused>,
}

impl Change {
    fn table(
        &mut self,
        table: &mut dyn TableLike,
        wanted: &Map<String, Json>,
        served: Option<&Json>,
    ) {
        if self.mode == Mode::Replace {
            let gone = |key: &str| wanted.get(key).is_none_or(Json::is_null);
            let gone: Vec<String> = table
                .iter()
                .map(|(key, _)| key.to_owned())
                .filter(|key| gone(key))
                .collect();
            for key in gone {
                table.remove(&key);
            }
        }
        for (key, value) in wanted {
            self.path.push(key.clone());
            self.entry(table, key, value, served.and_then(|served| served.get(key)));
            self.path.pop();
        }
        if self.mode == Mode::Replace && self.path.last().is_some_and(|key| key == "channels") {
            order(table, wanted);
        }
    }

    fn entry(&mut self, table: &mut dyn TableLike, key: &str, value: &Json, served: Option<&Json>) {
        match value {
            Json::Null => {
                table.remove(key);
            }
            // In a replacement, what is inside may have gone from the file without having gone from what is served.
            value if served == Some(value) && !value.is_object() => {}
            Json::Array(items) if !items.is_empty() && items.iter().all(Json::is_object) => {
                self.list(table, key, items, served);
            }
            Json::Object(wanted) => {
                let with_header = self.has_header(key);
                let inner = sub_table(table, key, with_header);
                if let Some(inner) = inner {
                    self.table(inner, wanted, served);
                    return;
                }
                self.leaf(table, key, value);
            }
            value => self.leaf(table, key, value),
        }
    }

    /// Whether the table `key`, at the end of the path, gets a header where it is new.
    fn has_header(&self, key: &str) -> bool {
        let above = self.path.iter().rev().nth(1);
        let named = above.is_some_and(|above| NAMED.contains(&above.as_str()));
        named || NAMED.contains(&key) || self.whole && self.path.len() == 1
    }

    fn leaf(&mut self, table: &mut dyn TableLike, key: &str, value: &Json) {
        if let Some(message) = forbidden(key, value) {
            let path = self.path.clone();
            return self.refused.push(Refused { path, message });
        }
        let Some(mut fresh) = toml(value) else {
            return;
        };
        if let Some(old) = table.get(key).and_then(Item::as_value) {
            *fresh.decor_mut() = old.decor().clone();
        }
        match table.get_mut(key) {
            Some(item) => *item = Item::Value(fresh),
            None => {
                table.insert(key, Item::Value(fresh));
            }
        }
    }
}

/// The table `key` in `table`, made where there is nothing; none where a value stands there.
fn sub_table<'t>(
    table: &'t mut dyn TableLike,
    key: &str,
    with_header: bool,
) -> Option<&'t mut dyn TableLike> {
    if !table.get(key).is_some_and(Item::is_table_like) {
        let mut fresh = Table::new();
        // `ring.keep = …` within its stream, `[streams.front.channels.main]` on a line of its own.
        fresh.set_dotted(!with_header);
        fresh.set_implicit(NAMED.contains(&key));
        table.insert(key, Item::Table(fresh));
    }
    table.get_mut(key).and_then(Item::as_table_like_mut)
}

/// Puts the entries into the order in which they were sent, if they are in another one.
fn order(table: &mut dyn TableLike, wanted: &Map<String, Json>) {
    let have: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    let want: Vec<&String> = wanted
        .iter()
        .filter(|(_, v)| !v.is_null())
        .map(|(k, _)| k)
        .collect();
    if have.iter().eq(want.iter().copied()) {
        return;
    }
    for key in want {
        if let Some(mut item) = table.remove(key) {
            if let Item::Table(inner) = &mut item {
                unplace(inner);
            }
            table.insert(key, item);
        }
    }
}

/// Lets a table and what is in it stand wherever it comes.
fn unplace(table: &mut Table) {
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        if let Item::Table(inner) = item {
            unplace(inner);
        }
    }
}

/// Why `value` can't come over the API as `key`.
fn forbidden(key: &str, value: &Json) -> Option<&'static str> {
    let text = match value {
        Json::String(text) => text.as_str(),
        Json::Array(items) => return items.iter().find_map(|item| forbidden(key, item)),
        Json::Object(entries) => {
            let mut entries = entries.iter();
            return entries.find_map(|(key, value)| forbidden(key, value));
        }
        _ => return None,
    };
    if text.contains("${") {
        return Some(
            "what stands in the environment of the server can be referred to in its configuration file alone; send the value itself",
        );
    }
    if matches!(key, "url_file" | "password_file" | "secret_file") {
        return Some(
            "secrets in files of the server can be referred to in its configuration file alone; send the secret itself",
        );
    }
    if matches!(key, "save_dir" | "cache") {
        return Some(
            "where the server writes files is said in its configuration file alone; leave this as it was served",
        );
    }
    let masked = text == redact::HIDDEN
        || text.contains(&format!("://{}@", redact::HIDDEN))
        || text.contains(&format!("?{}", redact::HIDDEN));
    (masked && SECRET.contains(&key)).then_some(
        "this is the mask that stands for a secret; send the secret itself, or leave the value as it was served",
    )
}

/// `value` in TOML; none where there is none.
pub(super) fn toml(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64()?),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().filter_map(toml).collect::<Array>()),
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .filter_map(|(key, value)| Some((key, toml(value)?)));
            Value::from(entries.collect::<InlineTable>())
        }
    })
}

#[cfg(test)]
mod tests;
