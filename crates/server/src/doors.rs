//! Where the HTTP side is reached: at `server.listen`, at `tls.listen` where there is one, and at `tls.redirect`; and how that
//! changes while it is.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::ServerTls;
use crate::http::{App, Listener, Mover, Room, Seat};
use crate::tls::{self, Tls};

/// What is listened on.
#[derive(Debug)]
pub(crate) struct Doors {
    main: Listener,
    /// TLS, where it has an address of its own.
    secure: Listener,
    redirect: Listener,
    keys: Keys,
}

/// Moves the doors while they are open. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    main: Mover,
    secure: Mover,
    redirect: Mover,
    /// The port that plain HTTP is sent to.
    port: Arc<AtomicU16>,
    stop: CancellationToken,
    now: Mutex<Now>,
}

/// Where the doors are, as it was asked for.
#[derive(Debug)]
struct Now {
    address: Option<SocketAddr>,
    settings: ServerTls,
    tls: Option<Kept>,
}

/// TLS that is kept up to date as long as this is there.
#[derive(Debug)]
struct Kept {
    tls: Tls,
    /// Ends with this.
    upkeep: DropGuard,
}

/// Where the doors could be. All that may fail is done; dropped, nothing happened.
#[derive(Debug)]
pub(crate) struct Plan {
    address: SocketAddr,
    settings: ServerTls,
    main: Place,
    secure: Place,
    redirect: Place,
    tls: Certificates,
}

#[derive(Debug)]
enum Certificates {
    Stay,
    Become(Option<Kept>),
}

#[derive(Debug)]
enum Place {
    Stays,
    Closes,
    New(Seat),
}

/// Why the doors can't be where they should.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Stuck {
    /// The keys of the setting that is to blame.
    pub(crate) key: &'static [&'static str],
    message: String,
}

impl Doors {
    /// Listens on `address`, and wherever `settings` want it, with `room` for all who come.
    pub(crate) fn open(
        address: SocketAddr,
        settings: &ServerTls,
        room: &Room,
        stop: &CancellationToken,
    ) -> Result<Self, Stuck> {
        let [main, secure, redirect] = [(); 3].map(|()| Listener::at(None, room.clone()));
        let keys = Keys(Arc::new(Inner {
            main: main.mover(),
            secure: secure.mover(),
            redirect: redirect.mover(),
            port: Arc::default(),
            stop: stop.clone(),
            now: Mutex::new(Now {
                address: None,
                settings: ServerTls::default(),
                tls: None,
            }),
        }));
        keys.turn(keys.plan(address, settings)?);
        Ok(Self {
            main,
            secure,
            redirect,
            keys,
        })
    }

    /// What moves them.
    pub(crate) fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// The address of `server.listen`.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.keys.0.main.seat()?.address().ok()
    }

    /// Whether only this machine can come in.
    pub(crate) fn are_local(&self) -> bool {
        let now = self.keys.now();
        is_local(now.address, now.settings.listen)
    }

    /// Serves `app` until `stop`, and what is under way to its end.
    pub(crate) async fn serve(self, app: impl App, stop: CancellationToken) {
        let redirect = tls::redirect(Arc::clone(&self.keys.0.port));
        tokio::join!(
            self.main.serve(app.clone(), stop.clone()),
            self.secure.serve(app, stop.clone()),
            self.redirect.serve(redirect, stop)
        );
    }
}

impl Keys {
    /// Gets ready to be at `address`, and wherever `settings` want it. Needs a tokio runtime.
    ///
    /// # Errors
    /// An address that can't be listened on; a certificate, or an authority for one, that can't be used.
    pub(crate) fn plan(&self, address: SocketAddr, settings: &ServerTls) -> Result<Plan, Stuck> {
        let now = self.now();
        let place = |is: Option<SocketAddr>, wanted: Option<SocketAddr>, key| match wanted {
            wanted if wanted == is => Ok(Place::Stays),
            None => Ok(Place::Closes),
            Some(wanted) => match Seat::bind(wanted, &self.sockets()) {
                Ok(seat) => Ok(Place::New(seat)),
                Err(error) => Err(Stuck::at(key, wanted, &error)),
            },
        };
        Ok(Plan {
            address,
            main: place(now.address, Some(address), &["server", "listen"])?,
            secure: place(now.settings.listen, settings.listen, &["tls", "listen"])?,
            redirect: place(
                now.settings.redirect,
                settings.redirect,
                &["tls", "redirect"],
            )?,
            tls: if now.settings.shows_the_same(settings) {
                Certificates::Stay
            } else {
                Certificates::Become(self.certificates(settings)?)
            },
            settings: settings.clone(),
        })
    }

