//! From packets to frames: order, whole access units, times, and when to announce which tracks. Pure.

mod lane;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use media::time::Timeline;
use media::{Frame, Kind, Track, TrackId, rtcp};

use crate::plan::Plan;
use lane::Lane;

/// How often the camera hears how its packets arrive (RFC 3550 §6.2 wants 5 s at least).
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// How long frames wait for the parameters of tracks whose description has none. Two GOPs of most cameras.
const ANNOUNCE_PATIENCE: Duration = Duration::from_secs(3);
/// How many frames may wait that long: 3 s of pictures and sound, and more than enough.
const MAX_HELD: usize = 1024;
/// How long after its goodbye a camera may go on to send before it is taken at its word.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(1);
/// Who we are in receiver reports.
const CNAME: &str = "lunette";

/// What has become known, in order.
#[derive(Debug)]
pub(crate) enum News {
    /// The tracks, when their parameters are known and whenever these change.
    Tracks(Vec<Track>),
    /// A frame of an announced track.
    Frame(Frame),
    /// Losses on a track since the last time.
    Lost {
        track: TrackId,
        packets: u64,
        frames: u64,
    },
}

/// Takes the packets of a session's tracks and makes frames of them.
#[derive(Debug)]
pub(crate) struct Intake {
    lanes: Vec<Lane>,
    timeline: Timeline,
    unplayable: Vec<Track>,
    ssrc: u32,
    news: VecDeque<News>,
    /// Frames that wait for the announcement.
    held: VecDeque<Frame>,
    announced: bool,
    first_packet: Option<Instant>,
    next_report: Option<Instant>,
    reports: VecDeque<(usize, BytesMut)>,
    /// When the last of the tracks said goodbye.
    left: Option<Instant>,
}

impl Intake {
    /// For the tracks of `plan`, by datagrams (which arrive in any order) or not; `ssrc` is our own.
    pub(crate) fn new(plan: Plan, datagrams: bool, ssrc: u32) -> Result<Self, media::Error> {
        let lanes = plan.lanes.into_iter().map(|l| Lane::new(l, datagrams));
        let lanes: Vec<Lane> = lanes.collect::<Result<_, _>>()?;
        let mut timeline = Timeline::new();
        for lane in &lanes {
            lane.enter(&mut timeline);
        }
        Ok(Self {
            lanes,
            timeline,
            unplayable: plan.unplayable,
            ssrc,
            news: VecDeque::new(),
            held: VecDeque::new(),
            announced: false,
            first_packet: None,
            next_report: None,
            reports: VecDeque::new(),
            left: None,
        })
    }

    /// Says which lanes were set up. The tracks are announced now if enough is known of them.
    pub(crate) fn keep(&mut self, set_up: &[bool]) {
        for (lane, &kept) in self.lanes.iter_mut().zip(set_up) {
            if !kept {
                lane.refuse("the camera would not set this track up");
            }
        }
        self.announce_if_known();
    }

    /// Takes an RTP packet of `lane`; false if it is none of the track's, or may be a stranger's.
    pub(crate) fn handle_rtp(&mut self, lane: usize, data: Bytes, now: Instant) -> bool {
        let Some(it) = self.lanes.get_mut(lane) else {
            return false;
        };
        if !it.push(data, now) {
            return false;
        }
        self.left = None;
        self.first_packet.get_or_insert(now);
        self.next_report.get_or_insert(now + REPORT_INTERVAL);
        self.drain(lane, now);
        true
    }

    /// Takes an RTCP packet of `lane`.
    pub(crate) fn handle_rtcp(&mut self, lane: usize, data: &[u8], now: Instant) {
        let Some(it) = self.lanes.get_mut(lane) else {
            return;
        };
        for message in rtcp::messages(data) {
            match message {
                rtcp::Message::SenderReport(report) => {
                    it.sender_report(&report, &mut self.timeline, now);
                }
                rtcp::Message::Goodbye(_) => it.leave(),
                _ => {}
            }
        }
        if self.lanes.iter().all(Lane::has_left) {
            self.left.get_or_insert(now);
        }
    }

