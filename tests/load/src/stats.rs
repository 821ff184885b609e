//! Percentiles.

/// The value below which `share` (0 to 1) of `values` lie; 0 when there are none. Sorts `values`.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn the_middle_and_the_end_of_a_row_are_its_percentiles() {
        let mut row = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert!((percentile(&mut row, 0.5) - 3.0).abs() < f64::EPSILON);
        assert!((percentile(&mut row, 1.0) - 5.0).abs() < f64::EPSILON);
        assert!(percentile(&mut [], 0.5).abs() < f64::EPSILON);
    }
}
