//! Drives a session: reads the clock and the sockets, and does what the state machines say.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::{Fault, Publisher, Reason};
use media::Kind;
use rtsp::{Interleaved, Message};
use tokio::time::{sleep_until, timeout};

use crate::intake::{Intake, News};
use crate::link::Link;
use crate::session::{End, Event, Route, Session};
use crate::standstill::{Known, Standstill};
use crate::udp::{Datagram, Ports};
use crate::words;

/// How long the camera may take to answer TEARDOWN. [`hub::STOP_GRACE`] bounds it from above.
const GOODBYE: Duration = Duration::from_millis(500);
/// A packet of silence that opens the way back through NATs and firewalls: an RTP header and nothing else.
const PUNCH_RTP: [u8; 12] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The same for RTCP: an empty receiver report (RFC 3550 §6.4.2).
const PUNCH_RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 0];

/// One session with one camera, from its connection to its end.
#[derive(Debug)]
pub(crate) struct Drive<'p> {
    link: Link,
    ports: Option<Ports>,
    session: Session,
    publisher: &'p mut Publisher,
    intake: Option<Intake>,
    standstill: Standstill,
    /// One for each lane of the intake.
    routes: Vec<Option<Route>>,
    datagrams: Vec<Datagram>,
    /// Interleaved packets on channels that belong to no track.
    astray: u64,
}

impl<'p> Drive<'p> {
    pub(crate) fn new(
        link: Link,
        ports: Option<Ports>,
        session: Session,
        standstill: Standstill,
        publisher: &'p mut Publisher,
    ) -> Self {
        Self {
            link,
            ports,
            session,
            standstill,
            publisher,
            intake: None,
            routes: Vec::new(),
            datagrams: Vec::new(),
            astray: 0,
        }
    }

    /// Runs until the camera fails (an error) or the publisher is cancelled.
    pub(crate) async fn run(&mut self) -> Result<(), End> {
        loop {
            self.flush().await?;
            let deadline = self.deadline();
            let taken = tokio::select! {
                () = self.publisher.cancelled() => return Ok(()),
                read = self.link.read() => {
                    let length = read.map_err(|error| self.broken(&error))?;
                    self.take_messages(Instant::now())?;
                    length
                }
                received = receive(self.ports.as_mut(), &mut self.datagrams) => {
                    received.map_err(|error| self.broken(&error))?;
                    self.take_datagrams(Instant::now())
                }
                () = sleep_until(deadline.into()) => 0,
            };
            self.tick(Instant::now())?;
            self.publisher.took(taken).await;
        }
    }

    /// Whether a packet has arrived.
    pub(crate) fn has_played(&self) -> bool {
        self.session.has_played()
    }

    /// What is known of the picture.
    pub(crate) fn known(&self) -> Known {
        self.standstill.known()
    }

    /// Ends the session as far as the camera takes part: many serve only a few clients at a time.
    pub(crate) async fn goodbye(mut self) {
        self.session.teardown(Instant::now());
        let farewell = async {
            while let Some(output) = self.session.poll_output() {
                self.link.write(&output).await?;
            }
            while !self.session.is_over() {
                self.link.read().await?;
                while let Ok(Some(message)) = self.link.next() {
                    let _ = self.session.handle_message(message, Instant::now());
                }
            }
            Ok::<(), std::io::Error>(())
        };
        let _ = timeout(GOODBYE, farewell).await;
        let strangers = self.ports.as_ref().map_or(0, Ports::strangers);
        let (garbage, astray) = (self.link.garbage(), self.astray);
        tracing::debug!(garbage, astray, strangers, "session over");
    }

    /// Sends what the session and the intake have to say, and acts on events.
    async fn flush(&mut self) -> Result<(), End> {
        while let Some(event) = self.session.poll_event() {
            self.act(event)?;
        }
        while let Some(output) = self.session.poll_output() {
            let written = self.link.write(&output).await;
            written.map_err(|error| self.broken(&error))?;
        }
        while let Some((lane, report)) = self.intake.as_mut().and_then(Intake::poll_report) {
            self.report(lane, &report).await?;
        }
        Ok(())
    }