    /// Which lane the packets of this payload type belong to, if only one does.
    pub(crate) fn lane_of(&self, data: &[u8]) -> Option<usize> {
        let payload_type = data.get(1)? & 0x7f;
        let mut those = (0..self.lanes.len()).filter(|&i| self.lanes[i].takes(payload_type));
        those.next().filter(|_| those.next().is_none())
    }

    /// What the track of `lane` carries.
    pub(crate) fn kind(&self, lane: usize) -> Option<Kind> {
        self.lanes.get(lane).map(|lane| lane.track().kind)
    }

    /// Gives up missing packets and missing parameters when their time is over, and makes reports.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].timeout().is_some_and(|at| now >= at) {
                self.drain(lane, now);
            }
        }
        if self.hold_deadline().is_some_and(|at| now >= at) {
            self.announce();
        }
        if self.next_report.is_some_and(|at| now >= at) {
            self.next_report = Some(now + REPORT_INTERVAL);
            for (index, lane) in self.lanes.iter_mut().enumerate() {
                if let Some(block) = lane.report(now) {
                    let mut report = BytesMut::new();
                    rtcp::write_receiver_report(self.ssrc, &[block], CNAME, &mut report);
                    self.reports.push_back((index, report));
                }
            }
        }
    }

    /// When [`Intake::handle_timeout`] wants to be called next.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let lanes = self.lanes.iter().filter_map(Lane::timeout);
        let others = [
            self.hold_deadline(),
            self.next_report,
            self.leave_deadline(),
        ];
        lanes.chain(others.into_iter().flatten()).min()
    }

    /// The next news.
    pub(crate) fn poll(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// The next receiver report to send, and the lane whose way it goes.
    pub(crate) fn poll_report(&mut self) -> Option<(usize, BytesMut)> {
        self.reports.pop_front()
    }

    /// Whether the camera has said goodbye on all tracks, and kept to it.
    pub(crate) fn has_left(&self, now: Instant) -> bool {
        self.leave_deadline().is_some_and(|at| now >= at)
    }

    /// Passes on every frame that has become whole.
    fn drain(&mut self, lane: usize, now: Instant) {
        while let Some(frame) = self.lanes[lane].pull(&mut self.timeline, now) {
            let news = self.lanes[lane].take_format(&frame);
            if !self.announced {
                self.hold(frame);
                self.announce_if_known();
                continue;
            }
            if news {
                let tracks = self.tracks();
                self.news.push_back(News::Tracks(tracks));
            }
            self.news.push_back(News::Frame(frame));
        }
        self.news.extend(self.lanes[lane].losses());
    }

    /// Keeps a frame until the tracks are announced. The oldest give way, and count as lost.
    fn hold(&mut self, frame: Frame) {
        if self.held.len() == MAX_HELD
            && let Some(oldest) = self.held.pop_front()
        {
            self.news.push_back(News::Lost {
                track: oldest.track,
                packets: 0,
                frames: 1,
            });
        }
        self.held.push_back(frame);
    }

    fn announce_if_known(&mut self) {
        if !self.announced && self.lanes.iter().all(Lane::is_known) {
            self.announce();
        }
    }

    fn announce(&mut self) {
        self.announced = true;
        let tracks = self.tracks();
        self.news.push_back(News::Tracks(tracks));
        self.news.extend(self.held.drain(..).map(News::Frame));
    }

    fn tracks(&self) -> Vec<Track> {
        let lanes = self.lanes.iter().map(|l| l.track().clone());
        let mut tracks: Vec<Track> = lanes.chain(self.unplayable.iter().cloned()).collect();
        tracks.sort_by_key(|t| t.id);
        tracks
    }

    fn hold_deadline(&self) -> Option<Instant> {
        let first = self.first_packet.filter(|_| !self.announced)?;
        Some(first + ANNOUNCE_PATIENCE)
    }

    fn leave_deadline(&self) -> Option<Instant> {
        Some(self.left? + GOODBYE_PATIENCE)
    }
}

#[cfg(test)]
mod tests;
