//! Writing boxes (ISO/IEC 14496-12 §4.2): a size that is known only afterwards, a type, a body.

/// A growing buffer of boxes. All numbers are big endian.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A box of `kind` around what `body` writes.
    pub(crate) fn boxed(&mut self, kind: [u8; 4], body: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.u32(0);
        self.bytes(&kind);
        body(self);
        let size = (self.0.len() - start) as u32;
        self.0[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    /// A full box: a box whose body begins with a version and 24 bits of flags.
    pub(crate) fn full(
        &mut self,
        kind: [u8; 4],
        version: u8,
        flags: u32,
        body: impl FnOnce(&mut Self),
    ) {
        self.boxed(kind, |w| {
            w.u32(u32::from(version) << 24 | flags);
            body(w);
        });
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_tells_its_own_size() {
        let mut w = Writer::default();
        w.boxed(*b"moov", |w| w.full(*b"trex", 1, 2, |w| w.u8(7)));
        assert_eq!(
            w.into_vec(),
            b"\0\0\0\x15moov\0\0\0\x0dtrex\x01\0\0\x02\x07"
        );
    }
}
