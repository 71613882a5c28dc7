//! The program's streams: its output to the log and to every client, the clients' input to it.
//!
//! ```text
//! program ── pipe or terminal ─→ outlet ─┬─→ log                         all of it
//!                                        └─→ sink of each client         `sink`: one that does not read is left behind
//! program ←── inlet ←── input ←──────────── clients' standard input
//! ```
//!
//! Every descriptor is one of rc's own pipes, the program's terminal or the log, and the relay waits for none of them.
//! From pipe to pipe the kernel moves pages: by splice(2) without a log, by tee(2) with one, so that only the log is
//! copied. The poll set names descriptors by the client's ID and the stream, because clients may come and go before the
//! event is handled.

mod client;
mod input;
mod outlet;
mod output;
mod sink;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::PollFlags;

use self::client::Clients;
pub(super) use self::client::Streams;
use self::input::Input;
use self::output::Output;
use self::sink::Sink;
use super::log::Log;
use super::stream::Stream;

/// The relay.
#[derive(Debug)]
pub(super) struct Relay {
    clients: Clients,
    output: Output,
    input: Input,
    /// A program runs; until then clients' input waits.
    is_running: bool,
    /// The last size of the terminal, in rows and columns, for the next run's terminal.
    size: Option<(u16, u16)>,
}

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Output(Stream),
    Sink(u64, Stream),
    ClientInput(u64),
    Input,
    Log,
}

impl Relay {
    pub(super) fn new(log: Option<Log>) -> Self {
        Self {
            clients: Clients::default(),
            output: Output::new(log),
            input: Input::default(),
            is_running: true,
            size: None,
        }
    }

    /// Relays what the program writes to this pipe.
    pub(super) fn add_pipe(&mut self, fd: OwnedFd, stream: Stream) -> io::Result<()> {
        self.output.add(fd, stream, false)
    }

    /// Relays the program's terminal, in both directions if it has `input`.
    pub(super) fn add_terminal(&mut self, master: OwnedFd, input: bool) -> io::Result<()> {
        if input {
            self.input.set_terminal(&master)?;
        }
        self.output.add(master, Stream::Stdout, true)?;
        if let (Some((rows, columns)), Some(terminal)) = (self.size, self.output.terminal()) {
            // Otherwise it has the kernel's default, 0 by 0.
            terminal.resize(rows, columns);
        }
        Ok(())
    }

    /// Feeds clients' input to this pipe.
    pub(super) fn set_input(&mut self, fd: OwnedFd) -> io::Result<()> {
        self.input.set_pipe(fd)
    }

    /// Attaches a client ([`Clients::attach`]). Without a log, the command that has started the program is the only
    /// destination of its output, and sets the pace.
    pub(super) fn attach(&mut self, id: u64, streams: Streams, is_starter: bool) -> io::Result<()> {
        let sets_pace = is_starter && !self.output.is_logged();
        self.clients.attach(id, streams, is_starter, sets_pace)
    }

    /// Detaches a client; the streams continue without it.
    pub(super) fn detach(&mut self, id: u64) {
        self.clients.remove(id);
    }

    /// Removes a client that was killed. The program's input ends with it only if this client has started the program
    /// and no other client has input.
    pub(super) fn forget(&mut self, id: u64) {
        let Some(client) = self.clients.remove(id) else { return };
        if client.is_starter() && client.has_stdin() && !self.clients.have_stdin() {
            self.input.end();
        }
    }

    /// This client's `stream` will not be read any more. If its output goes nowhere else, the program gets SIGPIPE, as
    /// it would from a pipe.
    pub(super) fn close_output(&mut self, id: u64, stream: Stream) {
        self.clients.remove_sink(id, stream);
        // Poll may have reported that earlier, and the sink was removed.
        let has_reader = self.clients.sinks().any(|sink| sink.stream() == stream);
        if self.clients.has(id) && !self.output.is_logged() && !has_reader {
            self.output.close(stream);
        }
    }

