//! NAL units to access units, for H.264 and H.265: where a picture begins and ends, and which are whole.

use std::sync::Arc;

use bytes::Bytes;

use super::gate::{Gate, Verdict};
use super::output::Output;
use super::parameters::Parameters;
use super::syntax::{Role, Syntax};
use super::{AccessUnit, Encoding};
use crate::nal::{LENGTH_SIZE, RandomAccess, annexb};
use crate::{Error, Format};

/// The largest access unit that is assembled, in bytes. A 4K intra picture at high quality is a quarter of it.
pub const MAX_UNIT: usize = 8 * 1024 * 1024;

/// Pictures that begin with one timestamp and no marker between them before the timestamps are taken
/// to stand still. Two fields of one frame, or slices that each claim to be first, stay below.
const STUCK_AFTER: u8 = 8;

/// An access unit in the making.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, seen one by one"
)]
struct Unit {
    timestamp: u32,
    data: Vec<u8>,
    format: Option<Arc<Format>>,
    access: RandomAccess,
    /// How many slices said that they are the first of a picture.
    first_slices: u8,
    has_picture: bool,
    /// Its beginning may be missing: the first slice has to show that it is not.
    unproven: bool,
    damaged: bool,
    /// Not decodable after a start at the random access point before it.
    skipped_leading: bool,
    /// Where the NAL unit begins whose fragments are being appended.
    fragment: Option<usize>,
}

impl Unit {
    /// Whether this was a picture, even if nothing of it is left.
    fn is_picture(&self) -> bool {
        self.has_picture || self.damaged
    }
}

/// Assembles access units of NAL units.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent habits of a peer"
)]
pub(super) struct Picture {
    syntax: Syntax,
    pub(super) parameters: Parameters,
    pub(super) output: Output,
    unit: Option<Unit>,
    gate: Gate,
    /// Packets are missing before the next unit.
    gap: bool,
    /// The timestamp of the unit that a marker ended last.
    marked: Option<u32>,
    /// Markers stand within pictures: only timestamps and first slices separate them.
    markers_lie: bool,
    /// Timestamps do not change between pictures: first slices separate them.
    stuck: bool,
    /// The peer puts start codes within payloads.
    start_codes: bool,
    /// Bytes of the last keyframe and of the last other unit: what the next is likely to need.
    sizes: [usize; 2],
}

impl Picture {
    /// `sets` names the `fmtp` parameters that hold base64 parameter sets.
    pub(super) fn new(syntax: Syntax, encoding: &Encoding<'_>, sets: &[&str]) -> Self {
        let mut picture = Self {
            syntax,
            parameters: Parameters::new(syntax),
            output: Output::default(),
            unit: None,
            gate: Gate::new(),
            gap: true,
            marked: None,
            markers_lie: false,
            stuck: false,
            start_codes: false,
            sizes: [0; 2],
        };
        picture.describe(encoding, sets);
        picture
    }

    /// A packet begins: `lost` are missing before it.
    pub(super) fn packet(&mut self, timestamp: u32, lost: u16) {
        if lost > 0 {
            self.output.lost(lost);
            self.gap = true;
            self.marked = None;
            self.abandon_fragment();
            if let Some(unit) = &mut self.unit {
                unit.damaged |= unit.has_picture;
                unit.unproven = true;
            }
            self.gate.lost();
        }
        if self
            .unit
            .as_ref()
            .is_some_and(|unit| unit.timestamp != timestamp)
        {
            self.change_time(timestamp);
        }
        if self.unit.is_none() {
            self.begin(timestamp);
        }
    }

    /// The packet is done; `marker` says that it was the last of its picture.
    pub(super) fn packet_end(&mut self, marker: bool) -> Result<(), Error> {
        if !marker || self.markers_lie {
            return Ok(());
        }
        // Parameter sets and SEI alone are no picture, whatever the marker says (Tapo, Reolink).
        let done = self.end_fragment();
        if done.is_err() {
            self.damage();
        }
        if let Some(unit) = self.unit.take_if(|unit| unit.is_picture()) {
            self.marked = Some(unit.timestamp);
            self.finish(unit);
        }
        done
    }

    /// The packet could not be read: what it brought is missing.
    pub(super) fn damage(&mut self) {
        self.abandon_fragment();
        if let Some(unit) = &mut self.unit {
            unit.damaged = true;
        }
    }

