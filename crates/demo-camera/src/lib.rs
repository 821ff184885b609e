//! A built-in RTSP camera that loops a short clip: a newcomer's first picture, and a peer to test with.
//!
//! Read in this order: [`DemoCamera`] (listens and serves), `clip` (the bundled film), `playhead` (which unit
//! of the endless loop comes when: pure), `session` (the RTSP session: pure), `auth` (Digest and Basic),
//! `track` (one track on its way to one client), `client` (the driver of one connection).
//!
//! It never knows the hub or an egress: to Lunette it is a camera like any other.

mod auth;
mod client;
mod clip;
mod playhead;
mod session;
mod track;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use clip::Clip;

/// The path at which the clip plays.
pub(crate) const PATH: &str = "/demo";
/// How many clients are served at once at most; further ones are turned away.
const MAX_CLIENTS: usize = 64;
/// How long no connection is accepted after one could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the demo camera can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bundled clip can't be read: a defect of this build.
    #[error("the bundled clip can't be read: {0}")]
    Clip(String),
    /// The address can't be listened on.
    #[error(transparent)]
    Listen(#[from] io::Error),
}

/// Who may watch. Its `Debug` hides the password.
#[derive(Clone)]
pub struct User {
    /// The user name.
    pub name: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An RTSP server with one path, `/demo`: H.264 and AAC over TCP and UDP, from the start of the clip for each
/// client, without end and without a seam.
#[derive(Debug)]
pub struct DemoCamera {
    listener: TcpListener,
    address: SocketAddr,
    clip: Arc<Clip>,
    user: Option<Arc<User>>,
}

impl DemoCamera {
    /// Listens on `address`; port 0 takes a free one. With `user`, clients must prove to be it.
    pub async fn bind(address: SocketAddr, user: Option<User>) -> Result<Self, Error> {
        let clip = Arc::new(Clip::bundled()?);
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            clip,
            user: user.map(Arc::new),
        })
    }

    /// The URL to watch it at, without credentials.
    pub fn url(&self) -> String {
        format!("rtsp://{}{PATH}", self.address)
    }

    /// Serves clients until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(MAX_CLIENTS));
        let mut clients = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                Some(_) = clients.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the demo camera can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                tracing::warn!(%peer, "the demo camera has too many clients");
                continue;
            };
            let (clip, user) = (Arc::clone(&self.clip), self.user.clone());
            clients.spawn(async move {
                let outcome = client::serve(stream, clip, user).await;
                tracing::debug!(%peer, ?outcome, "a client of the demo camera left");
                drop(slot);
            });
        }
    }
}