    /// Sets the size of the terminal, now or as soon as there is one.
    pub(super) fn resize(&mut self, rows: u16, columns: u16) {
        self.size = Some((rows, columns));
        if let Some(terminal) = self.output.terminal() {
            terminal.resize(rows, columns);
        }
    }

    /// Whether all output has reached the log and every client that the program still waits for.
    pub(super) fn is_drained(&self) -> bool {
        self.output.is_drained() && !self.clients.sinks().any(Sink::holds_up)
    }

    /// The program runs: from here on clients' input is read.
    pub(super) fn begin_run(&mut self) {
        self.is_running = true;
        self.clients.sinks_mut().for_each(Sink::begin_run);
    }

    /// The program has ended, or was never executed: closes its streams; the clients stay.
    pub(super) fn end_run(&mut self) {
        self.is_running = false;
        self.output.clear();
        self.input.close();
    }

    /// The program has ended: moves the rest of its output into the clients' pipes.
    pub(super) fn finish(&mut self) {
        self.output.finish(&mut self.clients);
    }

    /// Removes all clients and closes their pipes. Returns how many bytes each of them has missed without a note.
    pub(super) fn hang_up(&mut self) -> Vec<(u64, u64)> {
        self.input.close();
        self.clients.remove_all()
    }

    /// When [`leave_behind`](Self::leave_behind) has something to do.
    pub(super) fn readers_deadline(&self) -> Option<Instant> {
        self.clients.sinks().filter_map(Sink::deadline).min()
    }

    /// Stops waiting for clients whose time is over.
    pub(super) fn leave_behind(&mut self) {
        let now = Instant::now();
        self.clients.sinks_mut().for_each(|sink| sink.expire(now));
    }

    /// When [`drop_unlogged`](Self::drop_unlogged) has something to do.
    pub(super) fn log_deadline(&self) -> Option<Instant> {
        self.output.log().and_then(Log::deadline)
    }

    /// Stops waiting for the log if its time is over.
    pub(super) fn drop_unlogged(&mut self) {
        if let Some(log) = self.output.log_mut() {
            log.expire(Instant::now());
        }
    }

    /// The descriptors to wait for.
    pub(super) fn poll_set<'a>(&'a self, watch: &mut impl FnMut(BorrowedFd<'a>, PollFlags, Token)) {
        for (fd, stream) in self.output.readable(&self.clients) {
            watch(fd, PollFlags::IN, Token::Output(stream));
        }
        for (id, sink) in self.clients.sinks_by_id() {
            // Poll reports the end of the reader in any case.
            let wanted = if sink.is_waiting() { PollFlags::OUT } else { PollFlags::empty() };
            watch(sink.fd(), wanted, Token::Sink(id, sink.stream()));
        }
        if self.is_running && self.input.has_room() {
            for (id, stdin) in self.clients.stdins() {
                watch(stdin, PollFlags::IN, Token::ClientInput(id));
            }
        }
        if let Some((fd, wanted)) = self.input.poll_fd() {
            watch(fd, wanted, Token::Input);
        }
        if let Some(fd) = self.output.log().and_then(Log::poll_fd) {
            watch(fd, PollFlags::OUT, Token::Log);
        }
    }

    /// Acts on one ready descriptor. Ignores it if its client or stream no longer exists.
    pub(super) fn ready(&mut self, token: Token, flags: PollFlags) {
        match token {
            Token::Output(stream) => self.output.pump(stream, &mut self.clients),
            Token::Sink(id, stream) => {
                if flags.contains(PollFlags::ERR) {
                    // The reader has closed its end, and the rest in the pipe is lost.
                    self.clients.remove_sink(id, stream);
                } else if flags.contains(PollFlags::OUT)
                    && let Some(sink) = self.clients.sink(id, stream)
                {
                    sink.has_room();
                }
            }
            Token::ClientInput(id) => self.input.feed(id, &mut self.clients),
            Token::Input => self.input.ready(flags),
            Token::Log => {
                if let Some(log) = self.output.log_mut() {
                    log.flush();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
