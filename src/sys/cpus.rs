//! The CPUs: how many the host has, and, for tests, how long a thread has had one.

use super::fs;

/// The CPUs that are present, whichever of them this process may use: a container sees all of them in `/sys`. Without
/// sysfs, the CPUs of this process. Source: the kernel's cputopology.rst, `/sys/devices/system/cpu/present`.
pub(crate) fn present() -> u32 {
    let listed = fs::read_to_string("/sys/devices/system/cpu/present").ok();
    listed.as_deref().and_then(count).unwrap_or_else(|| {
        std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
    })
}

/// One more than the last number of a list such as `0-3,8-11`.
fn count(list: &str) -> Option<u32> {
    list.trim_end().rsplit([',', '-']).next()?.parse::<u32>().ok()?.checked_add(1)
}

/// How long this thread has had a CPU. Tests measure by it: what else the machine does is no part of it.
#[cfg(test)]
pub(crate) fn time_of_thread() -> std::time::Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_of_the_list_counts() {
        for (list, expected) in
            [("0\n", Some(1)), ("0-3\n", Some(4)), ("0-3,8-11\n", Some(12)), ("", None), ("x", None)]
        {
            assert_eq!(count(list), expected, "{list}");
        }
        assert!(present() > 0);
    }
}
