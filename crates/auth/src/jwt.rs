//! JSON Web Tokens (RFC 7519) that somebody else issues.
//!
//! A key knows which algorithms it is for, by its kind; what a token's header says is only looked up there. So no token can
//! have a public key taken for a secret, and `none` is no algorithm at all.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::{Error, Grants, Identity, Who};

/// The shortest secret for HMAC, in bytes (RFC 7518 §3.2).
const SHORTEST_SECRET: usize = 32;
/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 << 10;
/// How many keys of a set are used at most.
const MAX_KEYS: usize = 64;
/// The longest subject that is kept, in characters.
const MAX_SUBJECT: usize = 128;

const HMAC: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// What a token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtRules {
    /// `iss`, if it matters.
    pub issuer: Option<String>,
    /// `aud` must name it, if it matters.
    pub audience: Option<String>,
    /// How far clocks may be apart, in seconds.
    pub leeway: u64,
    /// The claim that holds the grants: a text with blanks between them, or a list.
    pub claim: String,
}

/// Keys to verify with.
#[derive(Clone, Default)]
pub struct JwtKeys(Vec<Key>);

/// Tokens that are taken: the rules, and the keys that are known now.
#[derive(Debug, Clone)]
pub struct Jwt {
    /// What a token must say.
    pub rules: JwtRules,
    /// Who may have signed it.
    pub keys: JwtKeys,
}

#[derive(Clone)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// It is none.
    #[error("the token is malformed")]
    Malformed,
    /// No key for it is known (yet).
    #[error("the token is signed with a key that is not known")]
    UnknownKey,
    /// It was changed, or signed by somebody else.
    #[error("the token's signature is wrong")]
    Signature,
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// It would never end.
    #[error("the token has no `exp`")]
    NoExpiry,
    /// `nbf` is yet to come.
    #[error("the token is not valid yet")]
    NotYet,
    /// `iss` is another one.
    #[error("the token was issued by somebody else")]
    Issuer,
    /// `aud` is another one.
    #[error("the token is for somebody else")]
    Audience,
    /// The claim with the grants is not there, or makes no sense.
    #[error("the token grants nothing that is understood")]
    Grants,
}

impl JwtKeys {
    /// A secret, for HS256, HS384 and HS512.
    ///
    /// # Errors
    /// [`Error::JwtKey`] if it could be guessed.
    pub fn secret(secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < SHORTEST_SECRET {
            return Err(Error::JwtKey(
                "a secret for HS256 has at least 32 characters",
            ));
        }
        Ok(Self::one(&HMAC, DecodingKey::from_secret(secret)))
    }

    /// A public key in PEM: RSA (RS256, RS384, RS512, PS256, PS384, PS512), EC (ES256 or ES384, by its curve), or Ed25519 (EdDSA).
    ///
    /// # Errors
    /// [`Error::JwtKey`] if it is none.
    pub fn pem(pem: &[u8]) -> Result<Self, Error> {
        if pem.windows(11).any(|word| word == b"PRIVATE KEY") {
            return Err(Error::JwtKey(
                "this is a private key; a public key is enough here, and the private one belongs to the issuer alone",
            ));
        }
        if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            return Ok(Self::one(&RSA, key));
        }
        if let Ok(key) = DecodingKey::from_ed_pem(pem) {
            return Ok(Self::one(&[Algorithm::EdDSA], key));
        }
        if let Ok(key) = DecodingKey::from_ec_pem(pem) {
            // The point is 65 bytes on P-256, and 97 on P-384.
            let curve = match key.try_get_as_bytes().map(<[u8]>::len) {
                Ok(65) => Some(Algorithm::ES256),
                Ok(97) => Some(Algorithm::ES384),
                _ => None,
            };
            if let Some(algorithm) = curve {
                return Ok(Self::one(&[algorithm], key));
            }
        }
        Err(Error::JwtKey(
            "this is no public key in PEM: RSA, EC (P-256, P-384) or Ed25519",
        ))
    }

    /// A JSON Web Key Set (RFC 7517), as it is published at a `jwks_url`. Keys of no use here are left out, secrets among
    /// them: what is published is none.
    ///
    /// # Errors
    /// [`Error::JwtKey`] if it is none, or has no usable key.
    pub fn set(json: &[u8]) -> Result<Self, Error> {
        let set: JwkSet = serde_json::from_slice(json)
            .map_err(|_| Error::JwtKey("this is no JSON Web Key Set"))?;
        let keys: Vec<Key> = set
            .keys
            .iter()
            .filter_map(Key::published)
            .take(MAX_KEYS)
            .collect();
        if keys.is_empty() {
            return Err(Error::JwtKey(
                "the JSON Web Key Set has no key that can be used",
            ));
        }
        Ok(Self(keys))
    }

    /// These, and `more`.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    fn one(algorithms: &[Algorithm], key: DecodingKey) -> Self {
        Self(vec![Key {
            id: None,
            algorithms: algorithms.to_vec(),
            decoding: key,
        }])
    }
}

