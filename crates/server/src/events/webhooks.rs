//! Tells events to those whom the configuration names: signed, one after the other, tried again for a while.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::journal::{Entry, Journal, Said};
use super::{hex, matches};
use crate::config::{Keeper, Webhook};
use crate::redact;

/// How many events wait for one webhook at most; more are dropped and counted.
const QUEUE: usize = 256;
/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often an event is tried at most: with the pauses between, for two minutes and as long as the calls take.
const TRIES: u32 = 8;
/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The header that proves who sent it: `t=` the time, `v1=` the HMAC-SHA256 of `time.body`.
const SIGNATURE: &str = "lunette-signature";

type Https = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Calls the webhooks of the configuration, as it changes, until `stop`.
pub(crate) fn follow(
    keeper: &Keeper,
    journal: Journal,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let client = client()?;
    let mut configuration = keeper.follow();
    tokio::spawn(async move {
        let mut workers = JoinSet::new();
        let mut running: Vec<(Webhook, AbortHandle)> = Vec::new();
        loop {
            let wanted = configuration.borrow_and_update().config.webhooks.clone();
            // Those that stay the same go on with what they have in hand.
            running.retain(|(webhook, worker)| {
                let stays = wanted.contains(webhook);
                if !stays {
                    worker.abort();
                }
                stays
            });
            for webhook in wanted {
                if !running.iter().any(|(known, _)| *known == webhook) {
                    let worker = serve(webhook.clone(), journal.clone(), client.clone());
                    running.push((webhook, workers.spawn(worker)));
                }
            }
            while workers.try_join_next().is_some() {}
            tokio::select! {
                () = stop.cancelled() => return,
                changed = configuration.changed() => if changed.is_err() { return },
            }
        }
    });
    Ok(())
}

fn client() -> anyhow::Result<Https> {
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let tls = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("can't set TLS up for webhooks")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(https))
}

/// Serves one webhook for ever.
async fn serve(webhook: Webhook, journal: Journal, client: Https) {
    let Some(url) = webhook.url.as_ref() else {
        return;
    };
    let name = redact::urls(url.expose());
    let key = match webhook.key() {
        Ok(key) => {
            key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.secret().expose().as_bytes()))
        }
        Err(error) => return tracing::error!(webhook = name, error, "the webhook has no secret"),
    };
    let (queue, mut due) = mpsc::channel::<Arc<Entry>>(QUEUE);
    let gather = async {
        let mut listener = journal.listen(None);
        let mut dropped = 0_u64;
        while let Some(said) = listener.next().await {
            let Said::Event(entry) = said else { continue };
            let wanted = webhook
                .events
                .iter()
                .any(|pattern| matches(pattern, entry.kind));
            if !wanted && !webhook.events.is_empty() {
                continue;
            }
            if queue.try_send(entry).is_err() {
                dropped += 1;
                if dropped.is_power_of_two() {
                    tracing::warn!(
                        webhook = name,
                        dropped,
                        "the webhook is too slow: events are dropped"
                    );
                }
            }
        }
    };
    let deliver = async {
        while let Some(entry) = due.recv().await {
            deliver(&client, url.expose(), &name, key.as_ref(), &entry).await;
        }
    };
    tokio::join!(gather, deliver);
}

/// Delivers one event, or gives it up.
async fn deliver(client: &Https, url: &str, name: &str, key: Option<&hmac::Key>, entry: &Entry) {
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=TRIES {
        let failure = match tokio::time::timeout(TIMEOUT, call(client, url, key, entry)).await {
            Ok(Ok(status)) if status.is_success() => return,
            Ok(Ok(status)) => format!("it answered {status}"),
            Ok(Err(error)) => redact::urls(&format!("{error:#}")),
            Err(_) => "it did not answer in time".to_owned(),
        };
        if attempt == TRIES {
            tracing::error!(webhook = name, event = %entry.id, failure, "the event is given up");
            return;
        }
        tracing::warn!(webhook = name, event = %entry.id, attempt, failure, "the webhook failed");
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

async fn call(
    client: &Https,
    url: &str,
    key: Option<&hmac::Key>,
    entry: &Entry,
) -> anyhow::Result<StatusCode> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("lunette/", env!("CARGO_PKG_VERSION")),
        )
        .header("lunette-event", entry.kind)
        .header("lunette-delivery", entry.id.to_string());
    if let Some(key) = key {
        request = request.header(SIGNATURE, signature(key, now.as_secs(), &entry.json));
    }
    let body = Full::new(Bytes::from(entry.json.clone()));
    Ok(client.request(request.body(body)?).await?.status())
}

/// `time` is part of what is signed, so that nobody can send an old message again.
fn signature(key: &hmac::Key, time: u64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{time}.{body}").as_bytes());
    format!("t={time},v1={}", hex(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_makes_of_time_and_body() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
        let expected =
            "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
        assert_eq!(signature(&key, 1_700_000_000, "{}"), expected);
    }
}
