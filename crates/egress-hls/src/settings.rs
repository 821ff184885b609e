use std::time::Duration;

/// How streams are cut, how much of them is kept, and when the packager runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a part of LL-HLS is. Pictures that are further apart get longer ones, with sound from 1.5 s on.
    pub part: Duration,
    /// The target duration, in whole seconds, where it is not known how far keyframes are apart: segments end at the first
    /// keyframe after [`MIN_SEGMENT`](Self::MIN_SEGMENT), and at the latest after this.
    pub segment: Duration,
    /// How much of a Channel a playlist lists, at least.
    pub window: Duration,
    /// How many bytes of segments are kept of a Channel at most.
    pub bytes: usize,
    /// How many requests may wait at once for something that is yet to come, over all Channels.
    pub max_blocked: usize,
    /// For how long nobody has to ask until the packager of a Channel ends.
    pub idle: Duration,
    /// All Channels are packaged at all times, asked for or not.
    pub always: bool,
}

impl Settings {
    /// What `part` may be.
    pub const PARTS: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(500)];
    /// What `segment` may be.
    pub const SEGMENTS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
    /// A keyframe ends a segment that is at least so long.
    pub const MIN_SEGMENT: Duration = Duration::from_secs(1);
    /// A playlist lists at least so many target durations (draft-pantos-hls-rfc8216bis §6.2.2).
    pub const MIN_WINDOW: u32 = 3;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            part: Duration::from_millis(200),
            segment: Duration::from_secs(4),
            window: Duration::from_secs(20),
            bytes: 64 << 20,
            max_blocked: 20_000,
            idle: Duration::from_secs(30),
            always: false,
        }
    }
}
