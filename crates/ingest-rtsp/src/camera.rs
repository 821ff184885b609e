use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camera_tls::ClientConfig;
use hub::{Fault, Publisher, Reason, RunFuture, Source};
use rtsp::Lower;

use crate::drive::Drive;
use crate::link::Link;
use crate::session::{Carrier, End, Session, Settings};
use crate::standstill::{Known, Standstill};
use crate::udp::Ports;
use crate::{Config, Credentials, Error, Location, TransportChoice};

/// How many redirects are followed in a row.
const MAX_REDIRECTS: usize = 5;
/// How many tracks are set up at most: one picture, one sound.
const LANES: usize = 2;

/// An RTSP camera as a [`Source`].
#[derive(Debug)]
pub struct Camera {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
    fingerprint: u64,
    /// What worked last time, for [`TransportChoice::Auto`].
    worked: AtomicU8,
    /// What the sessions so far have learnt of the picture.
    known: Mutex<Known>,
}

const TCP_WORKED: u8 = 1;
const UDP_WORKED: u8 = 2;

/// Where an attempt goes, and what it may show there.
#[derive(Clone)]
struct Target {
    location: Location,
    credentials: Option<Credentials>,
    basic: bool,
}

impl Camera {
    /// The camera that `config` describes. Nothing is connected yet; the CA file is read.
    pub fn new(config: Config) -> Result<Self, Error> {
        config.check()?;
        let tls = if config.location.tls {
            Some(camera_tls::client_config(&config.tls)?)
        } else {
            None
        };
        let mut hasher = DefaultHasher::new();
        config.hash(&mut hasher);
        Ok(Self {
            tls,
            fingerprint: hasher.finish(),
            worked: AtomicU8::new(0),
            known: Mutex::default(),
            config,
        })
    }

    /// Where the camera is, without credentials: fit for logs and pages.
    pub fn location(&self) -> &Location {
        &self.config.location
    }

    /// Plays until the camera fails or nobody wants it any more.
    async fn play(&self, publisher: &mut Publisher) -> Result<(), Fault> {
        let mut failed: Option<Fault> = None;
        for lower in self.order() {
            match self.follow(lower, publisher).await {
                Ok(()) => return Ok(()),
                Err(End::Carrier(fault)) => {
                    tracing::info!(camera = %self.config.location, transport = ?lower, %fault, "transport does not work");
                    failed = Some(match failed {
                        None => fault,
                        Some(first) => both(&first, &fault),
                    });
                }
                Err(End::Fault(fault)) => return Err(fault),
                Err(End::Redirect(_)) => {
                    let message = format!("the camera redirects more than {MAX_REDIRECTS} times");
                    return Err(Fault::new(Reason::Protocol, message));
                }
            }
        }
        Err(failed.unwrap_or_else(|| Fault::new(Reason::Internal, "no transport to try")))
    }

    /// The transports to try, in order. Encrypted, there is one: datagrams would travel in the open.
    fn order(&self) -> Vec<Lower> {
        match self.config.transport {
            _ if self.config.location.tls => vec![Lower::Tcp],
            TransportChoice::Tcp => vec![Lower::Tcp],
            TransportChoice::Udp => vec![Lower::Udp, Lower::Tcp],
            TransportChoice::Auto if self.worked.load(Ordering::Relaxed) == UDP_WORKED => {
                vec![Lower::Udp, Lower::Tcp]
            }
            TransportChoice::Auto => vec![Lower::Tcp, Lower::Udp],
        }
    }

    /// Plays by `lower`, wherever the camera sends us.
    async fn follow(&self, lower: Lower, publisher: &mut Publisher) -> Result<(), End> {
        let mut target = Target {
            location: self.config.location.clone(),
            credentials: self.config.credentials.clone(),
            basic: true,
        };
        let mut last = String::new();
        for _ in 0..=MAX_REDIRECTS {
            match self.attempt(&target, lower, publisher).await {
                Err(End::Redirect(url)) => {
                    target = target.redirected(&url)?;
                    tracing::info!(camera = %self.config.location, to = %target.location, "redirected");
                    last = url;
                }
                other => return other,
            }
        }
        Err(End::Redirect(last))
    }

