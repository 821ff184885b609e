//! How what runs follows the configuration. Streams are the [`Keeper`](crate::config::Keeper)'s own; webhooks follow by themselves.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::cli::Serve;
use crate::compat::Compat;
use crate::config::{Author, Config, Follower, Given, Issue, Loaded, LogFormat};
use crate::doors::{self, Keys, Stuck};
use crate::http::{Entry, Guard, Policies};
use crate::latest::Latest;
use crate::logging::LogControl;
use crate::ops;
use crate::rtsp::Rtsp;
use crate::serve::warn_if_open;

/// What the command line says, which counts more.
#[derive(Debug)]
pub(crate) struct Said {
    listen: Option<SocketAddr>,
    anonymous: Vec<auth::Grant>,
    filter: bool,
    format: Option<LogFormat>,
}

impl Said {
    pub(crate) fn by(wanted: &Serve) -> Self {
        Self {
            listen: wanted.listen,
            anonymous: wanted.anonymous.clone(),
            filter: wanted.log.filter.is_some(),
            format: wanted.log.format,
        }
    }

    /// The settings that it says something else of.
    fn given(&self) -> Vec<Given> {
        let option = |name: &str| format!("`{name}` of the command line");
        let listen = self
            .listen
            .map(|_| Given::new(option("--listen"), ["server", "listen"]));
        let format = self
            .format
            .map(|_| Given::new(option("--log-format"), ["log", "format"]));
        let anonymous = (!self.anonymous.is_empty())
            .then(|| Given::new(option("--anonymous"), ["auth", "anonymous"]));
        let by = "`--log` of the command line, or the environment variable RUST_LOG";
        let level = self.filter.then(|| Given::new(by, ["log", "level"]));
        let all = [listen, anonymous, format, level];
        all.into_iter().flatten().collect()
    }

    /// Where to listen.
    pub(crate) fn listen(&self, config: &Config) -> SocketAddr {
        self.listen.unwrap_or(config.server.listen)
    }

    /// Who may do what.
    pub(crate) fn auth(&self, config: &Config) -> crate::config::Auth {
        config.auth.clone().with_anonymous(&self.anonymous)
    }
}

/// Settings that are looked at whenever they are needed. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) entry: Latest<Entry>,
    pub(crate) policies: Latest<Policies>,
    pub(crate) metrics: ops::Settings,
    pub(crate) hls: watch::Sender<egress_hls::Settings>,
    pub(crate) webrtc: watch::Sender<egress_webrtc::Settings>,
    pub(crate) drain: Latest<Duration>,
}

impl Settings {
    /// What `loaded` says, where pages are served at `address`.
    pub(crate) fn of(loaded: &Loaded, address: SocketAddr) -> Self {
        let config = &loaded.config;
        Self {
            entry: Latest::new(entry(config)),
            policies: Latest::new(policies(config)),
            metrics: ops::Settings::new(&config.metrics),
            hls: watch::Sender::new(loaded.hls),
            webrtc: watch::Sender::new(config.webrtc.settings(address.ip())),
            drain: Latest::new(config.server.drain.0),
        }
    }

    fn adopt(&self, config: &Config, hls: egress_hls::Settings, address: SocketAddr) {
        self.entry.set(entry(config));
        self.policies.set(policies(config));
        self.metrics.adopt(&config.metrics);
        replace(&self.hls, hls);
        replace(&self.webrtc, config.webrtc.settings(address.ip()));
        self.drain.set(config.server.drain.0);
    }
}

fn policies(config: &Config) -> Policies {
    Policies::new(
        &config.server.frame_ancestors,
        &config.server.allowed_origins,
    )
}

/// Tells those who follow, if it is another value.
fn replace<T: PartialEq>(place: &watch::Sender<T>, value: T) {
    place.send_if_modified(|now| {
        let differs = *now != value;
        *now = value;
        differs
    });
}

fn entry(config: &Config) -> Entry {
    Entry {
        base: config.server.base_path.clone(),
        trusted: config.server.trusted_proxies.clone().into(),
        per_address: config.server.max_connections_per_address,
    }
}

/// All that follows.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) said: Said,
    pub(crate) log: Mutex<LogControl>,
    pub(crate) guard: Guard,
    pub(crate) doors: Keys,
    pub(crate) rtsp: Rtsp,
    pub(crate) settings: Settings,
    pub(crate) compat: Compat,
}

impl Follower for Live {
    fn listen(&self, config: &Config) -> SocketAddr {
        self.said.listen(config)
    }

    fn given(&self) -> Vec<Given> {
        self.said.given()
    }

    fn locks_out(&self, author: &Author, loaded: &Loaded) -> Option<String> {
        let config = &loaded.config;
        let local = doors::are_local(self.said.listen(config), &config.tls);
        if local && author.remote {
            return Some(
                "the server would listen on its own machine alone, and this comes from another one"
                    .to_owned(),
            );
        }
        let auth = self.said.auth(config);
        self.guard.locks_out(&author.identity, &auth, local)
    }

    fn prepare<'f>(&'f self, loaded: &Loaded) -> Result<Box<dyn FnOnce() + 'f>, Issue> {
        let (config, hls) = (loaded.config.clone(), loaded.hls);
        let told = |stuck: Stuck| Issue::at(stuck.key, stuck.to_string());
        let address = self.said.listen(&config);
        let plan = self.doors.plan(address, &config.tls).map_err(told)?;
        let rtsp = self.rtsp.plan(&config.rtsp, address.ip()).map_err(told)?;
        Ok(Box::new(move || {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.set(config.log.level);
            log.look(self.said.format.unwrap_or(config.log.format));
            drop(log);
            // Before a door opens to others.
            let auth = self.said.auth(&config);
            if let Err(error) = self.guard.configure(&auth, plan.is_local()) {
                tracing::warn!(%error, "who may do what stays as it was");
            }
            self.settings.adopt(&config, hls, address);
            self.compat.adopt(config.compat);
            if let Some(address) = self.doors.turn(plan) {
                tracing::info!(event = "serving", %address, "serving at another address");
                warn_if_open(address, &self.guard);
            }
            // Its connections in TLS show the certificate of the doors.
            self.rtsp.turn(rtsp);
        }))
    }
}
