//! What a start needs of its front end, and how that is attached to the program. The start itself looks up none of
//! this, so that it serves any front end.

use std::io;
use std::os::fd::BorrowedFd;

use crate::sys::signal::Signals;

/// Whether a front end is attached to the program that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attach {
    /// It is not.
    No,
    /// It is, by a session.
    Yes {
        /// The session has the program's input.
        stdin: bool,
    },
}

/// A front end, as a start sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrontEnd<'a> {
    /// Whether it is attached to the program.
    pub(crate) attach: Attach,
    /// Its own descriptors 0, 1 and 2, which the log driver `passthrough` hands to the program.
    pub(crate) descriptors: [Option<BorrowedFd<'a>>; 3],
    /// Rows and columns of its terminal, if it has one.
    pub(crate) size: Option<(u16, u16)>,
    /// Makes events of the signals that undo the start. It is called just before the program can run; until then the
    /// signals have their usual effect on this process. The session returns them.
    pub(crate) take_signals: Option<fn() -> io::Result<Signals>>,
}

impl FrontEnd<'_> {
    /// Hands the descriptor of this number, 1 or 2, to no program.
    pub(crate) fn leave_out(&mut self, number: i32) {
        if let Some(descriptor) = usize::try_from(number).ok().and_then(|number| self.descriptors.get_mut(number)) {
            *descriptor = None;
        }
    }
}
