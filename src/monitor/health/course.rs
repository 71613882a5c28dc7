//! What follows from the results of health checks: pure.

use std::time::Duration;

use crate::monitor::record::{HealthRecord, HealthResult, HealthStatus};
use crate::plan::{Check, Healthcheck, OnFailure};

/// The checks of one run of the program.
#[derive(Debug)]
pub(super) struct Course {
    rules: Healthcheck,
    pub(super) record: HealthRecord,
    startup: Stage,
    /// A regular check has passed in this run.
    has_passed: bool,
}

/// How far the startup check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has passed and failed so often.
    Startup { passed: u32, failed: u32 },
    /// It is over, or there is none.
    Regular,
}

/// What follows from a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::monitor) struct Outcome {
    /// The check has passed.
    pub(in crate::monitor) passed: bool,
    /// The status is another one than before.
    pub(in crate::monitor) has_changed: bool,
    /// What is to be done with the container.
    pub(in crate::monitor) action: OnFailure,
}

impl Course {
    pub(super) fn new(rules: Healthcheck) -> Self {
        let mut course = Self { rules, record: HealthRecord::of_start(), startup: Stage::Regular, has_passed: false };
        course.begin();
        course
    }

    /// A run of the program begins.
    pub(super) fn begin(&mut self) {
        self.record = HealthRecord::of_start();
        self.has_passed = false;
        self.startup = match self.rules.startup {
            Some(_) => Stage::Startup { passed: 0, failed: 0 },
            None => Stage::Regular,
        };
    }

    /// The rules.
    pub(super) fn rules(&self) -> &Healthcheck {
        &self.rules
    }

    /// Whether the next check is a startup check.
    pub(super) fn is_in_startup(&self) -> bool {
        self.startup != Stage::Regular
    }

    /// The check that is to be run now.
    pub(super) fn check(&self) -> &Check {
        match (&self.startup, &self.rules.startup) {
            (Stage::Startup { .. }, Some(startup)) => &startup.check,
            _ => &self.rules.check,
        }
    }

    /// The time until the next check, for a program that has run that long; `None` if it does not come by itself.
    pub(super) fn pause(&self, ran: Duration) -> Option<Duration> {
        let usual = self.check().interval?;
        let is_starting = !self.is_in_startup() && self.is_in_start_period(ran);
        Some(if is_starting { usual.min(self.rules.start_interval) } else { usual })
    }

    fn is_in_start_period(&self, ran: Duration) -> bool {
        !self.has_passed && ran < self.rules.start_period
    }

    /// Records the result of the check of a program that has run that long.
    pub(super) fn conclude(&mut self, result: HealthResult, ran: Duration) -> Outcome {
        let passed = result.exit_code == 0;
        let log = &mut self.record.log;
        log.push(result);
        log.drain(..log.len().saturating_sub(self.rules.log.count));
        let nothing = Outcome { passed, has_changed: false, action: OnFailure::None };
        if let (Stage::Startup { passed: count, failed }, Some(startup)) = (&mut self.startup, &self.rules.startup) {
            if passed {
                *count += 1;
                if *count >= startup.successes {
                    self.startup = Stage::Regular;
                }
                return nothing;
            }
            *failed = failed.saturating_add(1);
            let is_over = startup.check.retries > 0 && *failed >= startup.check.retries;
            return Outcome { action: if is_over { OnFailure::Restart } else { OnFailure::None }, ..nothing };
        }
        let before = self.record.status;
        if passed {
            self.has_passed = true;
            self.record.failing_streak = 0;
            self.record.status = HealthStatus::Healthy;
        } else if !self.is_in_start_period(ran) {
            self.record.failing_streak = self.record.failing_streak.saturating_add(1);
            if self.record.failing_streak >= self.rules.check.retries {
                self.record.status = HealthStatus::Unhealthy;
            }
        }
        let has_changed = self.record.status != before;
        let is_lost = has_changed && self.record.status == HealthStatus::Unhealthy;
        Outcome { has_changed, action: if is_lost { self.rules.on_failure } else { OnFailure::None }, ..nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::json;

    fn rules(more: &str) -> Healthcheck {
        let second = r#"{"secs":1,"nanos":0}"#;
        json::from_str(&format!(
            r#"{{"test":["CMD","x"],"interval":{{"secs":30,"nanos":0}},"timeout":{second},"retries":2,
                "startPeriod":{{"secs":60,"nanos":0}},"startInterval":{second},"onFailure":"stop",
                "log":{{"count":3,"size":9}}{more}}}"#
        ))
        .expect("rules")
    }

