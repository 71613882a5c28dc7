//! The relay's loop: one thread that sleeps in epoll(7) until a client, a server or the monitor does something.
//!
//! Sockets of connections are watched for changes (`EPOLLET`): each is added once, and a connection that is not done
//! with what it could do is in `unfinished`. Everything else is watched for its state.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use rustix::process::{Resource, getrlimit};

use super::datagrams::Datagrams;
use super::doors::Door;
use super::inside::Inside;
use super::one::Word;
use super::pipes::Pipes;
use super::stream::{Stream, Turn, reset_when_closed};
use crate::sys::poll::sleep_long;
use crate::types::Protocol;

/// How many connections of one port are accepted until it is another one's turn.
const ACCEPTED: usize = 64;
/// How long the relay waits if the kernel has no room for another connection and none of its own ends.
const NO_ROOM: Duration = Duration::from_millis(200);
/// After this time without an event the relay frees as much memory as it can, as a monitor does.
const SILENCE: Duration = Duration::from_millis(50);
/// The most pipes: those that are full belong to somebody who does not read.
const PIPES: usize = 64;
/// The most sessions of UDP.
const SESSIONS: usize = 512;
/// Descriptors for everything else than doors, connections, sessions and pipes.
const OTHERS: usize = 16;

/// What a watched descriptor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// The monitor.
    Monitor,
    Door(usize),
    /// The number of a connection, and whether it is the socket inside.
    Stream(usize, bool),
    Session(usize),
}

impl Token {
    fn data(self) -> EventData {
        let (kind, number) = match self {
            Self::Monitor => (0, 0),
            Self::Door(number) => (1, number),
            Self::Session(number) => (2, number),
            Self::Stream(number, false) => (3, number),
            Self::Stream(number, true) => (4, number),
        };
        EventData::new_u64(kind << 56 | number as u64)
    }

    fn of(data: EventData) -> Self {
        let data = data.u64();
        // It was a usize.
        let number = usize::try_from(data & ((1 << 56) - 1)).unwrap_or_default();
        match data >> 56 {
            0 => Self::Monitor,
            1 => Self::Door(number),
            2 => Self::Session(number),
            kind => Self::Stream(number, kind == 4),
        }
    }
}

/// The relay's state.
pub(super) struct Server<'a> {
    doors: Vec<&'a Door>,
    inside: Inside,
    epoll: OwnedFd,
    streams: Vec<Option<Stream>>,
    /// Numbers without a connection.
    free: Vec<usize>,
    /// Connections that have ended in this round: an event for them may still come.
    ended: Vec<usize>,
    unfinished: VecDeque<usize>,
    datagrams: Datagrams,
    pipes: Pipes,
    /// How many connections there is room for.
    most: usize,
    room: Room,
    monitor: BorrowedFd<'a>,
    phase: Phase,
}

/// What the monitor has said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing: clients are served.
    Serves,
    /// Another process serves; this one ends with its last connection.
    Retired,
    /// The container has ended: what servers have said is passed on, and then the relay ends.
    Ends,
    /// There is nothing to wait for.
    Over,
}

/// Whether there is room for another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Left,
    /// Not until one of this relay's ends.
    Full,
    /// The kernel had none; it may have some at that time, or when one ends.
    NoneUntil(Instant),
}