    async fn attempt(
        &self,
        target: &Target,
        lower: Lower,
        publisher: &mut Publisher,
    ) -> Result<(), End> {
        let timeouts = &self.config.timeouts;
        // A redirect may lead from an open connection to an encrypted one.
        let lower = if target.location.tls {
            Lower::Tcp
        } else {
            lower
        };
        let tls = self.tls.as_ref().filter(|_| target.location.tls);
        let link = tokio::select! {
            () = publisher.cancelled() => return Ok(()),
            link = Link::connect(&target.location, tls, timeouts.connect) => link?,
        };
        let (carrier, ports) = carry(lower, &link)?;
        let settings = Settings {
            url: target.location.url(),
            credentials: target.credentials.clone(),
            basic: target.basic,
            carrier,
            audio: self.config.audio,
            timeouts: timeouts.clone(),
        };
        let now = std::time::Instant::now();
        let standstill = Standstill::new(timeouts.silence, *self.known());
        let session = Session::new(settings, now);
        let mut drive = Drive::new(link, ports, session, standstill, publisher);
        let result = drive.run().await;
        *self.known() = drive.known();
        if drive.has_played() {
            let worked = match lower {
                Lower::Tcp => TCP_WORKED,
                Lower::Udp => UDP_WORKED,
            };
            self.worked.store(worked, Ordering::Relaxed);
        }
        drive.goodbye().await;
        result
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Camera {
    fn run(&self, mut publisher: Publisher) -> RunFuture<'_> {
        Box::pin(async move { self.play(&mut publisher).await })
    }

    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl Target {
    /// Where a redirect to `url` leads: never from an encrypted connection to an open one, and with the
    /// password itself (Basic) to the same host only.
    fn redirected(&self, url: &str) -> Result<Self, Fault> {
        let (location, credentials) = Location::parse(url).map_err(|error| {
            Fault::new(
                Reason::Protocol,
                format!("the camera redirects to a URL that is none: {error}"),
            )
        })?;
        if self.location.tls && !location.tls {
            let message =
                "the camera redirects from an encrypted connection (rtsps) to an open one (rtsp)";
            return Err(Fault::new(Reason::Tls, message));
        }
        let own = credentials.is_some();
        Ok(Self {
            basic: own || (self.basic && self.location.same_host(&location)),
            credentials: credentials.or_else(|| self.credentials.clone()),
            location,
        })
    }
}

/// What the packets shall come by, with the ports that this takes.
fn carry(lower: Lower, link: &Link) -> Result<(Carrier, Option<Ports>), End> {
    if lower == Lower::Tcp {
        return Ok((Carrier::Tcp, None));
    }
    let bound = Ports::bind(link.local, link.peer.ip(), LANES)
        .and_then(|ports| Ok((Carrier::Udp(ports.numbers()?), Some(ports))));
    bound.map_err(|error| {
        let message = format!("no UDP ports can be bound: {error}");
        End::Carrier(Fault::new(Reason::Internal, message))
    })
}

/// The fault of two transports that failed, each in its own way.
fn both(first: &Fault, second: &Fault) -> Fault {
    if first == second {
        return first.clone();
    }
    Fault::new(
        first.reason,
        format!(
            "{}; and by the other transport: {}",
            first.message, second.message
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(url: &str) -> Camera {
        Camera::new(Config::new(url).unwrap()).unwrap()
    }

    fn target(url: &str) -> Target {
        let config = Config::new(url).unwrap();
        Target {
            location: config.location,
            credentials: config.credentials,
            basic: true,
        }
    }

    #[test]
    fn the_fingerprint_covers_the_password_and_the_settings() {
        let one = camera("rtsp://u:a@h/x").fingerprint();
        assert_eq!(one, camera("rtsp://u:a@h/x").fingerprint());
        assert_ne!(one, camera("rtsp://u:b@h/x").fingerprint());
        let mut config = Config::new("rtsp://u:a@h/x").unwrap();
        config.transport = TransportChoice::Udp;
        assert_ne!(one, Camera::new(config).unwrap().fingerprint());
    }

    #[test]
    fn what_worked_is_tried_first() {
        let camera = camera("rtsp://h/x");
        assert_eq!(camera.order(), [Lower::Tcp, Lower::Udp]);
        camera.worked.store(UDP_WORKED, Ordering::Relaxed);
        assert_eq!(camera.order(), [Lower::Udp, Lower::Tcp]);
    }

    #[test]
    fn what_is_to_be_encrypted_never_travels_in_the_open() {
        let camera = camera("rtsps://h/x");
        assert_eq!(camera.order(), [Lower::Tcp]);
        let mut config = Config::new("rtsps://h/x").unwrap();
        config.transport = TransportChoice::Udp;
        assert_eq!(Camera::new(config).unwrap_err(), Error::UdpInTheOpen);
    }

    #[test]
    fn a_redirect_keeps_the_credentials_but_not_for_everybody_to_read() {
        let from = target("rtsp://u:p@h/x");
        let same = from.redirected("rtsp://H:8554/y").unwrap();
        assert!(same.basic && same.credentials == from.credentials);
        let other = from.redirected("rtsp://other/y").unwrap();
        assert!(!other.basic && other.credentials == from.credentials);
        assert!(!other.redirected("rtsp://other/z").unwrap().basic);
        let told = from.redirected("rtsp://v:q@other/y").unwrap();
        assert!(told.basic && told.credentials != from.credentials);
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        assert!(
            target("rtsps://h/x")
                .redirected("rtsp://h/x")
                .is_err_and(|f| f.reason == Reason::Tls)
        );
        assert!(
            target("rtsp://h/x")
                .redirected("/x")
                .is_err_and(|f| f.reason == Reason::Protocol)
        );
    }

    #[test]
    fn nothing_shows_the_password() {
        let shown = format!("{:?}", camera("rtsp://u:hunter2@h/x"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
