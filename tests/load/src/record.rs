//! When a server sent how much to one viewer: what the bare loop plays back.
//!
//! A file of lines `MICROSECONDS BYTES`, times counted from the first message.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// One message of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Time since the first message.
    pub at: Duration,
    /// Payload bytes.
    pub bytes: usize,
}

/// Writes `entries` to `path`.
pub fn save(path: &Path, entries: &[Entry]) -> Result<()> {
    let mut text = String::new();
    for entry in entries {
        writeln!(text, "{} {}", entry.at.as_micros(), entry.bytes)?;
    }
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

/// Reads what [`save`] wrote.
pub fn load(path: &Path) -> Result<Vec<Entry>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    text.lines()
        .map(|line| {
            let (at, bytes) = line
                .split_once(' ')
                .context("a line is `MICROSECONDS BYTES`")?;
            Ok(Entry {
                at: Duration::from_micros(at.parse()?),
                bytes: bytes.parse()?,
            })
        })
        .collect()
}
