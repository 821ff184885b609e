use std::fmt;

/// One track's entry in the `RTP-Info` header (RFC 2326 §12.33): where its packets begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpInfo {
    /// The URL by which the track was set up, as far as the server writes it.
    pub url: String,
    /// The sequence number of the first packet.
    pub seq: Option<u16>,
    /// The RTP timestamp at which the play range starts, in ticks of the track's clock.
    pub rtptime: Option<u32>,
}

impl RtpInfo {
    /// Reads the header's value. What makes no sense is left out: players can do without.
    ///
    /// Entries are separated by commas, which URLs may contain as well: a comma ends an entry only where
    /// another `url=` follows.
    pub fn parse_list(value: &str) -> Vec<Self> {
        let mut entries: Vec<String> = Vec::new();
        for piece in value.split(',') {
            let starts = piece
                .trim_start()
                .get(..4)
                .is_some_and(|p| p.eq_ignore_ascii_case("url="));
            match entries.last_mut() {
                Some(entry) if !starts => {
                    entry.push(',');
                    entry.push_str(piece);
                }
                _ => entries.push(piece.to_owned()),
            }
        }
        entries.iter().filter_map(|e| Self::parse(e)).collect()
    }

    /// The header's value for several tracks.
    pub fn format_list(entries: &[Self]) -> String {
        let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
        entries.join(",")
    }

    fn parse(entry: &str) -> Option<Self> {
        let mut url: Option<String> = None;
        let (mut seq, mut rtptime) = (None, None);
        for part in entry.trim().split(';') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "url" => url = Some(value.trim().to_owned()),
                "seq" => seq = value.trim().parse().ok(),
                "rtptime" => rtptime = value.trim().parse().ok(),
                _ => {}
            }
        }
        Some(Self {
            url: url?,
            seq,
            rtptime,
        })
    }
}

impl fmt::Display for RtpInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url={}", self.url)?;
        if let Some(seq) = self.seq {
            write!(f, ";seq={seq}")?;
        }
        if let Some(rtptime) = self.rtptime {
            write!(f, ";rtptime={rtptime}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_track_has_its_entry_even_if_urls_hold_commas() {
        let list = RtpInfo::parse_list(
            "url=rtsp://h/a,b/track1;seq=10;rtptime=4294967295, URL=track2;seq=;rtptime= 7",
        );
        assert_eq!(
            list,
            [
                RtpInfo {
                    url: "rtsp://h/a,b/track1".into(),
                    seq: Some(10),
                    rtptime: Some(u32::MAX)
                },
                RtpInfo {
                    url: "track2".into(),
                    seq: None,
                    rtptime: Some(7)
                },
            ]
        );
        assert_eq!(RtpInfo::parse_list(&RtpInfo::format_list(&list)), list);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        assert!(RtpInfo::parse_list("").is_empty());
        assert!(RtpInfo::parse_list("seq=1").is_empty());
        assert_eq!(RtpInfo::parse_list("url=x;seq=70000")[0].seq, None);
    }
}
