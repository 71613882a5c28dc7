//! Timers: heaps of deadlines. The earliest deadline ends the monitor's sleep.
//!
//! ```text
//! awake      CLOCK_MONOTONIC, which stops while the host is suspended   ─→ the timeout of poll(2), which uses it too
//! elapsed    CLOCK_BOOTTIME, which does not                             ─→ a timerfd in the poll set
//! ```
//!
//! Neither follows changes of the host's date. The first is for readers: after a suspend they still have the time that
//! was left. The second is for `stop -t`: the user's clock did not stop.
//!
//! Each timer has at most one deadline; setting it again replaces that. A replaced or cancelled deadline stays in its
//! heap until it comes up or until such entries outnumber the others, so that frequent setting and cancelling is cheap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

/// What happens at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The monitor kills a program that is being stopped.
    Kill,
    /// The monitor kills a program that has run for the time that it has (`--timeout`).
    Timeout,
    /// The caller of the loop stops waiting.
    Wait,
    /// The monitor accepts connections again.
    Accept,
    /// The program stops waiting for a client that does not read.
    Readers,
    /// Output for which the log has no room is dropped.
    Log,
    /// The next health check begins.
    Health,
    /// A health check takes too long.
    HealthTimeout,
    /// A process of the network is started again.
    Network,
    /// The monitor tries again to find a network's keeper.
    Networks,
    /// The monitor tries again to start the pod that the container is in.
    Pod,
}

/// The timers of one monitor.
#[derive(Debug, Default)]
pub(super) struct Timers {
    awake: Heap<Instant>,
    /// Times since boot.
    elapsed: Heap<Duration>,
    /// Readable from the earliest of `elapsed` on; `None` without a deadline.
    alarm: Option<OwnedFd>,
}

impl Timers {
    /// Sets the timer to `deadline`, by the clock that stops during a suspend; `None` cancels it.
    pub(super) fn set(&mut self, timer: Timer, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => self.awake.set(timer, deadline),
            None => drop(self.awake.cancel(timer)),
        }
    }

    /// Sets the timer to the time `after` from now, by the clock that does not stop during a suspend. Fails if no
    /// timerfd can be made; the timer is not set then.
    pub(super) fn set_elapsed(&mut self, timer: Timer, after: Duration) -> io::Result<()> {
        self.elapsed.set(timer, since_boot().saturating_add(after));
        let armed = self.arm();
        if armed.is_err() {
            self.cancel(timer);
        }
        armed
    }

    /// Cancels the timer, if it is set.
    pub(super) fn cancel(&mut self, timer: Timer) {
        self.awake.cancel(timer);
        if self.elapsed.cancel(timer) {
            // The kernel accepts any time for an existing timerfd. If it did not, the alarm would come early.
            drop(self.arm());
        }
    }

    /// How long poll(2) may sleep; `None` means without a limit.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.awake.earliest().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// A descriptor that is readable when an elapsed timer is due.
    pub(super) fn alarm(&self) -> Option<BorrowedFd<'_>> {
        self.alarm.as_ref().map(OwnedFd::as_fd)
    }

    /// Takes a timer that is due; `None` if there is no more.
    pub(super) fn due(&mut self) -> Option<Timer> {
        let due = self.awake.earliest().and_then(|_| self.awake.due(Instant::now()));
        if due.is_some() || self.elapsed.earliest().is_none() {
            return due;
        }
        let due = self.elapsed.due(since_boot());
        if due.is_some() {
            drop(self.arm());
        }
        due
    }

    /// Arms the alarm for the earliest deadline, or closes it if there is none.
    fn arm(&mut self) -> io::Result<()> {
        let Some(deadline) = self.elapsed.earliest() else {
            self.alarm = None;
            return Ok(());
        };
        let alarm = match self.alarm.take() {
            Some(alarm) => alarm,
            None => timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?,
        };
        let value = Timespec::try_from(deadline).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&alarm, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval: never, it_value: value })?;
        self.alarm = Some(alarm);
        Ok(())
    }
}

/// The time since boot, by libc: rustix's function panics if the kernel has no vDSO, as in user-mode Linux.
fn since_boot() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// The deadlines of one clock, whose times are `T`.
#[derive(Debug)]
struct Heap<T: Ord> {
    /// Deadlines with the numbers of their timers; those whose number is not in `pending` no longer count.
    deadlines: BinaryHeap<Reverse<(T, u64)>>,
    pending: Vec<Pending<T>>,
    next: u64,
}

#[derive(Debug)]
struct Pending<T> {
    timer: Timer,
    number: u64,
    deadline: T,
}

impl<T: Ord> Default for Heap<T> {
    fn default() -> Self {
        Self { deadlines: BinaryHeap::new(), pending: Vec::new(), next: 0 }
    }
}

impl<T: Ord + Copy> Heap<T> {
    fn set(&mut self, timer: Timer, deadline: T) {
        if self.pending.iter().any(|pending| pending.timer == timer && pending.deadline == deadline) {
            return;
        }
        self.cancel(timer);
        self.pending.push(Pending { timer, number: self.next, deadline });
        self.deadlines.push(Reverse((deadline, self.next)));
        self.next += 1;
    }

