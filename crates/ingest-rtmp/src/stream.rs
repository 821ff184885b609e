use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camera_tls::{ClientConfig, Connection, Peer, Tls};
use hub::{Fault, Publisher, Reason, RunFuture, Source};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout, timeout_at};

use crate::chunk::Broken;
use crate::intake::{Intake, Out};
use crate::session::{Event, Session};
use crate::{Error, Location};

/// How much is read at once.
const READ: usize = 64 << 10;
/// How long a server may take for what is said at the end.
const GOODBYE: Duration = Duration::from_millis(500);

/// How long to wait for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// For the stream to be played, from then on.
    pub play: Duration,
    /// For more of it.
    pub silence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            play: Duration::from_secs(10),
            silence: Duration::from_secs(10),
        }
    }
}

/// A stream of an RTMP server as a [`Source`].
#[derive(Debug)]
pub struct Stream {
    location: Location,
    /// How the server is trusted, and what follows from that.
    trust: Tls,
    tls: Option<Arc<ClientConfig>>,
    timeouts: Timeouts,
    /// Whether sound is taken, too.
    audio: bool,
}

impl Stream {
    /// The stream at `location`, with its sound if `audio`, from a server that is trusted by `trust`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`Error::Tls`] and [`Error::TlsUnused`].
    pub fn new(
        location: Location,
        trust: Tls,
        audio: bool,
        timeouts: Timeouts,
    ) -> Result<Self, Error> {
        if !location.tls && trust != Tls::default() {
            return Err(Error::TlsUnused);
        }
        let tls = if location.tls {
            Some(camera_tls::client_config(&trust)?)
        } else {
            None
        };
        Ok(Self {
            location,
            trust,
            tls,
            timeouts,
            audio,
        })
    }

    async fn play(&self, publisher: &mut Publisher) -> Result<(), Fault> {
        let link = tokio::select! {
            () = publisher.cancelled() => return Ok(()),
            link = self.connect() => link?,
        };
        let session = Session::new(self.location.clone(), || fastrand::u8(..));
        let (reader, writer) = split(link);
        let mut drive = Drive {
            reader,
            writer,
            session,
            intake: Intake::default(),
            heard: Instant::now(),
            plays: false,
            stream: self,
        };
        let ended = drive.run(publisher).await;
        drive.session.leave();
        let goodbye = async {
            drive
                .writer
                .write_all_buf(&mut drive.session.output)
                .await?;
            drive.writer.flush().await
        };
        let _ = timeout(GOODBYE, goodbye).await;
        ended
    }

    async fn connect(&self) -> Result<Connection, Fault> {
        let patience = self.timeouts.connect;
        let link = timeout(patience, self.dial()).await;
        link.map_err(|_| {
            let seconds = patience.as_secs();
            let message = format!("the server did not answer within {seconds} s");
            Fault::new(Reason::Timeout, message)
        })?
    }

    async fn dial(&self) -> Result<Connection, Fault> {
        let host = self.location.host.as_str();
        let link = TcpStream::connect((host, self.location.port)).await;
        let link = link.map_err(|error| unreachable(&error))?;
        // Only a delay: what is said is short.
        let _ = link.set_nodelay(true);
        let peer = Peer {
            host,
            kind: "server",
            scheme: "rtmp",
        };
        camera_tls::secure(link, peer, self.tls.as_ref()).await
    }
}

impl Source for Stream {
    fn run(&self, mut publisher: Publisher) -> RunFuture<'_> {
        Box::pin(async move { self.play(&mut publisher).await })
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        // Beside cameras of other protocols.
        "rtmp".hash(&mut hasher);
        (&self.location, &self.trust, &self.timeouts, self.audio).hash(&mut hasher);
        hasher.finish()
    }
}

/// One run.
struct Drive<'a> {
    reader: ReadHalf<Connection>,
    writer: WriteHalf<Connection>,
    session: Session,
    intake: Intake,
    heard: Instant,
    plays: bool,
    stream: &'a Stream,
}

