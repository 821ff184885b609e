//! Frames to samples with their place in time: one lane for the picture, one for the sound. Pure.

use std::sync::Arc;
use std::time::Instant;

use fmp4::{Carrier, Heard, Placed, Roster, Sample, Timeline};
use media::time::{nanos_to_ticks, ticks_to_nanos};
use media::{Format, Frame, Kind, Track};

use crate::layout::{Entry, Layout};
use crate::pace::Pace;

/// What a frame becomes.
#[derive(Debug)]
pub(crate) enum Step {
    /// What follows has these tracks, and begins with a keyframe.
    Layout(Arc<Layout>),
    /// A sample of one of them.
    Unit(Unit),
}

/// A sample on the Stream's time line. Times are in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// The place of its track in the layout. The first track leads: segments are cut at its keyframes.
    pub(crate) lane: usize,
    pub(crate) sample: Sample,
    /// Decode time.
    pub(crate) at: i64,
    pub(crate) length: i64,
    /// What came before it is not what it continues: a loss, or another session of the camera.
    pub(crate) breaks: bool,
    /// The camera's wall clock, since the Unix epoch, where it is known.
    pub(crate) wallclock: Option<i64>,
    pub(crate) arrival: Instant,
}

impl Unit {
    /// Decode time at the end of it.
    pub(crate) fn end(&self) -> i64 {
        self.at + self.length
    }

    /// A player can begin here, as far as its track is concerned.
    pub(crate) fn starts(&self) -> bool {
        self.sample.keyframe
    }
}

/// Frames that wait until it is known how far pictures are apart; with more, it is not waited for.
const MAX_HELD: usize = 2048;

/// The way of the frames of a Stream.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    layout: Option<Arc<Layout>>,
    /// In the order of the layout.
    ways: Vec<Lane>,
    roster: Roster,
    /// Frames were passed over: what comes next continues nothing.
    broken: bool,
    /// The decode time of the newest picture in nanoseconds.
    picture: Option<i64>,
    pace: Pace,
    /// What came while the pace was not known.
    held: Vec<Frame>,
}

/// The way of one track.
#[derive(Debug)]
struct Lane {
    entry: Entry,
    carrier: Carrier,
    timeline: Timeline,
    heard: Heard,
}

impl Lanes {
    /// What `frame` becomes, which was written while `announced` were the tracks.
    pub(crate) fn push(&mut self, frame: &Frame, announced: &Arc<[Track]>) -> Vec<Step> {
        let mut steps = Vec::new();
        self.roster.note(frame, announced);
        if frame.keyframe && self.roster.is_ready(frame.dts_nanos()) {
            steps.extend(self.arrange(frame).map(Step::Layout));
        }
        let Some(place) = self.place(frame) else {
            return steps;
        };
        self.learn(frame, place);
        if self.pace.waits() && self.held.len() < MAX_HELD {
            self.hold(frame, place);
            return steps;
        }
        for held in std::mem::take(&mut self.held) {
            if let Some(place) = self.place(&held) {
                self.put(&held, place, &mut steps);
            }
        }
        self.put(frame, place, &mut steps);
        steps
    }

    /// From picture to picture in nanoseconds, where it is known.
    pub(crate) fn step(&self) -> Option<i64> {
        self.pace.step()
    }

    /// Keeps `frame` until it can be placed, and with it that it continues nothing.
    fn hold(&mut self, frame: &Frame, place: usize) {
        let mut held = frame.clone();
        if place == 0 && frame.keyframe {
            held.discontinuity |= std::mem::take(&mut self.broken);
        }
        self.held.push(held);
    }

    /// Learns from `frame` how far pictures are apart.
    fn learn(&mut self, frame: &Frame, place: usize) {
        if self.ways[0].entry.kind() != Kind::Video {
            return;
        }
        let at = frame.dts_nanos();
        let broken = frame.keyframe && (frame.discontinuity || self.broken);
        if place == 0 && broken {
            // What was held is of a session that is over.
            self.held.clear();
            self.pace.restart();
        }
        let before = self.pace;
        if place == 0 {
            self.pace.picture(at, self.ways.len() == 1);
        } else {
            self.pace.sound(at);
        }
        if let Some(step) = self.pace.step().filter(|_| before.waits()) {
            let ticks = nanos_to_ticks(step, self.ways[0].entry.clock());
            self.ways[0].timeline = Timeline::of_step(u32::try_from(ticks).unwrap_or(u32::MAX));
        }
    }

    /// Gives `frame` its place in time.
    fn put(&mut self, frame: &Frame, place: usize, steps: &mut Vec<Step>) {
        let leads = place == 0 && frame.keyframe;
        let breaks = leads && (frame.discontinuity || std::mem::take(&mut self.broken));
        let lane = &mut self.ways[place];
        if breaks {
            // After a break, times count as they are: nothing is there that they would have to follow.
            lane.timeline.restart();
        }
        steps.extend(lane.push(frame, place, breaks));
        if place == 0 {
            let now = frame.dts_nanos();
            self.picture = Some(now);
            for (place, lane) in self.ways.iter_mut().enumerate().skip(1) {
                steps.extend(lane.silence(now, place, frame.arrival));
            }
        } else {
            self.ways[place].hear(self.picture);
        }
    }

