/// Extends 32-bit RTP timestamps to 64 bits, across the wrap in either direction.
///
/// Each timestamp is taken to be the nearest to the one before it: less than 2^31 ticks (6 h 37 min of a
/// 90 kHz clock) away. The first one keeps its value.
#[derive(Debug, Clone, Default)]
pub struct Unwrapper {
    last: Option<i64>,
}

impl Unwrapper {
    /// An unwrapper that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The 64-bit time of `timestamp`, in ticks of the same clock.
    pub fn unwrap(&mut self, timestamp: u32) -> i64 {
        let time = self.peek(timestamp);
        self.last = Some(time);
        time
    }

    /// The same, without moving on: for timestamps beside the stream, such as those of sender reports.
    pub fn peek(&self, timestamp: u32) -> i64 {
        match self.last {
            None => i64::from(timestamp),
            Some(last) => last.wrapping_add(i64::from(timestamp.wrapping_sub(last as u32) as i32)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrap_is_crossed_forwards_and_back() {
        let mut unwrapper = Unwrapper::new();
        let times: Vec<i64> = [u32::MAX - 1, 1, u32::MAX, 5]
            .map(|t| unwrapper.unwrap(t))
            .to_vec();
        let wrap = 1i64 << 32;
        assert_eq!(times, [wrap - 2, wrap + 1, wrap - 1, wrap + 5]);
    }

    #[test]
    fn a_week_of_video_never_goes_back() {
        let mut unwrapper = Unwrapper::new();
        let mut last = -1;
        for second in 0..7 * 24 * 3600u64 {
            let time = unwrapper.unwrap((second * 90_000) as u32);
            assert_eq!(time, second as i64 * 90_000);
            assert!(time > last);
            last = time;
        }
    }
}
