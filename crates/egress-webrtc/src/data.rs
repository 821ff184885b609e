//! The data channels of one viewer (RFC 8831): SCTP (RFC 9260) inside DTLS, and the opening handshake (RFC 8832).
//! Time is an argument.
//!
//! Viewers open channels; we never do. On those called [`LABEL`] the state of the stream is told; what viewers say on
//! any is let pass. RTSPtoWeb's players need no more: to them a channel that closes means that the stream is over.

mod fuzz;
mod message;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::State;
use sctp_proto::{
    Association, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier as Kind, ServerConfig, StreamEvent, StreamId, TransportConfig,
};
use tokio::sync::watch;

use crate::ended::Ended;

pub(crate) use fuzz::converse;

/// What a data channel is called on which the state of the stream is told.
pub(crate) const LABEL: &[u8] = b"lunette";
/// The largest message that a viewer may send, in bytes; it is told so.
pub(crate) const MAX_MESSAGE: u32 = 4 << 10;
/// What a viewer may have sent in part, or out of order.
const MAX_RECEIVED: u32 = 16 << 10;
/// The most that waits to be sent on one channel; what would follow is told later, as it is then.
const MAX_QUEUED: usize = 8 << 10;
/// The most channels; whoever opens more loses all of them.
const MAX_OPEN: usize = 16;
/// Identifiers of streams run to this.
const MAX_STREAMS: u16 = 1024;
/// The largest SCTP packet that is read.
const MAX_PACKET: usize = 2048;
/// What SCTP may put into one packet, so that its DTLS record fits everywhere.
const MAX_PAYLOAD: u32 = 1050;
/// A viewer may send one SCTP packet in such a time, and so many at once. What is more is dropped, as a network would.
const PACKET: Duration = Duration::from_millis(100);
const MAX_CREDIT: Duration = Duration::from_secs(50);
/// SCTP has addresses of its own, which mean nothing inside DTLS.
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000));

/// RFC 8832 §5.1 and §5.2.
const DCEP_ACK: u8 = 2;
const DCEP_OPEN: u8 = 3;
const DCEP_HEADER: usize = 12;

/// The data channels of one viewer, and what is told on them.
pub(crate) struct Data {
    state: watch::Receiver<State>,
    /// What was told last.
    told: Option<State>,
    sctp: Option<Box<Sctp>>,
    /// There was an association, and it is over.
    over: bool,
    credit: Duration,
    at: Instant,
}

/// One association, made when the viewer first speaks.
struct Sctp {
    endpoint: Endpoint,
    association: Option<Association>,
    opened: Vec<Opened>,
}

/// A channel on which the state is told.
#[derive(Debug)]
struct Opened {
    id: StreamId,
    /// It knows the present state.
    told: bool,
}

impl Data {
    /// No channel yet; `state` is what will be told.
    pub(crate) fn new(state: watch::Receiver<State>, now: Instant) -> Self {
        Self {
            state,
            told: None,
            sctp: None,
            over: false,
            credit: MAX_CREDIT,
            at: now,
        }
    }

    /// Begins an association with a viewer that waits for us to (it is the server of DTLS).
    pub(crate) fn connect(&mut self) {
        let mut sctp = Sctp::new();
        let mut config = ClientConfig::new();
        config.transport = transport();
        sctp.association = sctp
            .endpoint
            .connect(config, PEER)
            .ok()
            .map(|(_, association)| association);
        self.sctp = Some(Box::new(sctp));
    }

    /// A packet came out of DTLS.
    pub(crate) fn receive(&mut self, packet: &[u8], now: Instant) {
        if self.over || packet.len() > MAX_PACKET || !self.may_send(now) {
            return;
        }
        self.sctp.get_or_insert_with(|| Box::new(Sctp::new()));
        self.contained(|sctp| sctp.receive(packet, now));
    }

