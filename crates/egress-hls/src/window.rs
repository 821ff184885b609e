//! The segments and parts of a Channel: what is listed, what is still there, and their numbers. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::Settings;
use crate::layout::Layout;
use crate::timing::nanos;

/// An init segment, with the number that its URL has.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) number: u64,
    pub(crate) layout: Arc<Layout>,
}

/// A part of a segment. Parts are numbered through, over all segments, so that the part that is hinted at
/// comes under its name whether or not a segment ends before it.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) number: u64,
    /// In nanoseconds.
    pub(crate) duration: i64,
    /// It holds a keyframe.
    pub(crate) independent: bool,
    pub(crate) pictures: usize,
    pub(crate) data: Bytes,
}

/// A segment, whole or in the making.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// Its Media Sequence Number.
    pub(crate) number: u64,
    pub(crate) map: Arc<Map>,
    /// It does not continue what was before it.
    pub(crate) discontinuity: bool,
    /// When its first sample was taken, in nanoseconds since the Unix epoch.
    pub(crate) date: i64,
    pub(crate) parts: Vec<Part>,
    /// In nanoseconds.
    pub(crate) duration: i64,
    pub(crate) bytes: usize,
    pub(crate) pictures: usize,
    /// It is the first of all, and whole before anybody can see its parts: they are not listed.
    pub(crate) in_one: bool,
    /// All of it, once it is whole.
    pub(crate) data: Option<Bytes>,
}

impl Segment {
    pub(crate) fn begins_with_keyframe(&self) -> bool {
        self.parts.first().is_some_and(|part| part.independent)
    }
}

/// What was numbered last. It outlives the packager, so that no number is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Numbers {
    /// The Media Sequence Number of the next segment.
    pub(crate) segment: u64,
    /// How many discontinuities there were before it.
    pub(crate) discontinuities: u64,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How much is listed at least, in nanoseconds.
    pub(crate) listed: i64,
    /// How many bytes of segments are kept at most, beside the segment in the making.
    pub(crate) bytes: usize,
}

impl Bounds {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            listed: nanos(settings.window),
            bytes: settings.bytes,
        }
    }
}

/// The newest segments. Cheap to clone: it holds handles.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    bounds: Bounds,
    listed: VecDeque<Arc<Segment>>,
    /// The segment in the making.
    open: Option<Arc<Segment>>,
    /// Segments that are listed no more, with where the clock must be for them to go.
    removed: VecDeque<(i64, Arc<Segment>)>,
    maps: VecDeque<Arc<Map>>,
    /// The discontinuities before the first listed segment (EXT-X-DISCONTINUITY-SEQUENCE).
    discontinuity_sequence: u64,
    numbers: Numbers,
    next_part: u64,
    next_map: u64,
    bytes: usize,
    /// The durations of all parts so far, in nanoseconds.
    clock: i64,
    /// The longest that a playlist was, in nanoseconds.
    longest: i64,
    overflows: u64,
}

impl Window {
    /// An empty window whose first segment gets the number in `numbers`.
    pub(crate) fn new(bounds: Bounds, numbers: Numbers) -> Self {
        Self {
            bounds,
            listed: VecDeque::new(),
            open: None,
            removed: VecDeque::new(),
            maps: VecDeque::new(),
            discontinuity_sequence: numbers.discontinuities,
            numbers,
            next_part: 0,
            next_map: 0,
            bytes: 0,
            clock: 0,
            longest: 0,
            overflows: 0,
        }
    }

