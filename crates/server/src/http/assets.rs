use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::problem;

/// The built pages of `web/`, as they were when the binary was compiled.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Bundled;

/// What stands at `/` in a binary that was compiled without the pages.
const NOT_BUILT: &str = include_str!("not_built.html");
/// The largest file that is served from a directory, in bytes.
const MAX_FILE: u64 = 32 << 20;

/// Where the pages come from.
#[derive(Debug, Clone)]
pub(crate) enum Assets {
    /// From the binary.
    Bundled,
    /// From a directory, read anew each time: for those who work on the pages.
    Directory(Arc<Path>),
}

#[derive(Debug)]
struct Asset {
    data: Cow<'static, [u8]>,
    etag: Option<String>,
}

/// The pages of `assets`, and a problem document for every path that nothing answers.
pub(super) fn router(assets: Assets) -> Router {
    Router::new().fallback(serve).with_state(assets)
}

async fn serve(
    State(assets): State<Assets>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        "wall" => "wall.html",
        path => path,
    };
    let Some(asset) = assets.get(path).await else {
        return problem::not_found(&uri);
    };
    if method != Method::GET && method != Method::HEAD {
        let mut response = problem::wrong_method(method, uri).await;
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    respond(path, asset, &headers)
}

fn respond(path: &str, asset: Asset, request: &HeaderMap) -> Response {
    let etag = asset
        .etag
        .and_then(|etag| HeaderValue::from_str(&etag).ok());
    let known = match (request.get(IF_NONE_MATCH), &etag) {
        (Some(theirs), Some(ours)) => matches(theirs, ours),
        _ => false,
    };
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(match asset.data {
            Cow::Borrowed(data) => Bytes::from_static(data),
            Cow::Owned(data) => Bytes::from(data),
        })
        .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
    // Vite puts a hash of the contents into the names below `assets/`.
    let hashed = path.starts_with("assets/");
    let cache = match (hashed, etag.is_some()) {
        (true, true) => "public, max-age=31536000, immutable",
        _ => "no-cache",
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if hashed || path == "player.js" {
        // Other sites embed the player.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if let Some(etag) = etag {
        headers.insert(ETAG, etag);
    }
    response
}

impl Assets {
    async fn get(&self, path: &str) -> Option<Asset> {
        match self {
            Self::Bundled => bundled(path),
            Self::Directory(root) => {
                let file = below(root, path)?;
                tokio::task::spawn_blocking(move || read(&file))
                    .await
                    .ok()?
            }
        }
    }
}

fn bundled(path: &str) -> Option<Asset> {
    if let Some(file) = Bundled::get(path) {
        let mut etag = String::from("\"");
        for byte in &file.metadata.sha256_hash()[..16] {
            let _ = write!(etag, "{byte:02x}");
        }
        etag.push('"');
        return Some(Asset {
            data: file.data,
            etag: Some(etag),
        });
    }
    (path == "index.html").then_some(Asset {
        data: Cow::Borrowed(NOT_BUILT.as_bytes()),
        etag: None,
    })
}

fn read(file: &Path) -> Option<Asset> {
    let size = std::fs::metadata(file)
        .ok()
        .filter(std::fs::Metadata::is_file)?
        .len();
    (size <= MAX_FILE).then_some(())?;
    Some(Asset {
        data: Cow::Owned(std::fs::read(file).ok()?),
        etag: None,
    })
}

/// `path` below `root`, where it really leads below it.
fn below(root: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    path.components()
        .all(|part| matches!(part, Component::Normal(_)))
        .then(|| root.join(path))
}

/// Whether one of the tags in an `If-None-Match` is `ours` (RFC 9110 §13.1.2: weak comparison).
fn matches(theirs: &HeaderValue, ours: &HeaderValue) -> bool {
    let (Ok(theirs), Ok(ours)) = (theirs.to_str(), ours.to_str()) else {
        return false;
    };
    theirs
        .split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == ours || tag == "*")
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out_of_the_directory() {
        let root = Path::new("/srv/web");
        assert_eq!(
            below(root, "assets/a.js"),
            Some("/srv/web/assets/a.js".into())
        );
        for bad in [
            "../etc/passwd",
            "assets/../../x",
            "/etc/passwd",
            "a/./../../b",
        ] {
            assert_eq!(below(root, bad), None, "{bad}");
        }
    }

    #[test]
    fn the_pages_are_in_the_binary_if_they_were_built() {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist/index.html");
        let page = bundled("index.html").unwrap();
        match std::fs::read(built) {
            Ok(built) => assert!(page.data == built && page.etag.is_some()),
            Err(_) => assert_eq!(page.data, NOT_BUILT.as_bytes()),
        }
    }

    #[test]
    fn a_tag_matches_weakly_and_in_a_list() {
        let ours = HeaderValue::from_static("\"abc\"");
        for theirs in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(
                matches(&HeaderValue::from_static(theirs), &ours),
                "{theirs}"
            );
        }
        assert!(!matches(&HeaderValue::from_static("\"x\""), &ours));
    }
}
