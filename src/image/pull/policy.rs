use crate::plan::PullPolicy;

/// What to do before an image is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Use the local one.
    UseLocal,
    /// Pull it; without it there is nothing to run.
    Pull,
    /// Pull it, and use the local one if the registry cannot be reached ([`super::Error::is_unreachable`]).
    PullOrLocal,
    /// Fail: it is not in the store, and must not be pulled.
    Refuse,
}

/// What `policy` means for an image that is in the store or not. Source: podman-run(1), `--pull`.
pub(crate) fn step(policy: PullPolicy, is_local: bool) -> Step {
    match (policy, is_local) {
        (PullPolicy::Always, _) | (PullPolicy::Missing | PullPolicy::Newer, false) => Step::Pull,
        (PullPolicy::Missing | PullPolicy::Never, true) => Step::UseLocal,
        (PullPolicy::Newer, true) => Step::PullOrLocal,
        (PullPolicy::Never, false) => Step::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_podmans() {
        use PullPolicy::{Always, Missing, Never, Newer};
        for (policy, when_local, when_absent) in [
            (Always, Step::Pull, Step::Pull),
            (Missing, Step::UseLocal, Step::Pull),
            (Never, Step::UseLocal, Step::Refuse),
            (Newer, Step::PullOrLocal, Step::Pull),
        ] {
            assert_eq!((step(policy, true), step(policy, false)), (when_local, when_absent), "{policy:?}");
        }
    }
}
