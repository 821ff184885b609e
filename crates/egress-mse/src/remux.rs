//! Frames to messages. Pure: one remuxer a Channel, whatever the number of viewers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use fanout::Item as _;
use fmp4::{Carrier, Fragment, Fragmenter, Heard, Roster, Sequence, moof};
use hub::ring::Slot;
use media::time::{nanos_to_ticks, ticks_to_nanos};
use media::{Format, Frame, Kind, Track, TrackId};

use crate::layout::{Entry, Layout, MAX_TRACKS, number};
use crate::message::LeftOut;
use crate::ws::frame::{MAX_HEADER, Opcode, put_header};

/// One fragment as a WebSocket message: `head`, then `data`.
#[derive(Debug)]
pub(crate) struct Muxed {
    /// What was in force when it was made.
    pub(crate) layout: Arc<Layout>,
    pub(crate) track: TrackId,
    /// The header of the WebSocket frame, `moof`, and the header of `mdat`.
    pub(crate) head: Bytes,
    /// The access unit.
    pub(crate) data: Bytes,
    /// Where the decode time stands in `head`.
    pub(crate) tfdt_at: usize,
    /// Decode time and duration in ticks of `clock`.
    pub(crate) dts: u64,
    pub(crate) duration: u32,
    pub(crate) clock: u32,
    /// When the frame that it was made of had reached us.
    pub(crate) arrival: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Remuxer {
    layout: Option<Arc<Layout>>,
    lanes: BTreeMap<TrackId, Lane>,
    sequence: Sequence,
    roster: Roster,
    /// The decode time of the newest picture in nanoseconds.
    picture: Option<i64>,
    misfits: u64,
}

/// The way of one track.
#[derive(Debug)]
struct Lane {
    source: Arc<Format>,
    carrier: Carrier,
    fragmenter: Fragmenter,
    heard: Heard,
}

impl Remuxer {
    /// The messages for `frame`, which was written while `announced` were the tracks.
    pub(crate) fn messages(
        &mut self,
        frame: &Frame,
        announced: &Arc<[Track]>,
    ) -> Vec<Slot<Arc<Muxed>>> {
        self.roster.note(frame, announced);
        if frame.keyframe && self.roster.is_ready(frame.dts_nanos()) {
            self.arrange(frame);
        }
        let Some(layout) = self.layout.clone() else {
            return Vec::new();
        };
        let Some(lane) = self.lanes.get_mut(&frame.track) else {
            return Vec::new();
        };
        if !same(&lane.source, &frame.format) {
            // New parameters count from the next keyframe of the picture on.
            self.misfits += 1;
            return Vec::new();
        }
        let mut fragments = lane.push(frame, &mut self.sequence);
        match frame.kind() {
            Kind::Video => {
                self.picture = Some(frame.dts_nanos());
                fragments.extend(self.silence(frame.dts_nanos()));
            }
            Kind::Audio => lane.hear(self.picture),
        }
        fragments
            .into_iter()
            .map(|(clock, fragment)| slot(&layout, clock, fragment, frame.arrival))
            .collect()
    }

    /// Frames that were left out because their parameters are not those of the layout.
    pub(crate) fn misfits(&self) -> u64 {
        self.misfits
    }

    /// Takes over what is announced and seen, if `frame` is a place where viewers can follow: after an init
    /// segment a browser wants a keyframe of every track.
    fn arrange(&mut self, frame: &Frame) {
        let plan = self.plan();
        let layout = Layout::new(
            plan.entries
                .iter()
                .map(|(entry, _)| entry.clone())
                .collect(),
            plan.left_out,
        );
        if frame.kind() == Kind::Audio && layout.has_picture() {
            return;
        }
        self.roster.settle();
        if self.layout.as_ref().is_some_and(|old| old.same(&layout)) {
            return;
        }
        let mut old = std::mem::take(&mut self.lanes);
        for (entry, carrier) in plan.entries {
            let lane = Lane::following(old.remove(&entry.id), &entry, carrier);
            self.lanes.insert(entry.id, lane);
        }
        self.layout = Some(Arc::new(layout));
    }

    fn plan(&self) -> Plan {
        let mut plan = Plan::default();
        let announced = self.roster.announced();
        for track in announced {
            match (self.roster.format(track), &track.unsupported) {
                (Some(format), None) => plan.add(track.id, format),
                (_, Some(why)) => plan.leave_out(track.kind, &track.encoding, why),
                (None, None) => {
                    let why = "the camera has not told its parameters yet";
                    plan.leave_out(track.kind, &track.encoding, why);
                }
            }
        }
        let unannounced = |id: &TrackId| announced.iter().all(|track| track.id != *id);
        for (id, format) in self.roster.seen().filter(|(id, _)| unannounced(id)) {
            plan.add(id, format);
        }
        plan
    }

