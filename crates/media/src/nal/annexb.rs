//! The byte stream format of H.264 and H.265 Annex B: NAL units between start codes.

/// Iterates over the NAL units between the start codes (`00 00 01`) of `data`. Bytes before the first
/// start code are a NAL unit of their own, for peers that put a start code only between units.
/// Zero bytes before a start code belong to it, and empty units are left out.
pub fn split(data: &[u8]) -> Split<'_> {
    Split { rest: Some(data) }
}

/// The length of the start code (three or four bytes, or more zeros) that `data` begins with.
pub fn start_code(data: &[u8]) -> Option<usize> {
    let zeros = data.iter().take_while(|byte| **byte == 0).count();
    (zeros >= 2 && data.get(zeros) == Some(&1)).then_some(zeros + 1)
}

/// Whether there is a start code anywhere in `data`.
pub fn contains_start_code(data: &[u8]) -> bool {
    find(data).is_some()
}

/// The iterator that [`split`] gives.
#[derive(Debug, Clone)]
pub struct Split<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest?;
            let unit = if let Some(at) = find(rest) {
                self.rest = Some(&rest[at + 3..]);
                trim_zeros(&rest[..at])
            } else {
                self.rest = None;
                rest
            };
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

fn find(data: &[u8]) -> Option<usize> {
    memchr::memmem::find(data, &[0, 0, 1])
}

fn trim_zeros(data: &[u8]) -> &[u8] {
    let end = data.iter().rposition(|byte| *byte != 0);
    &data[..end.map_or(0, |last| last + 1)]
}
