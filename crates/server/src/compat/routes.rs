//! RTSPtoWeb's control routes.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value as Json};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::envelope::{Failure, answer, done, envelope};
use super::shape::{ManySent, StreamSent, sent};
use super::{Compat, codec};

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 4 << 20;
/// How long the codecs of a camera are waited for.
const CODECS: Duration = Duration::from_secs(5);

type Shared = State<Compat>;
type Two = Path<(String, String)>;

pub(super) fn router(compat: Compat) -> Router {
    let one = "/stream/{stream}";
    let channel = "/stream/{stream}/channel/{channel}";
    Router::new()
        .route("/streams", get(list))
        .route("/streams/multi/control/add", post(add_many))
        .route("/streams/multi/control/delete", post(delete_many))
        .route(&format!("{one}/add"), post(add))
        .route(&format!("{one}/edit"), post(edit))
        .route(&format!("{one}/delete"), get(delete).post(delete))
        .route(&format!("{one}/reload"), get(reload).post(reload))
        .route(&format!("{one}/info"), get(info))
        .route(&format!("{channel}/add"), post(add_channel))
        .route(&format!("{channel}/edit"), post(edit_channel))
        .route(
            &format!("{channel}/delete"),
            get(delete_channel).post(delete_channel),
        )
        .route(
            &format!("{channel}/reload"),
            get(reload_channel).post(reload_channel),
        )
        .route(&format!("{channel}/info"), get(channel_info))
        .route(&format!("{channel}/codec"), get(codecs))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(compat)
}

async fn list(State(compat): Shared) -> Response {
    told(compat, |compat| Ok(compat.list())).await
}

async fn info(State(compat): Shared, Path(id): Path<String>) -> Response {
    told(compat, move |compat| compat.info(&id)).await
}

async fn channel_info(State(compat): Shared, Path((id, channel)): Two) -> Response {
    told(compat, move |compat| compat.channel_info(&id, &channel)).await
}

async fn add(State(compat): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    changed(compat, move |compat| compat.add(&id, sent(json(&body)?)?)).await
}

async fn edit(State(compat): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    changed(compat, move |compat| compat.edit(&id, sent(json(&body)?)?)).await
}

async fn delete(State(compat): Shared, method: Method, Path(id): Path<String>) -> Response {
    let allowed = compat.allows(&method);
    changed(compat, move |compat| {
        allowed.and_then(|()| compat.delete(&id))
    })
    .await
}

async fn reload(State(compat): Shared, method: Method, Path(id): Path<String>) -> Response {
    let allowed = compat.allows(&method);
    changed(compat, move |compat| {
        allowed.and_then(|()| compat.reload(&id))
    })
    .await
}

async fn add_channel(State(compat): Shared, Path((id, channel)): Two, body: Bytes) -> Response {
    changed(compat, move |compat| {
        compat.add_channel(&id, &channel, sent(json(&body)?)?)
    })
    .await
}

async fn edit_channel(State(compat): Shared, Path((id, channel)): Two, body: Bytes) -> Response {
    changed(compat, move |compat| {
        compat.edit_channel(&id, &channel, sent(json(&body)?)?)
    })
    .await
}

async fn delete_channel(
    State(compat): Shared,
    method: Method,
    Path((id, channel)): Two,
) -> Response {
    let allowed = compat.allows(&method);
    changed(compat, move |compat| {
        allowed.and_then(|()| compat.delete_channel(&id, &channel))
    })
    .await
}

async fn reload_channel(
    State(compat): Shared,
    method: Method,
    Path((id, channel)): Two,
) -> Response {
    let allowed = compat.allows(&method);
    changed(compat, move |compat| {
        allowed.and_then(|()| compat.reload_channel(&id, &channel))
    })
    .await
}

