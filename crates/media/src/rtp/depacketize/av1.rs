//! The AOMedia RTP payload format for AV1, version 1.0.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::AccessUnit;
use super::output::Output;
use super::picture::MAX_UNIT;
use crate::rtp::Packet;
use crate::{Av1, Error, Format, obu};

const PAYLOAD: &str = "AV1 payload";

/// A temporal unit in the making.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, seen one by one"
)]
struct Unit {
    timestamp: u32,
    data: BytesMut,
    /// The OBU whose end is still to come.
    open: Option<BytesMut>,
    has_frame: bool,
    has_sequence: bool,
    key: bool,
    damaged: bool,
}

#[derive(Debug, Default)]
pub(super) struct Depacketizer {
    pub(super) format: Option<Arc<Format>>,
    unit: Option<Unit>,
    /// A keyframe has passed and nothing was lost since.
    flowing: bool,
    /// A keyframe has passed.
    started: bool,
    pub(super) output: Output,
}

impl Depacketizer {
    pub(super) fn push(&mut self, packet: &Packet, lost: u16) -> Result<(), Error> {
        let timestamp = packet.header.timestamp;
        self.output.lost(lost);
        if lost > 0 {
            self.flowing = false;
            if let Some(unit) = &mut self.unit {
                unit.damaged = true;
            }
        }
        if self
            .unit
            .as_ref()
            .is_some_and(|unit| unit.timestamp != timestamp)
        {
            self.finish();
        }
        let mut unit = self.unit.take().unwrap_or_else(|| Unit {
            timestamp,
            ..Unit::default()
        });
        let result = self.payload(&mut unit, &packet.payload);
        unit.damaged |= result.is_err();
        self.unit = Some(unit);
        if packet.header.marker {
            self.finish();
        }
        result
    }

    /// §4.4: the aggregation header (Z, Y, W, N) and OBU elements behind their sizes.
    fn payload(&mut self, unit: &mut Unit, payload: &[u8]) -> Result<(), Error> {
        let Some((&header, mut rest)) = payload.split_first() else {
            return Ok(());
        };
        let (continues, unfinished) = (header & 0x80 != 0, header & 0x40 != 0);
        let count = usize::from(header >> 4 & 3);
        if !continues {
            unit.damaged |= unit.open.take().is_some();
        } else if unit.open.is_none() {
            unit.damaged = true;
        }
        let mut index = 0;
        while !rest.is_empty() {
            index += 1;
            let size = if index == count {
                rest.len()
            } else {
                let (size, length) = obu::leb128(rest)?;
                rest = &rest[length..];
                size
            };
            let (element, after) = rest
                .split_at_checked(size)
                .ok_or_else(|| Error::truncated(PAYLOAD))?;
            rest = after;
            let mut whole = match unit.open.take() {
                Some(open) if index == 1 => open,
                _ => BytesMut::new(),
            };
            if unit.data.len() + whole.len() + element.len() > MAX_UNIT {
                return Err(Error::TooLarge {
                    what: "access unit",
                    limit: MAX_UNIT,
                });
            }
            whole.put_slice(element);
            if rest.is_empty() && unfinished {
                unit.open = Some(whole);
            } else if !(continues && index == 1 && unit.damaged) {
                self.obu(unit, &whole)?;
            }
        }
        Ok(())
    }

    /// Takes one whole OBU.
    fn obu(&mut self, unit: &mut Unit, data: &[u8]) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        let header = obu::Header::parse(data)?;
        let body = header.body(data)?;
        match header.kind {
            obu::TEMPORAL_DELIMITER | obu::TILE_LIST | obu::PADDING => return Ok(()),
            obu::SEQUENCE_HEADER => {
                let format = Format::Av1(Av1::new(Bytes::copy_from_slice(data))?);
                if self.format.as_deref() != Some(&format) {
                    self.format = Some(Arc::new(format));
                }
                unit.has_sequence = true;
            }
            obu::FRAME | obu::FRAME_HEADER if !unit.has_frame => {
                unit.has_frame = true;
                // §5.9.2: show_existing_frame is 0 and frame_type is KEY_FRAME.
                unit.key = body.first().is_some_and(|byte| byte & 0xe0 == 0);
            }
            _ => {}
        }
        unit.data.put_u8(header.first | obu::HAS_SIZE);
        if let Some(extension) = header.extension {
            unit.data.put_u8(extension);
        }
        obu::put_leb128(&mut unit.data, body.len());
        unit.data.put_slice(body);
        Ok(())
    }

    fn finish(&mut self) {
        let Some(unit) = self
            .unit
            .take()
            .filter(|unit| !unit.data.is_empty() || unit.damaged)
        else {
            return;
        };
        let keyframe = unit.key && unit.has_sequence;
        let whole = !unit.damaged && unit.open.is_none() && unit.has_frame;
        match &self.format {
            Some(format) if whole && (keyframe || self.flowing) => {
                (self.flowing, self.started) = (true, true);
                self.output.push(AccessUnit {
                    timestamp: unit.timestamp,
                    keyframe,
                    lost: 0,
                    format: format.clone(),
                    data: unit.data.freeze(),
                });
            }
            _ => {
                self.flowing = false;
                if self.started {
                    self.output.drop_unit();
                }
            }
        }
    }
}
