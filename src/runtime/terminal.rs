//! The program's terminal, from the container's own devpts.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::sync::{Step as _, send};
use super::{Failure, Progress};
use crate::sys::filesystem::of_kernel;
use crate::sys::tty;
use crate::types::ReportKind;

/// Opens a terminal in `directory`, the container's `/dev/pts`. Returns the program's side and sends the other side to
/// the monitor.
///
/// It must be a devpts: the image or the container could have put something else there.
pub(super) fn open(directory: BorrowedFd<'_>, sync: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    if of_kernel(directory).step_on("stat", "/dev/pts")? != Some("devpts") {
        return Err(Failure::reason(
            ReportKind::Invalid,
            "`/dev/pts` in the container is not devpts, so the container can have no terminal",
        ));
    }
    let (master, slave) = tty::open_pair(directory.as_fd()).step("open a terminal")?;
    send(sync, &Progress::Terminal(master)).step("send the terminal to the monitor")?;
    Ok(slave)
}
