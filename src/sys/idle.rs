//! What a process that will be idle for long gives back to the kernel: it would otherwise keep all the memory that its
//! start has used.
//!
//! Pages of code are mapped again by what is executed, and with each of them those around it (`fault_around_bytes` of
//! the kernel, 64 KiB). So what goes to sleep does that in the function that drops them, by a system call that is part
//! of it: one piece of code stays mapped instead of one for each function on the way.
#![expect(unsafe_code, reason = "malloc_trim(3) and madvise(2) have no safe wrapper")]

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::mm::{Advice, madvise};

use super::fs;

/// How much of the stack below a frame may be in use: what is called from there, and what the ABI lets a function use
/// below its frame.
const IN_USE: usize = 16 << 10;

/// The stack was given back: what comes after a start needs little of it, and to look for it takes long.
static HAS_TRIMMED: AtomicBool = AtomicBool::new(false);

/// Gives back unused heap and, once, unused stack, and the mapped pages of the program's code, and sleeps by `sleep`:
/// one system call that is made inline, as those of rustix.
pub(crate) fn shrink_and<T>(sleep: impl FnOnce() -> T) -> T {
    if !HAS_TRIMMED.swap(true, Ordering::Relaxed) {
        trim_stack();
    }
    trim_heap();
    without_code_pages(sleep)
}

/// Returns unused heap to the kernel. Source: malloc_trim(3).
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim only releases free memory at the top of the heap and within it.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Returns the stack below this frame to the kernel, which gives zeroes when it is used again: a command line and
/// records that were read once have needed much of it. Only the stack of the first thread is known by its name.
fn trim_stack() {
    let here = 0_u8;
    let here = (&raw const here).addr();
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let stack = maps.lines().find(|line| line.ends_with("[stack]")).and_then(range);
    let page = rustix::param::page_size();
    let end = here.saturating_sub(IN_USE) & !(page - 1);
    if let Some((start, top)) = stack
        && (start..top).contains(&here)
        && start < end
    {
        // SAFETY: nothing that is alive is below the frames of this function and of what it calls, which are above
        // `end`; no other thread has this stack, and signals, which are blocked, have no handlers on it.
        unsafe {
            madvise(std::ptr::with_exposed_provenance_mut(start), end - start, Advice::LinuxDontNeed).ok();
        }
    }
}

/// The addresses of a line of `/proc/PID/maps`. Source: proc_pid_maps(5).
fn range(line: &str) -> Option<(usize, usize)> {
    let (start, rest) = line.split_once('-')?;
    let end = rest.split(' ').next()?;
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

/// Drops the mapped pages of this program's own code and constants, and sleeps: they stay in the page cache, and the
/// kernel maps them again when they are needed.
#[inline(never)]
fn without_code_pages<T>(sleep: impl FnOnce() -> T) -> T {
    unsafe extern "C" {
        static __executable_start: u8;
        static etext: u8;
    }
    let page = rustix::param::page_size();
    let start = (&raw const __executable_start).addr();
    let end = (&raw const etext).addr() & !(page - 1);
    if start < end && start.is_multiple_of(page) {
        // SAFETY: the linker puts nothing but headers, constants and code between the two symbols, all of it mapped
        // from the file and never written, so that dropped pages come back as they were. Without it the process only
        // uses more.
        unsafe {
            madvise(std::ptr::with_exposed_provenance_mut(start), end - start, Advice::LinuxDontNeed).ok();
        }
    }
    sleep()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps_begins_with_its_addresses() {
        let line = "7fff105ea000-7fff10633000 rw-p 00000000 00:00 0                          [stack]";
        assert_eq!(range(line), Some((0x7fff_105e_a000, 0x7fff_1063_3000)));
        assert_eq!(range("nothing"), None);
    }
}