    fn conclude(course: &mut Course, code: i32, ran: u64) -> (HealthStatus, u32, bool, OnFailure) {
        let result =
            HealthResult { start: String::new(), end: String::new(), exit_code: code, output: ran.to_string() };
        let outcome = course.conclude(result, Duration::from_secs(ran));
        assert_eq!(outcome.passed, code == 0);
        (course.record.status, course.record.failing_streak, outcome.has_changed, outcome.action)
    }

    #[test]
    fn failures_count_after_the_start_period_or_the_first_success() {
        use HealthStatus::{Healthy, Starting, Unhealthy};
        let mut course = Course::new(rules(""));
        assert_eq!(course.pause(Duration::ZERO), Some(Duration::from_secs(1)));
        assert_eq!(conclude(&mut course, 1, 1), (Starting, 0, false, OnFailure::None));
        assert_eq!(conclude(&mut course, 1, 60), (Starting, 1, false, OnFailure::None));
        assert_eq!(course.pause(Duration::from_secs(60)), Some(Duration::from_secs(30)));
        assert_eq!(conclude(&mut course, -1, 90), (Unhealthy, 2, true, OnFailure::Stop));
        assert_eq!(conclude(&mut course, 1, 99), (Unhealthy, 3, false, OnFailure::None));
        assert_eq!(conclude(&mut course, 0, 120), (Healthy, 0, true, OnFailure::None));
        assert_eq!(course.record.log.iter().map(|it| it.output.as_str()).collect::<Vec<_>>(), ["90", "99", "120"]);
        course.begin();
        assert_eq!((course.record.status, course.record.log.len()), (Starting, 0));
        assert_eq!(conclude(&mut course, 0, 2), (Healthy, 0, true, OnFailure::None));
        assert_eq!(course.pause(Duration::from_secs(3)), Some(Duration::from_secs(30)));
        assert_eq!(conclude(&mut course, 7, 3), (Healthy, 1, false, OnFailure::None));
        assert_eq!(conclude(&mut course, 7, 4), (Unhealthy, 2, true, OnFailure::Stop));
    }

    #[test]
    fn the_startup_check_comes_first_and_a_program_that_does_not_start_is_restarted() {
        use HealthStatus::{Healthy, Starting};
        let startup = r#","startup":{"test":["CMD","y"],"interval":null,"timeout":{"secs":1,"nanos":0},"retries":2,
            "successes":2}"#;
        let mut course = Course::new(rules(startup));
        assert_eq!((course.check().test[1].as_str(), course.pause(Duration::ZERO)), ("y", None));
        assert_eq!(conclude(&mut course, 1, 70), (Starting, 0, false, OnFailure::None));
        assert_eq!(conclude(&mut course, 0, 71), (Starting, 0, false, OnFailure::None));
        assert_eq!(conclude(&mut course, 1, 72), (Starting, 0, false, OnFailure::Restart));
        course.begin();
        conclude(&mut course, 0, 1);
        assert!(course.is_in_startup());
        conclude(&mut course, 0, 2);
        assert_eq!((course.check().test[1].as_str(), course.is_in_startup()), ("x", false));
        assert_eq!(conclude(&mut course, 0, 3), (Healthy, 0, true, OnFailure::None));
    }
}
