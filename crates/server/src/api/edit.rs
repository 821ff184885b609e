//! Changes to settings, as requests and answers.

use axum::Json;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::Api;
use super::listing::missing;
use crate::config::{Change, Condition, EditError, Edited, Issue};
use crate::http::fresh;
use crate::http::problem::Problem;

/// What became of a change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Saved {
    /// Whether the configuration file has it. If not, it holds until the server ends.
    #[expect(clippy::struct_field_names, reason = "it is what it is called")]
    saved: bool,
    /// Why the file does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Settings that were changed and count from the next start on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restart_needed: Vec<&'static str>,
}

/// A part of the configuration, addressed by its keys.
#[derive(Debug, Clone)]
pub(super) struct Target {
    keys: Vec<String>,
    what: &'static str,
}

impl Target {
    pub(super) fn stream(id: &str) -> Self {
        Self {
            keys: vec!["streams".to_owned(), id.to_owned()],
            what: "stream",
        }
    }

    pub(super) fn channel(stream: &str, id: &str) -> Self {
        let keys = ["streams", stream, "channels", id];
        Self {
            keys: keys.map(str::to_owned).to_vec(),
            what: "channel with settings of its own",
        }
    }

    /// All of it.
    pub(super) fn whole() -> Self {
        let keys = Vec::new();
        let what = "configuration";
        Self { keys, what }
    }

    pub(super) fn section(name: &str) -> Self {
        let keys = vec![name.to_owned()];
        let what = "section";
        Self { keys, what }
    }

    fn path(&self) -> Vec<&str> {
        self.keys.iter().map(String::as_str).collect()
    }

    fn missing(&self) -> Problem {
        missing(self.what, self.keys.last().map_or("", String::as_str))
    }
}

/// The settings at `target`, with their tag.
pub(super) async fn look(api: &Api, target: Target) -> Result<Response, Problem> {
    let keeper = api.0.keeper.clone();
    let path = target.clone();
    let found = spawn_blocking(move || keeper.look(&path.path())).await;
    let (etag, settings) = found.map_err(defect)?.ok_or_else(|| target.missing())?;
    Ok(tagged(&etag.to_string(), fresh(Json(settings))))
}

/// Makes `change` at `target`.
pub(super) async fn change(
    api: &Api,
    target: Target,
    change: Change,
    condition: Condition,
) -> Result<Response, Problem> {
    let keeper = api.0.keeper.clone();
    let path = target.clone();
    let removal = matches!(change, Change::Remove);
    let edited = spawn_blocking(move || {
        let edited = keeper.edit(&path.path(), &change, &condition)?;
        Ok((edited, keeper.look(&path.path())))
    });
    let (edited, now) = edited
        .await
        .map_err(defect)?
        .map_err(|error| refused(error, &target, removal))?;
    let Edited {
        created,
        unsaved,
        restart,
    } = edited;
    tracing::info!(
        settings = target.keys.join("."),
        removal,
        "changed over the API"
    );
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let saved = Saved {
        saved: unsaved.is_none(),
        message: unsaved,
        restart_needed: restart,
    };
    let mut response = (status, fresh(Json(saved))).into_response();
    if created {
        let location = format!("/api/v1/{}", target.keys.join("/"));
        response
            .headers_mut()
            .extend(HeaderValue::from_str(&location).map(|location| (LOCATION, location)));
    }
    Ok(match now {
        Some((etag, _)) if !removal => tagged(&etag.to_string(), response),
        _ => response,
    })
}

pub(super) fn tagged(etag: &str, mut response: Response) -> Response {
    response
        .headers_mut()
        .extend(HeaderValue::from_str(etag).map(|etag| (ETAG, etag)));
    response
}

fn refused(error: EditError, target: &Target, removal: bool) -> Problem {
    match error {
        EditError::Missing => target.missing(),
        EditError::Condition(why) => Problem::new(StatusCode::PRECONDITION_FAILED, why),
        EditError::Conflict(why) => Problem::new(StatusCode::CONFLICT, why),
        EditError::LockedOut(why) => Problem::new(
            StatusCode::CONFLICT,
            format!("{why}; send it with ?force=true if that is meant"),
        ),
        EditError::Refused(refused) => {
            let problem = Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "these settings can't come over the API; `errors` says which and why",
            );
            refused.into_iter().fold(problem, |problem, refused| {
                problem.at(pointer(&refused.path), refused.message)
            })
        }
        EditError::Wrong(inside, _) if !inside.is_empty() && !removal => {
            let problem = Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "these settings make no sense; `errors` says which and what would be right",
            );
            inside.into_iter().fold(problem, |problem, issue| {
                problem.at(pointer(&issue.path[target.keys.len()..]), issue.message)
            })
        }
        EditError::Wrong(inside, outside) => {
            let told: Vec<String> = inside.iter().chain(&outside).map(one).collect();
            Problem::new(
                StatusCode::CONFLICT,
                format!(
                    "with this change the configuration makes no sense: {}",
                    told.join("; ")
                ),
            )
        }
        EditError::File(report) => Problem::new(
            StatusCode::CONFLICT,
            format!(
                "the configuration file was changed by hand and makes no sense; mend it first: {report}"
            ),
        ),
    }
}

fn one(issue: &Issue) -> String {
    format!("{}: {}", issue.path.join("."), issue.message)
}

/// A JSON pointer (RFC 6901).
fn pointer(path: &[String]) -> String {
    let token = |key: &String| format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    path.iter().map(token).collect()
}

/// What can't be a camera, told of a body that is a channel.
pub(super) fn not_a_camera(error: EditError) -> Problem {
    refused(error, &Target::stream(""), false)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn defect(error: tokio::task::JoinError) -> Problem {
    tracing::error!(%error, "a change of the configuration ended early");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a defect of the server")
}
