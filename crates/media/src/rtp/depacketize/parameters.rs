use std::sync::Arc;

use bytes::Bytes;

use super::syntax::{Role, Syntax};
use crate::format::{MAX_PARAMETER_SET, MAX_PPS, h264_pps_id, h265_pps_id};
use crate::{Error, Format, H264, H265, nal};

/// The parameter sets of a stream, from its description and from within it, and the format they make.
#[derive(Debug)]
pub(super) struct Parameters {
    syntax: Syntax,
    vps: Option<Bytes>,
    sps: Option<Bytes>,
    pps: Vec<(u32, Bytes)>,
    /// A set changed since the format was made.
    changed: bool,
    /// The picture parameter sets belong to an older sequence parameter set: the next one replaces them all.
    stale: bool,
    format: Option<Arc<Format>>,
}

impl Parameters {
    pub(super) fn new(syntax: Syntax) -> Self {
        Self {
            syntax,
            vps: None,
            sps: None,
            pps: Vec::new(),
            changed: false,
            stale: false,
            format: None,
        }
    }

    pub(super) fn format(&self) -> Option<&Arc<Format>> {
        self.format.as_ref()
    }

    /// Keeps the parameter set `nal`, which takes effect with the next [`commit`](Self::commit).
    pub(super) fn offer(&mut self, role: Role, nal: &[u8]) -> Result<(), Error> {
        if nal.len() > MAX_PARAMETER_SET {
            return Err(Error::TooLarge {
                what: "parameter set",
                limit: MAX_PARAMETER_SET,
            });
        }
        let nal = without_trailing_zeros(nal);
        match role {
            Role::Vps => self.changed |= replace(&mut self.vps, nal),
            Role::Sps => {
                if replace(&mut self.sps, nal) {
                    self.changed = true;
                    self.stale = true;
                }
            }
            Role::Pps => self.offer_pps(nal)?,
            Role::Slice | Role::Other | Role::Waste => {}
        }
        Ok(())
    }

    /// Makes a new format of the sets if they changed. An equal one stays the same `Arc`.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let Some(sps) = self.sps.clone().filter(|_| !self.pps.is_empty()) else {
            return Ok(());
        };
        let pps = self.pps.iter().map(|(_, nal)| nal.clone()).collect();
        let format = match (self.syntax, self.vps.clone()) {
            (Syntax::H264, _) => Format::H264(H264::new(sps, pps)?),
            (Syntax::H265, Some(vps)) => Format::H265(H265::new(vps, sps, pps)?),
            (Syntax::H265, None) => return Ok(()),
        };
        if self.format.as_deref() != Some(&format) {
            self.format = Some(Arc::new(format));
        }
        Ok(())
    }

    fn offer_pps(&mut self, nal: &[u8]) -> Result<(), Error> {
        let id = match self.syntax {
            Syntax::H264 => h264_pps_id(nal)?,
            Syntax::H265 => h265_pps_id(nal)?,
        };
        if std::mem::take(&mut self.stale) {
            self.pps.clear();
        }
        match self.pps.iter().position(|(known, _)| *known == id) {
            Some(at) if self.pps[at].1 == nal => return Ok(()),
            Some(at) => self.pps[at].1 = Bytes::copy_from_slice(nal),
            None if self.pps.len() >= MAX_PPS => {
                return Err(Error::invalid("parameter sets", "there are more than 64"));
            }
            None => self.pps.push((id, Bytes::copy_from_slice(nal))),
        }
        self.changed = true;
        Ok(())
    }
}

fn replace(known: &mut Option<Bytes>, nal: &[u8]) -> bool {
    if known.as_deref() == Some(nal) {
        return false;
    }
    *known = Some(Bytes::copy_from_slice(nal));
    true
}

/// The same cut that formats make, so that a set from the description equals the one in the stream.
fn without_trailing_zeros(nal: &[u8]) -> &[u8] {
    let start = nal::annexb::start_code(nal).unwrap_or(0);
    let end = nal.iter().rposition(|byte| *byte != 0);
    &nal[start..end.map_or(start, |last| last + 1)]
}
