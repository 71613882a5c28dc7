//! The connection to the manager: the login, and messages with a deadline.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
    sockopt,
};

use super::Error;
use super::message::{Kind, Message, SERIAL, size};
use crate::sys::socket;

/// How much the manager reads at once while it waits for a login. It looks at the bytes after the login in this block
/// only when more arrive (systemd 257: `bus_socket_read_auth` in sd-bus; a property of a unit with a short name never
/// arrived).
const FIRST_READ: usize = 256;

/// The maximum length of the login's lines.
const LOG_IN: usize = 1 << 10;

/// The login: the manager knows our user ID from the kernel, and compares the number with it. Source: the D-Bus
/// specification, "EXTERNAL".
fn credentials() -> Vec<u8> {
    let user = rustix::process::geteuid().as_raw().to_string();
    let hex: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
    format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n").into_bytes()
}

/// A connection that has been logged in, as far as this side is concerned.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    path: PathBuf,
    begun: Instant,
    deadline: Instant,
    /// Bytes that are not a complete message yet.
    buffer: Vec<u8>,
    is_welcome: bool,
}

impl Connection {
    pub(super) fn open(path: &Path, deadline: Instant) -> Result<Self, Error> {
        let begun = Instant::now();
        let absent = |source: io::Error| Error::Absent { socket: path.to_owned(), source };
        let opened = (|| {
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            // connect(2) waits as long as a send may, if the listener's queue is full.
            let patience = deadline.saturating_duration_since(begun);
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))?;
            connect(&socket, &SocketAddrUnix::new(path)?)?;
            Ok::<_, rustix::io::Errno>(socket)
        })();
        let socket = opened.map_err(|error| absent(error.into()))?;
        Ok(Self { socket, path: path.to_owned(), begun, deadline, buffer: Vec::new(), is_welcome: false })
    }

    /// Logs in and sends the one call. A long call is part of the same write: a manager that accepts the login
    /// continues to read it. A short call waits for the answer to the login, because it would stay in the manager's
    /// buffer until more arrives.
    pub(super) fn send(&mut self, call: &[u8]) -> Result<(), Error> {
        let mut bytes = credentials();
        if call.len() > FIRST_READ {
            bytes.extend(call);
            return self.write(&bytes);
        }
        self.write(&bytes)?;
        loop {
            self.log_in()?;
            if self.is_welcome {
                return self.write(call);
            }
            self.read()?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(sent) => rest = &rest[sent..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// The answer to the call, which asked it to do `what`; an error contains the manager's message.
    pub(super) fn answer(&mut self, what: &str) -> Result<Message, Error> {
        loop {
            let message = self.receive()?;
            match message.kind {
                Kind::Answer if message.answers == SERIAL => return Ok(message),
                _ => {}
            }
            if let Some(reason) = message.refusal() {
                return Err(Error::Refused { what: what.to_owned(), reason });
            }
        }
    }

    /// Readable when more has arrived.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Fails if the manager does not know the processes here by the same numbers: it is in another PID namespace.
    pub(super) fn check_pids(&self) -> Result<(), Error> {
        let absent = |source| Error::Absent { socket: self.path.clone(), source };
        match socket::peer(self.socket.as_fd()).map_err(absent)? {
            0 => Err(absent(io::Error::from_raw_os_error(libc::ESRCH))),
            _ => Ok(()),
        }
    }

    /// Waits for the messages that follow until another deadline.
    pub(super) fn wait_until(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// The next message.
    pub(super) fn receive(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(message);
            }
            self.read()?;
        }
    }

    /// The next message, if it has arrived.
    pub(super) fn received(&mut self) -> Result<Option<Message>, Error> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(Some(message));
            }
            if !self.take()? {
                return Ok(None);
            }
        }
    }

    /// The message at the start of the buffer, if it is complete.
    fn buffered(&mut self) -> Result<Option<Message>, Error> {
        if !self.is_welcome {
            self.log_in()?;
        }
        if !self.is_welcome {
            return Ok(None);
        }
        match size(&self.buffer).map_err(|()| self.garbled())? {
            Some(size) if size <= self.buffer.len() => {
                let rest = self.buffer.split_off(size);
                let bytes = std::mem::replace(&mut self.buffer, rest);
                Message::parse(&bytes).map(Some).ok_or_else(|| self.garbled())
            }
            _ => Ok(None),
        }
    }

    /// Removes the lines of the login, up to `OK`.
    fn log_in(&mut self) -> Result<(), Error> {
        let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") else {
            return if self.buffer.len() > LOG_IN { Err(self.garbled()) } else { Ok(()) };
        };
        let rest = self.buffer.split_off(end + 2);
        let line = std::mem::replace(&mut self.buffer, rest);
        self.is_welcome = line.starts_with(b"OK ");
        if self.is_welcome { Ok(()) } else { Err(self.garbled()) }
    }

    fn read(&mut self) -> Result<(), Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(self.silent()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(self.failed(error)),
        }
        self.take().map(drop)
    }

    /// Takes what has arrived; whether that is anything.
    fn take(&mut self) -> Result<bool, Error> {
        let mut bytes = [0; 4096];
        match recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(self.garbled()),
            Ok((_, length)) => {
                self.buffer.extend(&bytes[..length]);
                Ok(true)
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn garbled(&self) -> Error {
        Error::Garbled { socket: self.path.clone() }
    }

    fn silent(&self) -> Error {
        Error::Silent { socket: self.path.clone(), seconds: (self.deadline - self.begun).as_secs() }
    }

    fn failed(&self, error: rustix::io::Errno) -> Error {
        match error {
            rustix::io::Errno::AGAIN => self.silent(),
            error => Error::Absent { socket: self.path.clone(), source: error.into() },
        }
    }
}