    /// Whether the viewer has credit for one more packet.
    fn may_send(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.at = now;
        self.credit = (self.credit + passed).min(MAX_CREDIT);
        let left = self.credit.checked_sub(PACKET);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    /// Does what time asks for, tells what is new, and hands packets for DTLS to `send`.
    pub(crate) fn poll(&mut self, now: Instant, send: impl FnMut(&[u8])) {
        if self.sctp.is_none() {
            return;
        }
        self.tell(now);
        self.contained(|sctp| sctp.poll(now, send));
    }

    fn tell(&mut self, now: Instant) {
        let Some(sctp) = &mut self.sctp else { return };
        if self.state.has_changed().unwrap_or(false) {
            let state = self.state.borrow_and_update();
            if self.told.as_ref() != Some(&*state) {
                sctp.opened.iter_mut().for_each(|one| one.told = false);
            }
        }
        if sctp.opened.iter().all(|one| one.told) {
            return;
        }
        let state = self.state.borrow_and_update().clone();
        let text = message::state(&state, now.into());
        self.told = Some(state);
        self.contained(|sctp| sctp.say(&text));
    }

    /// Tells why it is over, and closes all channels. [`Data::is_closed`] says when the viewer knows.
    pub(crate) fn close(&mut self, why: &Ended) {
        let text = message::ended(why.reason());
        self.contained(|sctp| {
            sctp.opened.iter_mut().for_each(|one| one.told = false);
            sctp.say(&text);
            sctp.opened.clear();
            sctp.close()
        });
    }

    /// Whether no channel is open.
    pub(crate) fn is_closed(&self) -> bool {
        self.sctp.as_ref().is_none_or(|sctp| sctp.is_closed())
    }

    /// A defect that one viewer's packets meet costs it its channels, and no more.
    fn contained(&mut self, what: impl FnOnce(&mut Sctp) -> bool) {
        let Some(sctp) = &mut self.sctp else { return };
        let lives = catch_unwind(AssertUnwindSafe(|| what(sctp)));
        if lives.is_err() {
            tracing::error!("data channels made the server panic; they are closed");
        }
        if !lives.unwrap_or(false) {
            self.over = true;
            self.sctp = None;
        }
    }
}

fn transport() -> Arc<TransportConfig> {
    // Channels live as long as their DTLS, and a lost packet is not to hold up the goodbye.
    let config = TransportConfig::default()
        .with_max_receive_buffer_size(MAX_RECEIVED)
        .with_max_receive_message_size(MAX_MESSAGE)
        .with_max_num_inbound_streams(MAX_STREAMS)
        .with_max_num_outbound_streams(MAX_STREAMS)
        .with_rto_initial_ms(400)
        .with_rto_min_ms(200)
        .with_rto_max_ms(5_000);
    Arc::new(config)
}

/// The methods answer whether the association lives.
impl Sctp {
    fn new() -> Self {
        let mut config = EndpointConfig::new();
        config.max_payload_size(MAX_PAYLOAD);
        let mut server = ServerConfig::new();
        server.transport = transport();
        Self {
            endpoint: Endpoint::new(Arc::new(config), Some(Arc::new(server))),
            association: None,
            opened: Vec::new(),
        }
    }

    fn receive(&mut self, packet: &[u8], now: Instant) -> bool {
        let packet = Bytes::copy_from_slice(packet);
        match self.endpoint.handle(now, PEER, None, None, packet) {
            Some((_, DatagramEvent::NewAssociation(new))) if self.association.is_none() => {
                self.association = Some(new);
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some(association) = &mut self.association {
                    association.handle_event(event);
                }
            }
            _ => {}
        }
        self.look()
    }

    fn look(&mut self) -> bool {
        let Some(association) = &mut self.association else {
            return true;
        };
        if association.stream_ids().len() > MAX_OPEN {
            return false;
        }
        let mut lives = true;
        while let Some(event) = association.poll() {
            match event {
                Event::Stream(StreamEvent::Opened { .. }) => drop(association.accept_stream()),
                Event::Stream(StreamEvent::Readable { id }) if read(association, id) => {
                    self.opened.retain(|one| one.id != id);
                    self.opened.push(Opened { id, told: false });
                }
                Event::Stream(StreamEvent::Finished { id }) => {
                    self.opened.retain(|one| one.id != id);
                }
                Event::AssociationLost { .. } | Event::HandshakeFailed { .. } => lives = false,
                _ => {}
            }
        }
        lives
    }

    fn poll(&mut self, now: Instant, mut send: impl FnMut(&[u8])) -> bool {
        let Some(association) = &mut self.association else {
            return true;
        };
        if association.poll_timeout().is_some_and(|at| at <= now) {
            association.handle_timeout(now);
        }
        while let Some(transmit) = association.poll_transmit(now) {
            if let Payload::RawEncode(packets) = transmit.payload {
                for packet in &packets {
                    send(packet);
                }
            }
        }
        self.look()
    }

    fn say(&mut self, text: &str) -> bool {
        let Some(association) = &mut self.association else {
            return true;
        };
        for one in self.opened.iter_mut().filter(|one| !one.told) {
            let Ok(mut stream) = association.stream(one.id) else {
                continue;
            };
            let room = stream.buffered_amount().is_ok_and(|n| n < MAX_QUEUED);
            one.told = room && stream.write_with_ppi(text.as_bytes(), Kind::String).is_ok();
        }
        true
    }

    fn close(&mut self) -> bool {
        if let Some(association) = &mut self.association {
            for id in association.stream_ids() {
                // Where this fails the association does not live, and the end of DTLS says the rest.
                let _ = association.stream(id).and_then(|mut stream| stream.close());
            }
        }
        true
    }

    fn is_closed(&self) -> bool {
        let none = |association: &Association| association.stream_ids().is_empty();
        self.association.as_ref().is_none_or(none)
    }
}

/// Reads what a viewer said on one channel. Answers whether it opened one on which the state is told.
fn read(association: &mut Association, id: StreamId) -> bool {
    let mut opens = false;
    let Ok(mut stream) = association.stream(id) else {
        return false;
    };
    while let Ok(Some(message)) = stream.read_sctp() {
        let mut buffer = [0; 256];
        if message.ppi != Kind::Dcep || message.read(&mut buffer).is_err() || buffer[0] != DCEP_OPEN
        {
            continue;
        }
        opens |= label(&buffer[..message.len()]) == Some(LABEL);
        let _ = stream.write_with_ppi(&[DCEP_ACK], Kind::Dcep);
    }
    opens
}

/// The label in a message that opens a channel.
fn label(open: &[u8]) -> Option<&[u8]> {
    let size = u16::from_be_bytes(*open.get(8..)?.first_chunk()?);
    open.get(DCEP_HEADER..DCEP_HEADER + usize::from(size))
}

#[cfg(test)]
mod tests;
