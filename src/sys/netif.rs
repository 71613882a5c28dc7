//! Network interfaces of the caller's network namespace, netdevice(7).
#![expect(unsafe_code, reason = "the ioctls of netdevice(7) take a C struct")]

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd as _;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Sets interface `name` up; succeeds if it is already up.
///
/// Fails with `ENODEV` if it does not exist, and with `EPERM` without CAP_NET_ADMIN in the namespace's owner. Source:
/// netdevice(7), `SIOCGIFFLAGS`, `SIOCSIFFLAGS`.
pub(crate) fn set_up(name: &CStr) -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: ifreq is plain old data, for which zeroes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let bytes = name.to_bytes();
    if bytes.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(bytes) {
        *to = from.cast_signed();
    }
    // SAFETY: the socket is open, and the kernel writes the flags into an ifreq of the size that it expects.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: SIOCGIFFLAGS has just filled this member of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    #[expect(clippy::cast_possible_truncation, reason = "IFF_UP is 1; the struct has a short")]
    let up = libc::IFF_UP as i16;
    request.ifr_ifru.ifru_flags = flags | up;
    // SAFETY: as above; the kernel only reads.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) })
}

/// The number of interface `name`, if there is one. Source: netdevice(7), `SIOCGIFINDEX`.
pub(crate) fn index(name: &str) -> Option<u32> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    rustix::net::netdevice::name_to_index(socket, name).ok()
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
