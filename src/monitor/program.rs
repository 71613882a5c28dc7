//! The container's program: its runs, how each of them ends, and who has asked for the end.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::notify::{self, Notifier};
use super::timers::{Timer, Timers};
use crate::net;
use crate::runtime::cgroup::Group;
use crate::sys::process::{self, Child, Ended};
use crate::types::{Name, Signal};

/// One run of the program, with what belongs to it.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) init: Child,
    pub(super) cgroup: Option<Group>,
    pub(super) network: net::Running,
    /// The mounts of a container of which nothing stays: the kernel needs a while to take them down, so they outlive
    /// the program until its command knows of its end.
    pub(super) mounts: Option<OwnedFd>,
    /// Passes on what the program tells a service manager.
    pub(super) notifier: Option<Notifier>,
}

/// Who has asked for the program's end, so that it is not started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedBy {
    /// The user, by a command.
    User,
    /// A signal to the monitor, as at the end of the user's session; or the end of the command that starts the
    /// container.
    System,
}

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Init,
    Network(net::Token),
    Notify(notify::Token),
}

/// The program, over all of its runs.
#[derive(Debug)]
pub(super) struct Program {
    launched: Option<Launched>,
    /// How the last run ended. Its output may still be on its way.
    ended: Option<Ended>,
    asked_by: Option<AskedBy>,
    stop_signal: Signal,
    /// Seconds.
    stop_timeout: u32,
    /// Seconds that a run may take; 0: any time.
    timeout: u32,
}

impl Program {
    /// A program that does not run yet. The times are in seconds; without a limit `timeout` is 0.
    pub(super) fn new(stop_signal: Signal, stop_timeout: u32, timeout: u32) -> Self {
        Self { launched: None, ended: None, asked_by: None, stop_signal, stop_timeout, timeout }
    }

    /// A run begins.
    pub(super) fn begin(&mut self, launched: Launched, timers: &mut Timers) {
        let timeout = Duration::from_secs(u64::from(self.timeout));
        if self.timeout > 0 && timers.set_elapsed(Timer::Timeout, timeout).is_err() {
            // Without a timerfd, by the clock that stops while the host is suspended.
            timers.set(Timer::Timeout, Instant::now().checked_add(timeout));
        }
        self.launched = Some(launched);
        self.ended = None;
    }

    /// The run is over: returns its cgroup and the rest, which must be cleaned up.
    pub(super) fn take(&mut self, timers: &mut Timers) -> Option<Launched> {
        timers.cancel(Timer::Kill);
        timers.cancel(Timer::Timeout);
        timers.cancel(Timer::Network);
        self.launched.take()
    }

    /// The PID of init on the host; 0 if there is none.
    pub(super) fn pid(&self) -> i32 {
        self.launched.as_ref().map_or(0, |launched| launched.init.pid)
    }

    /// Whether it was launched and not yet taken; it may have ended.
    pub(super) fn is_launched(&self) -> bool {
        self.launched.is_some()
    }

    /// Whether it runs.
    pub(super) fn is_running(&self) -> bool {
        self.running().is_some()
    }

    fn running(&self) -> Option<&Launched> {
        self.launched.as_ref().filter(|_| self.ended.is_none())
    }

    /// How it ended, until it runs again.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether it has ended, even if the monitor has not seen that yet.
    pub(super) fn is_over(&self) -> bool {
        self.init().is_none_or(|init| process::has_ended(init))
    }

    /// The pidfd of init, while it runs.
    pub(super) fn init(&self) -> Option<BorrowedFd<'_>> {
        Some(self.running()?.init.pidfd.as_fd())
    }

    /// Its cgroup, if it has one of its own.
    pub(super) fn cgroup(&self) -> Option<&Group> {
        self.launched.as_ref()?.cgroup.as_ref()
    }

    /// The program must end, and must not be started again.
    pub(super) fn ask_for_end(&mut self, by: AskedBy) {
        self.asked_by = Some(by);
    }

    /// Who has asked for its end.
    pub(super) fn asked_by(&self) -> Option<AskedBy> {
        self.asked_by
    }

    /// Whether this signal is meant to end it.
    pub(super) fn is_ended_by(&self, signal: Signal) -> bool {
        signal == self.stop_signal
            || matches!(signal.number(), libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(launched) = &self.launched {
            // It may have just ended.
            drop(launched.init.signal(signal.number()));
        }
    }

    /// Ends it: sends `signal`, by default its stop signal, and SIGKILL after `timeout` seconds, by default its stop
    /// timeout. 0 sends only SIGKILL.
    pub(super) fn end(&self, signal: Option<Signal>, timeout: Option<u32>, timers: &mut Timers) {
        let timeout = timeout.unwrap_or(self.stop_timeout);
        if timeout > 0 {
            self.signal(signal.unwrap_or(self.stop_signal));
        }
        if timeout == 0 || timers.set_elapsed(Timer::Kill, Duration::from_secs(u64::from(timeout))).is_err() {
            self.signal(Signal::KILL);
        }
    }

    /// Thaws its processes, without waiting until the kernel has done so.
    pub(super) fn thaw(&self) {
        if let Some(cgroup) = self.cgroup() {
            drop(cgroup.thaw(Duration::ZERO));
        }
    }

    /// A process of the network that has ended is to be started again.
    pub(super) fn restart_network(&mut self, timers: &mut Timers) {
        if let Some(launched) = &mut self.launched {
            launched.network.restart();
            timers.set(Timer::Network, launched.network.deadline());
        }
    }

    /// The container has another name.
    pub(super) fn rename_network(&mut self, name: &Name) {
        if let Some(launched) = &mut self.launched {
            launched.network.rename(name.as_str());
        }
    }

    /// The published ports lead into another network from now on, or nowhere. Connections to the spots that `lasts`
    /// names go on.
    pub(super) fn move_ports(
        &mut self,
        spot: Option<net::Spot>,
        lasts: &dyn Fn(&net::Spot) -> bool,
        timers: &mut Timers,
    ) -> Result<(), net::Error> {
        let Some(launched) = &mut self.launched else { return Ok(()) };
        let moved = launched.network.move_ports(spot, lasts);
        timers.set(Timer::Network, launched.network.deadline());
        moved
    }

    /// The descriptors to wait for.
    pub(super) fn poll_set<'a>(&'a self, watch: &mut impl FnMut(BorrowedFd<'a>, PollFlags, Token)) {
        if let Some(init) = self.init() {
            watch(init, PollFlags::IN, Token::Init);
        }
        let Some(launched) = &self.launched else { return };
        launched.network.poll_set(&mut |fd, token| watch(fd, PollFlags::IN, Token::Network(token)));
        if let Some(notifier) = &launched.notifier {
            let (fd, flags, token) = notifier.poll_fd();
            watch(fd, flags, Token::Notify(token));
        }
    }

    /// Acts on one ready descriptor.
    pub(super) fn ready(&mut self, token: Token, timers: &mut Timers) {
        let Some(launched) = &mut self.launched else { return };
        match token {
            Token::Init => {
                if let Ok(ended) = launched.init.wait() {
                    if let Some(notifier) = &mut launched.notifier {
                        notifier.finish();
                    }
                    self.ended = Some(ended);
                    timers.cancel(Timer::Kill);
                }
            }
            Token::Network(token) => {
                launched.network.ready(token);
                timers.set(Timer::Network, launched.network.deadline());
            }
            Token::Notify(token) => {
                if let Some(notifier) = &mut launched.notifier {
                    notifier.ready(token);
                }
            }
        }
    }
}
