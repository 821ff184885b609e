//! G.711 (ITU-T G.711 §3): one byte to 16 bits of linear PCM.

/// A-law to linear.
pub(super) const A_LAW: [i16; 256] = table(true);
/// µ-law to linear.
pub(super) const MU_LAW: [i16; 256] = table(false);

const fn table(a_law: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = if a_law {
            from_a_law(code as u8)
        } else {
            from_mu_law(code as u8)
        };
        code += 1;
    }
    table
}

/// Even bits are inverted; segment 0 is linear, each further one has twice the step.
const fn from_a_law(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4 & 7) as u32;
    let step = ((code & 15) as i16) << 4;
    let level = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -level } else { level }
}

/// All bits are inverted; the segments are shifted by a bias of 132.
const fn from_mu_law(code: u8) -> i16 {
    const BIAS: i16 = 132;
    let code = !code;
    let segment = (code >> 4 & 7) as u32;
    let level = ((((code & 15) as i16) << 3) + BIAS) << segment;
    if code & 0x80 == 0 {
        level - BIAS
    } else {
        BIAS - level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_the_middle_are_where_the_standard_has_them() {
        assert_eq!(
            [0xd5, 0x55, 0xaa, 0x2a].map(|c: usize| A_LAW[c]),
            [8, -8, 32256, -32256]
        );
        assert_eq!(
            [0xff, 0x7f, 0x80, 0x00].map(|c: usize| MU_LAW[c]),
            [0, 0, 32124, -32124]
        );
    }
}
