//! Lists in pages.

use axum::http::StatusCode;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::http::problem::Problem;

/// How many entries a page has at most, and how many if nothing is said.
pub(super) const MOST: usize = 1000;

/// How many entries can be passed over.
const FURTHEST: usize = 1_000_000_000;

/// A page of what `all` holds, and how many there are in all.
pub(super) fn page<T>(
    all: impl Iterator<Item = T>,
    offset: usize,
    limit: Option<usize>,
) -> (Vec<T>, usize) {
    let limit = limit.unwrap_or(MOST);
    let mut total = 0;
    let mut page = Vec::new();
    for item in all {
        if total >= offset && page.len() < limit {
            page.push(item);
        }
        total += 1;
    }
    (page, total)
}

/// Reads `limit`.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    match String::deserialize(deserializer)?.parse() {
        Ok(limit @ 1..=MOST) => Ok(Some(limit)),
        _ => Err(D::Error::custom("it is a number from 1 to 1000")),
    }
}

/// Reads `offset`.
pub(super) fn offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    match String::deserialize(deserializer)?.parse() {
        Ok(offset @ ..=FURTHEST) => Ok(offset),
        _ => Err(D::Error::custom("it is a number up to 1000000000")),
    }
}

/// There is no such thing.
pub(super) fn missing(what: &str, id: &str) -> Problem {
    let id: String = id.chars().take(128).collect();
    Problem::new(StatusCode::NOT_FOUND, format!("there is no {what} `{id}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_out_of_all_that_are_counted() {
        assert_eq!(page(0..10, 0, None), ((0..10).collect(), 10));
        assert_eq!(page(0..10, 8, Some(5)), (vec![8, 9], 10));
        assert_eq!(page(0..10, 20, Some(5)), (vec![], 10));
    }
}
