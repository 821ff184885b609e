//! Where the ACME account and certificate are kept: files that only their owner can read.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rustls_acme::{AccountCache, CertCache};

/// A folder of files of mode 0600, written whole or not at all.
#[derive(Debug, Clone)]
pub(super) struct Store(PathBuf);

impl Store {
    /// The folder at `path`, made if need be.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        Ok(Self(path.to_owned()))
    }

    async fn load(
        &self,
        what: &str,
        of: &[String],
        directory: &str,
    ) -> io::Result<Option<Vec<u8>>> {
        let path = self.0.join(name(what, of, directory));
        match blocking(move || fs::read(path)).await {
            Ok(contents) => Ok(Some(contents)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn keep(
        &self,
        what: &str,
        of: &[String],
        directory: &str,
        contents: &[u8],
    ) -> io::Result<()> {
        let path = self.0.join(name(what, of, directory));
        let contents = contents.to_vec();
        blocking(move || write(&path, &contents)).await
    }
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Another authority, account or set of names has another name.
fn name(what: &str, of: &[String], directory: &str) -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let all = [of.join("\0"), directory.to_owned()].join("\0\0");
    let hash = digest(&SHA256, all.as_bytes());
    format!(
        "{what}-{}.pem",
        URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12])
    )
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

#[async_trait]
impl CertCache for Store {
    type EC = io::Error;

    async fn load_cert(&self, domains: &[String], directory: &str) -> io::Result<Option<Vec<u8>>> {
        self.load("certificate", domains, directory).await
    }

    async fn store_cert(&self, domains: &[String], directory: &str, cert: &[u8]) -> io::Result<()> {
        self.keep("certificate", domains, directory, cert).await
    }
}

#[async_trait]
impl AccountCache for Store {
    type EA = io::Error;

    async fn load_account(
        &self,
        contact: &[String],
        directory: &str,
    ) -> io::Result<Option<Vec<u8>>> {
        self.load("account", contact, directory).await
    }

    async fn store_account(
        &self,
        contact: &[String],
        directory: &str,
        account: &[u8],
    ) -> io::Result<()> {
        self.keep("account", contact, directory, account).await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_there_again_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("acme")).unwrap();
        let names = ["a.lan".to_owned()];
        assert_eq!(store.load_cert(&names, "https://ca/").await.unwrap(), None);
        for contents in [b"first".as_slice(), b"second"] {
            store
                .store_cert(&names, "https://ca/", contents)
                .await
                .unwrap();
        }
        let kept = store.load_cert(&names, "https://ca/").await.unwrap();
        assert_eq!(kept.as_deref(), Some(b"second".as_slice()));
        assert_eq!(
            store.load_cert(&names, "https://other/").await.unwrap(),
            None
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.0), 0o700);
        let files: Vec<_> = fs::read_dir(&store.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "no temporary file is left: {files:?}");
        assert_eq!(mode(&files[0]), 0o600);
    }
}
