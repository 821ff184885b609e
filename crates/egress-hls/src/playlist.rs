//! The text of playlists, after draft-pantos-hls-rfc8216bis. Pure: what is there in, text out.

use std::fmt::Write as _;

use crate::timing::Timing;
use crate::window::{Segment, Window};

const SECOND: i64 = 1_000_000_000;

/// PART-HOLD-BACK and HOLD-BACK are at least three parts and three segments (§4.4.3.8).
const HOLD_BACK: i64 = 3;

/// CAN-SKIP-UNTIL in target durations (§4.4.3.8).
const SKIP_UNTIL: i64 = 6;

/// Parts are listed up to so many target durations from the end (§4.4.4.9), and of as many segments, the one in the making
/// among them: players want those nearest to live, and hls-parser takes segments for target durations.
const PARTS_WITHIN: i64 = 3;

/// What the peak bit rate may be above what has been seen of it, in percent: players read it once.
const PEAK_MARGIN: u64 = 20;

/// The first playlist lists so many parts, or a second: three to hold back, and one. With less, players begin with a stall
/// that they never make up for (hls.js 1.7), or not at all (Shaka 5.2); with more, some begin behind the part with the
/// keyframe, and wait for the next one (video.js 8.24).
pub(crate) const FIRST_PARTS: usize = HOLD_BACK as usize + 1;

/// So far behind a part's beginning, in nanoseconds, players begin that are told where: video.js (8.24) on the very end of one may take
/// it for loaded.
const INSIDE: i64 = SECOND / 100;

/// So far before the end of a segment that is listed in one piece: video.js takes what ends within a thirtieth of a second for played.
const INSIDE_WHOLE: i64 = SECOND / 20;

/// video.js (8.24) gives up after so many parts in a row that brought no picture.
const GIVES_UP_AFTER: i64 = 10;

/// Whether `window` has as much as the first playlist lists at least: so many parts, and so many pictures unless these stay away.
pub(crate) fn is_enough(window: &Window, timing: Timing) -> bool {
    let duration = window.duration();
    let pictures: usize = window.all().map(|segment| segment.pictures).sum();
    let shown = pictures >= timing.pictures || duration >= 2 * timing.target;
    duration >= first(timing) && shown
}

/// How much the first playlist lists, in nanoseconds.
fn first(timing: Timing) -> i64 {
    (FIRST_PARTS as i64 * timing.part).min(SECOND)
}

/// Which playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Playlist {
    /// LL-HLS.
    Low,
    /// LL-HLS, without the segments that the player has already (`_HLS_skip=YES`).
    LowDelta,
    /// Whole segments only.
    Plain,
}

/// The media playlist, in which `prefix` comes before the names of files. None where there is too little to list
/// for a player to begin: all want a whole segment.
pub(crate) fn media(
    which: Playlist,
    window: &Window,
    timing: Timing,
    prefix: &str,
) -> Option<String> {
    let low = which != Playlist::Plain;
    let segments: Vec<&Segment> = if low {
        window.all().collect()
    } else {
        window.listed().collect()
    };
    window
        .listed()
        .next()
        .filter(|_| is_enough(window, timing))?;
    let listed: i64 = segments.iter().map(|segment| segment.duration).sum();
    if listed < first(timing) {
        return None;
    }
    let mut text = String::with_capacity(128 * segments.len() + 4096);
    head(&mut text, &segments, window, timing, low).ok()?;
    let skipped = match which {
        Playlist::LowDelta => skippable(&segments, timing),
        Playlist::Low | Playlist::Plain => 0,
    };
    if skipped > 0 {
        writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}").ok()?;
    }
    let mut left: i64 = segments[skipped..]
        .iter()
        .map(|segment| segment.duration)
        .sum();
    let mut map = None;
    let with_open = window.listed().count() + 1;
    for (place, segment) in segments.iter().enumerate().skip(skipped) {
        let recent = (with_open - place) as i64 <= PARTS_WITHIN;
        let with_parts = low && recent && !segment.in_one && left <= PARTS_WITHIN * timing.target;
        let new_map = map.replace(segment.map.number) != Some(segment.map.number);
        one(&mut text, segment, prefix, with_parts, new_map).ok()?;
        left -= segment.duration;
    }
    if low {
        let next = window.next_part();
        writeln!(
            text,
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{prefix}part-{next}.m4s\""
        )
        .ok()?;
    }
    Some(text)
}

