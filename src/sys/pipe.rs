//! The sizes of pipes. Source: pipe(7), "Pipe capacity".

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};

/// The size of a pipe that transports much data: so that each side finds several pieces at once, instead of waiting for
/// the other side after each of them.
const WIDE: usize = 256 << 10;

/// How much must be transported first. All pipes of a user together may have 64 MiB before new ones get two pages each
/// (`pipe-user-pages-soft`), so the pipes of the many containers that print little stay small.
const MUCH: u64 = 1 << 20;

/// The largest pipe that any user may create, unless an administrator sets another limit (`pipe-max-size`).
const LARGEST: usize = 1 << 20;

/// Counts the bytes that a pipe transports, up to the limit of `MUCH`.
#[derive(Debug, Default)]
pub(crate) struct Traffic(u64);

impl Traffic {
    /// Adds `bytes` to the count of `pipes`, which are enlarged when it reaches `MUCH`.
    pub(crate) fn count(&mut self, bytes: usize, pipes: &[BorrowedFd<'_>]) {
        let before = self.0;
        self.0 = self.0.saturating_add(bytes as u64);
        if before < MUCH && self.0 >= MUCH {
            for pipe in pipes {
                // A user with too many pipes keeps the current size; a descriptor that is not a pipe has none.
                if fcntl_getpipe_size(pipe).is_ok_and(|size| size < WIDE) {
                    fcntl_setpipe_size(pipe, WIDE).ok();
                }
            }
        }
    }
}

/// Opens the pipe `fd` again, for reading or writing without ever waiting: the flags of `fd` itself are shared with
/// every copy of it.
///
/// Fails with EINVAL if it is not a pipe.
pub(crate) fn open_anew(fd: &OwnedFd, access: OFlags) -> io::Result<OwnedFd> {
    if FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) != FileType::Fifo {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::open(path, access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Adds room for this many bytes, if the kernel allows it; returns whether it did.
///
/// A pipe is a row of slots of one page, and a piece that was written by splice(2) or tee(2) takes a slot however short
/// it is: so this adds slots for the bytes, whatever the pipe contains.
pub(crate) fn add_room(pipe: BorrowedFd<'_>, bytes: usize) -> bool {
    let Ok(size) = fcntl_getpipe_size(pipe) else { return false };
    let wanted = size + bytes;
    [wanted, wanted.min(LARGEST)].into_iter().any(|wanted| fcntl_setpipe_size(pipe, wanted).is_ok())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_pipe_that_much_goes_through_is_made_wider_and_no_other() {
        let (reader, _writer) = io::pipe().expect("a pipe");
        let size = || fcntl_getpipe_size(&reader).expect("a size");
        let before = size();
        let mut traffic = Traffic::default();
        traffic.count(1000, &[reader.as_fd()]);
        assert_eq!(size(), before);
        traffic.count(1 << 20, &[reader.as_fd()]);
        assert_eq!(size(), WIDE);
    }

    #[test]
    fn room_can_be_added_to_a_full_pipe() {
        let (_reader, mut writer) = io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&writer, true).expect("it does not wait");
        while writer.write(&[0; 4096]).is_ok() {}
        assert!(add_room(writer.as_fd(), 10_000));
        assert_eq!(writer.write(&[0; 10_000]).expect("there is room"), 10_000);
    }
}