    /// Does what was planned. Connections stay. Where `server.listen` is now, if that is another place than before.
    pub(crate) fn turn(&self, plan: Plan) -> Option<SocketAddr> {
        let mut now = self.now();
        match (&mut now.tls, plan.tls) {
            (_, Certificates::Stay) => {}
            (Some(kept), Certificates::Become(Some(other))) => {
                kept.tls.turn_into(&other.tls);
                kept.upkeep = other.upkeep;
            }
            (place, Certificates::Become(other)) => *place = other,
        }
        now.address = Some(plan.address);
        now.settings = plan.settings;
        let tls = now.tls.as_ref().map(|kept| kept.tls.clone());
        let at_main = now.settings.at_main_address();
        let inner = &*self.0;
        let moves = matches!(plan.main, Place::New(_));
        inner.main.go(plan.main, tls.clone().filter(|_| at_main));
        inner.secure.go(plan.secure, tls);
        let secure = if at_main { &inner.main } else { &inner.secure };
        if let Some(Ok(address)) = secure.seat().map(|seat| seat.address()) {
            inner.port.store(address.port(), Ordering::Relaxed);
        }
        inner.redirect.go(plan.redirect, None);
        let main = inner.main.seat().filter(|_| moves);
        main.and_then(|seat| seat.address().ok())
    }

    /// TLS as it is now, for those that have an address of their own.
    pub(crate) fn tls(&self) -> Option<Tls> {
        self.now().tls.as_ref().map(|kept| kept.tls.clone())
    }

    /// What certificates there are, and how they are kept up to date.
    fn certificates(&self, settings: &ServerTls) -> Result<Option<Kept>, Stuck> {
        let upkeep = self.0.stop.child_token();
        let started = Tls::start(settings, &upkeep).map_err(|error| Stuck {
            key: &["tls"],
            message: format!("{error:#}"),
        })?;
        Ok(started.map(|tls| Kept {
            tls,
            upkeep: upkeep.drop_guard(),
        }))
    }

