//! The directory of recordings: `{stream}/{channel}/{time}.mp4`. Blocks.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use hub::{Channel, ChannelId, StreamId};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::time::Stamp;

/// How many recordings run at once.
const AT_ONCE: usize = 16;
/// How many are listed of a channel.
const MAX_LISTED: usize = 10_000;
/// How many names are tried of recordings that begin in one second.
const MAX_NAMES: u32 = 100;

/// Where recordings are kept, and how much there may be.
#[derive(Debug)]
pub(in crate::compat) struct Shelf {
    directory: PathBuf,
    limit: u64,
    /// What all of them take, in bytes.
    used: AtomicU64,
    turns: Arc<Semaphore>,
}

/// A recording of which nothing is written yet.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

/// A recording, as it is listed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Listed {
    name: String,
    bytes: u64,
}

impl Shelf {
    /// Recordings in `directory`, of `limit` bytes at most.
    pub(in crate::compat) fn new(directory: PathBuf, limit: usize) -> Self {
        Self {
            directory,
            limit: limit as u64,
            used: AtomicU64::new(0),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Leave to run, while it is held; none where too many do.
    pub(super) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// A new file for a recording of `channel` that begins at `name`.
    pub(super) fn open(&self, channel: &Channel, name: &str) -> io::Result<Fresh> {
        self.used.store(self.count(), Ordering::Relaxed);
        if self.used.load(Ordering::Relaxed) >= self.limit {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let folder = self
            .directory
            .join(channel.stream().as_str())
            .join(channel.id().as_str());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        for n in 1..=MAX_NAMES {
            let more = if n == 1 {
                String::new()
            } else {
                format!("-{n}")
            };
            let path = folder.join(format!("{name}{more}.mp4"));
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| Fresh { file, path }),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Whether `bytes` more may be written.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        self.used.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.limit
    }

    /// The recordings of a channel, the oldest first.
    pub(super) fn list(&self, stream: &str, channel: &str) -> Vec<Listed> {
        let Some(folder) = self.folder(stream, channel) else {
            return Vec::new();
        };
        let found = entries(&folder).filter_map(|(path, bytes)| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some(Listed { name, bytes })
        });
        let mut listed: Vec<Listed> = found.take(MAX_LISTED).collect();
        listed.sort();
        listed
    }

    /// A recording, and how many bytes it has.
    pub(super) fn read(&self, stream: &str, channel: &str, name: &str) -> Option<(File, u64)> {
        let file = File::open(self.file(stream, channel, name)?).ok()?;
        let length = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        Some((file, length))
    }

    /// Removes a recording; false if there is none.
    pub(super) fn remove(&self, stream: &str, channel: &str, name: &str) -> bool {
        let file = self.file(stream, channel, name);
        file.is_some_and(|file| fs::remove_file(file).is_ok())
    }

    fn file(&self, stream: &str, channel: &str, name: &str) -> Option<PathBuf> {
        let file = self.folder(stream, channel)?.join(name);
        // An id leads nowhere else.
        (ChannelId::new(name).is_ok() && is_mp4(&file)).then_some(file)
    }

    /// What ids can't say leads nowhere.
    fn folder(&self, stream: &str, channel: &str) -> Option<PathBuf> {
        let stream = StreamId::new(stream).ok()?;
        let channel = ChannelId::new(channel).ok()?;
        Some(self.directory.join(stream.as_str()).join(channel.as_str()))
    }

    /// How many bytes all recordings have.
    fn count(&self) -> u64 {
        let streams = folders(&self.directory);
        let channels = streams.iter().flat_map(|stream| folders(stream));
        channels
            .flat_map(|channel| entries(&channel).collect::<Vec<_>>())
            .map(|(_, bytes)| bytes)
            .sum()
    }
}

/// What a recording that begins `now` is called: a time that every file system takes.
pub(super) fn name(now: SystemTime) -> String {
    Stamp::from(now).to_string().replace(':', "-")
}

fn is_mp4(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "mp4")
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(of).into_iter().flatten().flatten();
    all.map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// The recordings in a folder, with their sizes.
fn entries(folder: &Path) -> impl Iterator<Item = (PathBuf, u64)> {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    all.filter_map(|entry| {
        let path = entry.path();
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        is_mp4(&path).then_some((path, metadata.len()))
    })
}
