//! The keeper of a network with a name: a process that hands out the network's namespace, and is the parent of its way
//! out. It is `rc: net NAME`, a fork of the first member's monitor, in a session of its own and nobody's child.
//!
//! ```text
//! monitor web ─── connection ──→ keeper app ─┬─ slirp4netns | pasta ──→ tap0 in the network's namespace
//! monitor db ──── connection ────┘           ├─ rc: dns app (`dns`), if the network has names
//!                                            └─ (inside: a child in that namespace, while something is done there)
//! ```
//!
//! Each member's monitor holds one connection to `ctl`, in the network's directory. The end of a connection tells both
//! sides of a death. The network's namespace lives by descriptors: every member has one, so when the keeper is killed,
//! the members go on, and the first of them to get the network's lock makes another keeper with the same namespace.
//! Who makes a keeper, and a keeper that ends because nobody is connected, holds that lock. `protocol` has the
//! messages, `inside` the child, `member` the other side.
//!
//! It ends neither with the unit nor with the session in which it was made: `place`.

mod inside;
mod names;
mod place;
pub(super) mod protocol;
pub(super) mod space;

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{Mode, OFlags};

use super::dns::Sockets;
use super::error::Error;
use super::way_out::WayOut;
use crate::sys::lock::FileLock;
use crate::sys::poll::PollSet;
use crate::sys::process::{self, CloneOptions, fork};
use crate::sys::rest::Rest;
use crate::sys::{prctl, signal, socket};
use crate::types::Report;
pub(super) use inside::Inside;
use names::Names;
use place::Place;
use protocol::{Said, say};
use space::{Keep, Space};

/// How long a keeper without members waits for somebody who holds the network's lock.
const TURN: Duration = Duration::from_millis(10);

impl Keep<'_> {
    /// Starts a keeper, and returns a connection to it, on which it says more. The caller holds the network's lock, and
    /// knows that there is no other keeper.
    pub(super) fn start(&self) -> Result<OwnedFd, Error> {
        let failed = |step| move |source| Error::Network { network: self.record.name.to_string(), step, source };
        let open = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&self.directory, open, Mode::empty())
            .map_err(|errno| failed("open the directory")(errno.into()))?;
        let listener = socket::listen_anew(directory.as_fd(), protocol::SOCKET).map_err(failed("listen on `ctl`"))?;
        let (ours, theirs) = socket::pair().map_err(failed("create a socket pair"))?;
        let directory = directory.as_fd();
        // The keeper must not be the monitor's child: the monitor waits for its children, and the keeper outlives it.
        let mut handed = Some((listener, theirs));
        let between = fork(&CloneOptions::default(), || {
            rustix::process::setsid().ok();
            let keeper = fork(&CloneOptions::default(), || match handed.take() {
                Some((listener, first)) => self.run(directory, listener, first),
                None => 125,
            });
            i32::from(keeper.is_err())
        })
        .map_err(failed("fork"))?;
        between.wait().map_err(failed("start the keeper"))?;
        Ok(ours)
    }

    /// Runs in the keeper.
    fn run(&self, directory: BorrowedFd<'_>, listener: OwnedFd, first: OwnedFd) -> i32 {
        // Not before the descriptors of the monitor are closed may anybody wait for the end of one.
        let begun = self.begin(&[directory, listener.as_fd(), first.as_fd()]).and_then(|()| Inside::begin(self));
        match begun {
            Ok((inside, space, sockets)) => Keeper::new(self, directory, listener, space, sockets).serve(first, inside),
            Err(error) => {
                remove_socket(directory);
                drop(say(first.as_fd(), &Said::Failed(error.into()), &[]));
                125
            }
        }
    }

    /// Becomes a process of its own: another name, no descriptors of the monitor's, signals as usual.
    fn begin(&self, sockets: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let failed = |step| move |source| Error::Network { network: self.record.name.to_string(), step, source };
        let kept: Vec<_> = sockets.iter().copied().chain([self.home]).chain(self.namespace).collect();
        process::close_all_but(&kept).map_err(failed("close descriptors"))?;
        let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| failed("open `/dev/null`")(errno.into()))?;
        (0..3).try_for_each(|number| process::place(null.as_fd(), number)).map_err(failed("close descriptors"))?;
        let name = format!("rc: net {}", self.record.name);
        prctl::set_name(&name).map_err(failed("name the keeper"))?;
        process::replace_command_line(&name).map_err(failed("hide the command line"))?;
        rustix::process::chdir(c"/").ok();
        // Without a place of its own it is in a unit that waits for its end: the other members make another keeper.
        signal::unblock_all().map_err(failed("unblock signals"))
    }
}

/// Removes the socket of a keeper: by the descriptor of its directory, since another network may have its name by now.
fn remove_socket(directory: BorrowedFd<'_>) {
    rustix::fs::unlinkat(directory, protocol::SOCKET, rustix::fs::AtFlags::empty()).ok();
}

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
enum Token {
    Listener,
    Member(u64),
    WayOut,
    Names,
    Place,
    Question,
}

/// The keeper's state.
struct Keeper<'a> {
    keep: &'a Keep<'a>,
    /// The network's directory.
    directory: BorrowedFd<'a>,
    listener: OwnedFd,
    /// Nobody is accepted for a moment.
    rest: Rest,
    space: Space,
    /// The connections of the members' monitors, with numbers.
    members: Vec<(u64, OwnedFd)>,
    next: u64,
    way_out: WayOut<'a>,
    names: Names,
    place: Place,
    /// What members hear when they connect: how the way out is; nothing yet while it is being started.
    news: Option<Said>,
    /// The network has had a way out, of this keeper or of one that was killed.
    was_up: bool,
}

