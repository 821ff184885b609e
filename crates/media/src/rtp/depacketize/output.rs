use std::collections::VecDeque;

use super::AccessUnit;

/// How many finished units wait for a caller that does not pull.
pub const MAX_READY: usize = 512;

/// Finished units on their way out, and what was lost on the way in.
#[derive(Debug, Default)]
pub(super) struct Output {
    ready: VecDeque<AccessUnit>,
    lost: u32,
    dropped: u64,
}

impl Output {
    /// Notes packets that never came.
    pub(super) fn lost(&mut self, packets: u16) {
        self.lost = self.lost.saturating_add(u32::from(packets));
    }

    /// Counts a unit that is not passed on.
    pub(super) fn drop_unit(&mut self) {
        self.dropped += 1;
    }

    /// Passes `unit` on, with the packets lost before it.
    pub(super) fn push(&mut self, mut unit: AccessUnit) {
        if self.ready.len() >= MAX_READY {
            self.dropped += 1;
            return;
        }
        unit.lost = std::mem::take(&mut self.lost);
        self.ready.push_back(unit);
    }

    pub(super) fn pull(&mut self) -> Option<AccessUnit> {
        self.ready.pop_front()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}
