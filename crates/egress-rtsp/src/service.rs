//! What connections share.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hub::{Clock, Registry};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Error;
use crate::client::{Client, Ends};
use crate::gate::Gate;
use crate::settings::{Settings, UdpPorts};
use crate::sockets::Ports;
use crate::stage::Stages;
use crate::udp::{Sessions, Udp};

/// How many connections one address may have open that were not let in anywhere.
const MAX_STRANGERS: usize = 64;

/// What all connections share, whatever the settings were when they came.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) registry: Registry,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) stages: Stages,
    /// The wall clock of reports.
    pub(crate) clock: Clock,
    pub(crate) open: TaskTracker,
    connections: AtomicUsize,
    strangers: Mutex<HashMap<IpAddr, usize>>,
    sessions: Sessions,
    /// The UDP ports that somebody is sent from.
    ports: Mutex<Vec<Weak<Ports>>>,
}

/// What connections share that came under the same settings.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) house: Arc<House>,
    pub(crate) settings: Settings,
    pub(crate) ports: Option<Arc<Ports>>,
    /// When it is cancelled, viewers are told that it is over.
    pub(crate) stop: CancellationToken,
}

/// A place among all connections.
#[derive(Debug)]
struct Slot(Arc<House>);

/// A place among the connections of an address that were not let in anywhere.
pub(crate) struct Stranger {
    house: Arc<House>,
    address: IpAddr,
}

impl House {
    pub(crate) fn new(registry: Registry, gate: Arc<dyn Gate>) -> Self {
        Self {
            registry,
            gate,
            stages: Stages::default(),
            clock: Clock::now(),
            open: TaskTracker::new(),
            connections: AtomicUsize::new(0),
            strangers: Mutex::default(),
            sessions: Sessions::default(),
            ports: Mutex::default(),
        }
    }

    /// The UDP ports that are wanted at `ip`: those that are there, or new ones.
    pub(crate) fn ports(&self, ip: IpAddr, wanted: UdpPorts) -> Result<Arc<Ports>, Error> {
        let mut known = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|ports| ports.strong_count() > 0);
        let used: Vec<_> = known.iter().filter_map(Weak::upgrade).collect();
        if let Some(same) = used.iter().find(|ports| ports.are(ip, wanted)) {
            return Ok(Arc::clone(same));
        }
        let ports = Arc::new(Ports::bind(ip, wanted, &self.sessions, &used)?);
        known.push(Arc::downgrade(&ports));
        Ok(ports)
    }

    fn strangers(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // A count is whole at any moment.
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    pub(crate) fn udp(&self) -> Option<&Arc<Udp>> {
        self.ports.as_ref().map(|ports| &ports.udp)
    }

    /// Serves a client. False if there is no room for it.
    pub(crate) fn serve<S>(self: &Arc<Self>, io: S, ends: Ends) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
    {
        let stranger = Stranger::enter(&self.house, ends.peer.ip());
        let slot = Slot::take(&self.house, self.settings.max_connections);
        let (Some(stranger), Some(slot)) = (stranger, slot) else {
            tracing::debug!(peer = %ends.peer, "there is no room for an RTSP connection");
            return false;
        };
        let client = Client::new(Arc::clone(self), io, ends, stranger);
        self.house.open.spawn(serve(client, slot));
        true
    }
}

async fn serve<S>(client: Client<S>, slot: Slot)
where
    S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
{
    client.run().await;
    drop(slot);
}

impl Slot {
    fn take(house: &Arc<House>, most: usize) -> Option<Self> {
        let more = |count| (count < most).then_some(count + 1);
        let count = &house.connections;
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Self(Arc::clone(house)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stranger {
    fn enter(house: &Arc<House>, address: IpAddr) -> Option<Self> {
        let mut strangers = house.strangers();
        let count = strangers.entry(address).or_insert(0);
        (*count < MAX_STRANGERS).then(|| {
            *count += 1;
            Self {
                house: Arc::clone(house),
                address,
            }
        })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut strangers = self.house.strangers();
        if let Some(count) = strangers.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                strangers.remove(&self.address);
            }
        }
    }
}