fn head(
    text: &mut String,
    segments: &[&Segment],
    window: &Window,
    timing: Timing,
    low: bool,
) -> std::fmt::Result {
    text.push_str("#EXTM3U\n");
    writeln!(text, "#EXT-X-VERSION:{}", if low { 9 } else { 7 })?;
    writeln!(text, "#EXT-X-TARGETDURATION:{}", timing.target / SECOND)?;
    if low {
        writeln!(
            text,
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={}.0,HOLD-BACK={}.0,PART-HOLD-BACK={}",
            SKIP_UNTIL * timing.target / SECOND,
            HOLD_BACK * timing.target / SECOND,
            Millis(HOLD_BACK * timing.part)
        )?;
        writeln!(text, "#EXT-X-PART-INF:PART-TARGET={}", Millis(timing.part))?;
    }
    writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", window.first())?;
    let discontinuities = window.discontinuity_sequence();
    if discontinuities > 0 || segments.iter().any(|segment| segment.discontinuity) {
        writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}")?;
    }
    if let Some(start) = start(segments, timing, low) {
        writeln!(text, "#EXT-X-START:TIME-OFFSET={}", Millis(start))?;
    }
    Ok(())
}

/// One segment; the last one may be in the making.
fn one(
    text: &mut String,
    segment: &Segment,
    prefix: &str,
    with_parts: bool,
    new_map: bool,
) -> std::fmt::Result {
    if segment.discontinuity {
        text.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if new_map {
        writeln!(
            text,
            "#EXT-X-MAP:URI=\"{prefix}init-{}.mp4\"",
            segment.map.number
        )?;
    }
    writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", Date(segment.date))?;
    for part in segment.parts.iter().filter(|_| with_parts) {
        let independent = if part.independent {
            ",INDEPENDENT=YES"
        } else {
            ""
        };
        let (duration, number) = (Seconds(part.duration), part.number);
        writeln!(
            text,
            "#EXT-X-PART:DURATION={duration},URI=\"{prefix}part-{number}.m4s\"{independent}"
        )?;
    }
    if segment.data.is_some() {
        let (duration, number) = (Seconds(segment.duration), segment.number);
        writeln!(text, "#EXTINF:{duration},\n{prefix}segment-{number}.m4s")?;
    }
    Ok(())
}

/// How many segments lie further from the end than the skip boundary (§6.2.5.1).
fn skippable(segments: &[&Segment], timing: Timing) -> usize {
    let mut left: i64 = segments.iter().map(|segment| segment.duration).sum();
    let boundary = SKIP_UNTIL * timing.target;
    let old = |segment: &&&Segment| {
        left -= segment.duration;
        left >= boundary
    };
    segments.iter().take_while(old).count()
}

/// Where players shall begin that would begin by themselves in a segment without a keyframe up to there: at the last
/// keyframe before it, in nanoseconds from the playlist's beginning. Players take a segment's beginning for one (hls.js 1.7, Shaka 5.2),
/// and get no picture before the next one; video.js (8.24) looks for none at all, and gives up.
///
/// From the beginning, since video.js takes the segment in the making for longer than it is. Where the keyframe is in a segment that is listed in one
/// piece, as near to its end as may be: they load all of it.
///
/// Where there is a keyframe in that segment they are told nothing, unless video.js would go astray.
fn start(segments: &[&Segment], timing: Timing, low: bool) -> Option<i64> {
    let hold_back = HOLD_BACK * if low { timing.part } else { timing.target };
    let always = low && is_astray(segments, timing);
    let total: i64 = segments.iter().map(|segment| segment.duration).sum();
    let place = total - hold_back;
    let (mut at, mut newest) = (0, None);
    for segment in segments {
        let (begins, ends) = (at, at + segment.duration);
        let mut here = false;
        for part in &segment.parts {
            if part.independent && at <= place {
                let latest = if segment.in_one {
                    place.min(ends - INSIDE_WHOLE)
                } else {
                    at
                };
                newest = Some(latest.max(at + INSIDE));
                here = !segment.in_one;
            }
            at += part.duration;
        }
        if begins <= place && ends > place {
            return newest.filter(|_| always || !here);
        }
    }
    None
}

/// Whether the LL-HLS playlist tells players where to begin, so that they are the further behind live the later they have it.
pub(crate) fn tells_where(window: &Window, timing: Timing) -> bool {
    let segments: Vec<&Segment> = window.all().collect();
    start(&segments, timing, true).is_some()
}

/// Whether video.js (8.24) would give up that is not told where to begin: it begins [`HOLD_BACK`] parts before where the segment in the making would
/// end after the target duration, looks back for a keyframe by one part, and after [`GIVES_UP_AFTER`] parts without a picture it asks for no more.
///
/// So it is where segments are shorter than their target duration, which was chosen before it was known how far keyframes are apart.
fn is_astray(segments: &[&Segment], timing: Timing) -> bool {
    let Some(open) = segments.last().filter(|last| last.data.is_none()) else {
        return false;
    };
    let mut at = 0;
    let mut keyframes = [None; 2];
    for part in segments.iter().flat_map(|segment| &segment.parts) {
        if part.independent {
            keyframes = [keyframes[1], Some(at)];
        }
        at += part.duration;
    }
    let [Some(before), Some(newest)] = keyframes else {
        return false;
    };
    let gop = newest - before;
    let begins = at - open.duration + timing.target - HOLD_BACK * timing.part;
    let behind = (begins - newest).rem_euclid(gop);
    behind >= 2 * timing.part && gop - behind > (GIVES_UP_AFTER - 1) * timing.part
}

/// The multivariant playlist, whose one variant is at `uri`.
pub(crate) fn multivariant(window: &Window, timing: Timing, uri: &str) -> Option<String> {
    window
        .listed()
        .next()
        .filter(|_| is_enough(window, timing))?;
    let newest = window.all().next_back()?;
    let layout = &newest.map.layout;
    let of_layout: Vec<&Segment> = window
        .all()
        .filter(|segment| segment.map.number == newest.map.number)
        .collect();
    let duration: i64 = of_layout.iter().map(|segment| segment.duration).sum();
    let bytes: usize = of_layout.iter().map(|segment| segment.bytes).sum();
    let pictures: usize = of_layout.iter().map(|segment| segment.pictures).sum();
    let average = rate(bytes, duration);
    // A peak counts over half a target duration at least (§4.4.6.2).
    let peak = of_layout
        .iter()
        .filter(|segment| segment.duration * 2 >= timing.target)
        .map(|segment| rate(segment.bytes, segment.duration))
        .fold(average, u64::max);
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n");
    write!(
        text,
        "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={average},CODECS=\"{}\"",
        peak + peak * PEAK_MARGIN / 100,
        layout.codecs
    )
    .ok()?;
    if let Some((width, height)) = layout.resolution() {
        let rate = pictures as f64 * SECOND as f64 / duration.max(1) as f64;
        write!(text, ",RESOLUTION={width}x{height},FRAME-RATE={rate:.3}").ok()?;
    }
    // Shaka (5.2) looks for captions in segments where it is not told that there are none, also in the one that
    // is in the making and has no URL, and fails.
    writeln!(text, ",CLOSED-CAPTIONS=NONE\n{uri}").ok()?;
    Some(text)
}

/// Bits a second.
fn rate(bytes: usize, duration: i64) -> u64 {
    let nanos = u64::try_from(duration.max(1)).unwrap_or(1);
    let bits = bytes as u128 * 8 * SECOND as u128 / u128::from(nanos);
    u64::try_from(bits).unwrap_or(u64::MAX).max(1)
}

/// Nanoseconds as seconds with five places.
struct Seconds(i64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = self.0 / 10_000;
        write!(f, "{}.{:05}", steps / 100_000, steps % 100_000)
    }
}

/// Nanoseconds as seconds with three places.
struct Millis(i64);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0 / 1_000_000;
        write!(f, "{}.{:03}", millis / 1000, millis % 1000)
    }
}

/// Nanoseconds since the Unix epoch as ISO 8601, in UTC, with milliseconds.
struct Date(i64);

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0.div_euclid(1_000_000);
        let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let (seconds, millis) = (of_day / 1000, of_day % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

/// Year, month and day of the proleptic Gregorian calendar, from days since 1970-01-01. Counted in eras of
/// 400 years whose years begin in March, so that the leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    let since = days + 719_468;
    let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests;
