//! UDP: a session for each client of each port, with a socket inside that is the client's alone.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};

use super::doors::Door;
use super::inside::Inside;

/// How long a client may be silent before its session ends; if it continues later, it gets another source port.
const IDLE: Duration = Duration::from_secs(120);
/// The longest datagram.
const DATAGRAM: usize = 64 << 10;
/// How many datagrams are passed on until it is another one's turn.
const SHARE: usize = 64;

/// One client of one port.
#[derive(Debug)]
struct Session {
    door: usize,
    client: SocketAddr,
    inner: UdpSocket,
    used: Instant,
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Datagrams {
    /// By their numbers.
    sessions: Vec<Option<Session>>,
    numbers: HashMap<(usize, SocketAddr), usize>,
    most: usize,
    buffer: Vec<u8>,
    /// No session ends earlier.
    next_end: Option<Instant>,
}

impl Datagrams {
    /// At most `most` sessions; one more ends the session that has been silent longest.
    pub(super) fn new(most: usize) -> Self {
        Self { sessions: Vec::new(), numbers: HashMap::new(), most, buffer: Vec::new(), next_end: None }
    }

    /// When a session may end.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_end
    }

    /// Passes on what clients have sent to `door`, which has the number `number`. `watch` gets each new session's
    /// socket and number. A datagram that cannot be delivered is lost, as usual with UDP.
    pub(super) fn ask(
        &mut self,
        (number, door): (usize, &Door),
        inside: &Inside,
        mut watch: impl FnMut(BorrowedFd<'_>, usize) -> io::Result<()>,
    ) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(DATAGRAM, 0);
        for _ in 0..SHARE {
            let Ok((length, _, from)) = recvfrom(&door.socket, &mut buffer[..], RecvFlags::DONTWAIT) else { break };
            let Some(client) = from.and_then(|from| SocketAddr::try_from(from).ok()) else { continue };
            let server = inside.server(door.port.container_port);
            let session = self.session(number, client, server, &mut watch);
            if let Some(session) = session.ok().and_then(|at| self.sessions[at].as_mut()) {
                session.inner.send(&buffer[..length]).ok();
                session.used = Instant::now();
            }
        }
        self.buffer = buffer;
    }

    /// Passes on what the server has sent in a session. An error means that the server refused it: the client gets no
    /// answer.
    pub(super) fn answer<'a>(&mut self, number: usize, door: impl FnOnce(usize) -> Option<&'a Door>) {
        let Some(Some(session)) = self.sessions.get_mut(number) else { return };
        let Some(door) = door(session.door) else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(DATAGRAM, 0);
        for _ in 0..SHARE {
            match session.inner.recv(&mut buffer) {
                Ok(length) => {
                    sendto(&door.socket, &buffer[..length], SendFlags::DONTWAIT, &session.client).ok();
                    session.used = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {}
            }
        }
        self.buffer = buffer;
    }

    /// Ends the sessions of clients that have been silent for long.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.next_end.is_none_or(|end| end > now) {
            return;
        }
        for number in 0..self.sessions.len() {
            if self.sessions[number].as_ref().is_some_and(|session| session.used + IDLE <= now) {
                self.end(number);
            }
        }
        self.next_end = self.sessions.iter().flatten().map(|session| session.used + IDLE).min();
        if self.next_end.is_none() {
            self.buffer = Vec::new();
        }
    }

    /// The number of a client's session.
    fn session(
        &mut self,
        door: usize,
        client: SocketAddr,
        server: SocketAddr,
        watch: &mut impl FnMut(BorrowedFd<'_>, usize) -> io::Result<()>,
    ) -> io::Result<usize> {
        if let Some(number) = self.numbers.get(&(door, client)) {
            return Ok(*number);
        }
        if self.numbers.len() >= self.most {
            let used = |number: &usize| self.sessions[*number].as_ref().map(|session| session.used);
            if let Some(oldest) = self.numbers.values().copied().min_by_key(used) {
                self.end(oldest);
            }
        }
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let inner = UdpSocket::bind((any, 0))?;
        inner.connect(server)?;
        inner.set_nonblocking(true)?;
        let number = self.sessions.iter().position(Option::is_none).unwrap_or(self.sessions.len());
        watch(inner.as_fd(), number)?;
        let used = Instant::now();
        let session = Some(Session { door, client, inner, used });
        match self.sessions.get_mut(number) {
            Some(place) => *place = session,
            None => self.sessions.push(session),
        }
        self.numbers.insert((door, client), number);
        self.next_end = self.next_end.or(Some(used + IDLE));
        Ok(number)
    }

    fn end(&mut self, number: usize) {
        if let Some(session) = self.sessions[number].take() {
            self.numbers.remove(&(session.door, session.client));
        }
    }
}
