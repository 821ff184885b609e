//! The configuration file on the disk: written whole or not at all, and watched.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Who may read and write a file that holds secrets.
const PRIVATE: u32 = 0o600;

/// Puts `text` into the file at `path`, so that a reader, or a machine whose power fails, finds the old text or the new
/// one, whole: a new file beside it, synced, takes its place. Links are followed; mode and owner stay, but
/// nobody besides the owner may read what is `private`.
///
/// # Errors
/// Why it can't be, and what would help, in words.
pub(super) fn save(path: &Path, text: &str, private: bool) -> Result<(), String> {
    let path = &fs::canonicalize(path).map_err(|error| error.to_string())?;
    replace(path, text, private).map_err(|error| advice(path, &error))
}

fn replace(path: &Path, text: &str, private: bool) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = directory.join(format!(".{name}.new"));
    match fs::remove_file(&fresh) {
        // What a write that was killed has left.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let written = write(&fresh, path, text, private).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written?;
    File::open(directory)?.sync_all()
}

/// What is wrong, and what would help.
fn advice(path: &Path, error: &io::Error) -> String {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    let directory = path.parent().unwrap_or(path).display();
    match error.kind() {
        ResourceBusy => {
            "it is mounted by itself, so that no new file can take its place: mount its directory instead".to_owned()
        }
        ReadOnlyFilesystem => format!(
            "the new file is written beside it, and {directory} is read-only: in a container, mount the directory, writable, instead of the file"
        ),
        PermissionDenied => format!(
            "the new file is written beside it, with the same owner: this user must be the owner of the file, and may write to {directory}"
        ),
        _ => error.to_string(),
    }
}

fn write(fresh: &Path, path: &Path, text: &str, private: bool) -> io::Result<()> {
    let old = fs::metadata(path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(fresh)?;
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) != (old.uid(), old.gid()) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    let mode = if private {
        PRIVATE
    } else {
        old.mode() & 0o7777
    };
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What tells one state of some files from another. Links are followed, so that a file that is replaced, and a link that
/// is turned to another one, as Kubernetes does it, are seen.
pub(super) type Mark = Vec<Option<(u64, u64, u64, i64, i64)>>;

/// The present state of `files`.
pub(super) fn mark(files: &[PathBuf]) -> Mark {
    let one = |file: &PathBuf| {
        let m = fs::metadata(file).ok()?;
        Some((
            m.dev(),
            m.ino(),
            m.size(),
            m.mtime() * 1_000_000_000 + m.mtime_nsec(),
            m.ctime_nsec(),
        ))
    };
    files.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_through_links_and_whatever_was_left_over() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (
            directory.path().join("real.toml"),
            directory.path().join("link.toml"),
        );
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        fs::write(directory.path().join(".real.toml.new"), "left over").unwrap();
        std::os::unix::fs::symlink("real.toml", &link).unwrap();
        let before = mark(std::slice::from_ref(&link));
        save(&link, "new", false).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        assert_ne!(mark(std::slice::from_ref(&link)), before);
        save(&link, "new", true).unwrap();
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_keeps_it_from_being_written_is_told_with_what_helps() {
        let path = Path::new("/etc/lunette/lunette.toml");
        let told = |code| advice(path, &io::Error::from_raw_os_error(code));
        let codes = [
            rustix::io::Errno::BUSY,
            rustix::io::Errno::ROFS,
            rustix::io::Errno::ACCESS,
            rustix::io::Errno::PERM,
        ];
        let words = [
            "mount its directory",
            "/etc/lunette is read-only",
            "may write to /etc/lunette",
            "must be the owner",
        ];
        for (code, words) in codes.into_iter().zip(words) {
            let told = told(code.raw_os_error());
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn a_directory_that_can_not_be_written_leaves_the_file_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.toml");
        fs::write(&file, "old").unwrap();
        // Nothing can be created in place of a directory, for root neither.
        fs::create_dir(directory.path().join(".a.toml.new")).unwrap();
        fs::write(directory.path().join(".a.toml.new/x"), "").unwrap();
        assert!(save(&file, "new", false).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    }
}
