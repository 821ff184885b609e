//! What is counted of all viewers together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::service::Whep;

/// The figures of WebRTC, besides those that the hub has of each Channel. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Figures(pub(crate) Arc<Whep>);

/// How they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// Viewers who were answered and have not connected yet.
    pub joining: u64,
    /// Viewers who get keyframes alone, since their line does not hold the stream.
    pub keyframes_alone: u64,
    /// Viewers who get their media by TCP.
    pub by_tcp: u64,
    /// Packets of pictures and sound that were sent, once or again.
    pub sent: u64,
    /// Packets that viewers reported as lost on the way.
    pub lost: u64,
    /// Packets that viewers missed and were sent again.
    pub resent: u64,
    /// How often viewers said that they need a keyframe.
    pub keyframe_requests: u64,
    /// How often ICE was restarted.
    pub ice_restarts: u64,
    /// Sends that the kernel refused.
    pub refused_sends: u64,
    /// Datagrams for which there was no room in front of a TCP connection.
    pub dropped_datagrams: u64,
    /// Offers that were refused, by the reason that programs are told.
    pub refused_offers: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// How they stand now.
    pub fn read(&self) -> Counted {
        self.0.counted()
    }
}

/// What is counted where it happens.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: Count,
    pub(crate) lost: Count,
    pub(crate) resent: Count,
    pub(crate) keyframe_requests: Count,
    pub(crate) ice_restarts: Count,
    refused_offers: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counts {
    /// An offer was refused.
    pub(crate) fn refused(&self, reason: &'static str) {
        let offers = self.refused_offers.lock();
        let mut offers = offers.unwrap_or_else(PoisonError::into_inner);
        *offers.entry(reason).or_default() += 1;
    }

    /// Why offers were refused, and how many.
    pub(crate) fn refused_offers(&self) -> BTreeMap<&'static str, u64> {
        let offers = self.refused_offers.lock();
        offers.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