impl Key {
    fn published(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        if matches!(&common.public_key_use, Some(r#use) if *r#use != PublicKeyUse::Signature) {
            return None;
        }
        let of_kind = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => RSA.to_vec(),
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(_) => vec![Algorithm::EdDSA],
            _ => return None,
        };
        let algorithms = match common.key_algorithm {
            None => of_kind,
            Some(named) => {
                let named: Algorithm = named.to_string().parse().ok()?;
                of_kind.contains(&named).then(|| vec![named])?
            }
        };
        Some(Self {
            id: common.key_id.clone(),
            algorithms,
            decoding: DecodingKey::from_jwk(jwk).ok()?,
        })
    }
}

impl Jwt {
    /// Who the holder of `token` is, `now` in seconds since the Unix epoch.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn verify(&self, token: &str, now: u64) -> Result<Identity, JwtError> {
        let claims = self.claims(token)?;
        let JwtRules {
            issuer,
            audience,
            leeway,
            claim,
        } = &self.rules;
        let expires = time(&claims, "exp").ok_or(JwtError::NoExpiry)?;
        if expires.saturating_add(*leeway) <= now {
            return Err(JwtError::Expired);
        }
        if claims.contains_key("nbf") {
            let from = time(&claims, "nbf").ok_or(JwtError::Malformed)?;
            if from > now.saturating_add(*leeway) {
                return Err(JwtError::NotYet);
            }
        }
        let is = |name: &str, wanted: &String| texts(claims.get(name)).any(|text| text == wanted);
        if issuer
            .as_ref()
            .is_some_and(|wanted| claims.get("iss").and_then(Value::as_str) != Some(wanted))
        {
            return Err(JwtError::Issuer);
        }
        if audience.as_ref().is_some_and(|wanted| !is("aud", wanted)) {
            return Err(JwtError::Audience);
        }
        let granted: Vec<&str> = texts(claims.get(claim)).collect();
        let grants = Grants::parse_list(&granted.join(" ")).map_err(|_| JwtError::Grants)?;
        if grants.is_empty() {
            return Err(JwtError::Grants);
        }
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or("-");
        let who = Who::Jwt(subject.chars().take(MAX_SUBJECT).collect());
        Ok(Identity::new(who, grants).until(expires.saturating_add(*leeway)))
    }

    /// The claims, once the signature is known to be right.
    fn claims(&self, token: &str) -> Result<Map<String, Value>, JwtError> {
        if token.len() > MAX_TOKEN {
            return Err(JwtError::Malformed);
        }
        let header = decode_header(token).map_err(|_| JwtError::Malformed)?;
        let fits = |key: &&Key| {
            let named = match (&header.kid, &key.id) {
                (Some(wanted), Some(id)) => wanted == id,
                _ => true,
            };
            named && key.algorithms.contains(&header.alg)
        };
        let mut validation = Validation::new(header.alg);
        // Times, issuer and audience are looked at above, with the time that was given.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let mut tried = false;
        for Key { decoding, .. } in self.keys.0.iter().filter(fits) {
            tried = true;
            if let Ok(data) = decode(token, decoding, &validation) {
                return Ok(data.claims);
            }
        }
        Err(if tried {
            JwtError::Signature
        } else {
            JwtError::UnknownKey
        })
    }
}

/// A NumericDate (RFC 7519 §2), which may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Option<u64> {
    let value = claims.get(name)?;
    value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|time| *time >= 0.0)
            .map(|time| time as u64)
    })
}

/// A text, or all in a list.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    value
        .and_then(Value::as_str)
        .into_iter()
        .chain(list.iter().filter_map(Value::as_str))
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} keys]", self.0.len())
    }
}

#[cfg(test)]
mod tests;
