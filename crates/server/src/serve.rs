//! Which parts run, and how they end.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use demo_camera::DemoCamera;
use egress_webrtc::{Offers, WebRtc};
use hub::Registry;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Api};
use crate::cli::{DemoUser, LogOptions, Serve};
use crate::compat::{self, Compat};
use crate::config::{self, Config, Environment, Keeper, Level, LogFormat};
use crate::doors::Doors;
use crate::events::{self, Journal};
use crate::http::{Assets, Entry, Front, Guard, Room, raise_open_files, router};
use crate::latest::Latest;
use crate::live::{self, Live, Said};
use crate::logging::{self, LogControl};
use crate::ops::{self, Ops, Readiness};
use crate::origin::Origin;
use crate::rtsp::Rtsp;
use crate::service;

/// Whoever starts us may pass on a signal that we got as well, so that it comes twice: only a later one means
/// that we shall not take our time.
const IMPATIENCE: Duration = Duration::from_millis(500);

/// Serves what `wanted` asks for until the process is told to stop.
pub(crate) fn run(wanted: &Serve) -> anyhow::Result<()> {
    let origin = Origin::of(wanted, Environment::of_process())?;
    let log = &origin.loaded.config.log;
    let filter = wanted.log.filter.as_deref();
    let log = logging::start(filter, log.level, wanted.log.format.unwrap_or(log.format))?;
    // Cameras get threads of their own: a thousand that send at the same instant hold up no answer and no viewer.
    let cameras = runtime("camera")?;
    runtime("lunette")?.block_on(serve(wanted, origin, log, cameras.handle()))
}

/// Asks the server at `address` whether it lives.
pub(crate) fn healthcheck(address: SocketAddr) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("can't start the runtime")?
        .block_on(ops::check(address))
}

/// Runs the demo camera alone until the process is told to stop.
pub(crate) fn demo_camera(
    listen: SocketAddr,
    user: Option<DemoUser>,
    log: &LogOptions,
) -> anyhow::Result<()> {
    let format = log.format.unwrap_or(LogFormat::Text);
    logging::start(log.filter.as_deref(), Level::default(), format)?;
    runtime("lunette")?.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone(), |_| std::future::ready(()))?;
        let user = user.map(|user| demo_camera::User {
            name: user.name,
            password: user.password,
        });
        let camera = DemoCamera::bind(listen, user)
            .await
            .with_context(|| format!("can't listen on {listen}"))?;
        warn_if_public(listen, "the demo camera can be reached from other machines");
        say(&format!("The demo camera is at {}", camera.url()));
        camera.serve(stop).await;
        Ok(())
    })
}

fn runtime(threads: &str) -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name(threads)
        .enable_all()
        .build()
        .context("can't start the runtime")
}

async fn serve(
    wanted: &Serve,
    origin: Origin,
    log: LogControl,
    cameras: &Handle,
) -> anyhow::Result<()> {
    origin.warn();
    let cameras_stop = CancellationToken::new();
    let origin = origin.or_demo(&cameras_stop).await?;
    let config = origin.loaded.config.clone();
    let (stop, readiness) = (CancellationToken::new(), Readiness::default());
    let said = Said::by(wanted);
    let address = said.listen(&config);
    let settings = live::Settings::of(&origin.loaded, address);
    drain_on_signal(stop.clone(), readiness.clone(), settings.drain.clone())?;
    let room = Room::new(raise_open_files(), settings.entry.clone());
    let doors = Doors::open(address, &config.tls, &room, &stop)?;
    let address = doors.address().unwrap_or(address);
    let registry = Registry::with_sources_on(cameras.clone());
    let webrtc = webrtc(settings.webrtc.subscribe(), &registry, &stop)?;
    let guard = Guard::new(&said.auth(&config), doors.are_local(), &stop)?;
    tokio::spawn(guard.clone().see_guests_off());
    let rtsp = Rtsp::new(&registry, &guard, doors.keys(), &stop);
    let plan = rtsp.plan(&config.rtsp, address.ip());
    rtsp.turn(plan.context("RTSP can't be served; see [rtsp]")?);
    let live = |compat| Live {
        said,
        log: Mutex::new(log),
        guard: guard.clone(),
        doors: doors.keys(),
        rtsp: rtsp.clone(),
        settings: settings.clone(),
        compat,
    };
    let api = control(origin, live, &registry, webrtc.offers(), &stop)?;
    let assets = match &wanted.web_dir {
        Some(directory) => Assets::Directory(Arc::from(directory.as_path())),
        None => Assets::Bundled,
    };
    let metrics = settings.metrics.clone();
    let figures = Some(webrtc.figures());
    let ops = Ops::new(registry.clone(), room, readiness, metrics, figures);
    let hls = settings.hls.subscribe();
    let parts = media(&registry, hls, &webrtc, &ops, &stop).merge(api);
    let front = Front::new(&guard, &settings.policies, ops.around());
    let app = router(registry.clone(), assets, parts, front);
    let app = Entry::before(settings.entry.clone(), app);
    warn_if_open(address, &guard);
    let (webrtc, rtsp) = (tokio::spawn(webrtc.run()), tokio::spawn(rtsp.run()));
    tell_where(address, &config, cameras);
    doors.serve(app, stop).await;
    tracing::info!(event = "stopping", "stopping");
    // Its viewers are told before their streams go.
    let _ = tokio::join!(webrtc, rtsp);
    registry.shutdown().await;
    cameras_stop.cancel();
    tracing::info!(event = "stopped", "stopped");
    Ok(())
}