    fn act(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Described(plan) => {
                let intake = Intake::new(plan, self.ports.is_some(), fastrand::u32(..))
                    .map_err(|error| Fault::new(Reason::Unsupported, error.to_string()))?;
                self.intake = Some(intake);
            }
            Event::Ready(routes) => {
                if let Some(intake) = &mut self.intake {
                    let kept: Vec<bool> = routes.iter().map(Option::is_some).collect();
                    intake.keep(&kept);
                    let mut lanes = kept.iter().enumerate().filter(|(_, kept)| **kept);
                    if lanes.any(|(lane, _)| intake.kind(lane) == Some(Kind::Video)) {
                        self.standstill.expect();
                    }
                }
                self.routes = routes;
                self.punch();
            }
        }
        Ok(())
    }

    /// Opens the way for the camera's datagrams.
    fn punch(&mut self) {
        let Some(ports) = &mut self.ports else { return };
        for (lane, route) in self.routes.iter().enumerate() {
            let Some(route) = route else { continue };
            if let Some(source) = route.source.as_ref().and_then(|s| s.parse::<IpAddr>().ok()) {
                ports.also_from(source);
            }
            if let Some((rtp, rtcp)) = route.server_ports {
                let mut to = self.link.peer;
                to.set_port(rtp);
                ports.send(lane, false, &PUNCH_RTP, to);
                to.set_port(rtcp);
                ports.send(lane, true, &PUNCH_RTCP, to);
            }
        }
    }

    /// Sends a receiver report the way that the lane's packets come.
    async fn report(&mut self, lane: usize, report: &[u8]) -> Result<(), End> {
        let Some(Some(route)) = self.routes.get(lane) else {
            return Ok(());
        };
        match (route.channels, route.server_ports, &self.ports) {
            (Some((_, channel)), _, _) => {
                let mut frame = bytes::BytesMut::new();
                Interleaved::write(channel, report, &mut frame)
                    .map_err(|error| words::wire(&error))?;
                let written = self.link.write(&frame).await;
                written.map_err(|error| self.broken(&error))?;
            }
            (None, Some((_, port)), Some(ports)) => {
                let to = SocketAddr::new(self.link.peer.ip(), port);
                ports.send(lane, true, report, to);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes everything that was read from the connection.
    fn take_messages(&mut self, now: Instant) -> Result<(), End> {
        while let Some(message) = self.link.next().map_err(|error| words::wire(&error))? {
            match message {
                Message::Data(data) => self.take_interleaved(data, now),
                other => {
                    self.session.handle_message(other, now)?;
                    // What follows may be packets of a track that this message has set up.
                    while let Some(event) = self.session.poll_event() {
                        self.act(event)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds the lane by the channel. Where the camera uses a channel for none or several, the payload type
    /// tells.
    fn take_interleaved(&mut self, data: Interleaved, now: Instant) {
        let channels = self.routes.iter().map(|r| r.as_ref()?.channels);
        let mut those = channels.enumerate().filter_map(|(lane, pair)| {
            let (rtp, rtcp) = pair?;
            let control = data.channel == rtcp;
            (control || data.channel == rtp).then_some((lane, control))
        });
        let found = if let (Some(only), None) = (those.next(), those.next()) {
            Some(only)
        } else {
            let lane = self.intake.as_ref().and_then(|i| i.lane_of(&data.payload));
            lane.map(|lane| (lane, false))
        };
        match found {
            Some((lane, control)) => self.take(lane, control, data.payload, now),
            None => self.astray += 1,
        }
    }

    /// Takes the datagrams that were received, and tells how many bytes that was.
    fn take_datagrams(&mut self, now: Instant) -> usize {
        let mut datagrams = std::mem::take(&mut self.datagrams);
        let taken = datagrams.iter().map(|datagram| datagram.data.len()).sum();
        for datagram in datagrams.drain(..) {
            self.take(datagram.lane, datagram.control, datagram.data, now);
        }
        self.datagrams = datagrams;
        taken
    }

    fn take(&mut self, lane: usize, control: bool, data: Bytes, now: Instant) {
        let Some(intake) = &mut self.intake else {
            return;
        };
        if control {
            intake.handle_rtcp(lane, &data, now);
        } else if intake.handle_rtp(lane, data, now) {
            if !self.session.has_played() {
                tracing::info!(
                    by = if self.ports.is_some() { "UDP" } else { "TCP" },
                    "the camera plays"
                );
            }
            match intake.kind(lane) {
                Some(Kind::Video) => self.standstill.picture(now),
                Some(Kind::Audio) => self.standstill.sound(now),
                None => {}
            }
            self.session.handle_packet(now);
            self.publisher.heard();
        }
    }

    /// Lets time pass, and publishes what has become ready.
    fn tick(&mut self, now: Instant) -> Result<(), End> {
        if let Some(intake) = &mut self.intake {
            intake.handle_timeout(now);
            if intake.has_left(now) {
                return Err(words::left().into());
            }
            while let Some(news) = intake.poll() {
                match news {
                    News::Tracks(tracks) => self.publisher.announce(tracks),
                    News::Frame(frame) => self.publisher.write(frame),
                    News::Lost {
                        track,
                        packets,
                        frames,
                    } => self.publisher.lost(track, packets, frames),
                }
            }
        }
        if let Some(away) = self.standstill.overdue(now) {
            return Err(words::no_picture(away).into());
        }
        self.session.handle_timeout(now)
    }

    fn deadline(&self) -> Instant {
        let intake = self.intake.as_ref().and_then(Intake::timeout);
        let due = self.session.timeout().into_iter().chain(intake).min();
        due.unwrap_or_else(|| Instant::now() + Duration::from_secs(1))
    }

    /// What a broken connection means. One that breaks between PLAY and the first packet may be the camera's
    /// way to refuse the transport.
    fn broken(&self, error: &std::io::Error) -> End {
        let fault = words::broken(self.session.doing(), error);
        if self.session.is_playing() && !self.session.has_played() {
            End::Carrier(fault)
        } else {
            End::Fault(fault)
        }
    }
}

/// Datagrams, or nothing for ever without ports.
async fn receive(ports: Option<&mut Ports>, batch: &mut Vec<Datagram>) -> std::io::Result<()> {
    match ports {
        Some(ports) => ports.receive(batch).await,
        None => std::future::pending().await,
    }
}