impl<'a> Keeper<'a> {
    fn new(keep: &'a Keep<'a>, directory: BorrowedFd<'a>, listener: OwnedFd, space: Space, sockets: Sockets) -> Self {
        let way_out = WayOut::new(keep.record, keep.programs, &keep.directory, &keep.locks, space.has_filter);
        let names = Names::new(keep, sockets);
        let was_up = keep.namespace.is_some() && !keep.record.internal;
        let (members, place, rest) = (Vec::new(), Place::Given, Rest::default());
        Self { keep, directory, listener, rest, space, members, next: 0, way_out, names, place, news: None, was_up }
    }

    /// Serves until the last member has gone.
    fn serve(mut self, first: OwnedFd, inside: Inside) -> i32 {
        self.welcome(first);
        let started = self.way_out.start(Some(inside), &self.space);
        self.tell(started);
        self.names.start();
        // Nobody waits for that, so it is done when the helpers exist: they move as well.
        self.place = Place::ask(&self.keep.record.name, self.way_out.pid().into_iter().chain(self.names.pid()));
        loop {
            if self.members.is_empty() && self.ends() {
                // What killed members have left.
                if let Ok(Some(network)) = self.keep.networks.lock(&self.keep.record.name) {
                    drop(network.sweep());
                }
                return 0;
            }
            if self.turn().is_err() {
                return 125;
            }
        }
    }

    fn turn(&mut self) -> std::io::Result<()> {
        self.rest.end(Instant::now());
        let mut set = PollSet::new();
        if self.rest.deadline().is_none() {
            set.watch(self.listener.as_fd(), PollFlags::IN, Token::Listener);
        }
        for (id, socket) in &self.members {
            set.watch(socket.as_fd(), PollFlags::IN, Token::Member(*id));
        }
        for fd in self.way_out.awaited() {
            set.watch(fd, PollFlags::IN, Token::WayOut);
        }
        if let Some(fd) = self.names.awaited() {
            set.watch(fd, PollFlags::IN, Token::Names);
        }
        if let Some(fd) = self.place.awaited() {
            set.watch(fd, PollFlags::IN, Token::Place);
        }
        if let Some(fd) = self.names.questions() {
            set.watch(fd, PollFlags::IN, Token::Question);
        }
        let alone = self.members.is_empty().then_some(TURN);
        let deadlines = [self.way_out.deadline(), self.names.deadline(), self.rest.deadline()].into_iter().flatten();
        let until = deadlines.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = alone.into_iter().chain(until).min();
        for (token, _) in set.wait(timeout)? {
            match token {
                Token::Listener => drop(self.accept()),
                Token::Member(id) => self.hear(id),
                Token::WayOut => {}
                Token::Names => self.names.ended(),
                Token::Place => self.place.proceed(),
                Token::Question => self.names.answer(),
            }
        }
        self.names.proceed();
        let news = self.way_out.proceed(&self.space);
        self.tell(news);
        Ok(())
    }

    /// Accepts everybody who waits; `false` if it has no descriptor for somebody.
    fn accept(&mut self) -> bool {
        loop {
            match socket::accept(self.listener.as_fd()) {
                Ok(accepted) => accepted.into_iter().for_each(|socket| self.welcome(socket)),
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::ECONNABORTED)) => {}
                Err(error) => return !self.rest.after(&error),
            }
        }
    }

    /// Adds a member: hands out the namespaces.
    fn welcome(&mut self, socket: OwnedFd) {
        let welcome = Said::Welcome { has_filter: self.space.has_filter };
        let handed = say(socket.as_fd(), &welcome, &[self.space.namespace.as_fd(), self.space.home.as_fd()]);
        let told = handed.and_then(|()| self.news.as_ref().map_or(Ok(()), |news| say(socket.as_fd(), news, &[])));
        // One that does not listen has gone.
        if told.is_ok() {
            self.members.push((self.next, socket));
            self.next += 1;
        }
    }

    /// Members say nothing: what is readable is the end of a connection.
    fn hear(&mut self, id: u64) {
        self.members.retain(|(member, socket)| *member != id || matches!(protocol::hear(socket), Ok(Some(_))));
    }

    fn tell(&mut self, news: Option<Result<(), Report>>) {
        let Some(news) = news else { return };
        let said = news.map_or_else(Said::Failed, |()| Said::Up);
        if matches!(said, Said::Up) && std::mem::replace(&mut self.was_up, !self.keep.record.internal) {
            self.keep.told.restarted(self.keep.record);
        }
        self.members.retain(|(_, socket)| say(socket.as_fd(), &said, &[]).is_ok());
        self.news = Some(said);
    }

    /// Whether the keeper may end: it has the network's lock, and nobody waits. Who comes later makes another one.
    fn ends(&mut self) -> bool {
        match FileLock::try_exclusive(format!("/proc/self/fd/{}/lock", self.directory.as_raw_fd())) {
            // Its holder may be connecting.
            Ok(None) => false,
            Ok(Some(_lock)) => {
                let ends = self.accept() && self.members.is_empty();
                if ends {
                    remove_socket(self.directory);
                }
                ends
            }
            // The network has been removed. Otherwise the lock is to be had later.
            Err(error) => error.source.kind() == std::io::ErrorKind::NotFound,
        }
    }
}
