//! Sockets that connect by an address which is not this host's: options of ip(7), ipv6(7) and socket(7).
#![expect(unsafe_code, reason = "setsockopt(2) for options without a safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// Lets the socket bind any address, in a network namespace over which this process has CAP_NET_RAW. Source: ip(7),
/// `IP_TRANSPARENT`; ipv6(7), `IPV6_TRANSPARENT`.
pub(crate) fn set_transparent(socket: impl AsFd, is_ipv4: bool) -> io::Result<()> {
    match is_ipv4 {
        true => set(socket, libc::SOL_IP, libc::IP_TRANSPARENT, 1),
        false => set(socket, libc::SOL_IPV6, libc::IPV6_TRANSPARENT, 1),
    }
}

/// Marks every packet of the socket for routing rules. Needs CAP_NET_RAW, before Linux 5.17 CAP_NET_ADMIN. Source:
/// socket(7), `SO_MARK`.
pub(crate) fn set_mark(socket: impl AsFd, mark: u32) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_MARK, mark.cast_signed())
}

/// Leaves the choice of a port to connect(2), which knows more ports that are free: those of connections to other
/// servers. Source: ip(7), `IP_BIND_ADDRESS_NO_PORT`.
pub(crate) fn choose_port_late(socket: impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

fn set(socket: impl AsFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: the socket is open, and the kernel reads an int of that length.
    let result =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw const value).cast(), length) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
