/// Bits, most significant first, into bytes.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Appends the lowest `count` bits of `value`, 64 at most.
    pub(super) fn put(&mut self, value: u64, count: u32) {
        if count > 32 {
            self.put(value >> 32, count - 32);
            return self.put(value & 0xffff_ffff, 32);
        }
        // At most 7 bits are pending, so 39 are in use here.
        self.pending = self.pending << count | (value & ((1 << count) - 1));
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
        self.pending &= (1 << self.count) - 1;
    }

    /// Appends the lowest `count` bits of a signed number, 32 at most.
    pub(super) fn put_signed(&mut self, value: i32, count: u32) {
        self.put(value as u32 as u64, count);
    }

    /// Appends `zeros` zeros and a one.
    pub(super) fn unary(&mut self, mut zeros: u32) {
        while zeros > 31 {
            self.put(0, 32);
            zeros -= 32;
        }
        self.put(1, zeros + 1);
    }

    /// The whole bytes so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Pads with zeros to a whole byte.
    pub(super) fn align(&mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}
