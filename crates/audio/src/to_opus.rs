use std::sync::Arc;

use media::time::{nanos_to_ticks, ticks_to_nanos};
use media::{Format, Frame};

use crate::Error;
use crate::clock::TICKS;
use crate::decode::{Decoder, Sound};
use crate::line::{Line, Packet};

/// Frames of one track of sound into frames of Opus of 20 ms on the same time line.
///
/// A sound is heard at the same time from either: what the encoder and the resampler delay is made good in `pts`. The
/// coded parameters may change from frame to frame, times go on. Where frames are missing, so is the sound: holes of
/// more than 60 ms stay holes in the times of what comes out, shorter ones are filled with silence.
#[derive(Debug, Default)]
pub struct ToOpus {
    source: Option<Source>,
    line: Option<Line>,
    sound: Sound,
    /// When the next frame is due if there is no hole before it.
    next: Option<i64>,
    /// The camera, or the way from it, lost something since the last frame that came out.
    lossy: bool,
}

#[derive(Debug)]
struct Source {
    format: Arc<Format>,
    decoder: Decoder,
}

impl ToOpus {
    /// The frames of Opus that `frame` completes, in order, none of them before one that was returned earlier.
    ///
    /// # Errors
    /// [`Error::Frame`] where this one frame can't be decoded; the time of the next says what is missing. Any other
    /// where none of this format can, see [`crate::check`].
    pub fn push(&mut self, frame: &Frame) -> Result<Vec<Frame>, Error> {
        let due = nanos_to_ticks(frame.pts_nanos(), TICKS as u32);
        self.lossy |= frame.discontinuity;
        self.decode(frame, due)?;
        let packets = self.place(due)?;
        Ok(packets
            .into_iter()
            .map(|packet| self.frame(frame, packet))
            .collect())
    }

    /// Decodes `frame` into `self.sound`.
    fn decode(&mut self, frame: &Frame, due: i64) -> Result<(), Error> {
        let source = match &mut self.source {
            Some(source) if source.decodes(&frame.format) => source,
            source => source.insert(Source {
                decoder: Decoder::new(&frame.format)?,
                format: Arc::clone(&frame.format),
            }),
        };
        let follows = self.line.as_ref().is_none_or(|line| line.follows(due));
        if frame.discontinuity || !follows {
            source.decoder.reset();
        }
        let decoded = source.decoder.decode(&frame.data, &mut self.sound);
        decoded.inspect_err(|_| source.decoder.reset())
    }

    /// Puts `self.sound` where it is due.
    fn place(&mut self, due: i64) -> Result<Vec<Packet>, Error> {
        let mut packets = Vec::new();
        let Sound { rate, channels, .. } = self.sound;
        if self.sound.samples.is_empty() {
            return Ok(packets);
        }
        if !self
            .line
            .as_ref()
            .is_some_and(|line| line.takes(rate, channels))
        {
            let before = self.line.take().map(|line| line.end(&mut packets));
            let (encoder, end) = before.unzip();
            let start = end.map_or(due, |end| end.max(due));
            self.line = Some(Line::new(rate, channels, start, encoder)?);
        }
        if let Some(line) = &mut self.line {
            line.push(due, &mut self.sound.samples, &mut packets);
        }
        Ok(packets)
    }

    fn frame(&mut self, source: &Frame, packet: Packet) -> Frame {
        let Packet { at, format, data } = packet;
        let hole = self.next.is_some_and(|next| next != at);
        self.next = Some(at.saturating_add(TICKS / 50));
        let later = ticks_to_nanos(at, TICKS as u32).saturating_sub(source.pts_nanos());
        Frame {
            track: source.track,
            format,
            pts: at,
            dts: at,
            keyframe: true,
            discontinuity: std::mem::take(&mut self.lossy) || hole,
            wallclock: source.wallclock.map(|clock| clock.saturating_add(later)),
            arrival: source.arrival,
            data,
        }
    }
}

impl Source {
    fn decodes(&self, format: &Arc<Format>) -> bool {
        Arc::ptr_eq(&self.format, format) || self.format == *format
    }
}

#[cfg(test)]
mod tests;