    /// Keeps as much as `bounds` say, from now on.
    pub(crate) fn bound(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Lists `least` nanoseconds at least, from now on.
    pub(crate) fn list(&mut self, least: i64) {
        self.bounds.listed = self.bounds.listed.max(least);
    }

    /// Numbers the init segment of `layout`.
    pub(crate) fn map(&mut self, layout: Arc<Layout>) -> Arc<Map> {
        let map = Arc::new(Map {
            number: self.next_map,
            layout,
        });
        self.next_map += 1;
        map
    }

    /// Begins a segment; the one before it must have ended.
    pub(crate) fn begin(&mut self, map: &Arc<Map>, discontinuity: bool, date: i64) {
        debug_assert!(self.open.is_none(), "one segment at a time");
        let number = self.numbers.segment;
        self.numbers.segment += 1;
        self.numbers.discontinuities += u64::from(discontinuity);
        if self
            .maps
            .back()
            .is_none_or(|last| last.number != map.number)
        {
            self.maps.push_back(Arc::clone(map));
        }
        self.open = Some(Arc::new(Segment {
            number,
            map: Arc::clone(map),
            discontinuity,
            date,
            parts: Vec::new(),
            duration: 0,
            bytes: 0,
            pictures: 0,
            in_one: false,
            data: None,
        }));
    }

    /// Appends a part with so many pictures to the segment in the making.
    pub(crate) fn push(&mut self, duration: i64, independent: bool, pictures: usize, data: Bytes) {
        let Some(open) = &mut self.open else {
            return;
        };
        let open = Arc::make_mut(open);
        open.duration += duration;
        open.bytes += data.len();
        open.pictures += pictures;
        open.parts.push(Part {
            number: self.next_part,
            duration,
            independent,
            pictures,
            data,
        });
        self.next_part += 1;
        self.clock += duration;
        self.longest = self.longest.max(self.duration());
        self.evict();
    }

    /// Ends the segment in the making, if there is one.
    pub(crate) fn end(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let segment = Arc::make_mut(&mut open);
        // One piece of memory: the parts are slices of the segment.
        let mut whole = BytesMut::with_capacity(segment.bytes);
        for part in &segment.parts {
            whole.extend_from_slice(&part.data);
        }
        let whole = whole.freeze();
        let mut from = 0;
        for part in &mut segment.parts {
            let to = from + part.data.len();
            part.data = whole.slice(from..to);
            from = to;
        }
        segment.data = Some(whole);
        self.bytes += segment.bytes;
        self.listed.push_back(open);
        self.evict();
    }

    /// Ends the segment in the making before its last parts, `last` at most, and behind its first one: they are the segment in the making then. If
    /// it was the first of all it is listed in one piece.
    pub(crate) fn end_before(&mut self, last: usize) {
        let Some(open) = self.open.as_mut().map(Arc::make_mut) else {
            return;
        };
        let first = open.parts.len().saturating_sub(last).max(1);
        let tail = open.parts.split_off(first.min(open.parts.len()));
        let duration = tail.iter().map(|part| part.duration).sum();
        let bytes = tail.iter().map(|part| part.data.len()).sum();
        let pictures = tail.iter().map(|part| part.pictures).sum();
        open.duration -= duration;
        open.bytes -= bytes;
        open.pictures -= pictures;
        open.in_one = self.listed.is_empty() && !tail.is_empty();
        let (map, date) = (Arc::clone(&open.map), open.date + open.duration);
        self.end();
        if tail.is_empty() {
            return;
        }
        self.begin(&map, false, date);
        if let Some(open) = self.open.as_mut().map(Arc::make_mut) {
            open.duration = duration;
            open.bytes = bytes;
            open.pictures = pictures;
            open.parts = tail;
        }
    }

    /// The whole segments that are listed, oldest first.
    pub(crate) fn listed(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.listed.iter().map(|segment| &**segment)
    }

    /// The segment in the making.
    pub(crate) fn open(&self) -> Option<&Segment> {
        self.open.as_deref()
    }

    /// All that is listed, oldest first; the last may be in the making.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.listed().chain(self.open())
    }

    /// How much is listed, in nanoseconds.
    pub(crate) fn duration(&self) -> i64 {
        self.all().map(|segment| segment.duration).sum()
    }

    /// The Media Sequence Number of the first segment that is listed, or will be.
    pub(crate) fn first(&self) -> u64 {
        self.listed
            .front()
            .or(self.open.as_ref())
            .map_or(self.numbers.segment, |first| first.number)
    }

    /// The Media Sequence Number of the segment to which the next part belongs, as far as is known now.
    pub(crate) fn last(&self) -> u64 {
        self.open
            .as_ref()
            .map_or(self.numbers.segment, |open| open.number)
    }

