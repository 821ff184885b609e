use media::Codec;

/// Why a track can't be put into MP4.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The codec has no place in MP4 that browsers play; [`crate::Carrier`] may know a way.
    #[error("{} has no place in MP4 as browsers play it", .0.name())]
    NotInMp4(Codec),
    /// The parameters of a format contradict its codec.
    #[error("{} can't be described in MP4: {why}", .codec.name())]
    Parameters {
        /// The codec of the track.
        codec: Codec,
        /// What is wrong with its parameters and what would be right.
        why: &'static str,
    },
    /// An init segment needs at least one track.
    #[error("an init segment needs at least one track")]
    NoTracks,
    /// Track ids are unique and not zero (ISO/IEC 14496-12 §8.3.2).
    #[error("track id {0} can't be used: ids are unique and not zero")]
    TrackId(u32),
}
