/// Why sound can't become Opus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no decoder for the codec.
    #[error("{0} can't be turned into Opus; set the camera to AAC-LC or G.711")]
    Codec(&'static str),
    /// The codec is known, but not in this variant.
    #[error("this AAC can't be decoded ({0}); set the camera to AAC-LC")]
    Aac(String),
    /// Samples come at a rate that is no sound's.
    #[error("a sample rate of {0} Hz can't be turned into Opus; 8000 to 48000 Hz can")]
    SampleRate(u32),
    /// One frame is broken; the next may be whole.
    #[error("a frame of sound can't be decoded: {0}")]
    Frame(String),
}
