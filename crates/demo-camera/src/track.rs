use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, BytesMut};
use media::rtcp::{NtpTime, SenderReport, write_cname};
use media::rtp::{HEADER_SIZE, Header, Packetizer, Payload};
use media::time::nanos_to_ticks;
use media::{Error, Frame};
use rtsp::Interleaved;
use tokio::net::UdpSocket;

/// The largest RTP payload: what fits an Ethernet frame with IPv6, UDP and RTP headers, and a little room.
const MAX_PAYLOAD: usize = 1400;
/// How often a pair of neighbouring ports is looked for.
const PORT_TRIES: usize = 32;
const CNAME: &str = "lunette-demo-camera";

/// One track on its way to one client.
#[derive(Debug)]
pub(crate) struct Sender {
    packetizer: Packetizer,
    payload_type: u8,
    clock: u32,
    ssrc: u32,
    sequence: u16,
    /// The RTP timestamp at which the clip began.
    origin: u32,
    packets: u32,
    octets: u32,
    carrier: Carrier,
}

/// What carries a track's packets.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// The RTSP connection, on these channels.
    Tcp {
        /// The channel of the media.
        rtp: u8,
        /// The channel of the reports.
        rtcp: u8,
    },
    /// Datagrams between these sockets and those that they are connected to.
    Udp {
        /// For the media.
        rtp: UdpSocket,
        /// For the reports.
        rtcp: UdpSocket,
    },
}

impl Sender {
    /// Sends frames like `first` by `carrier`, with random beginnings as RFC 3550 §5.1 wants them.
    pub(crate) fn new(first: &Frame, payload_type: u8, carrier: Carrier) -> Result<Self, Error> {
        Ok(Self {
            packetizer: Packetizer::new(&first.format, MAX_PAYLOAD)?,
            payload_type,
            clock: first.format.clock_rate(),
            ssrc: fastrand::u32(..),
            sequence: fastrand::u16(..),
            origin: fastrand::u32(..),
            packets: 0,
            octets: 0,
            carrier,
        })
    }

    /// The synchronisation source of the packets.
    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The sequence number of the next packet.
    pub(crate) fn sequence(&self) -> u16 {
        self.sequence
    }

    /// The RTP timestamp of `ticks` since the clip began.
    pub(crate) fn timestamp(&self, ticks: i64) -> u32 {
        self.origin.wrapping_add(ticks as u32)
    }

    /// Whether something came from the client on this track's own sockets. It is not looked at further.
    pub(crate) fn heard(&self) -> bool {
        let Carrier::Udp { rtp, rtcp } = &self.carrier else {
            return false;
        };
        let mut rest = [0; 64];
        let mut heard = false;
        for socket in [rtp, rtcp] {
            while socket.try_recv(&mut rest).is_ok() {
                heard = true;
            }
        }
        heard
    }

    /// Sends `frame`, whose place is `ticks` after the clip began: into `out`, or as datagrams.
    pub(crate) fn send(&mut self, frame: &Frame, ticks: i64, out: &mut BytesMut) {
        let timestamp = self.timestamp(ticks);
        let (ssrc, payload_type) = (self.ssrc, self.payload_type);
        let Self {
            packetizer,
            carrier,
            sequence,
            packets,
            octets,
            ..
        } = self;
        packetizer.packetize(frame, |payload| {
            let header = Header {
                marker: payload.marker,
                payload_type,
                sequence: *sequence,
                timestamp: timestamp.wrapping_add(payload.offset),
                ssrc,
            };
            carrier.packet(header, &payload, out);
            *sequence = sequence.wrapping_add(1);
            *packets = packets.wrapping_add(1);
            *octets = octets.wrapping_add(payload.size() as u32);
        });
    }

    /// Sends a report that pairs `wallclock`, in nanoseconds since the Unix epoch, with `nanos` since the
    /// clip began.
    pub(crate) fn report(&mut self, wallclock: i64, nanos: i64, out: &mut BytesMut) {
        let report = SenderReport {
            ssrc: self.ssrc,
            ntp: NtpTime::from_unix_nanos(wallclock),
            rtp: self.timestamp(nanos_to_ticks(nanos, self.clock)),
            packets: self.packets,
            octets: self.octets,
        };
        let mut packet = BytesMut::with_capacity(128);
        report.write(&mut packet);
        write_cname(self.ssrc, CNAME, &mut packet);
        match &self.carrier {
            Carrier::Tcp { rtcp, .. } => {
                // A report is far shorter than what a frame can hold.
                let _ = Interleaved::write(*rtcp, &packet, out);
            }
            Carrier::Udp { rtcp, .. } => {
                let _ = rtcp.try_send(&packet);
            }
        }
    }
}

impl Carrier {
    /// Datagrams from two neighbouring ports of `local`, the first one even (RFC 3550 §11), to two of `peer`.
    pub(crate) async fn udp(local: IpAddr, peer: IpAddr, ports: (u16, u16)) -> io::Result<Self> {
        let (rtp, rtcp) = pair(local).await?;
        rtp.connect((peer, ports.0)).await?;
        rtcp.connect((peer, ports.1)).await?;
        Ok(Self::Udp { rtp, rtcp })
    }

    /// The ports that the datagrams come from.
    pub(crate) fn server_port(&self) -> Option<(u16, u16)> {
        let Self::Udp { rtp, rtcp } = self else {
            return None;
        };
        let port = |socket: &UdpSocket| socket.local_addr().map(|address| address.port()).ok();
        Some((port(rtp)?, port(rtcp)?))
    }

    fn packet(&self, header: Header, payload: &Payload, out: &mut BytesMut) {
        let header = header.to_bytes();
        match self {
            Self::Tcp { rtp, .. } => {
                let size = HEADER_SIZE + payload.size();
                let Ok(frame) = Interleaved::header(*rtp, size) else {
                    return;
                };
                out.reserve(frame.len() + size);
                out.put_slice(&frame);
                out.put_slice(&header);
                out.put_slice(&payload.header);
                out.put_slice(&payload.body);
            }
            Self::Udp { rtp, .. } => {
                let mut packet = [0; HEADER_SIZE + MAX_PAYLOAD];
                let mut rest = &mut packet[..];
                for part in [&header[..], &payload.header, &payload.body] {
                    rest.put_slice(part);
                }
                let size = HEADER_SIZE + payload.size();
                // A full buffer or a client that is gone: the packet is lost, as packets may be.
                let _ = rtp.try_send(&packet[..size]);
            }
        }
    }
}

async fn pair(local: IpAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let mut last = None;
    for _ in 0..PORT_TRIES {
        let first = UdpSocket::bind(SocketAddr::new(local, 0)).await?;
        let port = first.local_addr()?.port();
        let (even, other) = (port & !1, port ^ 1);
        match UdpSocket::bind(SocketAddr::new(local, other)).await {
            Ok(second) if port == even => return Ok((first, second)),
            Ok(second) => return Ok((second, first)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no two neighbouring ports are free")))
}
