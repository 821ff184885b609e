//! Where the HTTP side is reached: at `server.listen`, at `tls.listen` where there is one, and at `tls.redirect`.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::config::ServerTls;
use crate::http::{App, Listener, Slots};
use crate::tls::{self, Tls};

/// The sockets that are listened on.
#[derive(Debug)]
pub(crate) struct Doors {
    main: Listener,
    /// TLS, where it has an address of its own.
    secure: Option<Listener>,
    tls: Option<Tls>,
}

impl Doors {
    /// Listens on `address`, and wherever `settings` want it. `files` is how many open files the system allows.
    pub(crate) fn open(
        address: SocketAddr,
        settings: &ServerTls,
        files: Option<u64>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let main =
            Listener::bind(address, files).with_context(|| format!("can't listen on {address}"))?;
        let tls = Tls::start(settings, stop)?;
        let doors = match settings.listen {
            None => Self {
                main: main.with_tls(tls.clone()),
                secure: None,
                tls,
            },
            Some(beside) => {
                let secure = Listener::bind(beside, files)
                    .with_context(|| format!("`tls.listen`: can't listen on {beside}"))?;
                Self {
                    main,
                    secure: Some(secure.with_tls(tls.clone())),
                    tls,
                }
            }
        };
        doors.redirect(settings, files, stop)?;
        Ok(doors)
    }

    /// The address of `server.listen`.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.main.address().ok()
    }

    /// TLS for those that have an address of their own.
    pub(crate) fn tls(&self) -> Option<Tls> {
        self.tls.clone()
    }

    /// Whether only this machine can come in.
    pub(crate) fn are_local(&self) -> bool {
        let local = |door: &Listener| door.address().is_ok_and(|at| at.ip().is_loopback());
        local(&self.main) && self.secure.as_ref().is_none_or(local)
    }

    /// How many connections there are and may be at `server.listen`.
    pub(crate) fn slots(&self) -> Slots {
        self.main.slots()
    }

    /// Serves `app` until `stop`, and what is under way to its end.
    pub(crate) async fn serve(self, app: impl App, stop: CancellationToken) {
        let Some(secure) = self.secure else {
            return self.main.serve(app, stop).await;
        };
        tokio::join!(
            self.main.serve(app.clone(), stop.clone()),
            secure.serve(app, stop)
        );
    }

    /// Tells plain HTTP where TLS is, if `settings` say that it should be told.
    fn redirect(
        &self,
        settings: &ServerTls,
        files: Option<u64>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let Some(plain) = settings.redirect else {
            return Ok(());
        };
        let secure = self.secure.as_ref().unwrap_or(&self.main);
        let port = secure.address().context("an address is lost")?.port();
        let listener = Listener::bind(plain, files)
            .with_context(|| format!("`tls.redirect`: can't listen on {plain}"))?;
        tokio::spawn(listener.serve(tls::redirect(port), stop.clone()));
        Ok(())
    }
}
