use std::sync::Arc;

use media::{Format, Frame};

use crate::Error;
use crate::flac::PcmToFlac;

/// In which format a track goes into MP4: what browsers play goes as it is; PCM, G.711 and G.722, which they
/// don't play, go as FLAC without loss.
#[derive(Debug)]
pub enum Carrier {
    /// The frames as they are.
    AsIs(Arc<Format>),
    /// The sound converted.
    Flac(Box<PcmToFlac>),
}

impl Carrier {
    /// The carrier for frames of `source`. A format that changes needs a new one.
    ///
    /// # Errors
    /// [`Error::NotInMp4`] where there is no way.
    pub fn new(source: &Arc<Format>) -> Result<Self, Error> {
        match **source {
            Format::G711(_) | Format::G722 | Format::L16(_) => PcmToFlac::new(source)
                .map(|converter| Self::Flac(Box::new(converter)))
                .ok_or_else(|| Error::NotInMp4(source.codec())),
            _ => crate::codec_string(source).map(|_| Self::AsIs(Arc::clone(source))),
        }
    }

    /// The format that the init segment describes.
    pub fn format(&self) -> &Arc<Format> {
        match self {
            Self::AsIs(format) => format,
            Self::Flac(converter) => converter.format(),
        }
    }

    /// What `frame` becomes: itself, or none, one or more frames of FLAC.
    pub fn carry(&mut self, frame: &Frame) -> Vec<Frame> {
        match self {
            Self::AsIs(_) => vec![frame.clone()],
            Self::Flac(converter) => converter.push(frame),
        }
    }
}
