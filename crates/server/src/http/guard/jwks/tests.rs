use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth::{Action, Identity};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::super::{Listener, Room, Seat};
use super::super::{Guard, Presented, Refusal};
use super::*;
use crate::config::{Environment, check};
use crate::latest::Latest;

/// Who signs tokens.
struct Issuer {
    published: Arc<Mutex<Option<serde_json::Value>>>,
    asked: Arc<AtomicUsize>,
    address: SocketAddr,
}

struct Key {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Issuer {
    fn start() -> Self {
        let published: Arc<Mutex<Option<serde_json::Value>>> = Arc::default();
        let asked: Arc<AtomicUsize> = Arc::default();
        let seat = Seat::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
        let address = seat.address().unwrap();
        let (keys, count) = (Arc::clone(&published), Arc::clone(&asked));
        let app = Router::new().fallback(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let keys = keys.lock().unwrap().clone();
            std::future::ready(answer(keys))
        });
        let listener = Listener::at(Some(seat), Room::new(None, Latest::default()));
        tokio::spawn(listener.serve(app, CancellationToken::new()));
        Self {
            published,
            asked,
            address,
        }
    }

    fn publishes(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        *self.published.lock().unwrap() = Some(json!({ "keys": keys }));
    }

    fn is_down(&self) {
        *self.published.lock().unwrap() = None;
    }

    /// How often it was asked since the last time.
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

fn answer(keys: Option<serde_json::Value>) -> Response {
    match keys {
        Some(keys) => keys.to_string().into_response(),
        None => StatusCode::BAD_GATEWAY.into_response(),
    }
}

impl Key {
    fn new(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { id, pair }
    }

    fn public(&self) -> serde_json::Value {
        let point = self.pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id, "x": x, "y": y})
    }

    fn token(&self) -> String {
        let header = json!({"alg": "ES256", "kid": self.id}).to_string();
        let claims = json!({"exp": super::super::now() + 86_400, "lunette": ["watch"]}).to_string();
        let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let text = text.join(".");
        let signature = self
            .pair
            .sign(&SystemRandom::new(), text.as_bytes())
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Whether `key` lets in, from an address that nobody else uses.
async fn lets_in(guard: &Guard, key: &Key) -> bool {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let host = NEXT.fetch_add(1, Ordering::Relaxed) as u32;
    let address = IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + host));
    let presented = Presented::Bearer(key.token());
    let known: Result<Identity, Refusal> = guard.identify(&presented, address, None).await;
    known.is_ok_and(|identity| identity.may(Action::Watch, Some("front")))
}

/// So much `time` passes, and whoever closes a connection for it has closed it.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    tokio::time::resume();
}

#[tokio::test]
async fn keys_of_an_issuer_come_and_go_and_it_is_asked_seldom() {
    let issuer = Issuer::start();
    let [first, second, strange] = ["first", "second", "strange"].map(Key::new);
    issuer.publishes(&[&first]);
    let text = format!("[auth.jwt]\njwks_url = 'http://{}/keys'\n", issuer.address);
    let settings = check("t.toml", &text, &Environment::default()).unwrap();
    let stop = CancellationToken::new();
    let guard = Guard::new(&settings.config.auth, false, &stop).unwrap();
    while !lets_in(&guard, &first).await {
        tokio::task::yield_now().await;
    }
    assert!((1..=2).contains(&issuer.asked()));

    // Another key is known once it may be asked again, by the first token that has it; and with one answer the old one is gone.
    issuer.publishes(&[&second]);
    assert!(!lets_in(&guard, &second).await && lets_in(&guard, &first).await);
    pass(PAUSE).await;
    assert!(lets_in(&guard, &second).await);
    assert!(!lets_in(&guard, &first).await);
    for _ in 0..20 {
        assert!(!lets_in(&guard, &strange).await);
    }
    assert_eq!(issuer.asked(), 1);

    // While it does not answer, what is known stays; and strangers don't make it be asked more often.
    issuer.is_down();
    pass(EVERY).await;
    for _ in 0..5 {
        assert!(!lets_in(&guard, &strange).await);
        assert!(lets_in(&guard, &second).await);
    }
    assert!(issuer.asked() <= 3);
    issuer.publishes(&[&first, &second]);
    pass(AGAIN).await;
    assert!(lets_in(&guard, &first).await && lets_in(&guard, &second).await);
    stop.cancel();
}
