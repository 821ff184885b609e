use crate::nal::{RandomAccess, h264, h265};

/// What a NAL unit is to the assembly of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A video parameter set (H.265).
    Vps,
    /// A sequence parameter set.
    Sps,
    /// A picture parameter set.
    Pps,
    /// A slice of a picture.
    Slice,
    /// Anything else that belongs to the picture, such as SEI.
    Other,
    /// Nothing that a decoder of the frame needs: delimiters, filler, types that don't exist.
    Waste,
}

/// The two families of NAL units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    H264,
    H265,
}

impl Syntax {
    /// Bytes of a NAL unit's header.
    pub(super) fn header_size(self) -> usize {
        match self {
            Self::H264 => 1,
            Self::H265 => 2,
        }
    }

    /// The role of a NAL unit, from the first byte of its header.
    pub(super) fn role(self, header: u8) -> Role {
        match self {
            Self::H264 => match h264::unit_type(header) {
                h264::SPS => Role::Sps,
                h264::PPS => Role::Pps,
                h264::SLICE..=h264::IDR => Role::Slice,
                0 | h264::AUD | h264::FILLER | 24.. => Role::Waste,
                _ => Role::Other,
            },
            Self::H265 => match h265::unit_type(header) {
                h265::VPS => Role::Vps,
                h265::SPS => Role::Sps,
                h265::PPS => Role::Pps,
                0..=h265::SLICE_LAST => Role::Slice,
                h265::AUD | h265::FILLER | 41.. => Role::Waste,
                _ => Role::Other,
            },
        }
    }

    /// Whether the slice `nal` is the first of its picture.
    pub(super) fn is_first_slice(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => h264::is_first_slice(nal.get(1..).unwrap_or(&[])),
            Self::H265 => h265::is_first_slice(nal.get(2..).unwrap_or(&[])),
        }
    }

    /// How a decoder may start at `nal`.
    pub(super) fn random_access(self, nal: &[u8]) -> RandomAccess {
        match self {
            Self::H264 => h264::random_access(nal),
            Self::H265 => h265::random_access(nal),
        }
    }

    /// Whether the picture of this slice is lost to a decoder that starts at the random access point before it.
    pub(super) fn is_skipped_leading(self, header: u8) -> bool {
        self == Self::H265 && matches!(h265::unit_type(header), h265::RASL_N | h265::RASL_R)
    }

    /// Whether the NAL unit belongs to an enhancement layer, which no decoder here asks for.
    pub(super) fn is_enhancement(self, nal: &[u8]) -> bool {
        self == Self::H265 && nal.len() > 1 && (nal[0] & 1 != 0 || nal[1] & 0xf8 != 0)
    }
}
