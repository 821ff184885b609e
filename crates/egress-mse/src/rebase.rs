//! RTSPtoWeb's time line: decode times begin at zero for each viewer, and have no hole where a viewer was
//! made to skip, since its clients neither seek to where a buffer begins nor over a hole. Pure.

use bytes::{Bytes, BytesMut};
use media::time::{nanos_to_ticks, ticks_to_nanos};

use crate::remux::Muxed;

#[derive(Debug, Default)]
pub(crate) struct Rebase {
    /// What is zero for this viewer, in nanoseconds of the Stream.
    zero: Option<i64>,
    /// Where this viewer began, or went on after a hole, in nanoseconds of the Stream.
    start: i64,
    /// How far this viewer's time line has come, in nanoseconds of its own.
    end: i64,
    skipped: bool,
}

impl Rebase {
    /// The next message comes after a hole.
    pub(crate) fn skipped(&mut self) {
        self.skipped = true;
    }

    /// The head of `muxed` for this viewer; none for what lies before its beginning.
    pub(crate) fn head(&mut self, muxed: &Muxed) -> Option<Bytes> {
        let dts = i64::try_from(muxed.dts).unwrap_or(i64::MAX);
        let at = ticks_to_nanos(dts, muxed.clock);
        let zero = match self.zero {
            Some(zero) if !self.skipped => zero,
            _ => {
                self.start = at;
                at - self.end
            }
        };
        self.skipped = false;
        self.zero = Some(zero);
        if at < self.start {
            return None;
        }
        let duration = ticks_to_nanos(i64::from(muxed.duration), muxed.clock);
        self.end = self.end.max(at - zero + duration);
        let rebased = dts - nanos_to_ticks(zero, muxed.clock);
        let mut head = BytesMut::from(&muxed.head[..]);
        let time = u64::try_from(rebased).unwrap_or(0).to_be_bytes();
        head[muxed.tfdt_at..muxed.tfdt_at + time.len()].copy_from_slice(&time);
        Some(head.freeze())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use media::TrackId;

    use super::*;
    use crate::layout::Layout;

    fn muxed(dts: u64, duration: u32, clock: u32) -> Muxed {
        Muxed {
            layout: Arc::new(Layout::new(Vec::new(), Vec::new())),
            track: TrackId(0),
            head: Bytes::from_static(&[0xff; 12]),
            data: Bytes::new(),
            tfdt_at: 2,
            dts,
            duration,
            clock,
            arrival: std::time::Instant::now(),
        }
    }

    fn time(rebase: &mut Rebase, dts: u64, duration: u32, clock: u32) -> Option<u64> {
        let head = rebase.head(&muxed(dts, duration, clock))?;
        assert_eq!((head[1], head[10]), (0xff, 0xff), "nothing else is touched");
        Some(u64::from_be_bytes(head[2..10].try_into().expect("8 bytes")))
    }

    #[test]
    fn all_tracks_begin_together_and_earlier_sound_is_left_out() {
        let mut rebase = Rebase::default();
        assert_eq!(time(&mut rebase, 900_000, 3600, 90_000), Some(0));
        assert_eq!(time(&mut rebase, 79_000, 160, 8000), None);
        assert_eq!(time(&mut rebase, 80_160, 160, 8000), Some(160));
        assert_eq!(time(&mut rebase, 903_600, 3600, 90_000), Some(3600));
    }

    #[test]
    fn a_hole_is_closed_for_all_tracks_alike() {
        let mut rebase = Rebase::default();
        assert_eq!(time(&mut rebase, 0, 3600, 90_000), Some(0));
        assert_eq!(
            time(&mut rebase, 0, 640, 8000),
            Some(0),
            "sound ends at 80 ms"
        );
        rebase.skipped();
        assert_eq!(time(&mut rebase, 900_000, 3600, 90_000), Some(7200));
        assert_eq!(time(&mut rebase, 79_999, 160, 8000), None);
        assert_eq!(time(&mut rebase, 80_000, 160, 8000), Some(640));
    }
}
