//! Asks other servers: bounded in time and in size, and without following anybody elsewhere.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 << 10;

/// A client for `http://` and `https://`.
#[derive(Debug, Clone)]
pub(super) struct Fetch(Client<HttpsConnector<HttpConnector>, Body>);

impl Fetch {
    /// Trusts whom the system trusts.
    pub(super) fn new() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// The body of the answer to GET, whose status must be 200.
    pub(super) async fn get(&self, uri: &Uri, timeout: Duration) -> Result<Bytes, String> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.clone();
        let (status, body) = self.ask(request, timeout).await?;
        if status == 200 {
            Ok(body)
        } else {
            Err(format!("it answers with status {status}"))
        }
    }

    /// The body of the answer to POST of `json`, whatever its status is.
    pub(super) async fn post(
        &self,
        uri: &Uri,
        json: Vec<u8>,
        timeout: Duration,
    ) -> Result<Bytes, String> {
        let mut request = Request::new(Body::from(json));
        *request.uri_mut() = uri.clone();
        *request.method_mut() = Method::POST;
        let kind = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        self.ask(request, timeout).await.map(|(_, body)| body)
    }

    async fn ask(
        &self,
        mut request: Request<Body>,
        timeout: Duration,
    ) -> Result<(u16, Bytes), String> {
        let kind = HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, kind);
        let answer = async {
            let answer = self
                .0
                .request(request)
                .await
                .map_err(|error| told(&error))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| error.to_string())?;
            Ok((status, body.to_bytes()))
        };
        let answer = tokio::time::timeout(timeout, answer).await;
        answer.unwrap_or_else(|_| Err("it does not answer in time".to_owned()))
    }
}

/// The last cause says most.
fn told(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
