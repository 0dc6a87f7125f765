//! A port that stays ours while the server that listens there comes and goes.

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

/// A TCP port of 127.0.0.1, bound and never listened on. With `SO_REUSEADDR` on both sides a server can bind it as well;
/// nobody gets it as a free one.
pub(super) struct HeldPort {
    _socket: OwnedFd,
    number: u16,
}

impl HeldPort {
    pub fn any() -> Self {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket");
        set_socket_reuseaddr(&socket, true).expect("an option of every socket");
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = getsockname(&socket).expect("it is bound");
        let number = SocketAddr::try_from(address).expect("it is an Internet address").port();
        Self { _socket: socket, number }
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}
