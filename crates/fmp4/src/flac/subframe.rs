//! One channel of a frame: constant, verbatim, or a fixed predictor with a Rice-coded residual (RFC 9639 §9.2).

use super::BITS;
use super::bits::Bits;

/// Every sample has as many bits as the stream: no side channel is made.
const DEPTH: u32 = BITS as u32;
/// The highest order of a fixed predictor.
const MAX_ORDER: usize = 4;
/// The highest partition order tried; blocks of a camera's 20 to 64 ms have few samples to share a parameter.
const MAX_PARTITION_ORDER: u32 = 5;
/// The highest Rice parameter of 4 bits; 15 is the escape code.
const MAX_PARAMETER: u32 = 14;

/// Writes the cheapest of the subframes that can be had for `samples` of 16 bits.
pub(super) fn write(bits: &mut Bits, samples: &[i32]) {
    const CONSTANT: u64 = 0b0000_0000;
    const VERBATIM: u64 = 0b0000_0010;
    const FIXED: u64 = 0b0001_0000;
    if samples.iter().all(|&sample| sample == samples[0]) {
        bits.put(CONSTANT, 8);
        return bits.put_signed(samples[0], DEPTH);
    }
    let (order, residual) = predict(samples);
    let plan = Plan::new(&residual, order);
    if plan.bits + (order as u64) * u64::from(DEPTH) >= samples.len() as u64 * u64::from(DEPTH) {
        bits.put(VERBATIM, 8);
        return samples.iter().for_each(|&s| bits.put_signed(s, DEPTH));
    }
    bits.put(FIXED | (order as u64) << 1, 8);
    for &sample in &samples[..order] {
        bits.put_signed(sample, DEPTH);
    }
    plan.write(bits, &residual, order);
}

/// The fixed predictor (RFC 9639 §9.2.5) with the smallest residual, and that residual folded to unsigned
/// numbers (§9.2.7.2). Each order is the difference of the one below.
fn predict(samples: &[i32]) -> (usize, Vec<u32>) {
    let mut best = (0, samples.to_vec());
    let mut best_sum = sum(samples);
    let mut current = samples.to_vec();
    for order in 1..=MAX_ORDER.min(samples.len() - 1) {
        current = current.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let this = sum(&current);
        if this < best_sum {
            best_sum = this;
            best = (order, current.clone());
        }
    }
    (best.0, best.1.into_iter().map(fold).collect())
}

fn sum(values: &[i32]) -> u64 {
    values.iter().map(|v| u64::from(v.unsigned_abs())).sum()
}

fn fold(value: i32) -> u32 {
    (value << 1 ^ value >> 31) as u32
}

/// How a residual is cut into partitions, and their Rice parameters.
struct Plan {
    order: u32,
    parameters: Vec<u32>,
    bits: u64,
}

impl Plan {
    /// The cheapest plan for the residual of a predictor of `skip` warm-up samples.
    fn new(residual: &[u32], skip: usize) -> Self {
        let block = residual.len() + skip;
        let mut best = Self::with(0, residual, skip);
        for order in 1..=MAX_PARTITION_ORDER {
            if !block.is_multiple_of(1 << order) || block >> order <= skip {
                break;
            }
            let plan = Self::with(order, residual, skip);
            if plan.bits < best.bits {
                best = plan;
            }
        }
        best
    }

    fn with(order: u32, residual: &[u32], skip: usize) -> Self {
        let mut bits = 6;
        let parameters = partitions(order, residual, skip)
            .map(|part| {
                let (parameter, cost) = parameter(part);
                bits += 4 + cost;
                parameter
            })
            .collect();
        Self {
            order,
            parameters,
            bits,
        }
    }

    /// RFC 9639 §9.2.7: the coding method with 4-bit parameters, the partition order, the partitions.
    fn write(&self, bits: &mut Bits, residual: &[u32], skip: usize) {
        bits.put(0, 2);
        bits.put(u64::from(self.order), 4);
        let parts = partitions(self.order, residual, skip);
        for (part, &parameter) in parts.zip(&self.parameters) {
            bits.put(u64::from(parameter), 4);
            for &value in part {
                bits.unary(value >> parameter);
                bits.put(u64::from(value), parameter);
            }
        }
    }
}

/// 2^`order` partitions of equal length, the first without the `skip` warm-up samples.
fn partitions(order: u32, residual: &[u32], skip: usize) -> impl Iterator<Item = &[u32]> {
    let length = (residual.len() + skip) >> order;
    let (first, rest) = residual.split_at(length - skip);
    std::iter::once(first).chain(rest.chunks_exact(length))
}

/// The Rice parameter for a partition and what it costs in bits. The best one is near the logarithm of the mean.
fn parameter(part: &[u32]) -> (u32, u64) {
    let total: u64 = part.iter().map(|&value| u64::from(value)).sum();
    let mean = total / (part.len().max(1) as u64);
    let near = (mean + 1).ilog2().min(MAX_PARAMETER);
    (near.saturating_sub(1)..=(near + 1).min(MAX_PARAMETER))
        .map(|parameter| (parameter, cost(part, parameter)))
        .min_by_key(|&(_, cost)| cost)
        .unwrap_or((0, 0))
}

fn cost(part: &[u32], parameter: u32) -> u64 {
    let unary: u64 = part
        .iter()
        .map(|&value| u64::from(value >> parameter))
        .sum();
    unary + part.len() as u64 * u64::from(parameter + 1)
}
