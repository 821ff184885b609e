use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Readiness;
use crate::http::{fresh, problem};

/// What a port that speaks TLS answers to plain HTTP: it lives, and its certificate is not ours to judge.
const SPEAKS_TLS: StatusCode = StatusCode::BAD_REQUEST;

/// How long `lunette healthcheck` waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// `GET /healthz`: the server runs and answers. Nothing that a camera does counts here: restarting the server would not
/// help.
pub(super) async fn healthz() -> Response {
    fresh("ok\n")
}

/// `GET /readyz`: whether new viewers should come here.
pub(super) async fn readyz(State(readiness): State<Readiness>) -> Response {
    match readiness.refusal() {
        None => fresh("ready\n"),
        Some(why) => fresh(problem(StatusCode::SERVICE_UNAVAILABLE, why)),
    }
}

/// Asks the server at `address` for `/healthz`, as `lunette healthcheck` does.
pub(crate) async fn check(address: SocketAddr) -> anyhow::Result<()> {
    let asked = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get("/healthz")
            .header("host", address.to_string())
            .body(Empty::<Bytes>::new())?;
        anyhow::Ok(sender.send_request(request).await?.status())
    };
    let status = tokio::time::timeout(PATIENCE, asked)
        .await
        .with_context(|| format!("no answer from {address} within {} s", PATIENCE.as_secs()))?
        .with_context(|| format!("no answer from {address}"))?;
    match status {
        StatusCode::OK | SPEAKS_TLS => Ok(()),
        status => bail!("{address} answered {status}"),
    }
}
