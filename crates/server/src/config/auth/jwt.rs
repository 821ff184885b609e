//! `[auth.jwt]`: tokens of an issuer of yours.

use std::path::PathBuf;
use std::time::Duration;

use auth::{JwtKeys, JwtRules};
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::is_url;
use crate::config::Password;
use crate::config::units::Span;

/// The largest key file that is read, in bytes.
const MAX_KEY: u64 = 64 << 10;

/// Tokens that somebody else issues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Jwt {
    /// The secret of tokens signed with HS256, HS384 or HS512.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Password>,
    /// The issuer's public key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) public_key_file: Option<PathBuf>,
    /// Where the keys of the issuer are; `https://`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwks_url: Option<super::super::Url>,
    /// What `iss` must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    /// What `aud` must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<String>,
    /// How far the clocks may be apart.
    pub(crate) leeway: Span,
    /// The claim that holds grants.
    pub(crate) claim: String,
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            secret: None,
            public_key_file: None,
            jwks_url: None,
            issuer: None,
            audience: None,
            leeway: Span(Duration::from_secs(30)),
            claim: "lunette".to_owned(),
        }
    }
}

impl Jwt {
    /// What a token must say.
    pub(crate) fn rules(&self) -> JwtRules {
        JwtRules {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            leeway: self.leeway.0.as_secs(),
            claim: self.claim.clone(),
        }
    }

    /// The keys that are in the configuration; none: there is nothing about JWTs in it.
    pub(crate) fn keys(&self) -> Result<Option<JwtKeys>, (&'static str, String)> {
        let mut keys: Option<JwtKeys> = None;
        let mut add = |more: JwtKeys| keys = Some(keys.take().unwrap_or_default().and(more));
        if let Some(secret) = &self.secret {
            let secret = JwtKeys::secret(secret.secret().expose().as_bytes());
            add(secret.map_err(|error| ("secret", error.to_string()))?);
        }
        if let Some(path) = &self.public_key_file {
            let key = read_key(path).map_err(|error| error.to_string());
            let key = key.and_then(|pem| JwtKeys::pem(&pem).map_err(|error| error.to_string()));
            add(key.map_err(|error| ("public_key_file", format!("{}: {error}", path.display())))?);
        }
        if let Some(url) = &self.jwks_url {
            let url = url.expose();
            if !is_url(url) || !is_safe(url) {
                let told = "keys must come from an https:// URL (or from this machine)";
                return Err(("jwks_url", told.to_owned()));
            }
            add(JwtKeys::default());
        }
        Ok(keys)
    }
}

fn read_key(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > MAX_KEY {
        return Err(std::io::Error::other("it is larger than 64 KiB"));
    }
    std::fs::read(path)
}

/// Whether what comes from `url` can't have been changed on the way.
fn is_safe(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    uri.is_some_and(|uri| {
        let host = uri.host().unwrap_or_default();
        uri.scheme_str() == Some("https") || matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    })
}
