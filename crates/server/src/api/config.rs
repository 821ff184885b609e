//! The whole configuration.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::config::Config;
use crate::http::fresh;
use crate::http::problem::{Failure, Problem};
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
    responses((status = 200, description = "All of it", body = Standing), Failure))]
pub(super) async fn config(State(api): State<Api>) -> Result<Response, Problem> {
    let view = api.0.keeper.view();
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
    Ok(fresh(Json(Standing {
        file: view.file.as_ref().map(|file| file.display().to_string()),
        saved: view.unsaved.is_none(),
        message: view.unsaved.clone(),
        revision: view.revision,
        since: view.since.into(),
        valid: told.is_none(),
        problems: told.unwrap_or_default(),
        restart_needed: view.restart.clone(),
        config: view.served.clone(),
    })))
}
