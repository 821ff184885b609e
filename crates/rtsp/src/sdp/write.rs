use std::fmt::{self, Write as _};

use super::{Direction, Media, Payload, Sdp};

impl fmt::Display for Sdp {
    /// Writes the description with all lines that RFC 8866 §5 wants, each ended by CR LF.
    ///
    /// Line breaks in texts become blanks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(512);
        let name = if self.name.is_empty() {
            "-"
        } else {
            &self.name
        };
        line(&mut out, 'v', "0");
        line(&mut out, 'o', "- 0 0 IN IP4 0.0.0.0");
        line(&mut out, 's', name);
        line(&mut out, 'c', "IN IP4 0.0.0.0");
        line(&mut out, 't', "0 0");
        if let Some(control) = &self.control {
            line(&mut out, 'a', &format!("control:{control}"));
        }
        if let Some(range) = &self.range {
            line(&mut out, 'a', &format!("range:{range}"));
        }
        for media in &self.media {
            media.write(&mut out);
        }
        f.write_str(&out)
    }
}

impl Media {
    fn write(&self, out: &mut String) {
        let mut first = format!("{} {} {}", self.kind.name(), self.port, self.protocol);
        for payload in &self.payloads {
            let _ = write!(first, " {}", payload.payload_type);
        }
        line(out, 'm', &first);
        if let Some(kbps) = self.bandwidth {
            line(out, 'b', &format!("AS:{kbps}"));
        }
        for payload in &self.payloads {
            payload.write(out);
        }
        if let Some(rate) = self.frame_rate {
            line(out, 'a', &format!("framerate:{rate}"));
        }
        match self.direction {
            Direction::Both => {}
            Direction::RecvOnly => line(out, 'a', "recvonly"),
            Direction::SendOnly => line(out, 'a', "sendonly"),
            Direction::Inactive => line(out, 'a', "inactive"),
        }
        if let Some(control) = &self.control {
            line(out, 'a', &format!("control:{control}"));
        }
    }
}

impl Payload {
    fn write(&self, out: &mut String) {
        let t = self.payload_type;
        if !self.encoding.is_empty() {
            let mut map = format!("rtpmap:{t} {}/{}", self.encoding, self.clock_rate);
            if let Some(channels) = self.channels {
                let _ = write!(map, "/{channels}");
            }
            line(out, 'a', &map);
        }
        if !self.fmtp.is_empty() {
            line(out, 'a', &format!("fmtp:{t} {}", self.fmtp));
        }
    }
}

fn line(out: &mut String, name: char, value: &str) {
    out.push(name);
    out.push('=');
    out.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
    out.push_str("\r\n");
}
