//! From the program to the log and to the clients.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::client::Clients;
use super::outlet::{Moved, Outlet, Read, room};
use super::sink::Sink;
use crate::monitor::log::Log;
use crate::monitor::stream::Stream;
use crate::sys::inlet::TURNS;

/// The most bytes to read after the program's end: more is from other processes, and may never end.
const MOST: usize = 16 << 20;

/// The program's outputs, and the log of all of them.
#[derive(Debug)]
pub(super) struct Output {
    outlets: Vec<Outlet>,
    log: Option<Log>,
}

impl Output {
    pub(super) fn new(log: Option<Log>) -> Self {
        Self { outlets: Vec::new(), log }
    }

    /// Whether the program's output is logged.
    pub(super) fn is_logged(&self) -> bool {
        self.log.is_some()
    }

    pub(super) fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    pub(super) fn log_mut(&mut self) -> Option<&mut Log> {
        self.log.as_mut()
    }

    /// Adds a pipe or terminal that the program writes to.
    pub(super) fn add(&mut self, fd: OwnedFd, stream: Stream, is_terminal: bool) -> io::Result<()> {
        self.outlets.push(Outlet::new(fd, stream, is_terminal)?);
        Ok(())
    }

    /// The program's terminal.
    pub(super) fn terminal(&self) -> Option<&Outlet> {
        self.outlets.iter().find(|outlet| outlet.is_terminal())
    }

    /// Closes the pipe of this stream, so that the program finds no reader.
    pub(super) fn close(&mut self, stream: Stream) {
        self.outlets.retain(|outlet| outlet.stream() != stream || outlet.is_terminal());
    }

    /// Closes all outputs; the next run has outputs of its own.
    pub(super) fn clear(&mut self) {
        self.outlets.clear();
    }

    /// Whether all output was read and is in the log.
    pub(super) fn is_drained(&self) -> bool {
        self.outlets.is_empty() && !self.is_log_full()
    }

    /// The outlets to read from: the log and their clients have room.
    pub(super) fn readable<'a>(&'a self, clients: &'a Clients) -> impl Iterator<Item = (BorrowedFd<'a>, Stream)> {
        let readable = self.outlets.iter().filter(|outlet| !self.is_blocked(outlet.stream(), clients));
        readable.map(|outlet| (outlet.fd(), outlet.stream()))
    }

    fn is_log_full(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.poll_fd().is_some())
    }

    /// Whether the program must wait for the log or for a client of this stream.
    pub(super) fn is_blocked(&self, stream: Stream, clients: &Clients) -> bool {
        self.is_log_full() || clients.sinks().any(|sink| sink.stream() == stream && sink.holds_up())
    }

    /// Moves output until there is no more, a client or the log is full, or other events have their turn.
    pub(super) fn pump(&mut self, stream: Stream, clients: &mut Clients) {
        let mut buffer = Vec::new();
        for _ in 0..TURNS {
            if self.is_blocked(stream, clients) {
                return;
            }
            let Some(outlet) = self.outlets.iter_mut().find(|outlet| outlet.stream() == stream) else { return };
            if let Some(sink) = only_sink(stream, clients) {
                match outlet.move_to(sink, self.log.as_mut(), &mut buffer) {
                    Moved::Some => continue,
                    Moved::Full => return,
                    Moved::NotPossible => {}
                    Moved::End => return self.outlets.retain(|outlet| outlet.stream() != stream),
                }
            }
            match outlet.read(room(&mut buffer)) {
                Read::Some(length) => self.deliver(stream, &buffer[..length], clients),
                Read::Nothing => {
                    if let Some(log) = &mut self.log {
                        log.rest();
                    }
                    return;
                }
                Read::End => return self.outlets.retain(|outlet| outlet.stream() != stream),
            }
        }
    }

    fn deliver(&mut self, stream: Stream, bytes: &[u8], clients: &mut Clients) {
        for sink in clients.sinks_mut().filter(|sink| sink.stream() == stream) {
            sink.take(bytes);
        }
        if let Some(log) = &mut self.log {
            log.append(stream, bytes);
        }
    }

    /// The program has ended, and with it all processes of its PID namespace: moves the rest of their output into the
    /// clients' pipes, and enlarges these, so that the output stays there without this process. It does not wait for
    /// the end of the pipe: a process of another container may have the program's end, since descriptors can be sent.
    pub(super) fn finish(&mut self, clients: &mut Clients) {
        let mut buffer = Vec::new();
        while let Some(outlet) = self.outlets.pop() {
            // If the program has switched its pipe to packet mode, a read returns no more than one write.
            let mut left = MOST;
            while left > 0
                && let Read::Some(length) = outlet.read(room(&mut buffer))
            {
                self.deliver(outlet.stream(), &buffer[..length], clients);
                left = left.saturating_sub(length);
            }
        }
        clients.sinks_mut().for_each(Sink::finish);
    }
}

/// The only sink of this stream; `None` if there is none, or several.
fn only_sink(stream: Stream, clients: &mut Clients) -> Option<&mut Sink> {
    let mut sinks = clients.sinks_mut().filter(|sink| sink.stream() == stream);
    let only = sinks.next()?;
    sinks.next().is_none().then_some(only)
}
