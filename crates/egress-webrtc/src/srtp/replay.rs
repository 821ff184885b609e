//! The replay window of RFC 3711 §3.3.2, for indices that do not wrap.

/// How far behind the newest index one may be.
const SIZE: u32 = 64;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// One more than the newest index.
    end: u32,
    /// Bit n: `end - 1 - n` was seen.
    seen: u64,
}

impl Window {
    /// Whether `index` was not seen, and would still be remembered.
    pub(super) fn is_new(&self, index: u32) -> bool {
        match self.end.checked_sub(index + 1) {
            None => true,
            Some(behind) => behind < SIZE && self.seen & 1 << behind == 0,
        }
    }

    /// Notes an index whose packet was authentic.
    pub(super) fn note(&mut self, index: u32) {
        let end = index + 1;
        if end > self.end {
            self.seen = self.seen.checked_shl(end - self.end).unwrap_or(0);
            self.end = end;
        }
        if let Some(bit) = 1u64.checked_shl(self.end - end) {
            self.seen |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_taken_once_in_any_order_within_64() {
        let mut window = Window::default();
        for index in [0, 5, 3, 4, 100, 99, 37] {
            assert!(window.is_new(index), "{index}");
            window.note(index);
            assert!(!window.is_new(index), "{index}");
        }
        assert!(!window.is_new(36), "too old");
        assert!(window.is_new(38) && window.is_new(101) && window.is_new(0x7fff_ffff));
    }
}