impl Drive<'_> {
    async fn run(&mut self, publisher: &mut Publisher) -> Result<(), Fault> {
        let mut buffer = vec![0; READ];
        let mut out = Vec::new();
        loop {
            self.take(publisher, &mut out)?;
            let deadline = self.heard
                + if self.plays {
                    self.stream.timeouts.silence
                } else {
                    self.stream.timeouts.play
                };
            let waits = !self.session.output.is_empty();
            let taken = tokio::select! {
                () = publisher.cancelled() => return Ok(()),
                read = self.reader.read(&mut buffer) => match read {
                    Ok(0) => return Err(self.closed()),
                    Ok(size) => {
                        // While it is being set up, words alone don't count: something has to come of them.
                        if self.plays {
                            self.heard = Instant::now();
                            publisher.heard();
                        }
                        self.session.feed(&buffer[..size]);
                        size
                    }
                    Err(error) => return Err(broken(&error)),
                },
                written = self.writer.write_buf(&mut self.session.output), if waits => {
                    written.map_err(|error| broken(&error))?;
                    // TLS may hold some of it back.
                    timeout_at(deadline.into(), self.writer.flush())
                        .await
                        .map_err(|_| self.silent())?
                        .map_err(|error| broken(&error))?;
                    0
                }
                () = sleep_until(deadline.into()) => return Err(self.silent()),
            };
            publisher.took(taken).await;
        }
    }

    /// Takes all that the server has said.
    fn take(&mut self, publisher: &mut Publisher, out: &mut Vec<Out>) -> Result<(), Fault> {
        let now = Instant::now();
        while let Some(event) = self.session.next().map_err(wire)? {
            match event {
                Event::Video(time, body) => self.intake.video(time, body, now, out),
                Event::Audio(time, body) if self.stream.audio => {
                    self.intake.audio(time, &body, now, out);
                }
                Event::Audio(..) => {}
                Event::Metadata(said) => self.intake.metadata(&said),
                Event::Playing => {
                    tracing::info!(stream = %self.stream.location, "the server plays the stream");
                }
                Event::Ended => {
                    return Err(Fault::new(Reason::Closed, "the server ended the stream"));
                }
                Event::Refused(code, words) => return Err(refused(&code, &words)),
            }
            for out in out.drain(..) {
                self.plays = true;
                match out {
                    Out::Tracks(tracks) => publisher.announce(tracks),
                    Out::Frame(frame) => publisher.write(frame),
                }
            }
        }
        match self.intake.misfit() {
            Some(why) => Err(Fault::new(
                Reason::Unsupported,
                format!(
                    "nothing of the stream can be played: {why}; let it be published as H.264 and AAC"
                ),
            )),
            None => Ok(()),
        }
    }

    fn closed(&self) -> Fault {
        if self.plays {
            return Fault::new(Reason::Closed, "the server closed the connection");
        }
        let message = format!(
            "the server closed the connection at {}; there may be no such application",
            self.session.step()
        );
        Fault::new(Reason::Closed, message)
    }

    fn silent(&self) -> Fault {
        if self.plays {
            let seconds = self.stream.timeouts.silence.as_secs();
            return Fault::new(
                Reason::Stalled,
                format!("nothing came from the server for {seconds} s"),
            );
        }
        let message = match self.session.step() {
            // Many servers answer so where nobody publishes.
            "play" => {
                "the server sends nothing: nobody publishes the stream, or its name is another"
                    .to_owned()
            }
            step => format!("the server does not answer ({step})"),
        };
        Fault::new(Reason::Timeout, message)
    }
}

fn wire(broken: Broken) -> Fault {
    Fault::new(Reason::Protocol, broken.to_string())
}

fn refused(code: &str, words: &str) -> Fault {
    let reason = match code {
        "NetStream.Play.StreamNotFound"
        | "NetStream.Play.Failed"
        | "NetConnection.Connect.InvalidApp" => Reason::NotFound,
        "NetConnection.Connect.Rejected" | "NetConnection.Connect.Closed" => Reason::Unauthorized,
        _ => Reason::Protocol,
    };
    let shown = |text: &str| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect::<String>()
    };
    let words = if words.is_empty() {
        shown(code)
    } else {
        format!("{} ({})", shown(words), shown(code))
    };
    Fault::new(
        reason,
        format!("the server refuses to play the stream: {words}"),
    )
}

fn unreachable(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::new(
            Reason::Refused,
            "nothing listens at the server's address and port",
        ),
        _ => Fault::new(
            Reason::Unreachable,
            format!("the server can't be reached: {error}"),
        ),
    }
}

fn broken(error: &io::Error) -> Fault {
    Fault::new(
        Reason::Closed,
        format!("the connection to the server broke: {error}"),
    )
}
