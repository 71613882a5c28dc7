//! Waiting for events that have no descriptor.

use std::time::{Duration, Instant};

/// The time that a test waits for something that should happen at once, on a host that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks repeatedly until there is an answer. Only for what sends no event, such as a server behind a forwarded port;
/// the pause between two questions keeps the CPU free, and nothing depends on its length.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
