use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use rtsp::{Lower, Message, Parser, Request, Response, RtpInfo, Status, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::User;
use crate::auth::Auth;
use crate::clip::Clip;
use crate::playhead::Playhead;
use crate::session::{FIRST_PAYLOAD_TYPE, Session, Step, TIMEOUT};
use crate::track::{Carrier, Sender};

/// How many bytes wait for a slow client at most; a frame that would come on top is dropped, and pictures
/// up to the next keyframe with it.
const MAX_QUEUED: usize = 1 << 20;
/// How long a client may take nothing of what waits for it.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// How often a track's clock is paired with the wall clock.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// A camera that was stopped for longer goes on where it was, rather than to make up for lost time.
const MAX_LATE: Duration = Duration::from_secs(1);
/// How much is read at once, in bytes.
const READ: usize = 4096;

/// Serves the client behind `stream` until it leaves, breaks the protocol, or falls silent.
pub(crate) async fn serve(
    stream: TcpStream,
    clip: Arc<Clip>,
    user: Option<Arc<User>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (local, peer) = (stream.local_addr()?.ip(), stream.peer_addr()?.ip());
    let mut client = Client::new(clip, user, local, peer);
    let (mut reader, mut writer) = stream.into_split();
    let mut parser = Parser::new();
    let mut input = BytesMut::new();
    loop {
        input.reserve(READ);
        let (wake, room, waits) = (client.wake(), client.has_room(), !client.out.is_empty());
        tokio::select! {
            read = reader.read_buf(&mut input), if room => {
                if read? == 0 {
                    return Ok(());
                }
                client.heard = Instant::now();
                while let Some(message) = parser.parse(&mut input).map_err(io::Error::other)? {
                    if let Message::Request(request) = message {
                        client.request(&request).await;
                    }
                }
            }
            written = writer.write_buf(&mut client.out), if waits => {
                written?;
                client.taken = Instant::now();
            }
            () = sleep_until(wake) => {}
        }
        client.tick(Instant::now())?;
    }
}

/// What is known of a client, and what waits for it.
struct Client {
    clip: Arc<Clip>,
    session: Session,
    local: IpAddr,
    peer: IpAddr,
    /// What is carried of each track of the clip.
    tracks: Vec<Option<Track>>,
    clock: Clock,
    out: BytesMut,
    /// When something came from the client.
    heard: Instant,
    /// When the client took something, or nothing waited.
    taken: Instant,
    dropped: u64,
}

struct Track {
    sender: Sender,
    head: Playhead,
    report_due: Instant,
    /// Nothing before the next keyframe can be decoded.
    broken: bool,
}

/// The time since the clip began for this client.
#[derive(Debug, Clone, Copy)]
enum Clock {
    Stopped(Duration),
    /// Runs, and was zero then. The wall clock is read once, so that all reports lie on one line.
    Since(Instant, SystemTime),
}

impl Client {
    fn new(clip: Arc<Clip>, user: Option<Arc<User>>, local: IpAddr, peer: IpAddr) -> Self {
        let auth = user.map(|user| Auth::new(User::clone(&user), fastrand::u128(..)));
        let id = format!("{:016X}", fastrand::u64(..));
        let now = Instant::now();
        Self {
            session: Session::new(&clip, id, auth),
            tracks: clip.tracks.iter().map(|_| None).collect(),
            clip,
            local,
            peer,
            clock: Clock::Stopped(Duration::ZERO),
            out: BytesMut::new(),
            heard: now,
            taken: now,
            dropped: 0,
        }
    }

    fn has_room(&self) -> bool {
        self.out.len() < MAX_QUEUED
    }

    async fn request(&mut self, request: &Request) {
        match self.session.handle(request) {
            Step::Answer(response) => response.write(&mut self.out),
            Step::Setup {
                track,
                offers,
                response,
            } => self.set_up(track, &offers, response).await,
            Step::Play { base, response } => self.play(&base, response),
            Step::Pause(response) => {
                self.stop();
                response.write(&mut self.out);
            }
            Step::Teardown(response) => {
                self.stop();
                self.tracks.iter_mut().for_each(|track| *track = None);
                self.clock = Clock::Stopped(Duration::ZERO);
                response.write(&mut self.out);
            }
        }
    }

    async fn set_up(&mut self, number: usize, offers: &[Transport], mut response: Response) {
        match self.carry(number, offers).await {
            Ok(transport) => {
                self.session.set_up();
                response.headers.push("Transport", transport.to_string());
            }
            Err(error) => {
                tracing::warn!(%error, "the demo camera can't carry a track");
                response.status = Status::INTERNAL_SERVER_ERROR;
            }
        }
        response.write(&mut self.out);
    }

    /// Carries the track as the first of `offers` wishes for.
    async fn carry(&mut self, number: usize, offers: &[Transport]) -> io::Result<Transport> {
        let offer = offers
            .first()
            .ok_or_else(|| io::Error::other("no transport is offered"))?;
        let udp = offer.client_port.filter(|_| offer.lower == Lower::Udp);
        let (carrier, mut transport) = if let Some(ports) = udp {
            let carrier = Carrier::udp(self.local, self.peer, ports).await?;
            let mut transport = Transport::udp(ports.0, ports.1);
            transport.server_port = carrier.server_port();
            (carrier, transport)
        } else {
            let first = 2 * number as u8;
            let (rtp, rtcp) = offer.interleaved.unwrap_or((first, first + 1));
            (Carrier::Tcp { rtp, rtcp }, Transport::tcp(rtp, rtcp))
        };
        let track = &self.clip.tracks[number];
        let payload_type = FIRST_PAYLOAD_TYPE + number as u8;
        let sender =
            Sender::new(&track.units[0], payload_type, carrier).map_err(io::Error::other)?;
        transport.ssrc = Some(sender.ssrc());
        self.tracks[number] = Some(Track {
            sender,
            head: Playhead::new(track, self.clip.period),
            report_due: Instant::now(),
            broken: false,
        });
        Ok(transport)
    }

    fn play(&mut self, base: &str, mut response: Response) {
        if let Clock::Stopped(at) = self.clock {
            self.clock = Clock::Since(Instant::now() - at, SystemTime::now() - at);
        }
        let entries: Vec<RtpInfo> = self
            .tracks
            .iter()
            .enumerate()
            .filter_map(|(number, track)| {
                let track = track.as_ref()?;
                let place = track.head.next(&self.clip.tracks[number]);
                Some(RtpInfo {
                    url: Session::track_url(base, number),
                    seq: Some(track.sender.sequence()),
                    rtptime: Some(track.sender.timestamp(place.ticks)),
                })
            })
            .collect();
        response
            .headers
            .push("RTP-Info", RtpInfo::format_list(&entries));
        response.write(&mut self.out);
    }

    fn stop(&mut self) {
        if let Clock::Since(start, _) = self.clock {
            self.clock = Clock::Stopped(start.elapsed());
        }
    }

    /// When [`Client::tick`] has something to do.
    fn wake(&self) -> Instant {
        let mut wake = self.heard + TIMEOUT;
        if !self.out.is_empty() {
            wake = wake.min(self.taken + WRITE_DEADLINE);
        }
        self.due().map_or(wake, |(_, due)| wake.min(due))
    }

    /// Which track's unit is due next, and when.
    fn due(&self) -> Option<(usize, Instant)> {
        let Clock::Since(start, _) = self.clock else {
            return None;
        };
        let due = self
            .tracks
            .iter()
            .enumerate()
            .filter_map(|(number, track)| {
                let place = track.as_ref()?.head.next(&self.clip.tracks[number]);
                Some((number, start + Duration::from_nanos(place.nanos as u64)))
            });
        due.min_by_key(|(_, due)| *due)
    }

    /// Sends what is due, and ends a session that is dead.
    fn tick(&mut self, now: Instant) -> io::Result<()> {
        if self.out.is_empty() {
            self.taken = now;
        } else if now >= self.taken + WRITE_DEADLINE {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "it takes nothing any more",
            ));
        }
        while let Some((number, due)) = self.due().filter(|(_, due)| *due <= now) {
            if now > due + MAX_LATE
                && let Clock::Since(start, wallclock) = &mut self.clock
            {
                *start += now - due;
                *wallclock += now - due;
            }
            self.send(number, now);
        }
        if self
            .tracks
            .iter()
            .flatten()
            .any(|track| track.sender.heard())
        {
            self.heard = now;
        }
        if now >= self.heard + TIMEOUT {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "nothing was heard of it",
            ));
        }
        Ok(())
    }

    /// Sends the next unit of a track, or drops it where the client is slow.
    fn send(&mut self, number: usize, now: Instant) {
        let room = self.has_room();
        let (Some(track), Clock::Since(start, wallclock)) = (&mut self.tracks[number], self.clock)
        else {
            return;
        };
        let units = &self.clip.tracks[number];
        let place = track.head.next(units);
        track.head.advance(units);
        let frame = &units.units[place.unit];
        track.broken = !room || track.broken && !frame.keyframe;
        if track.broken {
            self.dropped += 1;
            tracing::trace!(
                dropped = self.dropped,
                "a client of the demo camera is slow"
            );
            return;
        }
        if now >= track.report_due {
            track.report_due = now + REPORT_EVERY;
            let elapsed = now - start;
            let wallclock = (wallclock + elapsed)
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let nanos = elapsed.as_nanos() as i64;
            track
                .sender
                .report(wallclock.as_nanos() as i64, nanos, &mut self.out);
        }
        track.sender.send(frame, place.ticks, &mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use rtsp::Method;

    use super::*;

    async fn playing() -> Client {
        let local = IpAddr::from([127, 0, 0, 1]);
        let clip = Arc::new(Clip::bundled().unwrap());
        let mut client = Client::new(clip, None, local, local);
        let mut request = Request::new(Method::Setup, "rtsp://h/demo/trackID=0");
        request.headers.push("CSeq", "1");
        request
            .headers
            .push("Transport", "RTP/AVP/TCP;unicast;interleaved=4-5");
        client.request(&request).await;
        request.method = Method::Play;
        request.url = "rtsp://h/demo".to_owned();
        client.request(&request).await;
        client
    }

    /// The times of the access units in what waits, in ticks since the first one.
    fn times(out: &mut BytesMut) -> Vec<u32> {
        let mut parser = Parser::new();
        let mut times = Vec::new();
        while let Some(message) = parser.parse(out).unwrap() {
            if let Message::Data(data) = message
                && data.channel == 4
            {
                times.push(u32::from_be_bytes(data.payload[4..8].try_into().unwrap()));
            }
        }
        times.dedup();
        let first = times[0];
        times.iter().map(|time| time.wrapping_sub(first)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_loses_whole_pictures_up_to_the_next_keyframe() {
        let mut client = playing().await;
        let start = Instant::now();
        client.tick(start).unwrap();
        let waiting = client.out.len();
        client.out.resize(MAX_QUEUED, 0);
        client.tick(start + Duration::from_millis(100)).unwrap();
        assert_eq!(client.dropped, 2, "the pictures at 40 and 80 ms");
        client.out.truncate(waiting);
        client.tick(start + Duration::from_millis(900)).unwrap();
        client.tick(start + Duration::from_millis(1800)).unwrap();
        client.tick(start + Duration::from_millis(2050)).unwrap();
        assert_eq!(times(&mut client.out), [0, 180_000, 183_600]);
        assert_eq!(client.dropped, 49);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_or_says_nothing_is_given_up() {
        let mut client = playing().await;
        let start = Instant::now();
        client.tick(start).unwrap();
        assert!(client.tick(start + WRITE_DEADLINE).is_err());
        client.out.clear();
        client.tick(start + WRITE_DEADLINE).unwrap();
        client.out.clear();
        assert!(client.tick(start + TIMEOUT).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_was_stopped_does_not_make_up_for_lost_time() {
        let mut client = playing().await;
        let start = Instant::now();
        client.tick(start).unwrap();
        client.out.clear();
        client.tick(start + Duration::from_secs(7)).unwrap();
        assert_eq!(times(&mut client.out).len(), 1);
    }
}
