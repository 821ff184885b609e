//! DTLS with one viewer, whose certificate must be the one that its offer names: the keys of SRTP, and the way of data channels.

use std::sync::Arc;
use std::time::Instant;

use dimpl::{Config, Dtls, DtlsCertificate, Output};

use crate::Error;
use crate::ended::Ended;
use crate::sdp::Fingerprint;
use crate::srtp::Srtp;

/// The largest datagram that DTLS makes.
const DATAGRAM: usize = 2048;

/// One viewer's DTLS, from its first valid check on.
pub(crate) struct Handshake {
    fingerprint: Fingerprint,
    /// We are the DTLS client.
    client: bool,
    dtls: Option<Box<Dtls>>,
    /// When time has something to say to it.
    due: Option<Instant>,
    verified: bool,
    /// Before the handshake is over.
    keys: Option<Srtp>,
}

/// What DTLS hands out.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    /// A datagram for the viewer.
    Datagram(&'a [u8]),
    /// A packet of data channels that came from it.
    Data(&'a [u8]),
}

impl Handshake {
    /// With a viewer whose certificate has `fingerprint`, and who wants to be the server where it is `passive`.
    pub(crate) fn new(fingerprint: Fingerprint, passive: bool) -> Self {
        Self {
            fingerprint,
            client: passive,
            dtls: None,
            due: None,
            verified: false,
            keys: None,
        }
    }

    /// Whether we are the client.
    pub(crate) fn is_client(&self) -> bool {
        self.client
    }

    /// Begins, unless it has begun.
    pub(crate) fn begin(
        &mut self,
        config: &Arc<Config>,
        certificate: &DtlsCertificate,
        now: Instant,
    ) {
        if self.dtls.is_none() {
            let mut dtls = Dtls::new_12(Arc::clone(config), certificate.clone(), now);
            dtls.set_active(self.client);
            // Errors of a handshake are not the end: it has its time to succeed.
            let _ = dtls.handle_timeout(now);
            self.dtls = Some(Box::new(dtls));
        }
    }

    /// A record came.
    pub(crate) fn receive(&mut self, datagram: &[u8], now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            let _ = dtls.handle_timeout(now);
            if let Err(error) = dtls.handle_packet(datagram) {
                tracing::debug!(%error, "a DTLS record was refused");
            }
        }
    }

    /// Time has passed.
    pub(crate) fn time(&mut self, now: Instant) {
        if let (Some(dtls), Some(_)) = (&mut self.dtls, self.due.filter(|due| *due <= now)) {
            let _ = dtls.handle_timeout(now);
        }
    }

    /// Says a packet of data channels. Answers whether it will be sent.
    pub(crate) fn say(&mut self, packet: &[u8]) -> bool {
        let dtls = self.dtls.as_mut();
        dtls.is_some_and(|dtls| dtls.send_application_data(packet).is_ok())
    }

    /// Tells the viewer that it is over; what it has to say for that is still to be taken.
    pub(crate) fn close(&mut self) {
        if let Some(dtls) = &mut self.dtls {
            let _ = dtls.close();
        }
    }

    /// Nothing is said any more.
    pub(crate) fn forget(&mut self) {
        self.dtls = None;
    }

    /// Hands out what there is. Answers with the keys when the handshake has succeeded, once.
    ///
    /// # Errors
    /// Why the viewer is over: it left, or is not who its offer says.
    pub(crate) fn take(&mut self, mut tell: impl FnMut(Told<'_>)) -> Result<Option<Srtp>, Ended> {
        let Some(dtls) = &mut self.dtls else {
            return Ok(None);
        };
        let (mut buffer, mut connected) = ([0; DATAGRAM], false);
        loop {
            match dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => tell(Told::Datagram(packet)),
                Output::ApplicationData(packet) => tell(Told::Data(packet)),
                Output::Timeout(due) => {
                    self.due = Some(due);
                    break;
                }
                Output::PeerCert(certificate) => {
                    if !self.fingerprint.is_of(certificate) {
                        // Nothing more is said to whoever this is, and no keys are agreed on.
                        self.dtls = None;
                        return Err(Error::Fingerprint.into());
                    }
                    self.verified = true;
                }
                Output::KeyingMaterial(material, profile) => {
                    self.keys = Some(Srtp::new(&material, profile, self.client)?);
                }
                Output::Connected => connected = true,
                Output::CloseNotify => return Err(Ended::Left),
                Output::BufferTooSmall { .. } => {
                    return Err(Error::Dtls("a record larger than 2048 bytes".to_owned()).into());
                }
                _ => {}
            }
        }
        if !connected {
            return Ok(None);
        }
        match self.keys.take().filter(|_| self.verified) {
            Some(keys) => Ok(Some(keys)),
            None => Err(Error::Fingerprint.into()),
        }
    }
}
