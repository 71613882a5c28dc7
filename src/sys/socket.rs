//! Local sequenced-packet sockets for small messages with descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    recvmsg, sendmsg, socket_with, socketpair,
};

use super::failpoint;

/// The maximum number of descriptors in one message.
pub(crate) const MAX_DESCRIPTORS: usize = 35;

/// Creates two connected sockets that keep message boundaries.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Listens on a new socket file `name` in the directory `dir`. Its path is relative to the descriptor, because a
/// socket's path has at most 107 bytes and the runtime directory may have a long path or none. The file is created with
/// mode 0600, whatever the umask: the kernel gives it the mode of the socket itself (unix(7) does not mention it;
/// net/unix/af_unix.c, `unix_bind_bsd`).
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn listen_at(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    failpoint::point()?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    rustix::fs::fchmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    bind(&socket, &address(dir, name)?)?;
    listen(&socket, 64)?;
    Ok(socket)
}

/// As [`listen_at`], in place of a socket that a dead process has left. The caller knows, by a lock, that no living one
/// listens there.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn listen_anew(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    match listen_at(dir, name) {
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
            rustix::fs::unlinkat(dir, name, rustix::fs::AtFlags::empty())?;
            listen_at(dir, name)
        }
        other => other,
    }
}

/// Connects to the socket file `name` in the directory `dir`.
pub(crate) fn connect_at(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &address(dir, name)?)?;
    Ok(socket)
}

fn address(dir: BorrowedFd<'_>, name: &str) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()))?)
}

/// Accepts a connection from a process of our own user; closes others (safety.md, X16). Neither this nor any operation
/// on the connection waits: they fail with EAGAIN instead.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    let socket = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let peer = getsockopt(&socket, PeerCredentials)?;
    Ok((peer.uid() == rustix::process::geteuid().as_raw()).then_some(socket))
}

/// The process that has connected, that listens, or that has created the pair; 0 if that is in a PID namespace that is
/// not visible here. Source: unix(7), `SO_PEERCRED`.
pub(crate) fn peer(socket: BorrowedFd<'_>) -> io::Result<i32> {
    // rustix' type of a process ID cannot hold 0.
    Ok(getsockopt(&socket, PeerCredentials)?.pid())
}

/// Sends one message with up to [`MAX_DESCRIPTORS`] descriptors; if the peer has closed, that is `EPIPE`, not a signal.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    failpoint::point()?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::from_raw_os_error(libc::E2BIG));
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// A received message.
#[derive(Debug)]
pub(crate) struct Received {
    /// Its bytes, at least one.
    pub(crate) bytes: Vec<u8>,
    /// The descriptors, all close-on-exec.
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// Receives one message. Fails with `EMSGSIZE` for a message of more than `limit` bytes, and with `EMFILE` if this
/// process has no room for its descriptors; the message is lost then. `None` if the peer has closed.
///
/// Reads its length first: a buffer for the longest message would cost a page fault for each of its pages.
pub(crate) fn receive(socket: impl AsFd, limit: usize) -> io::Result<Option<Received>> {
    let (_, length) = retry(|| rustix::net::recv(&socket, &mut [0u8; 0], RecvFlags::PEEK | RecvFlags::TRUNC))?;
    if length > limit {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    let mut bytes = vec![0u8; length];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let message =
        retry(|| recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC))?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    Ok((message.bytes > 0).then_some(Received { bytes, descriptors }))
}

/// Repeats a call after an interruption, and after the error that the peer has closed without reading our message. The
/// kernel reports that error once, before it delivers what the peer has sent (net/core/datagram.c,
/// `__skb_try_recv_datagram`): the peer's last messages, or the end, come next.
fn retry<T>(mut receive: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match receive() {
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_longer_than_allowed_is_refused() {
        let (ours, theirs) = pair().expect("pair");
        send(theirs.as_fd(), b"four", &[]).expect("send");
        let error = receive(&ours, 3).expect_err("four bytes");
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!(receive(&ours, 4).expect("receive").expect("a message").bytes, b"four");
    }

    #[test]
    fn last_words_arrive_from_a_peer_that_has_not_read_ours() {
        let (ours, theirs) = pair().expect("pair");
        send(ours.as_fd(), b"unread", &[]).expect("send");
        for word in [b"one", b"two"] {
            send(theirs.as_fd(), word, &[]).expect("send");
        }
        drop(theirs);
        for word in [b"one", b"two"] {
            assert_eq!(receive(&ours, 16).expect("receive").expect("a message").bytes, word);
        }
        assert!(receive(&ours, 16).expect("receive").is_none());
    }
}