/// Tells everybody who wants to know that we serve, with the pages at `address`.
fn tell_where(address: SocketAddr, config: &Config, cameras: &Handle) {
    let version = env!("LUNETTE_VERSION");
    tracing::info!(event = "serving", %address, version, "serving");
    let base = &config.server.base_path;
    say(&format!(
        "Lunette is at {}{base}/",
        url(address, config.tls.at_main_address())
    ));
    service::ready(cameras);
}

/// WebRTC as `settings` have it.
fn webrtc(
    settings: watch::Receiver<egress_webrtc::Settings>,
    registry: &Registry,
    stop: &CancellationToken,
) -> anyhow::Result<WebRtc> {
    WebRtc::bind(registry.clone(), settings, stop.clone())
        .context("WebRTC can't be served; see [webrtc] listen")
}

/// The routers of all egresses, and of operations.
pub(crate) fn media(
    registry: &Registry,
    hls: watch::Receiver<egress_hls::Settings>,
    webrtc: &WebRtc,
    ops: &Ops,
    stop: &CancellationToken,
) -> Router {
    egress_mse::router(registry.clone(), stop.clone())
        .merge(egress_hls::router(registry.clone(), hls, stop.clone()))
        .merge(webrtc.router())
        .merge(ops.router())
}

/// Puts the configuration into force, follows it until `stop`, and lets it be seen and changed over the API.
fn control(
    origin: Origin,
    live: impl FnOnce(Compat) -> Live,
    registry: &Registry,
    offers: Offers,
    stop: &CancellationToken,
) -> anyhow::Result<Router> {
    let Origin {
        file,
        text,
        loaded,
        environment,
    } = origin;
    let wanted = loaded.config.compat.clone();
    let keeper = Keeper::start(registry.clone(), environment, file, text, loaded)?;
    let journal = Journal::start(registry, &keeper, stop.clone());
    config::follow(keeper.clone(), stop.clone()).context("can't listen for signals")?;
    events::follow(&keeper, journal.clone(), stop.clone())?;
    let compat = Compat::new(registry.clone(), keeper.clone(), wanted, Some(offers));
    keeper.tell(live(compat.clone()));
    let api = Api::new(registry.clone(), keeper, journal, stop.clone());
    Ok(api::router(api).merge(compat::router(&compat, stop)))
}

/// Cancels `stop` after SIGINT, and `drain` after SIGTERM, while `readiness` says that we end.
fn drain_on_signal(
    stop: CancellationToken,
    readiness: Readiness,
    drain: Latest<Duration>,
) -> anyhow::Result<()> {
    stop_on_signal(stop, move |asked| async move {
        service::stopping();
        if asked == Asked::ByMachine {
            let drain = *drain.get();
            let seconds = drain.as_secs_f64();
            tracing::info!(event = "draining", seconds, "draining");
            readiness.drain(drain).await;
        }
    })
}

/// Who wants us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// SIGINT: somebody at a terminal, who waits for it.
    ByHand,
    /// SIGTERM: a service manager.
    ByMachine,
}

/// Cancels `stop` after a signal and whatever `before` does. Another signal, once [`IMPATIENCE`] is over, ends the
/// process at once.
fn stop_on_signal<F>(
    stop: CancellationToken,
    before: impl FnOnce(Asked) -> F + Send + 'static,
) -> anyhow::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut interrupt = signal(SignalKind::interrupt()).context("can't listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("can't listen for signals")?;
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => Asked::ByHand,
                _ = terminate.recv() => Asked::ByMachine,
            }
        };
        let asked = next().await;
        let first = Instant::now();
        tokio::spawn(async move {
            before(asked).await;
            stop.cancel();
        });
        loop {
            next().await;
            if first.elapsed() > IMPATIENCE {
                std::process::exit(1);
            }
        }
    });
    Ok(())
}

/// Says what those can do who reach `address` and say nothing of who they are.
pub(crate) fn warn_if_open(address: SocketAddr, guard: &Guard) {
    let anonymous = guard.anonymous();
    if address.ip().is_loopback() {
        return;
    }
    let may = |action| anonymous.allow_some(action);
    if may(auth::Action::Control) {
        tracing::warn!(%address, "everybody who can reach this address can change everything: `auth.anonymous` holds \"control\"");
    } else if may(auth::Action::Watch) {
        tracing::warn!(%address, "everybody who can reach this address can watch: `auth.anonymous` holds \"watch\"");
    }
    if !guard.has_credentials() {
        tracing::warn!(%address, "nobody can control this server, and only those can watch whom `auth.anonymous` lets: there are no credentials in `auth.users`, `auth.keys`, `auth.jwt` or `auth.token_backend` (docs/auth.md)");
    }
}

fn warn_if_public(address: SocketAddr, what: &'static str) {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "{what}");
    }
}

/// The URL at which `address` is reached from this machine.
fn url(mut address: SocketAddr, tls: bool) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => [127, 0, 0, 1].into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Tells the person at the terminal; nothing is lost if nobody is there.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_to_open_is_one_that_can_be_opened() {
        assert_eq!(
            url(SocketAddr::from(([0, 0, 0, 0], 80)), false),
            "http://127.0.0.1:80"
        );
        assert_eq!(
            url(SocketAddr::from(([10, 0, 0, 1], 8083)), true),
            "https://10.0.0.1:8083"
        );
    }
}
