//! Restarts: whether a program that has ended is started again, and after how long.

use std::time::Duration;

use crate::plan::RestartPolicy;

/// The first pause, which doubles with every restart. Source: docker, `restartmanager`.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);
/// A program that has run this long has started well: the next pause is the shortest again.
const SETTLED: Duration = Duration::from_secs(10);

/// The restart policy of one container at work, for the life of its monitor.
#[derive(Debug)]
pub(super) struct Rule {
    policy: RestartPolicy,
    /// Whether a restarted program would have the same descriptors as this one.
    can_be_on: bool,
    restarts: u32,
    pause: Duration,
    is_pausing: bool,
    /// It is started again after this run, whatever the policy is.
    is_due: bool,
}

impl Rule {
    /// For a container that the user has just started.
    pub(super) fn new(policy: RestartPolicy, can_be_on: bool) -> Self {
        Self { policy, can_be_on, restarts: 0, pause: Duration::ZERO, is_pausing: false, is_due: false }
    }

    /// Uses another policy from the program's next end on, as if it had always been in force.
    pub(super) fn follow(&mut self, policy: RestartPolicy) {
        self.policy = policy;
    }

    /// Whether the program may be started again after its end.
    pub(super) fn is_active(&self) -> bool {
        self.policy != RestartPolicy::No || self.is_due
    }

    /// The program is started again after its next end, whatever the policy is.
    pub(super) fn start_again(&mut self) {
        self.is_due = true;
    }

    /// Whether the program could be restarted if the user changed the policy.
    pub(super) fn can_be_on(&self) -> bool {
        self.can_be_on
    }

    /// How often the program was restarted.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Whether the monitor waits before it restarts the program.
    pub(super) fn is_pausing(&self) -> bool {
        self.is_pausing
    }

    /// The pause before a restart begins.
    pub(super) fn begin_pause(&mut self) {
        self.is_pausing = true;
    }

    /// The pause is over.
    pub(super) fn end_pause(&mut self) {
        self.is_pausing = false;
    }

    /// The pause before the restart of a program that has exited by itself with `code` and `ran` that long; `None` if
    /// it is not restarted. Counts the restart.
    pub(super) fn after(&mut self, code: i32, ran: Duration) -> Option<Duration> {
        let again = match self.policy {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure { retries } => code != 0 && retries.is_none_or(|retries| self.restarts < retries),
        };
        if !std::mem::take(&mut self.is_due) && !again {
            return None;
        }
        self.restarts = self.restarts.saturating_add(1);
        self.pause = if ran >= SETTLED || self.pause.is_zero() { SHORTEST } else { (self.pause * 2).min(LONGEST) };
        Some(self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Option<Duration> {
        Some(Duration::from_millis(milliseconds))
    }

    #[test]
    fn which_ends_are_followed_by_a_start() {
        let failure = |retries| RestartPolicy::OnFailure { retries };
        for (policy, codes, expected) in [
            (RestartPolicy::No, &[1, 0][..], &[None, None][..]),
            (RestartPolicy::Always, &[0, 1, 137], &[ms(100), ms(200), ms(400)]),
            (RestartPolicy::UnlessStopped, &[0, 1], &[ms(100), ms(200)]),
            (failure(None), &[3, 3, 0], &[ms(100), ms(200), None]),
            (failure(Some(2)), &[1, 1, 1], &[ms(100), ms(200), None]),
        ] {
            let mut rule = Rule::new(policy, true);
            let found: Vec<_> = codes.iter().map(|code| rule.after(*code, Duration::ZERO)).collect();
            assert_eq!(found, expected, "{policy:?}");
        }
    }

    #[test]
    fn the_pause_doubles_to_a_minute_and_begins_anew_after_a_good_run() {
        let mut rule = Rule::new(RestartPolicy::Always, true);
        let pauses: Vec<_> = (0..12).filter_map(|_| rule.after(1, Duration::from_secs(9))).collect();
        assert_eq!(pauses[..3], [100, 200, 400].map(Duration::from_millis));
        assert_eq!(pauses[9..], [51_200, 60_000, 60_000].map(Duration::from_millis));
        assert_eq!(rule.after(0, Duration::from_secs(10)), ms(100));
        assert_eq!(rule.restarts(), 13);
    }
}