    /// Frames were passed over; the next one is a keyframe.
    pub(crate) fn skipped(&mut self) {
        self.broken = true;
    }

    /// The lane that takes `frame`. New parameters count from the next keyframe of the picture on.
    fn place(&self, frame: &Frame) -> Option<usize> {
        let takes = |lane: &Lane| {
            let entry = &lane.entry;
            entry.id == frame.track && same(&entry.source, &frame.format)
        };
        self.ways.iter().position(takes)
    }

    /// Takes over what is announced and seen, if `frame` is a place where players can follow. The new
    /// layout, if it is another one.
    fn arrange(&mut self, frame: &Frame) -> Option<Arc<Layout>> {
        let chosen = self.choose();
        let leader = chosen.first()?.0.id;
        if leader != frame.track {
            return None;
        }
        self.roster.settle();
        let entries: Vec<Entry> = chosen.iter().map(|(entry, _)| entry.clone()).collect();
        if self
            .layout
            .as_ref()
            .is_some_and(|old| old.entries == entries)
        {
            return None;
        }
        let mut old = std::mem::take(&mut self.ways);
        self.ways = chosen
            .into_iter()
            .map(|(entry, carrier)| {
                let before = old.iter().position(|lane| lane.entry.id == entry.id);
                Lane::following(before.map(|at| old.swap_remove(at)), entry, carrier)
            })
            .collect();
        let layout = Arc::new(Layout::new(entries));
        self.layout = Some(Arc::clone(&layout));
        Some(layout)
    }

    /// The first picture and the first sound that MP4 has a place for.
    fn choose(&self) -> Vec<(Entry, Carrier)> {
        let roster = &self.roster;
        let formats = |kind: Kind| {
            let announced = roster.announced().iter();
            let told = announced
                .filter(|track| track.unsupported.is_none())
                .filter_map(|track| roster.format(track).map(|format| (track.id, format)));
            let untold = roster.seen();
            told.chain(untold)
                .filter(move |(_, format)| format.kind() == kind)
                .find_map(|(id, format)| Entry::new(id, format))
        };
        [Kind::Video, Kind::Audio]
            .into_iter()
            .filter_map(formats)
            .collect()
    }
}

impl Lane {
    /// The lane of `entry`, which goes on where `old` was.
    fn following(old: Option<Self>, entry: Entry, carrier: Carrier) -> Self {
        let (carrier, timeline, heard) = match old {
            Some(old) if same(&old.entry.source, &entry.source) => {
                (old.carrier, old.timeline, old.heard)
            }
            Some(old) => (carrier, old.timeline, old.heard),
            None => (carrier, Timeline::default(), Heard::default()),
        };
        Self {
            entry,
            carrier,
            timeline,
            heard,
        }
    }

    fn push(&mut self, frame: &Frame, place: usize, breaks: bool) -> Vec<Step> {
        let mut steps = Vec::with_capacity(1);
        for carried in self.carrier.carry(frame) {
            let clock = carried.format.clock_rate();
            let Placed {
                silence,
                frame: own,
            } = self.timeline.push(&carried);
            let silence = silence.into_iter().map(|sample| (sample, None));
            let own = own.into_iter().map(|sample| (sample, frame.wallclock));
            for (sample, wallclock) in silence.chain(own) {
                let unit = unit(sample, clock, place, frame.arrival);
                steps.push(Step::Unit(Unit {
                    breaks: breaks && steps.is_empty(),
                    wallclock,
                    ..unit
                }));
            }
        }
        steps
    }

    /// Notes that sound came while the picture was at `picture`.
    fn hear(&mut self, picture: Option<i64>) {
        let clock = self.carrier.format().clock_rate();
        let end = self.timeline.audio_end().map(|ticks| nanos(ticks, clock));
        self.heard.note(picture, end);
    }

    /// Silence for sound that stays away while the picture goes on.
    fn silence(&mut self, picture: i64, place: usize, arrival: Instant) -> Vec<Step> {
        let Some((from, until)) = self.heard.silence(picture) else {
            return Vec::new();
        };
        let format = Arc::clone(self.carrier.format());
        let clock = format.clock_rate();
        let ticks = |nanos| nanos_to_ticks(nanos, clock);
        self.timeline
            .silence(&format, ticks(from), ticks(until))
            .into_iter()
            .map(|sample| Step::Unit(unit(sample, clock, place, arrival)))
            .collect()
    }
}

fn unit(sample: Sample, clock: u32, lane: usize, arrival: Instant) -> Unit {
    let at = nanos(sample.dts, clock);
    Unit {
        lane,
        at,
        length: nanos(sample.dts + u64::from(sample.duration), clock) - at,
        sample,
        breaks: false,
        wallclock: None,
        arrival,
    }
}

fn nanos(ticks: u64, clock: u32) -> i64 {
    ticks_to_nanos(i64::try_from(ticks).unwrap_or(i64::MAX), clock)
}

fn same(a: &Arc<Format>, b: &Arc<Format>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}
