//! A certificate from an authority that speaks ACME, ordered at first use and again before it ends. The authority connects to
//! port 443 of the name (TLS-ALPN-01, RFC 8737), or to port 80 (HTTP-01, RFC 8555 §8.3).

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use rustls_acme::{AcmeConfig, AcmeState, EventOk, ResolvesServerCertAcme, UseChallenge};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_util::sync::CancellationToken;

use super::store::Store;
use crate::config::{Acme, Challenge};

/// Orders what `acme` asks for until `stop`. What is shown, and what an authority is shown that looks in a handshake.
pub(super) fn serve(
    acme: &Acme,
    stop: CancellationToken,
) -> anyhow::Result<(Arc<ResolvesServerCertAcme>, Arc<ServerConfig>)> {
    let store = Store::open(&acme.cache)
        .with_context(|| format!("`tls.acme.cache`: can't use {}", acme.cache.display()))?;
    let client = client(acme.ca_file.as_deref())?;
    let state = AcmeConfig::new_with_client_config(&acme.domains, client)
        .contact(acme.email.iter().map(|email| format!("mailto:{email}")))
        .directory(&acme.directory)
        .cache(store)
        .challenge_type(match acme.challenge {
            Challenge::TlsAlpn01 => UseChallenge::TlsAlpn01,
            Challenge::Http01 => UseChallenge::Http01,
        })
        .state();
    let resolver = state.resolver();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let challenge = state.challenge_rustls_config_with_provider(provider);
    let domains = acme.domains.join(", ");
    tokio::spawn(async move { stop.run_until_cancelled(follow(state, domains)).await });
    Ok((resolver, challenge))
}

/// Drives the orders. Failed ones are repeated, with longer and longer pauses, by the state itself.
async fn follow(mut state: AcmeState<io::Error>, domains: String) {
    while let Some(event) = state.next().await {
        match event {
            Ok(EventOk::DeployedCachedCert) => {
                tracing::info!(domains, "the kept certificate is used");
            }
            Ok(EventOk::DeployedNewCert) => {
                tracing::info!(domains, "a new certificate was issued");
            }
            Ok(EventOk::CertCacheStore | EventOk::AccountCacheStore) => {}
            Err(error) => {
                tracing::warn!(domains, %error, "no certificate from the ACME authority; it is tried again");
            }
        }
    }
}

/// How the authority itself is spoken to.
fn client(ca_file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let told = || format!("`tls.acme.ca_file`: can't use {}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).with_context(told)? {
            roots
                .add(certificate.with_context(told)?)
                .with_context(told)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
