//! The RTSP server: where it listens, and its connections in TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use egress_rtsp::{Door, RtspServer};
use hub::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Rtsp;
use crate::doors::Keys;
use crate::http::Guard;

/// How long no connection is accepted after one could not be, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many handshakes are under way at once at most.
const MAX_HANDSHAKES: usize = 64;

/// Starts what `settings` ask for, at `server` if they name no address, until `stop`. Connections in TLS see the certificate of
/// `keys`. What is returned ends when all viewers were told.
pub(crate) fn start(
    settings: &Rtsp,
    server: SocketAddr,
    registry: &Registry,
    guard: &Guard,
    keys: Keys,
    stop: &CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let Some(wanted) = settings.settings(server.ip()) else {
        return Ok(tokio::spawn(std::future::ready(())));
    };
    let gate = Arc::new(guard.clone());
    let rtsp = RtspServer::bind(registry.clone(), wanted, gate, stop.clone())
        .context("RTSP can't be served; see [rtsp]")?;
    let address = rtsp.address().context("RTSP can't be served")?;
    tracing::info!(event = "serving_rtsp", %address, "serving RTSP");
    if let Some(address) = settings.tls_listen {
        encrypted(address, rtsp.door(), keys, stop.clone())
            .with_context(|| format!("`rtsp.tls_listen`: can't listen on {address}"))?;
    }
    Ok(tokio::spawn(rtsp.run()))
}

/// Accepts connections in TLS at `address` until `stop`.
fn encrypted(
    address: SocketAddr,
    door: Door,
    keys: Keys,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    tracing::info!(event = "serving_rtsps", address = %listener.local_addr()?, "serving RTSP in TLS");
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Who waits for its turn waits in the kernel.
            let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else {
                return;
            };
            let (door, keys) = (door.clone(), keys.clone());
            tokio::spawn(async move {
                if let Err(error) = welcome(stream, peer, &door, &keys).await {
                    tracing::debug!(%error, %peer, "an RTSP connection in TLS did not come about");
                }
                drop(turn);
            });
        }
    });
    Ok(())
}

async fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    door: &Door,
    keys: &Keys,
) -> std::io::Result<()> {
    egress_rtsp::tune(&stream)?;
    let local = stream.local_addr()?.ip();
    let none = || std::io::Error::other("there is no certificate any more");
    let tls = keys.tls().ok_or_else(none)?;
    if let Some(stream) = tls.accept(stream).await? {
        door.serve(stream, peer, local);
    }
    Ok(())
}
