//! Which addresses viewers are told. Nothing is asked of the network while a viewer waits: names and public addresses are
//! looked up beforehand, and again now and then.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{sleep, timeout};

use crate::sdp::Candidate;
use crate::settings::{Advertised, Settings};
use crate::socket::Sockets;
use crate::{random, stun};

/// How often names and public addresses are looked up.
const LOOK_UP: Duration = Duration::from_secs(300);
/// The same, after one was not found.
const LOOK_UP_SOON: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(3);
/// The most addresses in an answer.
const MOST: usize = 16;

/// What is known of our addresses.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// What was looked up.
    found: Mutex<Vec<IpAddr>>,
}

impl Addresses {
    /// The candidates for an answer now.
    pub(crate) fn candidates(&self, settings: &Settings, sockets: &Sockets) -> Vec<Candidate> {
        let found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let given = settings
            .advertise
            .iter()
            .filter_map(|advertised| match advertised {
                Advertised::Ip(ip) => Some(*ip),
                _ => None,
            });
        let public: Vec<IpAddr> = given.chain(found).collect();
        let mut addresses = Vec::new();
        for bound in sockets.addresses() {
            let own = own(bound.ip(), settings).into_iter();
            let ips = own.chain(
                public
                    .iter()
                    .copied()
                    .filter(|ip| ip.is_ipv4() == bound.is_ipv4()),
            );
            for ip in ips {
                let address = SocketAddr::new(ip, bound.port());
                if !addresses.contains(&address) && addresses.len() < MOST {
                    addresses.push(address);
                }
            }
        }
        let candidates = |tcp| {
            let all = addresses.iter();
            all.map(move |address| Candidate {
                address: *address,
                tcp,
            })
        };
        let tcp = candidates(true).filter(|_| !sockets.listeners().is_empty());
        candidates(false).chain(tcp).collect()
    }

    /// Looks up what has to be, for ever.
    pub(crate) async fn keep(&self, settings: &Settings) -> Infallible {
        let asked: Vec<&Advertised> = settings
            .advertise
            .iter()
            .filter(|advertised| !matches!(advertised, Advertised::Ip(_)))
            .collect();
        if asked.is_empty() {
            self.found
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
            return std::future::pending().await;
        }
        loop {
            let (mut found, mut missed) = (Vec::new(), false);
            for advertised in &asked {
                match timeout(PATIENCE, look_up(advertised)).await {
                    Ok(Ok(ips)) if !ips.is_empty() => found.extend(ips),
                    other => {
                        missed = true;
                        tracing::warn!(?advertised, why = ?other.map(|r| r.map(|_| "nothing")), "an advertised address is not known");
                    }
                }
            }
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
            sleep(if missed { LOOK_UP_SOON } else { LOOK_UP }).await;
        }
    }
}

/// Our own addresses among those that a socket bound to `bound` has.
fn own(bound: IpAddr, settings: &Settings) -> Vec<IpAddr> {
    let interfaces = getifaddrs().into_iter().flatten().filter_map(|interface| {
        let address = interface.address?;
        let ip: IpAddr = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => v4.ip().into(),
            (_, Some(v6)) => v6.ip().into(),
            _ => return None,
        };
        Some((interface.interface_name, interface.flags, ip))
    });
    let told: Vec<(bool, IpAddr)> = interfaces
        .filter(|(name, flags, ip)| {
            let named = settings.interfaces.is_empty() || settings.interfaces.contains(name);
            let inside =
                settings.networks.is_empty() || settings.networks.iter().any(|n| n.contains(ip));
            named && inside && flags.contains(InterfaceFlags::IFF_UP)
        })
        .map(|(_, flags, ip)| (flags.contains(InterfaceFlags::IFF_LOOPBACK), ip))
        .filter(|(_, ip)| *ip == bound || bound.is_unspecified() && ip.is_ipv4() == bound.is_ipv4())
        .filter(|(_, ip)| !is_link_local(*ip))
        .collect();
    // This machine alone is reached by its loopback address, others never.
    let others = told.iter().any(|(loopback, _)| !loopback);
    let kept = told
        .into_iter()
        .filter(|(loopback, _)| !(*loopback && others));
    kept.map(|(_, ip)| ip).collect()
}

/// Addresses that mean nothing without an interface.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

async fn look_up(advertised: &Advertised) -> std::io::Result<Vec<IpAddr>> {
    match advertised {
        Advertised::Ip(ip) => Ok(vec![*ip]),
        Advertised::Host(name) => Ok(lookup_host((name.as_str(), 0))
            .await?
            .map(|found| found.ip())
            .collect()),
        Advertised::Stun(server) => {
            let mut ips = Vec::new();
            for server in lookup_host(server.as_str()).await? {
                if let Ok(ip) = public_address(server).await {
                    ips.push(ip);
                }
            }
            Ok(ips)
        }
    }
}

