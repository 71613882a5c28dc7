//! Local datagram sockets: the protocol of service managers and journals.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, recv, send,
    socket_with,
};

/// A socket that sends to one address. It never blocks, and queues only what the kernel's queue holds.
#[derive(Debug)]
pub(crate) struct Sender {
    socket: OwnedFd,
    address: SocketAddrUnix,
}

/// The result of sending a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is in the receiver's queue.
    Taken,
    /// The queue is full; poll(2) says when it is not.
    Full,
}

impl Sender {
    /// Connects to `address`: an absolute path, or `@NAME` for an abstract one, as in `NOTIFY_SOCKET`.
    ///
    /// Fails with EAFNOSUPPORT for any other kind of address.
    pub(crate) fn connect(address: &str) -> io::Result<Self> {
        let address = match (address.strip_prefix('@'), address.starts_with('/')) {
            (Some(name), _) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
            (None, true) => SocketAddrUnix::new(address)?,
            (None, false) => return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        connect(&socket, &address)?;
        Ok(Self { socket, address })
    }

    /// Sends one datagram. Reconnects if the receiver was restarted at the same address.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<Sent> {
        let mut again = true;
        loop {
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(Sent::Taken),
                Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(Sent::Full),
                Err(Errno::INTR) => {}
                Err(Errno::CONNREFUSED | Errno::NOTCONN) if again => {
                    again = false;
                    connect(&self.socket, &self.address)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends one datagram with a descriptor; EAGAIN if the queue is full.
    pub(crate) fn send_descriptor(&self, bytes: &[u8], descriptor: BorrowedFd<'_>) -> io::Result<()> {
        super::socket::send(self.socket.as_fd(), bytes, &[descriptor])
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Receives at a new socket file `name` in the directory `dir`; every user who can reach it may send to it. Its path is
/// relative to the descriptor, because a socket's path has at most 107 bytes.
pub(crate) fn bind_at(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    let path = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
    bind(&socket, &SocketAddrUnix::new(path.as_str())?)?;
    rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(0o666))?;
    Ok(socket)
}

/// Reads the next datagram into `space`, without waiting, and returns its length; `None` if there is none. A datagram
/// that does not fit is truncated: its length is then greater than that of `space`. The kernel closes descriptors that
/// were sent with it.
pub(crate) fn receive(socket: BorrowedFd<'_>, space: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match recv(socket, &mut *space, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
            Ok((_, length)) => return Ok(Some(length)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}
