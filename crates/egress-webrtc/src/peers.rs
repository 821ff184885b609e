//! All viewers: who a datagram is from, and who is to be forgotten.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::batch::Batch;
use crate::ended::Ended;
use crate::figures::Counted;
use crate::ice::Path;
use crate::peer::Peer;
use crate::socket::Sockets;
use crate::stun::{self, Request};

/// The most viewers that have not connected yet. Who floods us with offers fills this, not the memory.
const MAX_JOINING: usize = 2_000;
/// How often time passes for viewers: a tenth of DTLS's first pause.
const TICK: Duration = Duration::from_millis(100);
/// For those whose media flows it passes each time of so many.
const CALM: u32 = 5;

/// All viewers.
#[derive(Debug, Default)]
pub(crate) struct Peers(RwLock<Maps>);

#[derive(Debug, Default)]
struct Maps {
    ids: HashMap<String, Arc<Peer>>,
    ufrags: HashMap<String, Arc<Peer>>,
    paths: HashMap<Path, Arc<Peer>>,
}

impl Peers {
    /// Takes in a viewer, unless too many are joining.
    pub(crate) fn add(&self, peer: &Arc<Peer>) -> bool {
        let mut maps = self.write();
        if maps.ids.len() >= MAX_JOINING {
            let joining = maps
                .ids
                .values()
                .filter(|peer| !peer.session().flows())
                .count();
            if joining >= MAX_JOINING {
                return false;
            }
        }
        maps.ids.insert(peer.id.clone(), Arc::clone(peer));
        maps.note_ufrags(peer);
        true
    }

    /// The viewer with an id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Peer>> {
        self.read().ids.get(id).cloned()
    }

    /// Whether somebody's valid check came over `path`.
    pub(crate) fn knows(&self, path: Path) -> bool {
        self.read().paths.contains_key(&path)
    }

    /// Restarts the ICE session of a viewer.
    pub(crate) fn restart(&self, peer: &Arc<Peer>, ufrag: String) {
        let mut maps = self.write();
        peer.restart(ufrag);
        maps.ufrags.retain(|_, other| !Arc::ptr_eq(other, peer));
        maps.note_ufrags(peer);
    }

    /// Forgets those that are over.
    pub(crate) fn sweep(&self) {
        let mut maps = self.write();
        let gone = maps.ids.values().any(|peer| peer.is_gone());
        if gone {
            maps.ids.retain(|_, peer| !peer.is_gone());
            maps.ufrags.retain(|_, peer| !peer.is_gone());
            maps.paths.retain(|_, peer| !peer.is_gone());
        }
    }

    /// A datagram came over `path`. Answers who is to be served now.
    pub(crate) fn datagram(
        &self,
        datagram: &[u8],
        path: Path,
        now: Instant,
        batch: &mut Batch,
    ) -> Option<Arc<Peer>> {
        if stun::is_stun(datagram) {
            self.check(datagram, path, now, batch);
            return None;
        }
        let peer = self.read().paths.get(&path).cloned()?;
        peer.datagram(datagram, path, now, batch).then_some(peer)
    }

    fn check(&self, datagram: &[u8], path: Path, now: Instant, batch: &mut Batch) {
        let Some(request) = Request::parse(datagram) else {
            return;
        };
        let (peer, known) = {
            let maps = self.read();
            let Some(peer) = maps.ufrags.get(request.local).cloned() else {
                return;
            };
            let known = maps
                .paths
                .get(&path)
                .is_some_and(|other| Arc::ptr_eq(other, &peer));
            (peer, known)
        };
        peer.check(&request, path, now, batch);
        let (fresh, forgotten) = {
            let agent = &mut peer.session().agent;
            (!known && agent.knows(path), agent.take_forgotten())
        };
        if !fresh && forgotten.is_empty() {
            return;
        }
        let mut maps = self.write();
        for old in forgotten {
            if maps
                .paths
                .get(&old)
                .is_some_and(|other| Arc::ptr_eq(other, &peer))
            {
                maps.paths.remove(&old);
            }
        }
        if fresh {
            // The address is another viewer's no more: a browser uses a port again.
            maps.paths.insert(path, peer);
        }
    }

    /// Lets time pass for all viewers until `stop`; then says goodbye to them.
    pub(crate) async fn keep(&self, sockets: &Sockets, stop: CancellationToken) {
        let mut batch = Batch::default();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut count = 0_u32;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => break,
            }
            count = count.wrapping_add(1);
            let all = count.is_multiple_of(CALM);
            let whom = |peer: &Peer| all || !peer.is_calm();
            self.pass(Instant::now(), whom, sockets, &mut batch);
        }
        let now = Instant::now();
        for peer in self.all() {
            peer.end(Ended::Shutdown, now, &mut batch);
            sockets.flush(&mut batch);
        }
        self.sweep();
        // Those with data channels are heard out.
        while !self.all().is_empty() {
            ticks.tick().await;
            self.pass(Instant::now(), |_| true, sockets, &mut batch);
        }
    }

    /// Lets time pass for those viewers, and forgets those that are over.
    pub(crate) fn pass(
        &self,
        now: Instant,
        whom: impl Fn(&Peer) -> bool,
        sockets: &Sockets,
        batch: &mut Batch,
    ) {
        let peers: Vec<Arc<Peer>> = {
            let maps = self.read();
            let those = maps.ids.values().filter(|peer| whom(peer));
            those.cloned().collect()
        };
        for peer in peers {
            // A defect that one viewer meets must not end the time of all.
            if catch_unwind(AssertUnwindSafe(|| peer.time(now, batch))).is_err() {
                tracing::error!("a viewer made the server panic; it is sent away");
                batch.clear();
                peer.end(Ended::Broken(Error::Defect), now, batch);
            }
            sockets.flush(batch);
        }
        self.sweep();
    }

    /// Counts them: those who have not connected, who get keyframes alone, and who get media by TCP.
    pub(crate) fn count(&self, counted: &mut Counted) {
        for peer in self.all().iter().filter(|peer| !peer.is_over()) {
            let session = peer.session();
            counted.joining += u64::from(!session.flows());
            counted.keyframes_alone += u64::from(session.rests());
            let path = session.agent.selected().filter(|_| session.flows());
            counted.by_tcp += u64::from(path.is_some_and(|path| path.tcp.is_some()));
        }
    }

    /// How many paths lead to them.
    #[cfg(test)]
    pub(crate) fn paths(&self) -> usize {
        self.read().paths.len()
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.read().ids.len()
    }

    fn all(&self) -> Vec<Arc<Peer>> {
        self.read().ids.values().cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn note_ufrags(&mut self, peer: &Arc<Peer>) {
        for ufrag in peer.session().agent.ufrags() {
            self.ufrags.insert(ufrag.to_owned(), Arc::clone(peer));
        }
    }
}
