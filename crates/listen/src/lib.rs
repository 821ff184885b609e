//! Sockets that take connections, for pages and for RTSP alike: how they are bound, and how a server moves to another address
//! without being away for a moment.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A socket that listens on `address`; where that is all addresses and the system has no IPv6, on those of IPv4. Sockets of
/// `ours` are no hindrance: one that is about to be closed may be at an address that this one includes. Needs a tokio runtime.
///
/// # Errors
/// What the system says; nobody listens then who did not before.
pub fn listen<'a>(
    address: SocketAddr,
    ours: impl IntoIterator<Item = &'a TcpListener>,
) -> io::Result<TcpListener> {
    let ours: Vec<&TcpListener> = ours.into_iter().collect();
    let share = |shared| {
        ours.iter()
            .try_for_each(|other| SockRef::from(*other).set_reuse_port(shared))
    };
    share(true)?;
    let bound = bind(address, !ours.is_empty());
    share(false)?;
    match bound {
        Err(error)
            if address.ip() == Ipv6Addr::UNSPECIFIED
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            bind(v4, false).map_err(|_| error)
        }
        bound => bound,
    }
}

/// A socket that listens on `address`; `beside` others of ours, who let it, if there are some.
fn bind(address: SocketAddr, beside: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the connections of the run before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // All addresses are those of IPv4, too, whatever the system takes for granted.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(beside)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    // Nobody else shall listen there unnoticed, another server of the same user neither.
    socket.set_reuse_port(false)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[tokio::test]
    async fn all_addresses_are_bound_beside_one_of_ours_and_of_nobody_else() -> io::Result<()> {
        let old = listen(at("127.0.0.1:0"), [])?;
        let port = old.local_addr()?.port();
        let all = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let refused = listen(all, []).expect_err("somebody listens there");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        let new = listen(all, [&old])?;
        assert_eq!(new.local_addr()?, all);
        let same = listen(old.local_addr()?, []).expect_err("nobody else may share");
        assert_eq!(same.kind(), io::ErrorKind::AddrInUse);
        Ok(())
    }

    #[tokio::test]
    async fn at_all_addresses_of_ipv6_those_of_ipv4_are_served() -> io::Result<()> {
        let all = listen(at("[::]:0"), [])?;
        let port = all.local_addr()?.port();
        let (_caller, taken) = tokio::join!(
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)),
            all.accept()
        );
        assert!(taken?.1.ip().to_canonical().is_ipv4());
        Ok(())
    }
}
