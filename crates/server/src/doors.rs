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
        let (port, keys) = (Arc::clone(&self.keys.0.port), self.keys.clone());
        let redirect = tls::redirect(port, move |token| keys.tls()?.key_authorization(token));
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
    /// It is `message` that the setting `key` leads to.
    pub(crate) fn new(key: &'static [&'static str], message: String) -> Self {
        Self { key, message }
    }

    /// The setting `key` wants an `address` that can't be listened on.
    pub(crate) fn at(key: &'static [&'static str], address: SocketAddr, error: &io::Error) -> Self {
        Self::new(key, format!("can't listen on {address}: {error}"))
    }
}

#[cfg(test)]
pub(crate) mod tests;
