//! The network's name server, if it has one: the keeper starts it again when it ends. The keeper has its sockets, too,
//! so queries wait in them meanwhile.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::super::dns::{NameServer, Settings, Sockets, owners};
use super::space::Keep;

/// The pause before another attempt, unless the last one has run for longer.
const PAUSE: Duration = Duration::from_secs(1);

/// The name server.
#[derive(Debug)]
pub(super) struct Names {
    settings: Settings,
    sockets: Sockets,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The network has none, or it has not been started yet.
    None,
    Running {
        server: NameServer,
        since: Instant,
    },
    Waiting {
        until: Instant,
    },
}

impl Names {
    /// The name server at `sockets`; without sockets there is none. It is not started.
    pub(super) fn new(keep: &Keep<'_>, sockets: Sockets) -> Self {
        Self { settings: Settings::new(keep.networks.root(), keep.record.name.clone()), sockets, state: State::None }
    }

    /// Starts it.
    pub(super) fn start(&mut self) {
        if !self.sockets.is_empty() {
            self.run();
        }
    }

    fn run(&mut self) {
        self.state = match NameServer::start(&self.sockets, &self.settings) {
            Ok(server) => State::Running { server, since: Instant::now() },
            Err(_) => State::Waiting { until: Instant::now() + PAUSE },
        };
    }

    /// Readable when [`proceed`](Self::proceed) has something to do.
    pub(super) fn awaited(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Running { server, .. } => Some(server.pidfd()),
            State::None | State::Waiting { .. } => None,
        }
    }

    /// Its process, if there is one.
    pub(super) fn pid(&self) -> Option<i32> {
        match &self.state {
            State::Running { server, .. } => Some(server.pid()),
            State::None | State::Waiting { .. } => None,
        }
    }

    /// Readable when the name server asks for a member's lock.
    pub(super) fn questions(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Running { server, .. } => Some(server.questions()),
            State::None | State::Waiting { .. } => None,
        }
    }

    /// Answers a question of the name server. One that does not talk any more is replaced.
    pub(super) fn answer(&mut self) {
        if let Some(questions) = self.questions()
            && !owners::answer(questions, &self.settings.root)
        {
            self.ended();
        }
    }

    /// When [`proceed`](Self::proceed) has something to do at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::None | State::Running { .. } => None,
        }
    }

    /// It has ended.
    pub(super) fn ended(&mut self) {
        if let State::Running { since, .. } = self.state {
            self.state = State::Waiting { until: since + PAUSE };
            self.proceed();
        }
    }

    /// Starts it again, if it is time.
    pub(super) fn proceed(&mut self) {
        if self.deadline().is_some_and(|until| until <= Instant::now()) {
            self.run();
        }
    }
}