    pub(crate) fn discontinuity_sequence(&self) -> u64 {
        self.discontinuity_sequence
    }

    /// The number of the next part.
    pub(crate) fn next_part(&self) -> u64 {
        self.next_part
    }

    /// The number of the next init segment.
    pub(crate) fn next_map(&self) -> u64 {
        self.next_map
    }

    /// What comes next, for a window that continues this one.
    pub(crate) fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Whether there is part `part` of the segment `segment`, or if that had fewer, the first one of the next;
    /// without `part`, whether the segment is whole (draft-pantos-hls-rfc8216bis §6.2.5.2).
    pub(crate) fn has(&self, segment: u64, part: Option<u64>) -> bool {
        let open = self.last();
        if segment != open {
            let begun = self.parts(open) > 0;
            let Some(part) = part.filter(|_| segment + 1 == open && !begun) else {
                return segment < open;
            };
            return part < self.parts(segment);
        }
        part.is_some_and(|part| part < self.parts(segment))
    }

    /// How many parts there are so far of the segment in the making, or of the newest whole one; 0 for others.
    pub(crate) fn parts(&self, segment: u64) -> u64 {
        let newest = self.listed.back().into_iter().chain(&self.open);
        let found = newest.into_iter().find(|one| one.number == segment);
        found.map_or(0, |one| one.parts.len() as u64)
    }

    /// The whole segment with that number, listed or not.
    pub(crate) fn segment(&self, number: u64) -> Option<&Segment> {
        self.stored()
            .find(|segment| segment.number == number && segment.data.is_some())
    }

    /// The part with that number, listed or not.
    pub(crate) fn part(&self, number: u64) -> Option<&Part> {
        let mut parts = self.stored().flat_map(|segment| &segment.parts);
        parts.find(|part| part.number == number)
    }

    /// The init segment with that number.
    pub(crate) fn init(&self, number: u64) -> Option<&Map> {
        let mut maps = self.maps.iter().map(|map| &**map);
        maps.find(|map| map.number == number)
    }

    /// Bytes of whole segments that are kept, and how often the bound was hit.
    pub(crate) fn bytes(&self) -> (usize, u64) {
        (self.bytes, self.overflows)
    }

    fn stored(&self) -> impl Iterator<Item = &Segment> {
        let removed = self.removed.iter().map(|(_, segment)| &**segment);
        removed.chain(self.listed()).chain(self.open())
    }

    /// What is beyond `bounds.listed` is listed no more, as long as there is a keyframe in what remains. It is
    /// still there for its own duration and that of the longest playlist (§6.2.2), unless there is no room.
    fn evict(&mut self) {
        while let Some(front) = self.listed.front() {
            let rest = self.duration() - front.duration;
            if rest < self.bounds.listed || !self.restarts() {
                break;
            }
            let until = self.clock + front.duration + self.longest;
            self.remove_front(until);
        }
        while self
            .removed
            .front()
            .is_some_and(|(until, _)| *until <= self.clock)
        {
            self.forget_front();
        }
        let mut hit = false;
        while self.bytes > self.bounds.bytes && (!self.removed.is_empty() || self.listed.len() > 1)
        {
            hit = true;
            if self.removed.is_empty() {
                self.remove_front(self.clock);
            }
            self.forget_front();
        }
        self.overflows += u64::from(hit);
        let oldest = self.stored().map(|segment| segment.map.number).min();
        self.maps.retain(|map| Some(map.number) >= oldest);
    }

    /// Whether there is a keyframe behind the first listed segment.
    fn restarts(&self) -> bool {
        let mut parts = self.all().skip(1).flat_map(|segment| &segment.parts);
        parts.any(|part| part.independent)
    }

    fn remove_front(&mut self, until: i64) {
        if let Some(front) = self.listed.pop_front() {
            // The number belongs to the segment that is now the first: its own tag is still in the playlist.
            self.discontinuity_sequence += u64::from(front.discontinuity);
            self.removed.push_back((until, front));
        }
    }

    fn forget_front(&mut self) {
        if let Some((_, gone)) = self.removed.pop_front() {
            self.bytes -= gone.bytes;
        }
    }
}
