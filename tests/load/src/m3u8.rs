//! Just enough of LL-HLS playlists to ask for the next one, as a player at live does.

use anyhow::{Context, Result};

/// What a media playlist says of its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The Media Sequence Number of the segment that is in the making.
    pub segment: u64,
    /// How many parts of it there are.
    pub parts: u64,
    /// The URI of the newest part.
    pub newest: Option<String>,
}

impl End {
    /// Reads `text`.
    pub fn of(text: &str) -> Result<Self> {
        let mut end = Self {
            segment: 0,
            parts: 0,
            newest: None,
        };
        let mut known = false;
        for line in text.lines() {
            if let Some(number) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                (end.segment, known) = (number.parse()?, true);
            } else if let Some(part) = line.strip_prefix("#EXT-X-PART:") {
                end.parts += 1;
                end.newest = uri(part);
            } else if let Some(skip) = line.strip_prefix("#EXT-X-SKIP:SKIPPED-SEGMENTS=") {
                end.segment += skip.parse::<u64>()?;
            } else if !line.is_empty() && !line.starts_with('#') {
                (end.segment, end.parts) = (end.segment + 1, 0);
            }
        }
        known.then_some(end).context("no EXT-X-MEDIA-SEQUENCE")
    }

    /// The directives by which the next part is waited for.
    #[must_use]
    pub fn next(&self) -> String {
        self.ahead(0)
    }

    /// The directives by which the part after so many more is waited for.
    #[must_use]
    pub fn ahead(&self, parts: u64) -> String {
        format!(
            "?_HLS_msn={}&_HLS_part={}",
            self.segment,
            self.parts + parts
        )
    }
}

/// The media playlist that the multivariant playlist `text` names.
pub fn variant(text: &str) -> Result<&str> {
    let uri = text.lines().find(|line| !line.starts_with('#'));
    uri.context("a multivariant playlist without a variant")
}

/// `uri`, which `base` (a path without query) refers to, as a path.
#[must_use]
pub fn resolve(base: &str, uri: &str) -> String {
    if uri.starts_with('/') {
        return uri.to_owned();
    }
    let mut folders: Vec<&str> = base.split('/').collect();
    folders.pop();
    for step in uri.split('/') {
        match step {
            ".." => drop(folders.pop()),
            "." => {}
            step => folders.push(step),
        }
    }
    folders.join("/")
}

fn uri(attributes: &str) -> Option<String> {
    let (_, rest) = attributes.split_once("URI=\"")?;
    rest.split('"').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{End, resolve};

    #[test]
    fn what_comes_next_is_counted_from_the_last_whole_segment() {
        let text = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-PART:DURATION=1,URI=\"a\"\n#EXTINF:1,\ns\n\
                    #EXT-X-PART:DURATION=1,URI=\"b\",INDEPENDENT=YES\n";
        let end = End::of(text).unwrap();
        assert_eq!(
            (end.segment, end.parts, end.newest.as_deref()),
            (8, 1, Some("b"))
        );
        assert_eq!(end.next(), "?_HLS_msn=8&_HLS_part=1");
        assert!(End::of("#EXTM3U\n").is_err());
    }

    #[test]
    fn a_relative_uri_may_go_up() {
        assert_eq!(resolve("/a/b/live/media.m3u8", "../../hls/x"), "/a/hls/x");
        assert_eq!(resolve("/a/b", "/c"), "/c");
    }
}
