use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

/// Cameras forget the padding, or leave bits in it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The most parameter sets that are read from one description.
const MAX_SETS: usize = 64;

/// The `name=value` pairs of an `fmtp` attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fmtp<'a>(&'a str);

impl<'a> Fmtp<'a> {
    pub(super) fn new(text: Option<&'a str>) -> Self {
        Self(text.unwrap_or(""))
    }

    /// The value of `name`, whose case does not matter; the last one where it stands several times.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        self.0
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            // The payload type may still stand before the first name.
            .filter(|(key, _)| {
                key.split_whitespace()
                    .next_back()
                    .is_some_and(|key| key.eq_ignore_ascii_case(name))
            })
            .map(|(_, value)| value.trim().trim_matches('"'))
            .next_back()
    }

    /// The value of `name` as a number.
    pub(super) fn number(self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    /// The value of `name` as bytes in hexadecimal digits.
    pub(super) fn hex(self, name: &str) -> Option<Bytes> {
        let digits = self.get(name)?.as_bytes();
        // A missing last digit is a missing zero: `config=1408` is also seen as `config=140`.
        digits
            .chunks(2)
            .map(|pair| {
                let high = char::from(pair[0]).to_digit(16)?;
                let low = pair
                    .get(1)
                    .map_or(Some(0), |d| char::from(*d).to_digit(16))?;
                Some((high << 4 | low) as u8)
            })
            .collect::<Option<Vec<u8>>>()
            .filter(|bytes| !bytes.is_empty())
            .map(Bytes::from)
    }

    /// The comma-separated base64 parameter sets of `name`; those that are no base64 are left out.
    pub(super) fn sets(self, name: &str) -> impl Iterator<Item = Vec<u8>> + use<'a> {
        self.get(name)
            .unwrap_or("")
            .split(',')
            .take(MAX_SETS)
            .filter_map(|set| BASE64.decode(set.trim()).ok())
            .filter(|set| !set.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_in_any_case_and_behind_a_payload_type() {
        let fmtp = Fmtp::new(Some(
            "97 sizeLength=13; IndexLength=3 ;config=1408;mode=\"AAC-hbr\"",
        ));
        assert_eq!(fmtp.number("sizelength"), Some(13));
        assert_eq!(fmtp.number("indexlength"), Some(3));
        assert_eq!(fmtp.get("mode"), Some("AAC-hbr"));
        assert_eq!(fmtp.hex("config").unwrap()[..], [0x14, 0x08]);
        assert_eq!(fmtp.get("profile"), None);
    }

    #[test]
    fn base64_without_padding_and_with_an_empty_set_is_read() {
        let fmtp = Fmtp::new(Some(
            "packetization-mode=1;sprop-parameter-sets=Z0IAHw,aM4=,,*",
        ));
        let sets: Vec<_> = fmtp.sets("sprop-parameter-sets").collect();
        assert_eq!(sets, [vec![0x67, 0x42, 0, 0x1f], vec![0x68, 0xce]]);
    }
}
