use crate::nal::RandomAccess;

/// Recovery points without an IDR picture between them before they count as starts.
const RECOVERIES_WITHOUT_IDR: u8 = 2;

/// Which pictures pass: from a keyframe on, until something is missing.
#[derive(Debug)]
pub(super) struct Gate {
    state: State,
    recoveries: u8,
    seen_full: bool,
    skip_leading: bool,
}

/// What becomes of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passes.
    Pass {
        /// A viewer may start at it.
        keyframe: bool,
    },
    /// It is dropped because something is missing.
    Drop,
    /// It came before the first keyframe.
    Early,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// None has passed yet: a keyframe opens.
    Start,
    /// All pass.
    Open,
    /// Something was lost: a keyframe opens.
    Loss,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            state: State::Start,
            recoveries: 0,
            seen_full: false,
            skip_leading: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Packets are missing.
    pub(super) fn lost(&mut self) {
        if self.state == State::Open {
            self.state = State::Loss;
        }
    }

    /// Judges a picture. `whole` says that nothing of it is missing; `leading`, that a decoder which
    /// starts at the random access point before it can't decode it.
    pub(super) fn judge(&mut self, access: RandomAccess, whole: bool, leading: bool) -> Verdict {
        let keyframe = self.is_start(access);
        if !whole || !(keyframe || self.is_open()) {
            return self.refuse();
        }
        if !self.is_open() {
            self.state = State::Open;
            self.skip_leading = true;
        } else if access == RandomAccess::Full {
            self.skip_leading = false;
        }
        if leading && self.skip_leading {
            return Verdict::Drop;
        }
        Verdict::Pass { keyframe }
    }

    /// A picture does not pass: neither do those after it, up to a keyframe.
    fn refuse(&mut self) -> Verdict {
        self.lost();
        match self.state {
            State::Start => Verdict::Early,
            State::Open | State::Loss => Verdict::Drop,
        }
    }

    /// Whether a viewer may start at a unit with this `access`. Recovery points count where the stream
    /// has no IDR pictures, or none any more.
    fn is_start(&mut self, access: RandomAccess) -> bool {
        match access {
            RandomAccess::No => false,
            RandomAccess::Full => {
                self.seen_full = true;
                self.recoveries = 0;
                true
            }
            RandomAccess::Recovery => {
                self.recoveries = self.recoveries.saturating_add(1);
                !self.seen_full || self.recoveries > RECOVERIES_WITHOUT_IDR
            }
        }
    }
}