    /// A whole NAL unit, or several with start codes between them.
    pub(super) fn nal(&mut self, nal: &[u8]) -> Result<(), Error> {
        self.end_fragment()?;
        self.split(nal)
    }

    /// The first fragment of a NAL unit: its `header` and what follows.
    pub(super) fn fragment_start(&mut self, header: &[u8], payload: &[u8]) -> Result<(), Error> {
        self.end_fragment()?;
        if self.syntax.role(header[0]) == Role::Slice && !self.start_codes {
            let mut start = [0; 3];
            start[..header.len()].copy_from_slice(header);
            start[header.len()] = payload.first().copied().unwrap_or(0);
            self.slice(&start[..=header.len()])?;
        }
        self.open_nal(0);
        if let Some(unit) = &mut self.unit {
            unit.fragment = Some(unit.data.len() - LENGTH_SIZE);
            unit.data.extend_from_slice(header);
        }
        self.fragment(payload)
    }

    /// A further fragment. One without a beginning damages its unit.
    pub(super) fn fragment(&mut self, payload: &[u8]) -> Result<(), Error> {
        let Some(unit) = &mut self.unit else {
            return Ok(());
        };
        if unit.fragment.is_none() {
            let known = unit.damaged || unit.unproven || !self.gate.is_open();
            unit.damaged = true;
            // After a loss, and where the session joins in the middle of a picture, this is expected.
            return if known {
                Ok(())
            } else {
                Err(Error::invalid(
                    "fragmentation unit",
                    "it has no first fragment",
                ))
            };
        }
        self.append(payload)
    }

    /// The last fragment was taken.
    pub(super) fn end_fragment(&mut self) -> Result<(), Error> {
        let Some(unit) = &mut self.unit else {
            return Ok(());
        };
        let Some(start) = unit.fragment.take() else {
            return Ok(());
        };
        let body = start + LENGTH_SIZE;
        let plain = self.syntax.role(unit.data[body]) == Role::Slice && !self.start_codes;
        if plain {
            let length = (unit.data.len() - body) as u32;
            unit.data[start..body].copy_from_slice(&length.to_be_bytes());
            return Ok(());
        }
        let nal = unit.data.split_off(body);
        unit.data.truncate(start);
        self.split(&nal)
    }

    fn describe(&mut self, encoding: &Encoding<'_>, sets: &[&str]) {
        let fmtp = super::fmtp::Fmtp::new(encoding.fmtp);
        for set in sets.iter().flat_map(|name| fmtp.sets(name)) {
            for nal in annexb::split(&set) {
                // A set that can't be read is left for the stream to bring.
                let _ = self.parameters.offer(self.syntax.role(nal[0]), nal);
            }
        }
        let _ = self.parameters.commit();
    }

    /// Splits at start codes where there may be some. No NAL unit holds one (H.264 §7.4.1), but looking
    /// for them costs a pass over the bytes, which slices are spared until the peer has shown the habit.
    fn split(&mut self, nal: &[u8]) -> Result<(), Error> {
        let Some(&first) = nal.first() else {
            return Ok(());
        };
        let suspect = self.start_codes || first == 0 || self.syntax.role(first) != Role::Slice;
        if !suspect || !annexb::contains_start_code(nal) {
            return self.unit(nal);
        }
        self.start_codes = true;
        let mut result = Ok(());
        for unit in annexb::split(nal) {
            let taken = self.unit(unit);
            result = result.and(taken);
        }
        result
    }

    /// One NAL unit.
    fn unit(&mut self, nal: &[u8]) -> Result<(), Error> {
        if nal.len() < self.syntax.header_size() || self.syntax.is_enhancement(nal) {
            return Ok(());
        }
        let role = self.syntax.role(nal[0]);
        match role {
            Role::Waste => return Ok(()),
            Role::Vps | Role::Sps | Role::Pps => return self.parameters.offer(role, nal),
            Role::Slice => self.slice(nal)?,
            Role::Other => self.note_access(nal),
        }
        self.open_nal(nal.len() as u32);
        self.append(nal)
    }

