//! WHEP (draft-ietf-wish-whep) over HTTP: the endpoint that takes offers, and the session that follows.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Path, State};
use axum::http::header::{ETAG, HeaderMap, IF_MATCH, LINK, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hub::{Channel, ChannelId, Guest, StreamId};
use tracing::debug;

use crate::answer::{Refusal, for_any_origin, is_of_type, options};
use crate::sdp::Fragment;
use crate::service::{Answered, Whep, read};
use crate::settings::IceServer;
use crate::stage::PROTOCOL;

/// The largest offer or fragment. Those of browsers have 3 to 10 KB.
const MAX_BODY: usize = 64 << 10;
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// What of the stream is not sent, though the viewer would take it: its codec is none that WebRTC has.
const LEFT_OUT: HeaderName = HeaderName::from_static("lunette-left-out");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The path of a Stream and, where it is said, of a Channel.
type Place = (String, Option<String>);

pub(crate) fn router(whep: Arc<Whep>) -> Router {
    let endpoint = || {
        get(|| async { ([("content-type", SDP)], ()) })
            .post(create)
            .options(|| async { options(true) })
    };
    let session = || {
        get(|| async { StatusCode::NO_CONTENT })
            .patch(patch)
            .delete(delete)
            .options(|| async { options(false) })
    };
    Router::new()
        .route("/stream/{stream}/whep", endpoint())
        .route("/stream/{stream}/channel/{channel}/whep", endpoint())
        .route("/stream/{stream}/whep/{session}", session())
        .route(
            "/stream/{stream}/channel/{channel}/whep/{session}",
            session(),
        )
        .layer(map_response(for_any_origin))
        .with_state(whep)
}

/// What a path may hold.
#[derive(Debug, serde::Deserialize)]
struct Names {
    stream: String,
    channel: Option<String>,
    session: Option<String>,
}

impl Names {
    fn place(&self) -> Place {
        (self.stream.clone(), self.channel.clone())
    }
}

async fn create(
    State(whep): State<Arc<Whep>>,
    Path(names): Path<Names>,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let created = offered(&whep, names, guest, headers, body).await;
    created.inspect_err(|refusal| whep.refused(refusal))
}

async fn offered(
    whep: &Whep,
    names: Names,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let channel = find(whep, &names)?;
    let offer = read(&text(&headers, SDP, body).await?)?;
    let Extension(guest) = guest.unwrap_or_default();
    let who = guest.over(PROTOCOL);
    let Answered {
        peer,
        sdp,
        left_out,
    } = whep.answer(&channel, names.place(), who, offer).await?;
    let mut response = (StatusCode::CREATED, sdp).into_response();
    let out = response.headers_mut();
    out.insert("content-type", HeaderValue::from_static(SDP));
    // Relative, so that it is right behind any proxy.
    out.insert(LOCATION, value(&format!("whep/{}", peer.id)));
    out.insert(ETAG, value(&peer.etag()));
    out.insert(ACCEPT_PATCH, HeaderValue::from_static(FRAGMENT));
    if !left_out.is_empty() {
        out.insert(LEFT_OUT, value(&left_out.join(", ")));
    }
    links(out, &whep.settings().ice_servers);
    Ok(response)
}

async fn patch(
    State(whep): State<Arc<Whep>>,
    Path(names): Path<Names>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let peer = session(&whep, &names)?;
    let fragment = text(&headers, FRAGMENT, body).await?;
    let Some(tags) = headers.get(IF_MATCH).and_then(|tags| tags.to_str().ok()) else {
        return Err(Refusal::new(
            StatusCode::PRECONDITION_REQUIRED,
            "no_etag",
            "say with If-Match which ICE session is meant, by its ETag",
        ));
    };
    let _turn = peer.turn();
    let etag = peer.etag();
    let any = |tag: &str| matches!(tag.trim(), "*" | "\"*\"");
    if !tags.split(',').any(|tag| any(tag) || tag.trim() == etag) {
        return Err(Refusal::new(
            StatusCode::PRECONDITION_FAILED,
            "other_etag",
            "this ICE session was restarted; the ETag is that of an older one",
        ));
    }
    let fragment = Fragment::parse(&fragment).map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, "bad_fragment", error.to_string())
    })?;
    let restarts = |ufrag: &String| peer.session().agent.remote() != ufrag;
    let Some(ufrag) = fragment.ufrag.filter(restarts) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    debug!("a viewer restarts ICE");
    let answer = whep.restart(&peer, ufrag);
    let mut response = answer.into_response();
    let out = response.headers_mut();
    out.insert("content-type", HeaderValue::from_static(FRAGMENT));
    out.insert(ETAG, value(&peer.etag()));
    Ok(response)
}

async fn delete(
    State(whep): State<Arc<Whep>>,
    Path(names): Path<Names>,
) -> Result<StatusCode, Refusal> {
    whep.leave(&*session(&whep, &names)?);
    Ok(StatusCode::OK)
}

fn find(whep: &Whep, names: &Names) -> Result<Channel, Refusal> {
    let unknown = |what: &str, id: &str| {
        let id: String = id.chars().take(128).collect();
        let detail = format!("there is no {what} `{id}`");
        Refusal::new(StatusCode::NOT_FOUND, "no_stream", detail)
    };
    let stream = StreamId::new(&names.stream).ok();
    let stream = stream.and_then(|id| whep.registry().stream(&id));
    let stream = stream.ok_or_else(|| unknown("stream", &names.stream))?;
    let Some(channel) = &names.channel else {
        return Ok(stream.first_channel().clone());
    };
    let id = ChannelId::new(channel).ok();
    id.and_then(|id| stream.channel(&id).cloned())
        .ok_or_else(|| unknown("channel", channel))
}

fn session(whep: &Whep, names: &Names) -> Result<Arc<crate::peer::Peer>, Refusal> {
    let id = names.session.as_deref().unwrap_or_default();
    let found = whep
        .peer(id)
        .filter(|peer| peer.place == names.place() && !peer.is_over());
    found.ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "no_session",
            "there is no such session; it may be over",
        )
    })
}

async fn text(headers: &HeaderMap, wanted: &str, body: Body) -> Result<String, Refusal> {
    if !is_of_type(headers, wanted) {
        let detail = format!("send it as Content-Type: {wanted}");
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_type",
            detail,
        ));
    }
    let bytes = to_bytes(body, MAX_BODY).await.map_err(|_| {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "the body has more than 64 KiB, or was cut off",
        )
    })?;
    String::from_utf8(bytes.into())
        .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "not_text", "the body is not UTF-8"))
}

/// One header for each server (RFC 8288).
fn links(headers: &mut HeaderMap, servers: &[IceServer]) {
    for server in servers {
        let mut link = format!("<{}>; rel=\"ice-server\"", server.url);
        if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let (username, credential) = (quote(username), quote(credential));
            let _ = write!(
                link,
                "; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\""
            );
        }
        headers.append(LINK, value(&link));
    }
}

/// The value of a header that we made ourselves, or that the configuration was checked for.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
