//! Leaving a process at once: below `process`, since any failpoint in `sys` may do it.
#![expect(unsafe_code, reason = "_exit(2) has no safe wrapper")]

/// Ends this process at once, without destructors and exit handlers. Source: _exit(2).
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit does not return and touches no memory of ours.
    unsafe { libc::_exit(code) }
}
