//! Waiting for events that have no descriptor.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

/// The time that a test waits for something that should happen at once, on a host that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `path` exists; the kernel reports every change of its directory, which must exist.
#[track_caller]
pub(crate) fn for_path(path: &Path) {
    let directory = path.parent().expect("a path has a parent");
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).expect("inotify");
    let changes = inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
    inotify::add_watch(&watch, directory, changes).expect("the directory can be watched");
    let end = Instant::now() + PATIENCE;
    while path.symlink_metadata().is_err() {
        let left = end.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "`{}` did not appear within {PATIENCE:?}", path.display());
        let left = Timespec { tv_sec: left.as_secs().try_into().unwrap_or(1), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
        let mut events = [0; 4096];
        while rustix::io::read(&watch, &mut events).is_ok_and(|length| length > 0) {}
    }
}

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
