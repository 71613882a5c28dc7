//! Points at which a test can make rc die or fail: before each change of a file, each fork, mount, lock and message.
//! Builds without debug assertions have none of them.
//!
//! ```text
//! RC_FAILPOINT=NUMBER:KIND:FILE   KIND is kill, eio or enospc; FILE has one page, which every process maps
//! FILE: u32 points passed so far │ the source location of the point that was hit, as text
//! ```
//! The command and all processes that it forks share one count, so that exactly one process is hit, and the count shows
//! the test whether the point was reached.

#[cfg(debug_assertions)]
pub(super) use armed::point;

/// A point; does nothing in this build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(super) fn point() -> std::io::Result<()> {
    Ok(())
}

#[cfg(debug_assertions)]
#[expect(unsafe_code, reason = "a count that forked processes share lies in a mapping")]
#[expect(clippy::disallowed_methods, reason = "`sys::fs` itself is full of these points")]
mod armed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::panic::Location;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

    /// The contents of FILE.
    #[repr(C)]
    struct Page {
        passed: AtomicU32,
        place: [AtomicU8; 1020],
    }

    #[derive(Clone, Copy)]
    enum Kind {
        Kill,
        Error(i32),
    }

    struct Plan {
        number: u32,
        kind: Kind,
        page: &'static Page,
    }

    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

    /// A point: the one that `RC_FAILPOINT` names kills this process, or fails.
    #[track_caller]
    pub(in crate::sys) fn point() -> io::Result<()> {
        let Some(plan) = PLAN.get_or_init(Plan::read) else { return Ok(()) };
        if plan.page.passed.fetch_add(1, Ordering::SeqCst) + 1 != plan.number {
            return Ok(());
        }
        let place = Location::caller().to_string();
        for (to, byte) in plan.page.place.iter().zip(place.bytes()) {
            to.store(byte, Ordering::SeqCst);
        }
        match plan.kind {
            Kind::Error(errno) => Err(io::Error::from_raw_os_error(errno)),
            Kind::Kill => {
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
                // Process 1 of a pid namespace takes no signal from itself.
                crate::sys::exit::exit_now(137)
            }
        }
    }

    impl Plan {
        fn read() -> Option<Self> {
            let text = std::env::var("RC_FAILPOINT").ok()?;
            let mut words = text.splitn(3, ':');
            let number = words.next()?.parse().ok()?;
            let kind = match words.next()? {
                "kill" => Kind::Kill,
                "eio" => Kind::Error(libc::EIO),
                "enospc" => Kind::Error(libc::ENOSPC),
                _ => return None,
            };
            let file = File::options().read(true).write(true).open(words.next()?).ok()?;
            if file.metadata().ok()?.len() < size_of::<Page>() as u64 {
                return None;
            }
            let access = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: a new mapping at an address of the kernel's choice; the file is as long, and the test does not
            // shorten it.
            let page = unsafe {
                libc::mmap(std::ptr::null_mut(), size_of::<Page>(), access, libc::MAP_SHARED, file.as_raw_fd(), 0)
            };
            if page == libc::MAP_FAILED {
                return None;
            }
            // SAFETY: the mapping is page-aligned, large enough, never unmapped, and made of atomics for which any bits
            // do.
            let page: &'static Page = unsafe { &*page.cast::<Page>() };
            Some(Self { number, kind, page })
        }
    }
}
