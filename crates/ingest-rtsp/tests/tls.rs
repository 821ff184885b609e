//! RTSPS: who is trusted, and what is said of those who are not.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Script, Scripted, Watched};
use hub::Reason;
use ingest_rtsp::Config;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

/// A camera with a certificate of its own making, which is left as PEM in `pem`.
async fn camera(name: &str, pem: &Path) -> Scripted {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    std::fs::write(pem, cert.pem()).unwrap();
    let key = signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    Scripted::encrypted(Script::default(), TlsAcceptor::from(Arc::new(config))).await
}

fn config(camera: &Scripted) -> Config {
    Config::new(&camera.url().replace("rtsp://", "rtsps://")).unwrap()
}

#[tokio::test]
async fn a_certificate_that_the_camera_signed_itself_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let camera = camera("127.0.0.1", &folder.path().join("cam.pem")).await;
    let fault = Watched::new(config(&camera)).fault().await;
    assert_eq!(fault.reason, Reason::Tls);
    for word in ["ca_file", "insecure_skip_verify", "signed by nobody"] {
        assert!(fault.message.contains(word), "{fault}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_named_is_trusted_whatever_name_it_bears() {
    for name in ["127.0.0.1", "IPCamera"] {
        let folder = tempfile::tempdir().unwrap();
        let pem = folder.path().join("cam.pem");
        let camera = camera(name, &pem).await;
        let mut config = config(&camera);
        config.tls.ca_file = Some(pem);
        Watched::new(config).frames(5).await;
    }
}

#[tokio::test]
async fn verification_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let camera = camera("IPCamera", &folder.path().join("cam.pem")).await;
    let mut config = config(&camera);
    config.tls.insecure_skip_verify = true;
    Watched::new(config).frames(5).await;
}

#[tokio::test]
async fn the_certificate_of_another_camera_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("other.pem");
    let _other = camera("127.0.0.1", &pem).await;
    let camera = camera("127.0.0.1", &folder.path().join("cam.pem")).await;
    let mut config = config(&camera);
    config.tls.ca_file = Some(pem);
    assert_eq!(Watched::new(config).fault().await.reason, Reason::Tls);
}

#[tokio::test]
async fn a_camera_without_tls_is_told_from_one_that_can_not_be_trusted() {
    let camera = Scripted::start(Script::default()).await;
    let mut config = config(&camera);
    config.timeouts.connect = Duration::from_millis(500);
    let fault = Watched::new(config).fault().await;
    assert_eq!(fault.reason, Reason::Tls);
    assert!(
        fault.message.contains("does it speak TLS") || fault.message.contains("does not speak TLS"),
        "{fault}"
    );
}

#[test]
fn a_ca_file_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.pem");
    std::fs::write(&path, "nothing").unwrap();
    let mut config = Config::new("rtsps://h/x").unwrap();
    config.tls.ca_file = Some(path);
    let error = ingest_rtsp::Camera::new(config).unwrap_err().to_string();
    assert!(
        error.contains("empty.pem") && error.contains("PEM"),
        "{error}"
    );
}
