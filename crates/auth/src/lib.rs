//! Who somebody is, and what they may do. Pure: time is an argument, and nothing here knows a socket, a clock or HTTP.
//!
//! Read in this order: [`Action`] and [`Grants`] (what may be done), [`Identity`] (who somebody turned out to be),
//! [`Policy`] (the one place that recognises credentials and decides), and what it recognises them by: `password`,
//! `key`, `media` (signed media URLs), `jwt`, `sessions`; `throttle` (who guesses too often).
//!
//! A secret is compared in constant time, kept as a hash where that is enough, and shown by no `Debug`.

mod action;
mod glob;
mod grants;
mod identity;
mod jwt;
mod key;
mod media;
mod password;
mod policy;
mod random;
mod sessions;
mod throttle;

pub use action::Action;
pub use glob::Glob;
pub use grants::{Grant, Grants, Role};
pub use identity::{Identity, Who};
pub use jwt::{Jwt, JwtError, JwtKeys, JwtRules};
pub use key::{KeyHash, generate_key};
pub use media::{MediaToken, Signer};
pub use password::PasswordHash;
pub use policy::{Decision, Policy, Token, User};
pub use sessions::{SessionName, Sessions};
pub use throttle::Throttle;

/// Why a setting of this crate can't be what it says. It repeats no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A grant names no action.
    #[error(
        "`{0}` is no grant; write an action (watch, publish, control or metrics), and perhaps for which streams: \"watch:front*\""
    )]
    Grant(String),
    /// A pattern for stream ids.
    #[error(
        "`{0}` is no pattern for stream ids; it is letters, digits, `-`, `_`, `.`, `~`, `*` for anything and `?` for any one"
    )]
    Glob(String),
    /// The hash of a password.
    #[error("this is no argon2id hash; `lunette hash-password` makes one")]
    PasswordHash,
    /// The hash of a password has parameters that would cost too much, or protect too little.
    #[error(
        "this argon2id hash asks for too much or too little memory or time; `lunette hash-password` makes a good one"
    )]
    PasswordCost,
    /// The hash of an API key.
    #[error(
        "this is no hash of an API key; `lunette token --api-key` makes a key and its hash, \"sha256:…\""
    )]
    KeyHash,
    /// A key to sign with.
    #[error("a signing key has at least 32 characters; `openssl rand -base64 32` makes one")]
    ShortKey,
    /// A key to verify JWTs with.
    #[error("{0}")]
    JwtKey(&'static str),
}
