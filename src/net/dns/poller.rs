//! All descriptors of the server behind one: epoll(7), with a timer for the earliest deadline.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// What a descriptor belongs to. Descriptors of one query have the number of the query, which is never given again: an
/// event for one that has been answered meanwhile belongs to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// The timer.
    Timer,
    /// The datagram socket of this index.
    Datagrams(u64),
    /// The listening socket of this index.
    Listener(u64),
    /// A connection of an asker.
    Client(u64),
    /// A forwarded datagram, and the index of its server.
    Forward(u64, u8),
    /// A connection to a server.
    Exchange(u64),
}

impl Token {
    fn pack(self) -> u64 {
        let (kind, number, index) = match self {
            Self::Timer => (0, 0, 0),
            Self::Datagrams(index) => (1, index, 0),
            Self::Listener(index) => (2, index, 0),
            Self::Client(id) => (3, id, 0),
            Self::Exchange(id) => (4, id, 0),
            Self::Forward(id, index) => (5, id, index),
        };
        number << 16 | u64::from(index) << 8 | kind
    }

    fn unpack(packed: u64) -> Self {
        let [kind, index, ..] = packed.to_le_bytes();
        let number = packed >> 16;
        match kind {
            1 => Self::Datagrams(number),
            2 => Self::Listener(number),
            3 => Self::Client(number),
            4 => Self::Exchange(number),
            5 => Self::Forward(number, index),
            _ => Self::Timer,
        }
    }
}

/// The set of descriptors.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    timer: OwnedFd,
    armed: Option<Instant>,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let poller = Self { epoll, timer, armed: None };
        poller.add(&poller.timer, Token::Timer, EventFlags::IN)?;
        Ok(poller)
    }

    /// Waits for `flags` of a descriptor; for errors and hang-ups always.
    pub(super) fn add(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(token.pack()), flags)?)
    }

    /// Waits for other flags of it.
    pub(super) fn change(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(token.pack()), flags)?)
    }

    /// Forgets a descriptor. To close it is not enough: a child of the keeper may have a copy of it for a moment.
    pub(super) fn remove(&self, fd: impl AsFd) {
        // It fails only for a descriptor that is not in the set.
        epoll::delete(&self.epoll, fd).ok();
    }

    /// What is ready now.
    pub(super) fn ready(&self) -> io::Result<Vec<(Token, EventFlags)>> {
        let mut space = [MaybeUninit::<Event>::uninit(); 64];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let (events, _) = match epoll::wait(&self.epoll, &mut space, Some(&now)) {
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            other => other?,
        };
        Ok(events.iter().map(|event| (Token::unpack({ event.data }.u64()), event.flags)).collect())
    }

    /// Becomes ready at `deadline`, if it would not before.
    pub(super) fn wake_at(&mut self, deadline: Instant) {
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.set(Some(deadline));
        }
    }

    /// The timer has expired, and the next deadline is this.
    pub(super) fn expired(&mut self, next: Option<Instant>) {
        self.set(next);
    }

    fn set(&mut self, deadline: Option<Instant>) {
        // Zero would disarm it; a millisecond later the deadline has certainly passed.
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = left.and_then(|left| Timespec::try_from(left).ok()).unwrap_or(never);
        // The kernel accepts any time for an existing timerfd. Setting it also takes back an expiry.
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: never, it_value: value })
            .ok();
        self.armed = deadline;
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_was() {
        let id = u64::MAX >> 16;
        for token in [
            Token::Timer,
            Token::Datagrams(1),
            Token::Listener(0),
            Token::Client(id),
            Token::Exchange(7),
            Token::Forward(id, 255),
            Token::Forward(0, 0),
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }

    #[test]
    fn the_earliest_deadline_wakes_and_only_once() {
        use rustix::event::{PollFd, PollFlags, poll};
        let mut poller = Poller::new().expect("poller");
        let start = Instant::now();
        poller.wake_at(start + Duration::from_secs(3600));
        poller.wake_at(start + Duration::from_millis(20));
        let mut polled = [PollFd::new(&poller, PollFlags::IN)];
        let patience = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert_eq!(poll(&mut polled, Some(&patience)).expect("poll"), 1);
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert_eq!(poller.ready().expect("ready"), [(Token::Timer, EventFlags::IN)]);
        poller.expired(None);
        assert_eq!(poller.ready().expect("ready"), []);
    }
}