    /// A slice begins, of which `start` holds the header and at least a byte more.
    fn slice(&mut self, start: &[u8]) -> Result<(), Error> {
        let first = self.syntax.is_first_slice(start);
        if first && self.begins_another() {
            let timestamp = self.unit.as_ref().map_or(0, |unit| unit.timestamp);
            self.change_time(timestamp);
            self.begin(timestamp);
        }
        let result = self.parameters.commit();
        self.note_access(start);
        let continues_marked = !first && self.gate.is_open() && !self.gap;
        let Some(unit) = &mut self.unit else {
            return result;
        };
        if !unit.has_picture {
            unit.damaged |= unit.unproven && !first;
            // The marker that ended the unit before stood within its picture.
            if continues_marked && self.marked == Some(unit.timestamp) {
                self.markers_lie = true;
                unit.damaged = true;
            }
        }
        unit.has_picture = true;
        unit.skipped_leading |= self.syntax.is_skipped_leading(start[0]);
        unit.first_slices = unit.first_slices.saturating_add(u8::from(first));
        if unit.first_slices > STUCK_AFTER {
            self.stuck = true;
            unit.damaged = true;
        }
        unit.format = self.parameters.format().cloned();
        result
    }

    /// Whether a first slice is that of another picture although no timestamp or marker said so.
    fn begins_another(&self) -> bool {
        (self.stuck || self.markers_lie) && self.unit.as_ref().is_some_and(|unit| unit.has_picture)
    }

    fn note_access(&mut self, nal: &[u8]) {
        if let Some(unit) = &mut self.unit {
            unit.access = unit.access.max(self.syntax.random_access(nal));
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(unit) = &mut self.unit else {
            return Ok(());
        };
        if unit.data.len() + bytes.len() > MAX_UNIT {
            unit.data = Vec::new();
            unit.fragment = None;
            unit.damaged = true;
            return Err(Error::TooLarge {
                what: "access unit",
                limit: MAX_UNIT,
            });
        }
        unit.data.extend_from_slice(bytes);
        Ok(())
    }

    /// Begins a NAL unit of `length` bytes. The first of a unit makes room for one like the last.
    fn open_nal(&mut self, length: u32) {
        if let Some(unit) = &mut self.unit {
            if unit.data.is_empty() {
                let likely = self.sizes[usize::from(unit.access == RandomAccess::No)];
                unit.data.reserve(likely);
            }
            unit.data.extend_from_slice(&length.to_be_bytes());
        }
    }

    fn abandon_fragment(&mut self) {
        if let Some(unit) = &mut self.unit
            && let Some(start) = unit.fragment.take()
        {
            unit.data.truncate(start);
            unit.damaged = true;
        }
    }

    fn begin(&mut self, timestamp: u32) {
        self.unit = Some(Unit {
            timestamp,
            data: Vec::new(),
            format: None,
            access: RandomAccess::No,
            first_slices: 0,
            has_picture: false,
            unproven: std::mem::take(&mut self.gap),
            damaged: false,
            skipped_leading: false,
            fragment: None,
        });
    }

    /// The timestamp moves on: a picture is finished by it; what came ahead of its picture moves along.
    fn change_time(&mut self, timestamp: u32) {
        // The packet that brought the fragment is long done: its error shows as a unit that is dropped.
        if self.end_fragment().is_err() {
            self.damage();
        }
        match self.unit.take() {
            Some(unit) if unit.is_picture() => self.finish(unit),
            Some(mut unit) => {
                unit.timestamp = timestamp;
                unit.unproven |= std::mem::take(&mut self.gap);
                self.unit = Some(unit);
            }
            None => {}
        }
    }

    /// Passes a picture on, if it is whole and a decoder can use it.
    fn finish(&mut self, mut unit: Unit) {
        let format = unit.format.take().filter(|_| !unit.damaged);
        let verdict = self
            .gate
            .judge(unit.access, format.is_some(), unit.skipped_leading);
        match (verdict, format) {
            (Verdict::Pass { keyframe }, Some(format)) => self.emit(unit, keyframe, format),
            (Verdict::Early, _) => {}
            _ => self.output.drop_unit(),
        }
    }

    fn emit(&mut self, mut unit: Unit, keyframe: bool, format: Arc<Format>) {
        self.sizes[usize::from(!keyframe)] = unit.data.len();
        if unit.data.capacity() - unit.data.len() > unit.data.len() / 8 {
            unit.data.shrink_to_fit();
        }
        self.output.push(AccessUnit {
            timestamp: unit.timestamp,
            keyframe,
            lost: 0,
            format,
            data: Bytes::from(unit.data),
        });
    }
}
