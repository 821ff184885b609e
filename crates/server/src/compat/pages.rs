//! Paths of RTSPtoWeb's pages that people have bookmarked: they lead to ours.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub(super) fn router() -> Router {
    Router::new().route("/pages/{*path}", any(lead))
}

async fn lead(Path(path): Path<String>) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, target(&path))]).into_response()
}

/// Where our page is that shows what theirs at `path` did.
fn target(path: &str) -> String {
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let encoded = |part: &str| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string();
    match parts.as_slice() {
        ["player", "mse" | "hls" | "webrtc" | "all", stream, channel] => {
            format!("/#{}/{}", encoded(stream), encoded(channel))
        }
        ["stream", "edit", stream] => format!("/#{}", encoded(stream)),
        ["documentation"] => "/api/".to_owned(),
        _ => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bookmarks_lead_to_the_same_stream() {
        for (path, expected) in [
            ("player/mse/front/0", "/#front/0"),
            ("player/all/27aec28e-6181/1", "/#27aec28e%2D6181/1"),
            ("player/webrtc/a b/0", "/#a%20b/0"),
            ("player/flash/a/0", "/"),
            ("stream/list", "/"),
            ("stream/edit/front", "/#front"),
            ("multiview/full", "/"),
            ("documentation", "/api/"),
        ] {
            assert_eq!(target(path), expected);
        }
    }
}
