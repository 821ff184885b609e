//! G.722 at 64 kbit/s (ITU-T G.722 §4, mode 1): each byte holds 6 bits of the lower and 2 bits of the upper
//! sub-band, and becomes two samples at 16 kHz. Names in capitals are the standard's blocks.

/// A decoder; its state is what the bytes before have left.
#[derive(Debug, Clone)]
pub(super) struct Decoder {
    low: Band,
    high: Band,
    /// The history of the receive filter: sums in one row, differences in the other, newest last.
    sums: [i32; TAPS],
    differences: [i32; TAPS],
}

const TAPS: usize = 12;

impl Default for Decoder {
    fn default() -> Self {
        Self {
            low: Band::new(32),
            high: Band::new(8),
            sums: [0; TAPS],
            differences: [0; TAPS],
        }
    }
}

impl Decoder {
    /// Appends the two samples of each byte of `data` to `out`.
    pub(super) fn decode(&mut self, data: &[u8], out: &mut Vec<i16>) {
        out.reserve(data.len() * 2);
        for &byte in data {
            let low = self.lower(usize::from(byte & 63));
            let high = self.upper(usize::from(byte >> 6));
            out.extend(self.receive(low, high));
        }
    }

    /// The lower sub-band: all 6 bits make the sound, the upper 4 of them drive the adaptation.
    fn lower(&mut self, code: usize) -> i32 {
        let band = &mut self.low;
        let fine = (band.scale * INVERSE_6[code]) >> 15;
        let sound = (band.prediction + fine).clamp(-16384, 16383);
        let coarse = (band.scale * INVERSE_4[code >> 2]) >> 15;
        band.rescale(LOG_STEP_LOW[code >> 2], 18432, 8);
        band.adapt(coarse);
        sound
    }

    fn upper(&mut self, code: usize) -> i32 {
        let band = &mut self.high;
        let difference = (band.scale * INVERSE_2[code]) >> 15;
        let sound = (band.prediction + difference).clamp(-16384, 16383);
        band.rescale(LOG_STEP_HIGH[code], 22528, 10);
        band.adapt(difference);
        sound
    }

    /// RECEIVE QMF: the two sub-bands into two samples.
    fn receive(&mut self, low: i32, high: i32) -> [i16; 2] {
        self.sums.copy_within(1.., 0);
        self.differences.copy_within(1.., 0);
        self.sums[TAPS - 1] = low + high;
        self.differences[TAPS - 1] = low - high;
        let (mut first, mut second) = (0, 0);
        for (tap, &weight) in FILTER.iter().enumerate() {
            first += self.differences[TAPS - 1 - tap] * weight;
            second += self.sums[tap] * weight;
        }
        [first, second].map(|sum| saturate(sum >> 11) as i16)
    }
}

/// An ADPCM sub-band: a predictor of two poles and six zeros, and the scale of its quantizer.
#[derive(Debug, Clone)]
struct Band {
    prediction: i32,
    /// What the zeros add to the prediction.
    from_zeros: i32,
    scale: i32,
    log_scale: i32,
    poles: [i32; 2],
    zeros: [i32; 6],
    /// The last two reconstructed signals, newest first.
    reconstructed: [i32; 2],
    /// The last two partial reconstructions.
    partial: [i32; 2],
    /// The last six differences.
    differences: [i32; 6],
}

impl Band {
    fn new(scale: i32) -> Self {
        Self {
            prediction: 0,
            from_zeros: 0,
            scale,
            log_scale: 0,
            poles: [0; 2],
            zeros: [0; 6],
            reconstructed: [0; 2],
            partial: [0; 2],
            differences: [0; 6],
        }
    }

    /// LOGSCL and SCALEL, or LOGSCH and SCALEH.
    fn rescale(&mut self, step: i32, limit: i32, shift: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + step).clamp(0, limit);
        let fraction = EXP2[(self.log_scale >> 6 & 31) as usize];
        let shift = shift - (self.log_scale >> 11);
        self.scale = if shift < 0 {
            fraction << -shift
        } else {
            fraction >> shift
        } << 2;
    }

    /// Takes in a quantized difference and predicts the next signal.
    fn adapt(&mut self, difference: i32) {
        let reconstructed = saturate(self.prediction + difference);
        let partial = saturate(self.from_zeros + difference);
        self.move_poles(partial);
        self.move_zeros(difference);
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.predict();
    }

    /// UPPOL2 and UPPOL1.
    fn move_poles(&mut self, partial: i32) {
        let [one, two] = self.partial.map(|p| (p < 0) == (partial < 0));
        let lean = saturate(self.poles[0] << 2);
        let lean = if one { saturate(-lean) } else { lean } >> 7;
        let second = lean + if two { 128 } else { -128 } + ((self.poles[1] * 32512) >> 15);
        self.poles[1] = second.clamp(-12288, 12288);
        let limit = saturate(15360 - self.poles[1]);
        let first = if one { 192 } else { -192 } + ((self.poles[0] * 32640) >> 15);
        self.poles[0] = saturate(first).clamp(-limit, limit);
    }

    /// UPZERO.
    fn move_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, &past) in self.zeros.iter_mut().zip(&self.differences) {
            let toward = if (past < 0) == (difference < 0) {
                step
            } else {
                -step
            };
            *zero = saturate(toward + ((*zero * 32640) >> 15));
        }
    }

    /// FILTEP, FILTEZ and PREDIC.
    fn predict(&mut self) {
        let weighed = |weights: &[i32], signals: &[i32]| {
            let terms = weights.iter().zip(signals);
            saturate(terms.map(|(w, s)| (w * saturate(s + s)) >> 15).sum())
        };
        let from_poles = weighed(&self.poles, &self.reconstructed);
        self.from_zeros = weighed(&self.zeros, &self.differences);
        self.prediction = saturate(from_poles + self.from_zeros);
    }
}

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// The coefficients of the quadrature mirror filter, of which there are two rows in mirror order.
const FILTER: [i32; TAPS] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// WL by code word, and WH.
const LOG_STEP_LOW: [i32; 16] = [
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
];
const LOG_STEP_HIGH: [i32; 4] = [798, -214, 798, -214];

/// ILB: 2048 times 2 to the power of n/32.
const EXP2: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// QM2, QM4 and QM6: the outputs of the inverse quantizers by code word.
const INVERSE_2: [i32; 4] = [-7408, -1616, 7408, 1616];
const INVERSE_4: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584,
    1200, 0,
];
const INVERSE_6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776,
    -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
    11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776,
    2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
