//! A certificate from files, which are read again when they change.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the files changed. By their contents: that a file was renamed, linked or mounted
/// over is no different then.
const LOOK: Duration = Duration::from_secs(5);
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The certificate and those that vouch for it, PEM.
    pub(crate) certificate: PathBuf,
    /// The private key, PEM.
    pub(crate) key: PathBuf,
}

/// Why files are no certificate and key. It tells nothing of what is in them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("can't read the certificate {path}: {why}")]
    Certificate { path: PathBuf, why: String },
    #[error("can't read the private key {path}: {why}")]
    Key { path: PathBuf, why: String },
    #[error("the private key {key} does not belong to the certificate {certificate}")]
    Strangers { key: PathBuf, certificate: PathBuf },
}

impl Error {
    /// Which setting is to blame.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => "certificate",
            Self::Key { .. } | Self::Strangers { .. } => "key",
        }
    }
}

/// What stands in the files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    /// The certificate with its key.
    pub(crate) fn load(&self) -> Result<Arc<CertifiedKey>, Error> {
        self.parse(&self.read()?)
    }

    fn read(&self) -> Result<Contents, Error> {
        let read = |path: &PathBuf| {
            if fs::metadata(path)?.len() > MAX_FILE {
                return Err(io::Error::other("it is larger than 1 MiB"));
            }
            fs::read(path)
        };
        Ok(Contents {
            certificate: read(&self.certificate).map_err(|error| self.bad_certificate(&error))?,
            key: read(&self.key).map_err(|error| self.bad_key(&error))?,
        })
    }

    fn parse(&self, contents: &Contents) -> Result<Arc<CertifiedKey>, Error> {
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.bad_certificate(&error))?;
        if chain.is_empty() {
            return Err(self.bad_certificate(&"there is no CERTIFICATE in this file"));
        }
        let key =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| self.bad_key(&error))?;
        match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
            Ok(both) => Ok(Arc::new(both)),
            Err(tokio_rustls::rustls::Error::InconsistentKeys(_)) => Err(Error::Strangers {
                key: self.key.clone(),
                certificate: self.certificate.clone(),
            }),
            Err(error @ tokio_rustls::rustls::Error::InvalidCertificate(_)) => {
                Err(self.bad_certificate(&error))
            }
            Err(error) => Err(self.bad_key(&error)),
        }
    }

    fn bad_certificate(&self, why: &dyn ToString) -> Error {
        let (path, why) = (self.certificate.clone(), why.to_string());
        Error::Certificate { path, why }
    }

    fn bad_key(&self, why: &dyn ToString) -> Error {
        let (path, why) = (self.key.clone(), why.to_string());
        Error::Key { path, why }
    }
}

/// The certificate that is shown now.
#[derive(Debug)]
pub(super) struct Served(RwLock<Arc<CertifiedKey>>);

impl Served {
    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// Shows what is in `files`, and what they become, until `stop`.
pub(super) fn serve(files: Files, stop: CancellationToken) -> Result<Arc<Served>, Error> {
    let contents = files.read()?;
    let served = Arc::new(Served(RwLock::new(files.parse(&contents)?)));
    let watched = Arc::clone(&served);
    tokio::spawn(async move {
        let mut watch = Watch::new(files, contents);
        while stop
            .run_until_cancelled(tokio::time::sleep(LOOK))
            .await
            .is_some()
        {
            let looked = tokio::task::spawn_blocking(move || {
                let news = watch.look();
                (watch, news)
            });
            let Ok((back, news)) = looked.await else {
                return;
            };
            watch = back;
            match news {
                None => {}
                Some(Ok(key)) => {
                    *watched.0.write().unwrap_or_else(PoisonError::into_inner) = key;
                    tracing::info!("the new certificate is used from now on");
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "the certificate changed and is no good: the one before is kept");
                }
            }
        }
    });
    Ok(served)
}

/// Compares the files with what they were.
struct Watch {
    files: Files,
    /// What is used.
    used: Contents,
    /// What was seen last, and whether it was told to be bad.
    bad: Option<(Contents, bool)>,
}

impl Watch {
    fn new(files: Files, used: Contents) -> Self {
        let bad = None;
        Self { files, used, bad }
    }

    /// What is new. What is bad is bad only if it is still the same at the second look: two files can't change at once.
    fn look(&mut self) -> Option<Result<Arc<CertifiedKey>, Error>> {
        let contents = match self.files.read() {
            Ok(contents) => contents,
            Err(error) => {
                let nothing = Contents {
                    certificate: Vec::new(),
                    key: Vec::new(),
                };
                return self.is_bad(nothing, error);
            }
        };
        if contents == self.used {
            self.bad = None;
            return None;
        }
        match self.files.parse(&contents) {
            Ok(key) => {
                self.used = contents;
                self.bad = None;
                Some(Ok(key))
            }
            Err(error) => self.is_bad(contents, error),
        }
    }

    fn is_bad(
        &mut self,
        contents: Contents,
        error: Error,
    ) -> Option<Result<Arc<CertifiedKey>, Error>> {
        let (again, told) = match &self.bad {
            Some((before, told)) if *before == contents => (true, *told),
            _ => (false, false),
        };
        self.bad = Some((contents, again));
        (again && !told).then_some(Err(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_new_certificate_is_taken_and_a_bad_one_is_told_once_and_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        let (first, second) = (make("a.lan"), make("b.lan"));
        fs::write(&files.certificate, &first.0).unwrap();
        fs::write(&files.key, &first.1).unwrap();
        let mut watch = Watch::new(files.clone(), files.read().unwrap());
        assert!(watch.look().is_none(), "nothing changed");

        fs::write(&files.certificate, &second.0).unwrap();
        assert!(watch.look().is_none(), "the key may be about to follow");
        let told = watch.look().unwrap().unwrap_err();
        assert!(matches!(told, Error::Strangers { .. }), "{told}");
        assert!(watch.look().is_none(), "once is enough");

        fs::write(&files.key, &second.1).unwrap();
        let taken = watch.look().unwrap().unwrap();
        assert_eq!(taken.cert, files.load().unwrap().cert);
        assert!(watch.look().is_none());

        fs::remove_file(&files.key).unwrap();
        assert!(watch.look().is_none());
        assert!(matches!(watch.look(), Some(Err(Error::Key { .. }))));
        fs::write(&files.key, &second.1).unwrap();
        assert!(watch.look().is_none(), "it is the one in use again");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        let told = files.load().unwrap_err();
        assert!(told.to_string().contains("cert.pem") && told.key() == "certificate");
        let (certificate, key) = make("a.lan");
        fs::write(&files.certificate, &key).unwrap();
        fs::write(&files.key, &certificate).unwrap();
        let told = files.load().unwrap_err().to_string();
        assert!(told.contains("no CERTIFICATE"), "{told}");
        fs::write(&files.certificate, &certificate).unwrap();
        assert_eq!(files.load().unwrap_err().key(), "key");
    }
}
