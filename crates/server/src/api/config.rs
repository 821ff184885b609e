//! The whole configuration, and its sections that are about no stream.

use auth::Identity;
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::edit::{Saved, Target, change, defect, look, tagged};
use super::extract::{Body, Conditional, Path, Query};
use super::listing::missing;
use super::settings::IfThere;
use crate::config::{Author, Change, Condition, Config, Mode};
use crate::http::problem::{Failure, Problem};
use crate::http::{Client, fresh};
use crate::time::Stamp;

/// The configuration, and where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Standing {
    /// The configuration file; none where the command line said what to show.
    file: Option<String>,
    /// Whether the file has all that is in force. If not, that holds until the server ends.
    saved: bool,
    /// Why the file does not have it.
    message: Option<String>,
    /// Counts the changes since the start.
    revision: u64,
    /// Since when this is in force.
    since: Stamp,
    /// Whether the file, as it is now, makes sense. If not, what was in force before still is.
    valid: bool,
    /// What is wrong with the file.
    problems: Vec<FileProblem>,
    /// Settings that were changed and count from the next start on.
    restart_needed: Vec<&'static str>,
    /// What is in force, what the environment says included, secrets masked.
    #[schema(value_type = Config)]
    config: serde_json::Value,
}

/// Something that is wrong with the configuration file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FileProblem {
    /// The keys that lead to it; empty where the file is no TOML.
    key: String,
    /// What is wrong, and what would be right.
    message: String,
}

/// The configuration in force, and what is wrong with the file.
#[utoipa::path(get, path = "/api/v1/config", tag = "server",
    responses((status = 200, description = "All of it", body = Standing,
        headers(("etag" = String, description = "Of `config`, to be sent back as If-Match"))), Failure))]
pub(super) async fn config(State(api): State<Api>) -> Result<Response, Problem> {
    let keeper = api.0.keeper.clone();
    let (etag, view) = spawn_blocking(move || keeper.look_at_all())
        .await
        .map_err(defect)?;
    let told = view.problems.as_ref().map(|report| match report.issues() {
        [] => vec![FileProblem {
            key: String::new(),
            message: report.to_string(),
        }],
        issues => issues
            .iter()
            .map(|issue| FileProblem {
                key: issue.path.join("."),
                message: issue.message.clone(),
            })
            .collect(),
    });
    let standing = fresh(Json(Standing {
        file: view.file.as_ref().map(|file| file.display().to_string()),
        saved: view.unsaved.is_none(),
        message: view.unsaved.clone(),
        revision: view.revision,
        since: view.since.into(),
        valid: told.is_none(),
        problems: told.unwrap_or_default(),
        restart_needed: view.restart.clone(),
        config: view.served.clone(),
    }));
    Ok(tagged(&etag.to_string(), standing))
}

/// The sections of the configuration that are about no stream.
const SECTIONS: [&str; 10] = [
    "server", "tls", "auth", "log", "metrics", "hls", "webrtc", "compat", "rtsp", "defaults",
];

/// A section in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SectionPath {
    /// The section's name.
    #[param(schema_with = sections, example = "server")]
    section: String,
}

fn sections() -> Object {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.enum_values(Some(SECTIONS)).build()
}

/// What a change of the server's own settings may do.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Force {
    /// Make the change even if whoever asks for it could not change it back.
    force: bool,
}

/// Who asks.
type Asker = (Extension<Identity>, Option<Extension<Client>>);

impl SectionPath {
    fn target(&self) -> Result<Target, Problem> {
        let name = self.section.as_str();
        match name {
            name if SECTIONS.contains(&name) => Ok(Target::section(name)),
            _ => Err(missing("section", name).and(&format!("there are: {}", SECTIONS.join(", ")))),
        }
    }
}

/// A section of the configuration, secrets masked.
#[utoipa::path(get, path = "/api/v1/config/{section}", tag = "server", params(SectionPath),
    responses((status = 200, description = "Its table of the configuration", body = HashMap<String, Value>,
        headers(("etag" = String, description = "To be sent back as If-Match"))), Failure))]
pub(super) async fn section(
    State(api): State<Api>,
    Path(path): Path<SectionPath>,
) -> Result<Response, Problem> {
    look(&api, path.target()?).await
}

/// Changes some settings of several sections at once, or who is told of events.
///
/// A JSON merge patch (RFC 7396) of `config`, as it is served: what is not named stays, `null` takes out, so that the default
/// counts; lists, such as `webhooks`, are sent whole. All of it is put into force, or nothing: what can't be, such as an address
/// that somebody else listens on, changes nothing, nor does what whoever asks for it could not change back (409; see
/// `force`). Streams are changed at `/api/v1/streams`.
#[utoipa::path(patch, path = "/api/v1/config", operation_id = "patch_config", tag = "server", params(Force, IfThere),
    request_body(content((Config = "application/json", example = json!({"server": {"drain": "1s"}, "log": {"level": "info"}})),
        (Config = "application/merge-patch+json", example = json!({"server": {"drain": "1s"}, "log": {"level": "info"}})))),
    responses((status = 200, description = "It is so now", body = Saved), Failure))]
pub(super) async fn patch(
    State(api): State<Api>,
    asker: Asker,
    Query(force): Query<Force>,
    Conditional(condition): Conditional,
    Body(body): Body,
) -> Result<Response, Problem> {
    if body.contains_key("streams") {
        let detail = "streams are changed at /api/v1/streams/{stream}, one by one";
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        return Err(problem.at("/streams", detail));
    }
    merge(&api, Target::whole(), body, condition, &force, asker).await
}

/// Changes some settings of a section.
///
/// A JSON merge patch (RFC 7396): what is not named stays, `null` takes out, so that the default counts; lists are sent whole.
/// What can't be, such as an address that somebody else listens on, changes nothing, nor does what whoever asks for it could
/// not change back (409; see `force`).
#[utoipa::path(patch, path = "/api/v1/config/{section}", tag = "server", params(SectionPath, Force, IfThere),
    request_body(content((HashMap<String, Value> = "application/json", example = json!({"drain": "1s"})),
        (HashMap<String, Value> = "application/merge-patch+json", example = json!({"drain": "1s"})))),
    responses((status = 200, description = "It is so now", body = Saved), Failure))]
pub(super) async fn patch_section(
    State(api): State<Api>,
    Path(path): Path<SectionPath>,
    asker: Asker,
    Query(force): Query<Force>,
    Conditional(condition): Conditional,
    Body(body): Body,
) -> Result<Response, Problem> {
    merge(&api, path.target()?, body, condition, &force, asker).await
}

async fn merge(
    api: &Api,
    target: Target,
    body: Map<String, Value>,
    mut condition: Condition,
    force: &Force,
    (Extension(identity), client): Asker,
) -> Result<Response, Problem> {
    let remote = client.is_some_and(|Extension(client)| client.is_remote());
    condition.reversible_by = (!force.force).then_some(Author { identity, remote });
    change(api, target, Change::Set(body, Mode::Merge), condition).await
}
