//! Paths of RTSPtoWeb's pages that people have bookmarked, or show in frames of theirs: they lead to ours.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value as Json;

/// The largest body that is read, in bytes: what is to be on the page of many streams.
const MAX_BODY: usize = 64 << 10;
/// The most places on that page: eight times eight.
const MAX_PLACES: u32 = 64;
/// What stands in an id stands in a URL.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) fn router() -> Router {
    Router::new()
        .route("/pages/{*path}", any(lead))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

async fn lead(
    Path(path): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    body: Bytes,
) -> Response {
    let target = target(&path, &query, &body);
    (StatusCode::SEE_OTHER, [(LOCATION, target)]).into_response()
}

/// What is posted to the page of many streams.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Preset {
    grid: u32,
    /// By the number of the place, from 1.
    player: BTreeMap<String, Json>,
}

/// Where our page is that shows what theirs at `path` did.
fn target(path: &str, query: &BTreeMap<String, String>, body: &[u8]) -> String {
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    match parts.as_slice() {
        ["player", mode @ ("mse" | "hls" | "webrtc"), stream, channel] => {
            let (stream, channel) = (escaped(stream), escaped(channel));
            format!("/wall?streams={stream}/{channel}&modes={mode}")
        }
        ["player", "all", stream, channel] => {
            format!("/#{}/{}", escaped(stream), escaped(channel))
        }
        ["stream", "edit", stream] => format!("/#{}", escaped(stream)),
        ["multiview"] => "/wall".to_owned(),
        ["multiview", "full"] => wall(query, body),
        ["documentation"] => "/api/".to_owned(),
        _ => "/".to_owned(),
    }
}

/// The page of many streams: which, as a preset in the body says, or else all.
fn wall(query: &BTreeMap<String, String>, body: &[u8]) -> String {
    let preset: Preset = serde_json::from_slice(body).unwrap_or_default();
    let mut places: Vec<(u32, String)> = preset
        .player
        .iter()
        .filter_map(|(place, wanted)| {
            let channel = match wanted.get("channel") {
                Some(Json::String(channel)) => escaped(channel),
                Some(Json::Number(channel)) => escaped(&channel.to_string()),
                _ => "0".to_owned(),
            };
            let stream = escaped(wanted.get("uuid")?.as_str()?);
            Some((place.parse().ok()?, format!("{stream}/{channel}")))
        })
        .collect();
    places.sort();
    let streams: Vec<String> = places.into_iter().map(|(_, stream)| stream).collect();
    let asked = query.get("grid").and_then(|grid| grid.parse().ok());
    let grid = asked.unwrap_or(preset.grid).min(MAX_PLACES);
    let mut wanted = Vec::new();
    if !streams.is_empty() {
        wanted.push(format!("streams={}", streams.join(",")));
    }
    if grid > 0 {
        let columns = (1..=8).find(|columns| columns * columns >= grid);
        wanted.push(format!("cols={}", columns.unwrap_or(1)));
    }
    if query.contains_key("controls") {
        wanted.push("controls".to_owned());
    }
    let wanted = wanted.join("&");
    let mark = if wanted.is_empty() { "" } else { "?" };
    format!("/wall{mark}{wanted}")
}

/// An id as it stands in a URL.
pub(super) fn escaped(part: &str) -> String {
    utf8_percent_encode(part, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bookmarks_lead_to_the_same_stream() {
        let none = BTreeMap::new();
        for (path, expected) in [
            ("player/mse/front/0", "/wall?streams=front/0&modes=mse"),
            ("player/webrtc/a b/0", "/wall?streams=a%20b/0&modes=webrtc"),
            ("player/all/27aec28e-6181/1", "/#27aec28e-6181/1"),
            ("player/flash/a/0", "/"),
            ("stream/list", "/"),
            ("stream/edit/front", "/#front"),
            ("multiview", "/wall"),
            ("multiview/full", "/wall"),
            ("documentation", "/api/"),
        ] {
            assert_eq!(target(path, &none, b""), expected);
        }
    }

    #[test]
    fn the_page_of_many_streams_shows_what_a_preset_names() {
        let query = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let preset = br#"{"grid": 6, "player": {"2": {"uuid": "b", "channel": 1, "playerType": "hls"},
            "10": {"uuid": "c&d", "channel": "x"}, "1": {"uuid": "a", "channel": 0}, "3": {"channel": 0}, "x": {"uuid": "e"}}}"#;
        assert_eq!(
            target("multiview/full", &query(&[]), preset),
            "/wall?streams=a/0,b/1,c%26d/x&cols=3"
        );
        let asked = query(&[("controls", ""), ("grid", "16")]);
        assert_eq!(
            target("multiview/full", &asked, b""),
            "/wall?cols=4&controls"
        );
        let huge = query(&[("grid", "4294967295")]);
        assert_eq!(target("multiview/full", &huge, b"{"), "/wall?cols=8");
    }
}
