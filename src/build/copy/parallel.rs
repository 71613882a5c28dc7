//! Work on many files, on as many threads as there are CPUs. Only for a forked child, which forks no more.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{Error, failed};

/// So many files are worked on at a time by one thread.
pub(super) const GROUP: usize = 64;

/// Does `work` for each number below `count`; each thread has something `fresh` of its own. Returns the results in any
/// order. After a failure nothing more is begun.
pub(super) fn each<Own, Made: Send>(
    count: usize,
    fresh: impl Fn() -> Own + Sync,
    work: impl Fn(usize, &mut Own) -> Result<Made, Error> + Sync,
) -> Result<Vec<Made>, Error> {
    let next = AtomicUsize::new(0);
    let run = || {
        let (mut own, mut made) = (fresh(), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(made);
            }
            match work(number, &mut own) {
                Ok(one) => made.push(one),
                Err(error) => {
                    next.store(count, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    let others = thread::available_parallelism().map_or(1, NonZero::get).min(count).saturating_sub(1);
    thread::scope(|scope| {
        // Where no thread can be started, this one does it all.
        let start = |_| thread::Builder::new().name("rc: files".to_owned()).spawn_scoped(scope, run).ok();
        let started: Vec<_> = (0..others).filter_map(start).collect();
        let mut all = run();
        for one in started {
            let made = one.join().unwrap_or_else(|_| Err(panicked()));
            all = all.and_then(|mut all| {
                all.extend(made?);
                Ok(all)
            });
        }
        all
    })
}

fn panicked() -> Error {
    failed("work on", b"the files")(io::Error::other("a thread has panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_worked_on_once_and_a_failure_ends_it() {
        let mut made = each(1000, || (), |number, ()| Ok(number)).expect("done");
        made.sort_unstable();
        assert_eq!(made, (0..1000).collect::<Vec<_>>());
        let work = |number, (): &mut ()| if number == 7 { Err(panicked()) } else { Ok(number) };
        assert!(each(1000, || (), work).is_err());
        assert!(each(0, || (), work).expect("nothing to do").is_empty());
    }
}
