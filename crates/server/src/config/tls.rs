//! `[tls]`: certificates for the HTTP side.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::resolve::Problem;
use super::units;
use crate::tls::Files;

/// Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Where a service keeps what must outlive it.
const CACHE: &str = "/var/lib/lunette/acme";

/// With a certificate, or with `acme`, the address of `[server] listen` speaks TLS.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerTls {
    /// Where TLS is spoken beside the plain HTTP of `server.listen`; without it `server.listen` speaks TLS itself.
    #[serde(
        deserialize_with = "units::some_address",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub(crate) listen: Option<SocketAddr>,
    /// The certificate and those that vouch for it, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) key: Option<PathBuf>,
    /// Where plain HTTP is told to come back with TLS.
    #[serde(
        deserialize_with = "units::some_address",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub(crate) redirect: Option<SocketAddr>,
    pub(crate) acme: Acme,
}

/// Certificates from an authority that speaks ACME (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Acme {
    /// The names that the certificate is for; none: no ACME.
    pub(crate) domains: Vec<String>,
    /// Whom the authority may write to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// The authority.
    pub(crate) directory: String,
    /// How it looks whether the names are ours.
    pub(crate) challenge: Challenge,
    /// Where the account and the certificate are kept.
    #[schema(value_type = String)]
    pub(crate) cache: PathBuf,
    /// Whom to trust to be the authority, besides those that the system trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) ca_file: Option<PathBuf>,
}

/// Where an authority looks whether a name is ours.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum Challenge {
    /// At port 443, in a handshake (RFC 8737).
    #[default]
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// At port 80, which must lead to `tls.redirect` (RFC 8555, section 8.3).
    #[serde(rename = "http-01")]
    Http01,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            email: None,
            directory: DIRECTORY.to_owned(),
            challenge: Challenge::default(),
            cache: CACHE.into(),
            ca_file: None,
        }
    }
}

impl ServerTls {
    /// Whether the address of `server.listen` speaks it.
    pub(crate) fn at_main_address(&self) -> bool {
        self.wanted() && self.listen.is_none()
    }

    /// Whether certificates come from the same place as with `other`.
    pub(crate) fn shows_the_same(&self, other: &Self) -> bool {
        let of = |tls: &Self| (tls.certificate.clone(), tls.key.clone(), tls.acme.clone());
        of(self) == of(other)
    }

    /// Whether there is to be TLS at all.
    pub(crate) fn wanted(&self) -> bool {
        self.certificate.is_some() || !self.acme.domains.is_empty()
    }

    /// The certificate and key files, where both are named.
    pub(crate) fn files(&self) -> Option<Files> {
        Some(Files {
            certificate: self.certificate.clone()?,
            key: self.key.clone()?,
        })
    }

    /// What is wrong with it, files included.
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut wrong = |key: &[&str], message: String| {
            problems.push(Problem::new(&[&["tls"], key].concat(), message));
        };
        match (&self.certificate, &self.key) {
            (Some(_), None) => wrong(
                &["certificate"],
                "a certificate needs its private key: write key = \"…\" beside it".to_owned(),
            ),
            (None, Some(_)) => wrong(
                &["key"],
                "a private key needs its certificate: write certificate = \"…\" beside it"
                    .to_owned(),
            ),
            _ => {}
        }
        if let Some(Err(error)) = self.files().map(|files| files.load()) {
            wrong(&[error.key()], error.to_string());
        }
        if self.listen.is_some() && !self.wanted() {
            wrong(
                &["listen"],
                "there is no TLS to speak here: name a certificate and key, or acme.domains"
                    .to_owned(),
            );
        }
        if self.redirect.is_some() && !self.wanted() {
            wrong(
                &["redirect"],
                "there is nothing to redirect to without TLS: name a certificate and key, or acme.domains".to_owned(),
            );
        }
        for domain in &self.acme.domains {
            if !is_host_name(domain) {
                wrong(
                    &["acme", "domains"],
                    format!(
                        "`{domain}` is no host name such as \"cameras.example.com\"; wildcards can't be had in this way"
                    ),
                );
            }
        }
        if self.acme.challenge == Challenge::Http01 && self.redirect.is_none() {
            wrong(
                &["acme", "challenge"],
                "http-01 is answered where plain HTTP is redirected: name an address as tls.redirect to which port 80 of the names leads".to_owned(),
            );
        }
        if !self.acme.directory.starts_with("https://") {
            wrong(
                &["acme", "directory"],
                "an ACME directory is an https:// URL".to_owned(),
            );
        }
    }
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
    };
    text.len() <= 253 && text.split('.').all(label) && text.parse::<std::net::IpAddr>().is_err()
}
