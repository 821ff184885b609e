//! Reading bit fields: fixed lengths and the Exp-Golomb codes of H.264 §9.1 and H.265 §9.2.

use std::borrow::Cow;

use crate::Error;

/// A cursor over bits, most significant first. Reading past the end is [`Error::Truncated`].
#[derive(Debug, Clone)]
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
    what: &'static str,
}

impl<'a> Bits<'a> {
    /// Reads `data` from its first bit; `what` names the structure in errors.
    pub(crate) fn new(data: &'a [u8], what: &'static str) -> Self {
        Self {
            data,
            position: 0,
            what,
        }
    }

    /// Bits read so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Bits left.
    pub(crate) fn left(&self) -> usize {
        self.data.len() * 8 - self.position
    }

    /// The next bit as a flag.
    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        let byte = self
            .data
            .get(self.position / 8)
            .ok_or_else(|| Error::truncated(self.what))?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Ok(bit == 1)
    }

    /// The next `count` bits, at most 32, as an unsigned number.
    pub(crate) fn read(&mut self, count: u32) -> Result<u32, Error> {
        debug_assert!(count <= 32);
        if self.left() < count as usize {
            return Err(Error::truncated(self.what));
        }
        let mut value = 0u64;
        let mut wanted = count as usize;
        while wanted > 0 {
            let used = self.position % 8;
            let take = wanted.min(8 - used);
            let byte = u64::from(self.data[self.position / 8]);
            let part = byte >> (8 - used - take) & ((1 << take) - 1);
            value = value << take | part;
            self.position += take;
            wanted -= take;
        }
        Ok(value as u32)
    }

    /// Passes over `count` bits.
    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Error> {
        if self.left() < count {
            return Err(Error::truncated(self.what));
        }
        self.position += count;
        Ok(())
    }

    /// `ue(v)`: an unsigned Exp-Golomb code of at most 32 bits.
    pub(crate) fn ue(&mut self) -> Result<u32, Error> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(Error::invalid(self.what, "an Exp-Golomb code is too long"));
            }
        }
        Ok(self.read(zeros)? + ((1u32 << zeros) - 1))
    }

    /// `ue(v)` that must not exceed `max`; `field` names it in the error.
    pub(crate) fn ue_max(&mut self, max: u32, field: &'static str) -> Result<u32, Error> {
        let value = self.ue()?;
        if value > max {
            return Err(Error::invalid(
                self.what,
                format!("{field} is {value}, more than {max}"),
            ));
        }
        Ok(value)
    }

    /// `se(v)`: a signed Exp-Golomb code.
    pub(crate) fn se(&mut self) -> Result<i32, Error> {
        let code = i64::from(self.ue()?);
        let magnitude = (code + 1) / 2;
        Ok((if code % 2 == 1 { magnitude } else { -magnitude }) as i32)
    }

    /// `uvlc()` of AV1 §4.10.3, whose value does not matter to the caller.
    pub(crate) fn skip_uvlc(&mut self) -> Result<(), Error> {
        let mut zeros = 0usize;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros < 32 { self.skip(zeros) } else { Ok(()) }
    }
}

/// Removes the emulation prevention bytes of H.264 §7.4.1 and H.265 §7.4.2: `00 00 03` becomes `00 00`.
pub(crate) fn unescape(nal: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = nal.windows(3).position(|w| w == [0, 0, 3]) else {
        return Cow::Borrowed(nal);
    };
    let mut out = Vec::with_capacity(nal.len());
    out.extend_from_slice(&nal[..first + 2]);
    let mut zeros = 0;
    for &byte in &nal[first + 3..] {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_read_as_the_standard_lists_them() {
        // 1 | 010 | 011 | 00100 | 00101
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000], "test");
        let codes: Vec<u32> = (0..5).map(|_| bits.ue().unwrap()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000], "test");
        let codes: Vec<i32> = (0..5).map(|_| bits.se().unwrap()).collect();
        assert_eq!(codes, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn the_end_of_the_bits_is_an_error() {
        let mut bits = Bits::new(&[0], "test");
        assert_eq!(bits.read(9), Err(Error::Truncated { what: "test" }));
        assert_eq!(bits.read(8), Ok(0));
        assert_eq!(bits.flag(), Err(Error::Truncated { what: "test" }));
    }

    #[test]
    fn fields_cross_bytes() {
        let mut bits = Bits::new(&[0x12, 0x34, 0x56, 0x78, 0x9a], "test");
        assert_eq!(bits.read(4), Ok(1));
        assert_eq!(bits.read(32), Ok(0x2345_6789));
        assert_eq!(bits.left(), 4);
    }

    #[test]
    fn emulation_prevention_goes_and_nothing_else() {
        assert_eq!(
            *unescape(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]),
            [0, 0, 1, 0, 0, 0, 0]
        );
        assert_eq!(*unescape(&[0, 0, 0, 3, 3]), [0, 0, 0, 3]);
        assert_eq!(*unescape(&[1, 2, 3]), [1, 2, 3]);
    }
}
