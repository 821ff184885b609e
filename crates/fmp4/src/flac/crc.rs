//! The two checksums of a frame (RFC 9639 §9.1.8, §9.3).

const TABLE_8: [u8; 256] = table_8();
const TABLE_16: [u16; 256] = table_16();

/// x^8 + x^2 + x + 1, from 0.
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |crc, byte| TABLE_8[usize::from(crc ^ byte)])
}

/// x^16 + x^15 + x^2 + 1, from 0.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        crc << 8 ^ TABLE_16[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

const fn table_8() -> [u8; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x80 == 0 { 0 } else { 0x07 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

const fn table_16() -> [u16; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = (n as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x8005 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_catalogue_come_out() {
        // CRC-8/SMBUS and CRC-16/UMTS over "123456789".
        assert_eq!(crc8(b"123456789"), 0xf4);
        assert_eq!(crc16(b"123456789"), 0xfee8);
    }
}