/// What `server` sees us as (RFC 8489 §3).
async fn public_address(server: SocketAddr) -> std::io::Result<IpAddr> {
    let any: SocketAddr = if server.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let transaction = random::bytes::<12>();
    let mut buffer = [0; 1500];
    for _ in 0..3 {
        socket.send(&stun::discovery(transaction)).await?;
        if let Ok(size) = timeout(Duration::from_millis(500), socket.recv(&mut buffer)).await
            && let Some(seen) = stun::discovered(&buffer[..size?], transaction)
        {
            return Ok(seen.ip());
        }
    }
    Err(std::io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let mut settings = Settings::at([127, 0, 0, 1].into());
        settings.listen.set_port(0);
        settings
    }

    fn told(addresses: &Addresses, settings: &Settings, sockets: &Sockets) -> Vec<String> {
        let candidates = addresses.candidates(settings, sockets);
        candidates
            .iter()
            .map(|candidate| candidate.address.ip().to_string())
            .collect()
    }

    #[tokio::test]
    async fn interfaces_and_networks_choose_among_our_own_addresses_and_not_among_advertised_ones()
    {
        let (addresses, mut settings) = (Addresses::default(), settings());
        let sockets = Sockets::bind(&[settings.listen]).expect("it binds");
        assert_eq!(told(&addresses, &settings, &sockets), ["127.0.0.1"]);
        settings.interfaces = vec!["lo".to_owned()];
        assert_eq!(told(&addresses, &settings, &sockets), ["127.0.0.1"]);
        settings.networks = vec!["10.0.0.0/8".parse().expect("a network")];
        settings.advertise = vec![Advertised::Ip([192, 0, 2, 9].into())];
        assert_eq!(told(&addresses, &settings, &sockets), ["192.0.2.9"]);
        settings.networks = vec!["127.0.0.0/8".parse().expect("a network")];
        let both = ["127.0.0.1", "192.0.2.9"];
        assert_eq!(told(&addresses, &settings, &sockets), both);
        settings.interfaces = vec!["none".to_owned()];
        assert_eq!(told(&addresses, &settings, &sockets), ["192.0.2.9"]);
    }

    #[tokio::test]
    async fn by_tcp_the_same_addresses_are_told_after_those_by_udp() {
        let (addresses, settings) = (Addresses::default(), settings());
        let mut sockets = Sockets::bind(&[settings.listen]).expect("it binds");
        sockets.listen().expect("the port is free");
        let candidates = addresses.candidates(&settings, &sockets);
        let told: Vec<_> = candidates
            .iter()
            .map(|one| (one.address, one.tcp))
            .collect();
        let address = sockets.addresses().next().expect("one");
        assert_eq!(told, [(address, false), (address, true)]);
    }

    #[tokio::test]
    async fn a_stun_server_says_what_our_public_address_is() {
        let server = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = server.local_addr().expect("it is bound");
        let answers = async {
            let mut request = [0; 100];
            let (size, from) = server.recv_from(&mut request).await.expect("loopback");
            assert_eq!((size, &request[..2]), (20, &[0, 1][..]));
            // Somebody else's answer first, then XOR-MAPPED-ADDRESS 203.0.113.7 (RFC 8489 section 14.2).
            for transaction in [&[7; 12][..], &request[8..20]] {
                let mut answer = b"\x01\x01\0\x0c\x21\x12\xa4\x42".to_vec();
                answer.extend(transaction);
                answer.extend(b"\0\x20\0\x08\0\x01\x12\x34");
                answer.extend([0xcb ^ 0x21, 0x12, 0x71 ^ 0xa4, 0x07 ^ 0x42]);
                server.send_to(&answer, from).await.expect("loopback");
            }
        };
        let (addresses, mut settings) = (Addresses::default(), settings());
        settings.advertise = vec![Advertised::Stun(address.to_string())];
        let sockets = Sockets::bind(&[settings.listen]).expect("it binds");
        let found = async {
            answers.await;
            while told(&addresses, &settings, &sockets).len() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            never = addresses.keep(&settings) => match never {},
            found = timeout(Duration::from_secs(5), found) => found.expect("it is found"),
        }
        let expected = ["127.0.0.1", "203.0.113.7"];
        assert_eq!(told(&addresses, &settings, &sockets), expected);
    }
}
