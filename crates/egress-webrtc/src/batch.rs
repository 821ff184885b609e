//! Datagrams on their way out: written one behind the other into one buffer, and cut into sends that the kernel splits.

use crate::ice::Path;

/// The most datagrams in one send: receivers' socket buffers hold some hundred, and a burst is for one viewer.
const MAX_SEGMENTS: usize = 32;
/// The kernel takes at most 65,507 bytes in one send.
const MAX_BYTES: usize = 60_000;

/// Datagrams to one or more viewers.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    buffer: Vec<u8>,
    sends: Vec<Send>,
}

/// Datagrams to one viewer, all of one size but the last, which may be smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) path: Path,
    start: usize,
    end: usize,
    pub(crate) segment: usize,
    count: usize,
    /// The last one was smaller, so none may follow.
    full: bool,
}

impl Batch {
    /// Where the next datagram is written to, at the end. Followed by [`Batch::end`].
    pub(crate) fn begin(&mut self) -> (&mut Vec<u8>, usize) {
        let start = self.buffer.len();
        (&mut self.buffer, start)
    }

    /// The datagram that began at `start` is complete, and goes over `path`.
    pub(crate) fn end(&mut self, path: Path, start: usize) {
        let end = self.buffer.len();
        let size = end - start;
        if size == 0 {
            return;
        }
        if let Some(last) = self.sends.last_mut() {
            let fits = last.path == path
                && !last.full
                && size <= last.segment
                && last.count < MAX_SEGMENTS
                && end - last.start <= MAX_BYTES;
            if fits {
                last.full = size < last.segment;
                last.end = end;
                last.count += 1;
                return;
            }
        }
        self.sends.push(Send {
            path,
            start,
            end,
            segment: size,
            count: 1,
            full: false,
        });
    }

    /// The end of what is complete, for [`Batch::rewind`].
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.buffer.len(), self.sends.len())
    }

    /// Forgets all since `mark`, which were datagrams to one that those before are not to.
    pub(crate) fn rewind(&mut self, (bytes, sends): (usize, usize)) {
        self.buffer.truncate(bytes);
        self.sends.truncate(sends);
    }

    /// Forgets what was written since `start`.
    pub(crate) fn undo(&mut self, start: usize) {
        self.buffer.truncate(start);
    }

    /// A datagram that is there already.
    pub(crate) fn push(&mut self, path: Path, datagram: &[u8]) {
        let (buffer, start) = self.begin();
        buffer.extend_from_slice(datagram);
        self.end(path, start);
    }

    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> u64 {
        self.buffer.len() as u64
    }

    /// What is to be sent, in order.
    pub(crate) fn sends(&self) -> impl Iterator<Item = (&Send, &[u8])> {
        self.sends
            .iter()
            .map(|send| (send, &self.buffer[send.start..send.end]))
    }

    /// Empties it for the next use.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        self.sends.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn path(port: u16) -> Path {
        Path {
            remote: SocketAddr::from(([10, 0, 0, 1], port)),
            tcp: None,
        }
    }

    /// Sizes of segment and send, for datagrams of these ports and sizes.
    fn sends(datagrams: &[(u16, usize)]) -> Vec<(usize, usize)> {
        let mut batch = Batch::default();
        for (port, size) in datagrams {
            batch.push(path(*port), &vec![0; *size]);
        }
        batch
            .sends()
            .map(|(send, bytes)| (send.segment, bytes.len()))
            .collect()
    }

    #[test]
    fn datagrams_of_one_size_go_together_and_a_smaller_one_ends_them() {
        assert_eq!(sends(&[(1, 9), (1, 9), (1, 4), (1, 4)]), [(9, 22), (4, 4)]);
        assert_eq!(sends(&[(1, 4), (1, 9), (1, 9)]), [(4, 4), (9, 18)]);
        assert_eq!(sends(&[(1, 9), (2, 9), (1, 9)]), [(9, 9), (9, 9), (9, 9)]);
        assert_eq!(sends(&[(1, 0)]), []);
    }

    #[test]
    fn what_one_viewer_was_to_get_is_forgotten_without_the_others() {
        let mut batch = Batch::default();
        batch.push(path(1), &[1; 9]);
        let mark = batch.mark();
        batch.push(path(2), &[2; 9]);
        batch.begin().0.push(2);
        batch.rewind(mark);
        batch.push(path(3), &[3; 4]);
        let sent: Vec<_> = batch.sends().map(|(_, bytes)| bytes.to_vec()).collect();
        assert_eq!(sent, [vec![1; 9], vec![3; 4]]);
    }

    #[test]
    fn a_send_has_32_datagrams_at_most() {
        assert_eq!(sends(&[(1, 100); 40]), [(100, 3200), (100, 800)]);
        assert_eq!(sends(&[(1, 5000); 14]), [(5000, 60_000), (5000, 10_000)]);
    }
}