    fn sockets(&self) -> Vec<Arc<tokio::net::TcpListener>> {
        let inner = &*self.0;
        let movers = [&inner.main, &inner.secure, &inner.redirect];
        movers.into_iter().filter_map(Mover::socket).collect()
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// Whether only this machine could come in.
    pub(crate) fn is_local(&self) -> bool {
        are_local(self.address, &self.settings)
    }
}

/// Whether only this machine could come in at `address`, and wherever `settings` want it.
pub(crate) fn are_local(address: SocketAddr, settings: &ServerTls) -> bool {
    is_local(Some(address), settings.listen)
}

fn is_local(main: Option<SocketAddr>, secure: Option<SocketAddr>) -> bool {
    let mut both = main.into_iter().chain(secure);
    both.all(|address| address.ip().is_loopback())
}

impl Mover {
    fn go(&self, place: Place, tls: Option<Tls>) {
        match place {
            Place::Stays => {
                if let Some(seat) = self.seat() {
                    self.place(Some(seat.with_tls(tls)));
                }
            }
            Place::Closes => self.place(None),
            Place::New(seat) => self.place(Some(seat.with_tls(tls))),
        }
    }
}

impl Stuck {
    fn at(key: &'static [&'static str], address: SocketAddr, error: &io::Error) -> Self {
        let message = format!("can't listen on {address}: {error}");
        Self { key, message }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::latest::Latest;

    fn room() -> Room {
        Room::new(None, Latest::default())
    }

    /// What is answered to a request at `address`; nothing where nobody listens.
    async fn ask(stream: &mut TcpStream) -> String {
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = [0; 512];
        let n = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..n]).into_owned()
    }

    /// A connection to a listener that is about to move there.
    async fn connect(address: SocketAddr) -> TcpStream {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn refused(address: SocketAddr) {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn certificate(folder: &std::path::Path, name: &str) -> ServerTls {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let settings = ServerTls {
            certificate: Some(folder.join(format!("{name}.pem"))),
            key: Some(folder.join(format!("{name}.key"))),
            ..ServerTls::default()
        };
        let files = settings.files().unwrap();
        std::fs::write(files.certificate, made.cert.pem()).unwrap();
        std::fs::write(files.key, made.signing_key.serialize_pem()).unwrap();
        settings
    }

    #[tokio::test]
    async fn doors_move_while_people_are_inside_and_stay_where_they_are_if_they_can_not() {
        let stop = CancellationToken::new();
        let plain = ServerTls::default();
        let doors = Doors::open(([127, 0, 0, 1], 0).into(), &plain, &room(), &stop).unwrap();
        let (keys, first) = (doors.keys(), doors.address().unwrap());
        let app = Router::new().route("/", get(|| async { "hello" }));
        let served = tokio::spawn(doors.serve(app, stop.clone()));
        let mut inside = connect(first).await;
        assert!(ask(&mut inside).await.ends_with("hello"));

        // All addresses, with the same port: the old one is among them.
        let all = SocketAddr::from(([0, 0, 0, 0], first.port()));
        let plan = keys.plan(all, &plain).unwrap();
        assert!(!plan.is_local());
        keys.turn(plan);
        let elsewhere = SocketAddr::from(([127, 0, 0, 9], first.port()));
        assert!(ask(&mut connect(elsewhere).await).await.ends_with("hello"));
        assert!(ask(&mut connect(first).await).await.ends_with("hello"));
        assert!(
            ask(&mut inside).await.ends_with("hello"),
            "connections stay"
        );
        assert!(TcpListener::bind(all).await.is_err(), "nobody else listens");

        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = taken.local_addr().map(|address| (address, taken)).unwrap();
        let stuck = keys.plan(taken.0, &plain).unwrap_err();
        assert_eq!(stuck.key, ["server", "listen"]);
        assert!(stuck.to_string().contains("in use"), "{stuck}");
        assert!(ask(&mut connect(first).await).await.ends_with("hello"));

        // And back.
        keys.turn(keys.plan(first, &plain).unwrap());
        refused(elsewhere).await;
        assert!(ask(&mut connect(first).await).await.ends_with("hello"));

        stop.cancel();
        drop(inside);
        served.await.unwrap();
        refused(first).await;
    }

    #[tokio::test]
    async fn tls_comes_and_goes_and_shows_another_certificate() {
        let (stop, folder) = (CancellationToken::new(), tempfile::tempdir().unwrap());
        let plain = ServerTls::default();
        let doors = Doors::open(([127, 0, 0, 1], 0).into(), &plain, &room(), &stop).unwrap();
        let (keys, address) = (doors.keys(), doors.address().unwrap());
        let app = Router::new().route("/", get(|| async { "hello" }));
        let served = tokio::spawn(doors.serve(app, stop.clone()));

        let one = certificate(folder.path(), "one.lan");
        keys.turn(keys.plan(address, &one).unwrap());
        while !ask(&mut connect(address).await).await.contains("400") {}
        let kept = keys.now().tls.as_ref().unwrap().tls.clone();
        let before = kept.shown();

        // With a redirect, and another certificate in the very same TLS.
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let aside = port.local_addr().unwrap();
        drop(port);
        let two = ServerTls {
            redirect: Some(aside),
            ..certificate(folder.path(), "two.lan")
        };
        keys.turn(keys.plan(address, &two).unwrap());
        assert!(!Arc::ptr_eq(&before, &kept.shown()));
        let told = ask(&mut connect(aside).await).await;
        assert!(
            told.contains(&format!("https://localhost:{}/", address.port())),
            "{told}"
        );

        keys.turn(keys.plan(address, &plain).unwrap());
        while !ask(&mut connect(address).await).await.ends_with("hello") {}
        refused(aside).await;
        stop.cancel();
        served.await.unwrap();
    }
}
