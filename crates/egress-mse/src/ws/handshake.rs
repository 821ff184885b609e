use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
};
use axum::http::header::{SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::OnUpgrade;
use sha1::{Digest as _, Sha1};

/// The only version there is (RFC 6455 §4.1).
const VERSION: &str = "13";

/// A request that asks for a WebSocket (RFC 6455 §4.2.1) and can have one.
#[derive(Debug)]
pub(crate) struct Handshake {
    accept: HeaderValue,
    protocols: Vec<String>,
    /// The connection, once the answer is out.
    pub(crate) upgrade: OnUpgrade,
}

/// Why a request can't have a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "this address is a WebSocket: ask with GET, `Connection: Upgrade` and `Upgrade: websocket`"
    )]
    NotAWebSocket,
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    Version,
    #[error("the header Sec-WebSocket-Key must hold 16 bytes in base64")]
    Key,
    #[error("this connection can't be upgraded; a WebSocket needs HTTP/1.1")]
    NotUpgradable,
}

impl Handshake {
    /// Whether the client offers the subprotocol `name`.
    pub(crate) fn offers(&self, name: &str) -> bool {
        self.protocols.iter().any(|offered| offered == name)
    }

    /// The answer that turns the connection into a WebSocket, under one of the offered subprotocols or none.
    pub(crate) fn answer(self, protocol: Option<&'static str>) -> (Response, OnUpgrade) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        (response, self.upgrade)
    }
}

impl<S: Sync> FromRequestParts<S> for Handshake {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let headers = &parts.headers;
        let asks = parts.method == Method::GET
            && tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
            && tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket"));
        if !asks {
            return Err(Refusal::NotAWebSocket);
        }
        if headers
            .get(SEC_WEBSOCKET_VERSION)
            .is_none_or(|version| version != VERSION)
        {
            return Err(Refusal::Version);
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(Refusal::Key)?;
        if STANDARD
            .decode(key.as_bytes())
            .map_or(0, |bytes| bytes.len())
            != 16
        {
            return Err(Refusal::Key);
        }
        let accept = accept(key.as_bytes());
        let protocols = tokens(headers, &SEC_WEBSOCKET_PROTOCOL)
            .map(str::to_owned)
            .collect();
        let upgrade = parts
            .extensions
            .remove::<OnUpgrade>()
            .ok_or(Refusal::NotUpgradable)?;
        Ok(Self {
            accept,
            protocols,
            upgrade,
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotAWebSocket | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key => StatusCode::BAD_REQUEST,
            Self::NotUpgradable => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        };
        let headers = [
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)),
        ];
        (status, headers, self.to_string()).into_response()
    }
}

/// Proves to the client that its request was understood (RFC 6455 §4.2.2, item 5.4).
fn accept(key: &[u8]) -> HeaderValue {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is printable ASCII")
}

/// The comma-separated values of all headers `name`.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_is_that_of_the_specification() {
        assert_eq!(
            accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    async fn refusal(headers: &[(&'static str, &'static str)]) -> Option<Refusal> {
        let mut request = axum::http::Request::get("/stream/demo/mse");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        Handshake::from_request_parts(&mut parts, &()).await.err()
    }

    #[tokio::test]
    async fn each_request_that_is_no_handshake_is_told_what_is_wrong() {
        let ask = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
        ];
        let version = ("sec-websocket-version", "13");
        let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(refusal(&[]).await, Some(Refusal::NotAWebSocket));
        assert_eq!(refusal(&ask).await, Some(Refusal::Version));
        assert_eq!(
            refusal(&[ask[0], ask[1], version]).await,
            Some(Refusal::Key)
        );
        assert_eq!(
            refusal(&[ask[0], ask[1], version, ("sec-websocket-key", "short")]).await,
            Some(Refusal::Key)
        );
        assert_eq!(
            refusal(&[ask[0], ask[1], version, key]).await,
            Some(Refusal::NotUpgradable)
        );
    }
}
