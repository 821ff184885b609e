//! Just enough of fragmented MP4 (ISO/IEC 14496-12) to tell which fragment begins a picture group.

/// The boxes of `data`, as type and content. Ends at the first one that does not fit.
pub fn boxes(data: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let size = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let (name, content) = (rest.get(4..8)?, rest.get(8..size)?);
        rest = &rest[size..];
        Some((name, content))
    })
}

/// The content of the box at `path` below `data`.
#[must_use]
pub fn find<'a>(data: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(data, |data, wanted| {
        boxes(data)
            .find(|(name, _)| name == wanted)
            .map(|(_, content)| content)
    })
}

/// Whether `message` is an init segment.
#[must_use]
pub fn is_init(message: &[u8]) -> bool {
    message.get(4..8) == Some(b"ftyp")
}

/// The id of the video track that an init segment declares.
#[must_use]
pub fn video_track(init: &[u8]) -> Option<u32> {
    let moov = find(init, &[b"moov"])?;
    boxes(moov)
        .filter(|(name, _)| *name == b"trak")
        .find_map(|(_, trak)| {
            let handler = find(trak, &[b"mdia", b"hdlr"])?.get(8..12)?;
            let header = find(trak, &[b"tkhd"])?;
            // Version 1 has 64-bit times.
            let at = if *header.first()? == 1 { 20 } else { 12 };
            (handler == b"vide").then(|| word(header, at)).flatten()
        })
}

/// One fragment as its `moof` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Its track.
    pub track: u32,
    /// Its first decode time, in ticks of the track.
    pub decode_time: u64,
    /// Whether its first sample is a sync sample.
    pub sync: bool,
}

const NOT_SYNC: u32 = 0x0001_0000;

/// Reads the first fragment of `message`.
#[must_use]
pub fn fragment(message: &[u8]) -> Option<Fragment> {
    let traf = find(message, &[b"moof", b"traf"])?;
    let tfhd = find(traf, &[b"tfhd"])?;
    let trun = find(traf, &[b"trun"])?;
    let tfdt = find(traf, &[b"tfdt"])?;
    let decode_time = if *tfdt.first()? == 1 {
        u64::from(word(tfdt, 4)?) << 32 | u64::from(word(tfdt, 8)?)
    } else {
        u64::from(word(tfdt, 4)?)
    };
    let flags = first_sample_flags(trun)
        .or_else(|| default_sample_flags(tfhd))
        .unwrap_or(0);
    Some(Fragment {
        track: word(tfhd, 4)?,
        decode_time,
        sync: flags & NOT_SYNC == 0,
    })
}

/// The flags that `trun` gives its first sample, for all or for itself.
fn first_sample_flags(trun: &[u8]) -> Option<u32> {
    let flags = word(trun, 0)? & 0x00ff_ffff;
    let mut at = 8 + if flags & 0x1 != 0 { 4 } else { 0 };
    if flags & 0x4 != 0 {
        return word(trun, at);
    }
    if flags & 0x400 == 0 {
        return None;
    }
    at += [0x100, 0x200]
        .iter()
        .filter(|bit| flags & **bit != 0)
        .count()
        * 4;
    word(trun, at)
}

fn default_sample_flags(tfhd: &[u8]) -> Option<u32> {
    let flags = word(tfhd, 0)? & 0x00ff_ffff;
    let before = [(0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4)];
    let at = 8 + before
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, size)| size)
        .sum::<usize>();
    if flags & 0x20 != 0 {
        word(tfhd, at)
    } else {
        None
    }
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}
