//! UDP: a session for each client of each port, with a socket inside that is the client's alone.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use super::doors::Door;
use super::inside::Inside;
use crate::sys::pktinfo::{self, Received};

/// How long a client may be silent before its session ends; if it continues later, it gets another source port.
const IDLE: Duration = Duration::from_secs(120);
/// The longest datagram.
const DATAGRAM: usize = 64 << 10;
/// How many datagrams are passed on until it is another one's turn.
const SHARE: usize = 64;

/// Who talks to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    /// The number of the door.
    door: usize,
    client: SocketAddr,
    /// The address of the host that the client has asked, which answers come from.
    asked: Option<IpAddr>,
}

/// One client of one port.
#[derive(Debug)]
struct Session {
    key: Key,
    inner: UdpSocket,
    /// The server's port.
    port: u16,
    used: Instant,
}

/// All sessions.
#[derive(Debug)]
pub(super) struct Datagrams {
    /// By their numbers.
    sessions: Vec<Option<Session>>,
    numbers: HashMap<Key, usize>,
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

    /// Whether there is no session.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
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
            let Ok(Received { length, from, to }) = pktinfo::receive(&door.socket, &mut buffer) else { break };
            let key = Key { door: number, client: from, asked: to };
            let session = self.session(key, door.port.container_port, inside, &mut watch);
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
        let Some(door) = door(session.key.door) else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(DATAGRAM, 0);
        for _ in 0..SHARE {
            match session.inner.recv(&mut buffer) {
                Ok(length) => {
                    let Key { client, asked, .. } = session.key;
                    pktinfo::send(&door.socket, &buffer[..length], client, asked).ok();
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

    /// The number of a client's session with the server at `port`.
    fn session(
        &mut self,
        key: Key,
        port: u16,
        inside: &Inside,
        watch: &mut impl FnMut(BorrowedFd<'_>, usize) -> io::Result<()>,
    ) -> io::Result<usize> {
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        if self.numbers.len() >= self.most {
            let used = |number: &usize| self.sessions[*number].as_ref().map(|session| session.used);
            if let Some(oldest) = self.numbers.values().copied().min_by_key(used) {
                self.end(oldest);
            }
        }
        let mut others = self.sessions.iter().flatten();
        let is_first = others.all(|other| (other.key.client, other.port) != (key.client, port));
        let inner = inside.dial_datagrams(key.client, port, is_first)?;
        let number = self.sessions.iter().position(Option::is_none).unwrap_or(self.sessions.len());
        watch(inner.as_fd(), number)?;
        let used = Instant::now();
        let session = Some(Session { key, inner, port, used });
        match self.sessions.get_mut(number) {
            Some(place) => *place = session,
            None => self.sessions.push(session),
        }
        self.numbers.insert(key, number);
        self.next_end = self.next_end.or(Some(used + IDLE));
        Ok(number)
    }

    fn end(&mut self, number: usize) {
        if let Some(session) = self.sessions[number].take() {
            self.numbers.remove(&session.key);
        }
    }
}
