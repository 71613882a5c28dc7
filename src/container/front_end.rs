//! What a front end brings to a start, and how it is joined to the program. The start itself looks nothing of this up,
//! so that it serves any front end.

use std::io;
use std::os::fd::BorrowedFd;

use crate::sys::signal::Signals;

/// How a front end is joined to the program that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attach {
    /// Not at all.
    No,
    /// By a session.
    Yes {
        /// The session has the program's input.
        stdin: bool,
    },
}

/// A front end, as a start sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrontEnd<'a> {
    /// How it is joined to the program.
    pub(crate) attach: Attach,
    /// Its own descriptors 0, 1 and 2, which the log driver `passthrough` hands to the program.
    pub(crate) descriptors: [Option<BorrowedFd<'a>>; 3],
    /// Rows and columns of its terminal, if it has one.
    pub(crate) size: Option<(u16, u16)>,
    /// Makes events of the signals that take the start back, just before the program can run: until then they do to
    /// this process what they always do. They come back with the session.
    pub(crate) take_signals: Option<fn() -> io::Result<Signals>>,
}