    /// Cancels the timer, and returns whether it was set.
    fn cancel(&mut self, timer: Timer) -> bool {
        let before = self.pending.len();
        self.pending.retain(|pending| pending.timer != timer);
        self.settle();
        self.pending.len() < before
    }

    /// Removes deadlines that no longer count from the top, so that the earliest that counts is there; from everywhere
    /// if they are most of the heap.
    fn settle(&mut self) {
        let pending = &self.pending;
        let counts = |number| pending.iter().any(|pending| pending.number == number);
        if self.deadlines.len() > 2 * pending.len() + 16 {
            self.deadlines.retain(|Reverse((_, number))| counts(*number));
        }
        while self.deadlines.peek().is_some_and(|Reverse((_, number))| !counts(*number)) {
            self.deadlines.pop();
        }
    }

    fn earliest(&self) -> Option<T> {
        self.deadlines.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Takes the earliest timer, if it is due at `now`.
    fn due(&mut self, now: T) -> Option<Timer> {
        let Reverse((_, number)) = *self.deadlines.peek().filter(|Reverse((deadline, _))| *deadline <= now)?;
        let timer = self.pending.iter().find(|pending| pending.number == number)?.timer;
        self.cancel(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn timers_come_up_in_the_order_of_their_deadlines_and_once() {
        let mut heap = Heap::default();
        heap.set(Timer::Readers, 30);
        heap.set(Timer::Accept, 10);
        heap.set(Timer::Log, 20);
        assert_eq!((heap.earliest(), heap.due(9)), (Some(10), None));
        assert_eq!(heap.due(20), Some(Timer::Accept));
        assert_eq!(heap.due(20), Some(Timer::Log));
        assert_eq!((heap.due(20), heap.earliest()), (None, Some(30)));
        assert_eq!((heap.due(31), heap.due(31), heap.earliest()), (Some(Timer::Readers), None, None));
    }

    #[test]
    fn what_was_replaced_or_cancelled_does_not_come_up() {
        let mut heap = Heap::default();
        heap.set(Timer::Wait, 10);
        heap.set(Timer::Wait, 30);
        assert_eq!((heap.earliest(), heap.due(29)), (Some(30), None));
        heap.set(Timer::Wait, 5);
        heap.set(Timer::Log, 6);
        heap.cancel(Timer::Wait);
        heap.cancel(Timer::Accept);
        assert_eq!((heap.earliest(), heap.due(100), heap.due(100)), (Some(6), Some(Timer::Log), None));
    }

    #[test]
    fn a_timer_that_is_set_again_and_again_takes_no_more_room() {
        let mut heap = Heap::default();
        heap.set(Timer::Kill, 1_000_000);
        for time in 0..10_000 {
            heap.set(Timer::Readers, 2_000_000 + time);
            heap.cancel(Timer::Readers);
        }
        assert!(heap.deadlines.len() < 32 && heap.deadlines.capacity() < 64, "{}", heap.deadlines.len());
        assert_eq!(heap.due(u64::MAX), Some(Timer::Kill));
        assert_eq!(heap.due(u64::MAX), None);
    }

    #[test]
    fn without_a_timer_nothing_ends_the_sleep() {
        let mut timers = Timers::default();
        assert!(timers.timeout().is_none() && timers.alarm().is_none() && timers.due().is_none());
        timers.set(Timer::Readers, Some(Instant::now()));
        timers.set_elapsed(Timer::Kill, Duration::from_secs(1000)).expect("a timer can be made");
        assert!(timers.timeout().is_some_and(|left| left.is_zero()) && timers.alarm().is_some());
        timers.set(Timer::Readers, None);
        timers.cancel(Timer::Kill);
        assert!(timers.timeout().is_none() && timers.alarm().is_none() && timers.due().is_none());
    }

    #[test]
    fn the_alarm_is_armed_for_the_earliest() {
        let mut timers = Timers::default();
        timers.set_elapsed(Timer::Kill, Duration::from_secs(1000)).expect("a timer can be made");
        timers.set_elapsed(Timer::Wait, Duration::from_millis(1)).expect("a timer can be set");
        let is_ready = |timers: &Timers, time: Duration| {
            let alarm = timers.alarm().expect("an alarm");
            let time = Timespec::try_from(time).expect("a time");
            poll(&mut [PollFd::from_borrowed_fd(alarm, PollFlags::IN)], Some(&time)).expect("polled") == 1
        };
        assert!(is_ready(&timers, Duration::from_secs(20)));
        assert_eq!((timers.due(), timers.due()), (Some(Timer::Wait), None));
        // It waits for the other now.
        assert!(!is_ready(&timers, Duration::ZERO));
        timers.set_elapsed(Timer::Kill, Duration::ZERO).expect("a timer can be set");
        assert!(is_ready(&timers, Duration::from_secs(20)));
        assert_eq!((timers.due(), timers.alarm().is_none()), (Some(Timer::Kill), true));
    }
}
