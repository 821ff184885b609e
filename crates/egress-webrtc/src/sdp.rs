//! Session descriptions (RFC 8866, RFC 8829): offers in, answers out. Pure.

mod answer;
mod codec;
mod fragment;
mod offer;

pub(crate) use answer::{
    ABS_SEND_TIME, Candidate, Identity, PLAYOUT_DELAY, Planned, Ssrcs, TRANSPORT_WIDE, head,
    render, sent_extensions,
};
pub(crate) use codec::{Chosen, choose};
pub(crate) use fragment::Fragment;
pub(crate) use offer::{Fingerprint, Offer, Section, SectionKind};

#[cfg(test)]
mod tests;
