//! Threads for a piece of work, in a process that forks otherwise.

use super::process::threads;

/// How often to look whether the threads have ended: the kernel counts a thread for some microseconds after its end.
const LOOKS: usize = 10_000;

/// Runs `work` in this thread and in up to `count - 1` others, and returns when all of them have returned. The process
/// has as many threads as before then, so that one with a single thread may fork ([`super::process::fork`]).
///
/// Fewer threads do the work if the user may not start more.
pub(crate) fn side_by_side(count: usize, work: impl Fn() + Sync) {
    let before = threads();
    std::thread::scope(|scope| {
        for _ in 1..count {
            if std::thread::Builder::new().spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
    for _ in 0..LOOKS {
        if threads() <= before {
            break;
        }
        std::thread::yield_now();
    }
}
