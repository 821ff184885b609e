use super::*;

/// `seconds` of a tone in each of two channels, and silence in neither.
fn tone(rate: u32, hertz: [f64; 2], seconds: f64) -> Vec<f32> {
    let count = (f64::from(rate) * seconds) as usize;
    let at =
        |n: usize, hertz: f64| (2.0 * PI * hertz * n as f64 / f64::from(rate)).sin() as f32 / 2.0;
    (0..count)
        .flat_map(|n| hertz.map(|hertz| at(n, hertz)))
        .collect()
}

/// How far above what differs the signal is, in decibels, leaving out the ends.
fn snr(expected: &[f32], found: &[f32]) -> f64 {
    let middle = 2000..expected.len().min(found.len()) - 2000;
    let power = |of: &dyn Fn(usize) -> f32| {
        middle
            .clone()
            .map(|i| f64::from(of(i)).powi(2))
            .sum::<f64>()
    };
    let noise = power(&|i| expected[i] - found[i]);
    10.0 * (power(&|i| expected[i]) / noise.max(1e-30)).log10()
}

fn resampled(from: u32, to: u32, samples: &[f32], chunk: usize) -> Vec<f32> {
    let mut resampler = Resampler::new(from, to, 2).expect("the rates go together");
    let mut out = Vec::new();
    for samples in samples.chunks(chunk * 2) {
        resampler.push(samples, &mut out);
    }
    out
}

#[test]
fn tones_come_out_as_if_they_had_been_made_at_the_other_rate_and_at_the_same_time() {
    for (from, to) in [
        (44_100, 48_000),
        (32_000, 48_000),
        (22_050, 24_000),
        (11_025, 12_000),
    ] {
        let hertz = [440.0, f64::from(from) * 0.35];
        let found = resampled(from, to, &tone(from, hertz, 1.0), 1024);
        let snr = snr(&tone(to, hertz, 1.0), &found);
        assert!(snr > 55.0, "{from} to {to}: {snr:.1} dB");
    }
}

#[test]
fn what_the_lower_rate_cannot_carry_is_gone() {
    let found = resampled(96_000, 48_000, &tone(96_000, [440.0, 30_000.0], 0.5), 960);
    let expected = tone(48_000, [440.0, 0.0], 0.5);
    assert!(snr(&expected, &found) > 45.0);
}

#[test]
fn how_the_input_is_cut_changes_nothing() {
    let input = tone(44_100, [700.0, 3000.0], 0.1);
    let whole = resampled(44_100, 48_000, &input, input.len());
    for chunk in [1, 7, 147, 1024] {
        assert_eq!(resampled(44_100, 48_000, &input, chunk), whole);
    }
    assert_eq!(
        whole.len() / 2,
        4800 - 26,
        "all but what the last samples' neighbours are missing for"
    );
}

#[test]
fn rates_that_have_too_little_in_common_are_refused() {
    assert!(Resampler::new(44_101, 48_000, 1).is_none());
}