    /// Silence for the tracks of sound that stay away while the picture goes on.
    fn silence(&mut self, picture: i64) -> Vec<(u32, Fragment)> {
        let mut fragments = Vec::new();
        for lane in self.lanes.values_mut() {
            if lane.source.kind() == Kind::Audio {
                fragments.extend(lane.silence(picture, &mut self.sequence));
            }
        }
        fragments
    }
}

/// A layout in the making.
#[derive(Debug, Default)]
struct Plan {
    entries: Vec<(Entry, Carrier)>,
    left_out: Vec<LeftOut>,
}

impl Plan {
    fn add(&mut self, id: TrackId, format: &Arc<Format>) {
        let name = format.codec().name();
        if self.entries.len() >= MAX_TRACKS {
            return self.leave_out(format.kind(), name, "the stream has too many tracks");
        }
        match Entry::new(id, format) {
            Ok(entry) => self.entries.push(entry),
            Err(error) => self.leave_out(format.kind(), name, &error.to_string()),
        }
    }

    fn leave_out(&mut self, kind: Kind, name: &str, why: &str) {
        if self.left_out.len() < MAX_TRACKS {
            self.left_out.push(LeftOut::new(kind, name, why));
        }
    }
}

impl Lane {
    /// The lane of `entry`, which goes on where `old` was.
    fn following(old: Option<Self>, entry: &Entry, carrier: Carrier) -> Self {
        let fresh = || (Fragmenter::new(number(entry.id)), Heard::default());
        let (carrier, (fragmenter, heard)) = match old {
            Some(old) if same(&old.source, &entry.source) => {
                (old.carrier, (old.fragmenter, old.heard))
            }
            Some(old) => (carrier, (old.fragmenter, old.heard)),
            None => (carrier, fresh()),
        };
        Self {
            source: Arc::clone(&entry.source),
            carrier,
            fragmenter,
            heard,
        }
    }

    fn push(&mut self, frame: &Frame, sequence: &mut Sequence) -> Vec<(u32, Fragment)> {
        let mut fragments = Vec::with_capacity(1);
        for carried in self.carrier.carry(frame) {
            let clock = carried.format.clock_rate();
            let made = self.fragmenter.push(&carried, sequence);
            fragments.extend(made.into_iter().map(|fragment| (clock, fragment)));
        }
        fragments
    }

    /// Notes that sound came while the picture was at `picture`.
    fn hear(&mut self, picture: Option<i64>) {
        let clock = self.carrier.format().clock_rate();
        let end = self.fragmenter.timeline().audio_end();
        let end = end.map(|ticks| ticks_to_nanos(i64::try_from(ticks).unwrap_or(i64::MAX), clock));
        self.heard.note(picture, end);
    }

    /// Silence for sound that stays away while the picture goes on.
    fn silence(&mut self, picture: i64, sequence: &mut Sequence) -> Vec<(u32, Fragment)> {
        let Some((from, until)) = self.heard.silence(picture) else {
            return Vec::new();
        };
        let format = Arc::clone(self.carrier.format());
        let clock = format.clock_rate();
        let ticks = |nanos| nanos_to_ticks(nanos, clock);
        let made = self
            .fragmenter
            .silence(&format, ticks(from), ticks(until), sequence);
        made.into_iter().map(|fragment| (clock, fragment)).collect()
    }
}

fn same(a: &Arc<Format>, b: &Arc<Format>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

fn slot(
    layout: &Arc<Layout>,
    clock: u32,
    fragment: Fragment,
    arrival: Instant,
) -> Slot<Arc<Muxed>> {
    let length = fragment.head.len() + fragment.data.len();
    let mut head = BytesMut::with_capacity(MAX_HEADER + fragment.head.len());
    put_header(&mut head, Opcode::Binary, length);
    let tfdt_at = head.len() + moof::TFDT_AT;
    head.put_slice(&fragment.head);
    // A picture's non-keyframes and the sound beside it are no place to start.
    let muxed = Muxed {
        layout: Arc::clone(layout),
        track: TrackId((fragment.track_id - 1) as u8),
        head: head.freeze(),
        data: fragment.data,
        tfdt_at,
        dts: fragment.dts,
        duration: fragment.duration,
        clock,
        arrival,
    };
    Slot {
        start: fragment.keyframe && !muxed.goes_with_a_picture(),
        at: ticks_to_nanos(i64::try_from(fragment.dts).unwrap_or(i64::MAX), clock),
        bytes: length,
        item: Arc::new(muxed),
    }
}

#[cfg(test)]
mod tests;