/// The codecs of a channel, as soon as they are known. Does not have the camera connected.
async fn codecs(State(compat): Shared, Path((id, channel)): Two) -> Response {
    let channel = match compat.channel(&id, &channel) {
        Ok(channel) => channel,
        Err(failure) => return failure.into_response(),
    };
    let mut tracks = channel.tracks();
    let known = tracks.wait_for(|tracks| codec::are_known(tracks));
    let known = timeout(CODECS, known)
        .await
        .is_ok_and(|known| known.is_ok());
    let codecs = codec::all(&channel.tracks().borrow());
    if !known && codecs.is_empty() {
        return Failure::NotReady.into_response();
    }
    done(codecs)
}

/// `{"streams": {id: stream}}`
async fn add_many(State(compat): Shared, body: Bytes) -> Response {
    let streams = json(&body).and_then(sent::<ManySent>);
    let add = |compat: &Compat, id: &str, stream: Json| {
        let stream: StreamSent = sent(stream)?;
        compat.add(id, stream)
    };
    many(
        compat,
        streams.map(|all| all.streams.unwrap_or_default().into_iter().collect()),
        add,
    )
    .await
}

/// `["id", "id"]`
async fn delete_many(State(compat): Shared, body: Bytes) -> Response {
    let ids = json(&body).and_then(|json| {
        serde_json::from_value::<Option<Vec<String>>>(json)
            .map_err(|_| Failure::Body("this must be a list of ids: [\"…\", \"…\"]".to_owned()))
    });
    let ids = ids.map(|ids| {
        let ids = ids.unwrap_or_default().into_iter();
        ids.map(|id| (id, Json::Null)).collect()
    });
    many(compat, ids, |compat, id, _| compat.delete(id)).await
}

/// Does something with each of many streams, and tells of each what became of it.
async fn many(
    compat: Compat,
    all: Result<Vec<(String, Json)>, Failure>,
    one: impl Fn(&Compat, &str, Json) -> Result<(), Failure> + Send + 'static,
) -> Response {
    let mut all = match all {
        Ok(all) if !all.is_empty() => all,
        Ok(_) => return Failure::NoStreams.into_response(),
        Err(failure) => return failure.into_response(),
    };
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let work = spawn_blocking(move || {
        let mut outcome = Map::new();
        let mut status = 1;
        for (id, wanted) in all {
            let told = match one(&compat, &id, wanted) {
                Ok(()) => envelope(1, "success"),
                Err(failure) => {
                    status = 0;
                    envelope(0, failure.to_string())
                }
            };
            outcome.insert(id, told);
        }
        answer(StatusCode::OK, &envelope(status, outcome))
    });
    work.await.unwrap_or_else(|_| defect().into_response())
}

/// What `look` finds.
async fn told(
    compat: Compat,
    look: impl FnOnce(&Compat) -> Result<Json, Failure> + Send + 'static,
) -> Response {
    let found = spawn_blocking(move || look(&compat)).await;
    match found.unwrap_or_else(|_| Err(defect())) {
        Ok(payload) => done(payload),
        Err(failure) => failure.into_response(),
    }
}

/// Whether `change` was made.
async fn changed(
    compat: Compat,
    change: impl FnOnce(&Compat) -> Result<(), Failure> + Send + 'static,
) -> Response {
    told(compat, |compat| change(compat).map(|()| "success".into())).await
}

fn defect() -> Failure {
    tracing::error!("a change over RTSPtoWeb's API ended early");
    Failure::Defect("a defect of the server")
}

/// The body as JSON, whatever it says that it is. As there, what follows the first value does not count.
fn json(body: &Bytes) -> Result<Json, Failure> {
    let first = serde_json::Deserializer::from_slice(body)
        .into_iter()
        .next();
    let told = |error: serde_json::Error| {
        if error.is_eof() {
            "unexpected EOF".to_owned()
        } else {
            format!("this is not JSON: {error}")
        }
    };
    first
        .ok_or_else(|| Failure::Body("EOF".to_owned()))?
        .map_err(|error| Failure::Body(told(error)))
}

impl Compat {
    /// Whether what changes something may come by `method`.
    pub(super) fn allows(&self, method: &Method) -> Result<(), Failure> {
        let get = *method == Method::GET && self.terms().settings.change_by_get;
        if get || *method == Method::POST {
            Ok(())
        } else {
            Err(Failure::ByPost)
        }
    }
}