impl<'a> Server<'a> {
    /// Serves `doors`; `monitor` is at its end when the container is.
    pub(super) fn new(doors: Vec<&'a Door>, inside: Inside, monitor: BorrowedFd<'a>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, monitor, Token::Monitor.data(), EventFlags::IN)?;
        for (number, door) in doors.iter().enumerate() {
            epoll::add(&epoll, door.as_fd(), Token::Door(number).data(), EventFlags::IN)?;
        }
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(doors.len() + OTHERS);
        let pipes = PIPES.min(room / 16);
        let has = |protocol| doors.iter().any(|door| door.port.protocol == protocol);
        let sessions = if has(Protocol::Udp) { SESSIONS.min(room / 4) } else { 0 };
        Ok(Self {
            doors,
            inside,
            epoll,
            streams: Vec::new(),
            free: Vec::new(),
            ended: Vec::new(),
            unfinished: VecDeque::new(),
            datagrams: Datagrams::new(sessions),
            pipes: Pipes::new(pipes),
            most: (room - 2 * pipes - sessions) / 2,
            room: Room::Left,
            monitor,
            phase: Phase::Serves,
        })
    }

    /// Serves until the container has ended and what its servers have said was passed on.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        loop {
            events.clear();
            self.wait(&mut events)?;
            for event in &events {
                self.handle(Token::of(event.data), event.flags);
            }
            for _ in 0..self.unfinished.len() {
                if let Some(number) = self.unfinished.pop_front() {
                    self.turn(number, |stream, pipes| stream.turn(pipes));
                }
            }
            self.datagrams.expire(Instant::now());
            self.free.append(&mut self.ended);
            if self.deadline_of_room().is_some_and(|until| until <= Instant::now()) {
                self.accept_again();
            }
            match self.phase {
                Phase::Retired if self.streams.iter().all(Option::is_none) && self.datagrams.is_empty() => {
                    return Ok(());
                }
                Phase::Ends if events.is_empty() && self.is_answered() => return Ok(()),
                Phase::Over => return Ok(()),
                _ => {}
            }
        }
    }

    /// Whether no server has more to say.
    fn is_answered(&self) -> bool {
        self.streams.iter().flatten().all(Stream::is_answered)
    }

    fn wait(&self, events: &mut Vec<Event>) -> io::Result<()> {
        let left = if !self.unfinished.is_empty() || (self.phase == Phase::Ends && self.is_answered()) {
            Some(Duration::ZERO)
        } else {
            let deadline = [self.datagrams.deadline(), self.deadline_of_room()].into_iter().flatten().min();
            deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
        };
        let timespec = |time: Option<Duration>| time.and_then(|time| Timespec::try_from(time).ok());
        let first = timespec(Some(left.map_or(SILENCE, |left| left.min(SILENCE))));
        let woken = match epoll::wait(&self.epoll, spare_capacity(events), first.as_ref()) {
            Ok(0) if left.is_none_or(|left| left > SILENCE) => {
                // In the piece of code in which the others sleep.
                sleep_long(self.epoll.as_fd(), left.map(|left| left - SILENCE))?;
                epoll::wait(&self.epoll, spare_capacity(events), timespec(Some(Duration::ZERO)).as_ref())
            }
            woken => woken,
        };
        match woken {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn handle(&mut self, token: Token, flags: EventFlags) {
        match token {
            Token::Monitor => self.hear(),
            // Who comes now is another's.
            Token::Door(_) if self.phase != Phase::Serves => {}
            Token::Door(number) => match self.doors[number].port.protocol {
                Protocol::Tcp => self.accept(number),
                Protocol::Udp => {
                    let epoll = &self.epoll;
                    self.datagrams.ask((number, self.doors[number]), &self.inside, |socket, session| {
                        Ok(epoll::add(epoll, socket, Token::Session(session).data(), EventFlags::IN)?)
                    });
                }
            },
            Token::Session(number) => self.datagrams.answer(number, |door| self.doors.get(door).copied()),
            Token::Stream(number, is_inner) => {
                self.turn(number, |stream, pipes| stream.event(is_inner, flags, pipes));
            }
        }
    }

    /// Lets a connection do what it can, unless it has ended in this round.
    fn turn(&mut self, number: usize, turn: impl FnOnce(&mut Stream, &mut Pipes) -> Turn) {
        let Some(Some(stream)) = self.streams.get_mut(number) else { return };
        let turn = turn(stream, &mut self.pipes);
        match turn {
            Turn::Waits => return,
            Turn::GoesOn => {
                // It is there once at most: a turn leaves nothing undone that an event would ask for.
                self.unfinished.push_back(number);
                return;
            }
            Turn::Over | Turn::Reset => {}
        }
        if let Some(stream) = self.streams[number].take() {
            if turn == Turn::Reset { stream.reset(&mut self.pipes) } else { stream.close(&mut self.pipes) }
        }
        self.ended.push(number);
        if self.room != Room::Left {
            self.accept_again();
        }
    }

    fn accept(&mut self, number: usize) {
        let door = self.doors[number];
        for _ in 0..ACCEPTED {
            if self.streams.len() - self.free.len() - self.ended.len() >= self.most {
                return self.accept_later(Room::Full);
            }
            match acceptfrom_with(&door.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok((outer, from)) => {
                    let client = from.and_then(|from| SocketAddr::try_from(from).ok());
                    let inner = client.map(|client| self.inside.dial(client, door.port.container_port));
                    match inner {
                        Some(Ok(inner)) => self.add(Stream::new(outer, inner)),
                        // Refused at once, or no descriptor or port is left.
                        _ => reset_when_closed(outer.as_fd()),
                    }
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    return self.accept_later(Room::NoneUntil(Instant::now() + NO_ROOM));
                }
                // All are accepted; or this one failed, which its client knows.
                Err(_) => return,
            }
        }
    }

    fn add(&mut self, stream: Stream) {
        let number = self.free.pop().unwrap_or(self.streams.len());
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let [outer, inner] = stream.sockets();
        let added = epoll::add(&self.epoll, outer, Token::Stream(number, false).data(), flags)
            .and_then(|()| epoll::add(&self.epoll, inner, Token::Stream(number, true).data(), flags));
        if added.is_err() {
            // The kernel has no memory for it, or the user too many watches.
            stream.reset(&mut self.pipes);
            self.free.extend((number < self.streams.len()).then_some(number));
        } else if let Some(place) = self.streams.get_mut(number) {
            *place = Some(stream);
        } else {
            self.streams.push(Some(stream));
        }
    }

    /// There is no room for another connection: clients wait.
    fn accept_later(&mut self, room: Room) {
        self.room = room;
        self.watch_listeners(EventFlags::empty());
    }

    fn accept_again(&mut self) {
        self.room = Room::Left;
        if self.phase == Phase::Serves {
            self.watch_listeners(EventFlags::IN);
        }
    }

    fn deadline_of_room(&self) -> Option<Instant> {
        if let Room::NoneUntil(until) = self.room { Some(until) } else { None }
    }

    /// Changes what is watched at the doors of TCP.
    fn watch_listeners(&self, flags: EventFlags) {
        for (number, door) in self.doors.iter().enumerate() {
            if door.port.protocol == Protocol::Tcp {
                // They are watched already, so this does not fail.
                epoll::modify(&self.epoll, door.as_fd(), Token::Door(number).data(), flags).ok();
            }
        }
    }

    /// The monitor says something, or the container has ended.
    fn hear(&mut self) {
        match Word::read(self.monitor) {
            // What it is called is for people.
            Some(Word::Named(name)) => drop(super::one::take_title(&name)),
            Some(Word::Retire) => {
                self.close_doors();
                self.phase = Phase::Retired;
            }
            Some(Word::Reset) => {
                self.close_doors();
                for stream in self.streams.iter_mut().filter_map(Option::take) {
                    stream.reset(&mut self.pipes);
                }
                self.phase = Phase::Over;
            }
            None => {
                self.close_doors();
                self.phase = Phase::Ends;
                epoll::delete(&self.epoll, self.monitor).ok();
            }
        }
    }

    /// Nobody is let in any more.
    fn close_doors(&self) {
        for door in &self.doors {
            // They are not watched any more after the first time. One that refuses would be ready at any time.
            epoll::delete(&self.epoll, door.as_fd()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        for token in [Token::Monitor, Token::Door(3), Token::Session(511), Token::Stream(1 << 40, false)] {
            assert_eq!(Token::of(token.data()), token);
        }
        assert_eq!(Token::of(Token::Stream(7, true).data()), Token::Stream(7, true));
    }
}
