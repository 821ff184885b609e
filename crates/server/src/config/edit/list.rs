//! Lists of tables: `[[webhooks]]`, `webrtc.ice_servers`. What is in them has no name, so one is known again by being as it was
//! served, or else by its `url`.

use serde_json::Value as Json;
use toml_edit::{ArrayOfTables, Item, Table, TableLike, Value};

use super::{Change, Mode, unplace};

impl Change {
    /// Makes the list `key` in `table` what `wanted` says.
    pub(super) fn list(
        &mut self,
        table: &mut dyn TableLike,
        key: &str,
        wanted: &[Json],
        served: Option<&Json>,
    ) {
        let old = table.get(key).map(tables).unwrap_or_default();
        // Where something else than the file says what is there, nothing is known again.
        let served = served
            .and_then(Json::as_array)
            .map_or(&[][..], Vec::as_slice);
        let known = if served.len() == old.len() {
            served
        } else {
            &[]
        };
        let fresh: Vec<Table> = wanted
            .iter()
            .enumerate()
            .map(|(n, one)| {
                let before = find(known, one);
                let table = before.map_or_else(Table::new, |n| old[n].clone());
                self.element(n, table, one, before.map(|n| &known[n]))
            })
            .collect();
        let in_line = matches!(table.get(key), Some(Item::Value(_)));
        let item = if in_line {
            let all = fresh.into_iter().map(Table::into_inline_table);
            Item::Value(Value::Array(all.map(Value::InlineTable).collect()))
        } else {
            Item::ArrayOfTables(fresh.into_iter().collect::<ArrayOfTables>())
        };
        match table.get_mut(key) {
            Some(place) => *place = item,
            None => {
                table.insert(key, item);
            }
        }
    }

    /// One of a list: `table`, once it says what is `wanted`.
    fn element(
        &mut self,
        n: usize,
        mut table: Table,
        wanted: &Json,
        served: Option<&Json>,
    ) -> Table {
        let Json::Object(entries) = wanted else {
            return table;
        };
        unplace(&mut table);
        if served != Some(wanted) {
            // A list is sent whole (RFC 7396 §2).
            let mode = std::mem::replace(&mut self.mode, Mode::Replace);
            self.path.push(n.to_string());
            self.table(&mut table, entries, served);
            self.path.pop();
            self.mode = mode;
        }
        table
    }
}

/// Which of those that are `known` is `one`.
fn find(known: &[Json], one: &Json) -> Option<usize> {
    let same = |other: &&Json| *other == one;
    let alike = |other: &&Json| {
        other
            .get("url")
            .is_some_and(|url| one.get("url") == Some(url))
    };
    let at = |like: &dyn Fn(&&Json) -> bool| known.iter().position(|other| like(&other));
    at(&same).or_else(|| at(&alike))
}

/// The tables of a list, whichever way it is written.
fn tables(item: &Item) -> Vec<Table> {
    match item {
        Item::ArrayOfTables(tables) => tables.iter().cloned().collect(),
        Item::Value(Value::Array(values)) => {
            let tables = values.iter().filter_map(Value::as_inline_table);
            tables.map(|table| table.clone().into_table()).collect()
        }
        _ => Vec::new(),
    }
}
