//! The program's streams: from it to the log and to every client, from the clients to it.
//!
//! ```text
//! program ── pipe or terminal ─→ relay ─┬─→ log                         all of it
//!                                       └─→ sink of each client         `client`: who does not read is left behind
//! program ←───────────────────── input ←─── clients' standard input     `input`
//! ```
//!
//! Every descriptor is a pipe of rc's own, the program's terminal or the log, and none of them is ever waited for. From
//! pipe to pipe the kernel moves pages: by splice(2) where nothing is logged, by tee(2) where it is, so that only the
//! log is copied. What is in the poll set is named by the client's id and the stream: by the time that it is acted on,
//! other clients may have come and gone.

mod client;
mod input;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice, tee};

use self::client::{Client, Sink};
use self::input::{Fed, Input};
use super::log::Stream;
use super::sink::Log;
use crate::sys::pipe::{self, Traffic};
use crate::sys::tty;

/// How much is moved at once.
const CHUNK: usize = 256 * 1024;

/// How often that is done before commands are heard again: a pipe holds no more (pipe(7), `pipe-max-size`).
const TURN: u32 = 64;

/// How much of a program that has ended can wait to be read: what comes after it is another's, and may never end.
const MOST: usize = 16 << 20;

/// One of the program's outputs.
#[derive(Debug)]
struct Source {
    fd: OwnedFd,
    stream: Stream,
    is_terminal: bool,
    traffic: Traffic,
}

/// What a client has brought along: pipes, as [`Relay::attach`] makes sure.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// The relay.
#[derive(Debug)]
pub(super) struct Relay {
    sources: Vec<Source>,
    clients: Vec<Client>,
    /// Towards the program: a pipe, or the terminal.
    input: Option<Input>,
    /// Closed when a client's input ends: a terminal is not.
    close_input_with_client: bool,
    /// It was closed so.
    input_has_ended: bool,
    /// No program runs, so that clients' input waits.
    is_between_runs: bool,
    /// Rows and columns that the terminal was given last, for the next run's.
    size: Option<(u16, u16)>,
    log: Option<Log>,
}

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Source(Stream),
    Sink(u64, Stream),
    ClientInput(u64),
    Input,
    Log,
}

impl Relay {
    pub(super) fn new(log: Option<Log>) -> Self {
        Self {
            sources: Vec::new(),
            clients: Vec::new(),
            input: None,
            close_input_with_client: false,
            input_has_ended: false,
            is_between_runs: false,
            size: None,
            log,
        }
    }

    /// Relays what the program writes to this pipe.
    pub(super) fn add_pipe(&mut self, fd: OwnedFd, stream: Stream) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        self.sources.push(Source { fd, stream, is_terminal: false, traffic: Traffic::default() });
        Ok(())
    }

    /// Relays the program's terminal, both ways.
    pub(super) fn add_terminal(&mut self, master: OwnedFd, input: bool) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&master, true)?;
        if let Some((rows, columns)) = self.size {
            // Without it the terminal has the kernel's size, which is none.
            drop(tty::set_size(&master, rows, columns));
        }
        if input {
            self.input = Some(Input::new(rustix::io::fcntl_dupfd_cloexec(&master, 0)?, true)?);
        }
        let traffic = Traffic::default();
        self.sources.push(Source { fd: master, stream: Stream::Stdout, is_terminal: true, traffic });
        Ok(())
    }

    /// Feeds clients' input to this pipe, which is closed when that ends; at once, if an earlier run of the program was
    /// given all that there was.
    pub(super) fn set_input(&mut self, fd: OwnedFd) -> io::Result<()> {
        self.input = if self.input_has_ended { None } else { Some(Input::new(fd, false)?) };
        self.close_input_with_client = true;
        Ok(())
    }

    /// Joins a client. The program waits for one that `sets_pace` however long it takes: where nothing is logged, the
    /// one that has started it is the only place where its output goes.
    ///
    /// Each pipe is opened anew, so that its flags are nobody else's. Fails with EINVAL for a descriptor that is no
    /// pipe: anything else could make this process wait.
    pub(super) fn attach(&mut self, id: u64, streams: Streams, is_starter: bool) -> io::Result<()> {
        let sets_pace = is_starter && self.log.is_none();
        let stdin = streams.stdin.map(|fd| pipe::open_anew(&fd, OFlags::RDONLY)).transpose()?;
        let mut sinks = Vec::new();
        for (fd, stream) in [(streams.stdout, Stream::Stdout), (streams.stderr, Stream::Stderr)] {
            if let Some(fd) = fd {
                sinks.push(Sink::new(pipe::open_anew(&fd, OFlags::WRONLY)?, stream, sets_pace));
            }
        }
        self.clients.push(Client { id, is_starter, stdin, sinks });
        Ok(())
    }

    /// Lets go of a client, whose streams go on without it.
    pub(super) fn detach(&mut self, id: u64) {
        self.clients.retain(|client| client.id != id);
    }

    /// Lets go of a client that was killed. That is no end of the program's input, unless it is the one that has
    /// started the program, and no other has any.
    pub(super) fn forget(&mut self, id: u64) {
        let Some(index) = self.clients.iter().position(|client| client.id == id) else { return };
        let client = self.clients.remove(index);
        if client.is_starter && client.stdin.is_some() && self.clients.iter().all(|client| client.stdin.is_none()) {
            self.end_input();
        }
    }

    fn end_input(&mut self) {
        if self.close_input_with_client {
            self.input = None;
            self.input_has_ended = true;
        }
    }

    /// The reader of this client's `stream` is gone for good. A program whose output goes nowhere else is to see that,
    /// as it would at the end of a pipe.
    pub(super) fn close_output(&mut self, id: u64, stream: Stream) {
        self.remove_sink(id, stream);
        // Its pipe may have told before it did.
        let is_client = self.clients.iter().any(|client| client.id == id);
        if is_client && self.log.is_none() && !self.sinks().any(|sink| sink.stream == stream) {
            self.sources.retain(|source| source.stream != stream || source.is_terminal);
        }
    }

    /// Sets the size of the terminal, now or when there is one.
    pub(super) fn resize(&mut self, rows: u16, columns: u16) {
        self.size = Some((rows, columns));
        if let Some(terminal) = self.sources.iter().find(|source| source.is_terminal) {
            // The terminal may have hung up already.
            drop(tty::set_size(&terminal.fd, rows, columns));
        }
    }

    /// Whether everything that the program wrote has reached the log and every client that is still waited for.
    pub(super) fn is_drained(&self) -> bool {
        self.sources.is_empty() && !self.is_log_full() && !self.sinks().any(Sink::holds_up)
    }

    /// The program runs: from here on clients' input is read.
    pub(super) fn begin_run(&mut self) {
        self.is_between_runs = false;
        self.sinks_mut().for_each(Sink::begin_run);
    }

    /// The program has ended, or was never executed: what led to it and from it goes, the clients stay.
    pub(super) fn end_run(&mut self) {
        self.is_between_runs = true;
        self.sources.clear();
        self.input = None;
    }

    /// Lets go of all clients: their pipes end here. Gives how many bytes each of them has missed without having been
    /// told.
    pub(super) fn hang_up(&mut self) -> Vec<(u64, u64)> {
        self.input = None;
        self.clients.drain(..).map(|client| (client.id, client.missed())).collect()
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let log = self.log.as_ref().and_then(Log::deadline);
        self.sinks().filter_map(Sink::deadline).chain(log).min()
    }

    /// Stops waiting for whom the time of is over.
    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        for sink in self.sinks_mut() {
            sink.expire(now);
        }
        if let Some(log) = &mut self.log {
            log.expire(now);
        }
    }

    /// The descriptors to wait for.
    pub(super) fn poll_set<'a>(&'a self, set: &mut Vec<PollFd<'a>>, tokens: &mut Vec<super::serve::Token>) {
        let mut push = |fd: BorrowedFd<'a>, flags, token| {
            set.push(PollFd::from_borrowed_fd(fd, flags));
            tokens.push(super::serve::Token::Relay(token));
        };
        for source in &self.sources {
            if !self.is_blocked(source.stream) {
                push(source.fd.as_fd(), PollFlags::IN, Token::Source(source.stream));
            }
        }
        for client in &self.clients {
            for sink in &client.sinks {
                let wanted = if sink.is_waiting() { PollFlags::OUT } else { PollFlags::empty() };
                push(sink.fd.as_fd(), wanted, Token::Sink(client.id, sink.stream));
            }
            if let Some(stdin) = &client.stdin
                && self.input.as_ref().is_some_and(Input::has_room)
                && !self.is_between_runs
            {
                push(stdin.as_fd(), PollFlags::IN, Token::ClientInput(client.id));
            }
        }
        if let Some((fd, wanted)) = self.input.as_ref().and_then(Input::poll_fd) {
            push(fd, wanted, Token::Input);
        }
        if let Some(fd) = self.log.as_ref().and_then(Log::poll_fd) {
            push(fd, PollFlags::OUT, Token::Log);
        }
    }

    fn sinks(&self) -> impl Iterator<Item = &Sink> {
        self.clients.iter().flat_map(|client| &client.sinks)
    }

    fn sinks_mut(&mut self) -> impl Iterator<Item = &mut Sink> {
        self.clients.iter_mut().flat_map(|client| &mut client.sinks)
    }

    fn is_log_full(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.poll_fd().is_some())
    }

    fn is_blocked(&self, stream: Stream) -> bool {
        self.is_log_full() || self.sinks().any(|sink| sink.stream == stream && sink.holds_up())
    }

    /// Acts on one ready descriptor. One whose client or stream is no more is left alone.
    pub(super) fn ready(&mut self, token: Token, flags: PollFlags) {
        match token {
            Token::Source(stream) => self.pump(stream),
            Token::Sink(id, stream) => {
                if flags.contains(PollFlags::ERR) {
                    // The reader is gone: what it did not take is nobody's.
                    self.remove_sink(id, stream);
                } else if flags.contains(PollFlags::OUT)
                    && let Some(sink) = self.sink(id, stream)
                {
                    sink.has_room();
                }
            }
            Token::ClientInput(id) => self.feed(id),
            Token::Input => {
                if self.input.as_mut().is_some_and(|input| input.ready(flags) == Fed::ProgramEnded) {
                    self.input = None;
                }
            }
            Token::Log => {
                if let Some(log) = &mut self.log {
                    log.flush();
                }
            }
        }
    }

    fn sink(&mut self, id: u64, stream: Stream) -> Option<&mut Sink> {
        let client = self.clients.iter_mut().find(|client| client.id == id)?;
        client.sinks.iter_mut().find(|sink| sink.stream == stream)
    }

    fn remove_sink(&mut self, id: u64, stream: Stream) {
        if let Some(client) = self.clients.iter_mut().find(|client| client.id == id) {
            client.sinks.retain(|sink| sink.stream != stream);
        }
    }

    /// The program has ended, and with it all that ran in its pid namespace: what they wrote is there to be read, and
    /// is put where it can wait for the clients without this process: in their pipes, which are made larger. Somebody
    /// outside may have been given the program's end of a pipe (a descriptor can be sent to another container), so that
    /// no end would come.
    pub(super) fn finish(&mut self) {
        let mut buffer = Vec::new();
        while let Some(source) = self.sources.pop() {
            // A read may give as little as one write was, if the program has made its pipe one of packets.
            let mut left = MOST;
            while left > 0 {
                buffer.resize(CHUNK, 0);
                match rustix::io::read(&source.fd, &mut buffer[..]) {
                    Ok(length) if length > 0 => {
                        self.deliver(source.stream, &buffer[..length]);
                        left = left.saturating_sub(length);
                    }
                    Err(Errno::INTR) => {}
                    _ => break,
                }
            }
        }
        for sink in self.sinks_mut() {
            sink.finish();
        }
    }

    /// Moves what the program has written until there is no more, somebody is full, or it is time to look at others.
    fn pump(&mut self, stream: Stream) {
        let mut buffer = Vec::new();
        for _ in 0..TURN {
            let Some(index) = self.sources.iter().position(|source| source.stream == stream) else { return };
            if self.is_blocked(stream) {
                return;
            }
            match self.within_kernel(index, &mut buffer) {
                Moved::Some => continue,
                Moved::Full => return,
                Moved::NotPossible => {}
            }
            buffer.resize(CHUNK, 0);
            match rustix::io::read(&self.sources[index].fd, &mut buffer[..]) {
                Ok(length) if length > 0 => self.deliver(stream, &buffer[..length]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if let Some(log) = &mut self.log {
                        log.rest();
                    }
                    return;
                }
                // A terminal whose program side is closed for good is EIO. Whatever it is, poll would say so for ever.
                Ok(_) | Err(_) => {
                    self.sources.remove(index);
                    return;
                }
            }
        }
    }

    fn deliver(&mut self, stream: Stream, bytes: &[u8]) {
        for sink in self.sinks_mut().filter(|sink| sink.stream == stream) {
            sink.take(bytes);
        }
        if let Some(log) = &mut self.log {
            log.append(stream, bytes);
        }
    }

    /// With one client on this stream: from pipe to pipe, by splice(2), or by tee(2) and a read for the log of as much.
    fn within_kernel(&mut self, index: usize, buffer: &mut Vec<u8>) -> Moved {
        let source = &mut self.sources[index];
        let stream = source.stream;
        let mut sinks = self.clients.iter_mut().flat_map(|client| &mut client.sinks);
        let mut sinks = sinks.by_ref().filter(|sink| sink.stream == stream);
        let (Some(sink), None) = (sinks.next(), sinks.next()) else { return Moved::NotPossible };
        if source.is_terminal || sink.is_waiting() {
            return Moved::NotPossible;
        }
        let moved = match &self.log {
            None => splice(&source.fd, None, &sink.fd, None, CHUNK, SpliceFlags::NONBLOCK | SpliceFlags::MOVE),
            Some(_) => tee(&source.fd, &sink.fd, CHUNK, SpliceFlags::NONBLOCK),
        };
        let length = match moved {
            Ok(0) => return Moved::NotPossible,
            Ok(length) => length,
            Err(Errno::AGAIN) => {
                // Nothing to read, or no room to write: a read tells which.
                if rustix::io::ioctl_fionread(&source.fd).is_ok_and(|available| available > 0) {
                    sink.is_now_full();
                    return Moved::Full;
                }
                return Moved::NotPossible;
            }
            Err(_) => return Moved::NotPossible,
        };
        sink.has_taken();
        source.traffic.count(length, &[source.fd.as_fd(), sink.fd.as_fd()]);
        let Some(log) = &mut self.log else { return Moved::Some };
        buffer.resize(CHUNK, 0);
        let mut rest = length;
        while rest > 0 {
            let wanted = rest.min(buffer.len());
            match rustix::io::read(&source.fd, &mut buffer[..wanted]) {
                Ok(0) => break,
                Ok(got) => {
                    rest -= got;
                    log.append(stream, &buffer[..got]);
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        Moved::Some
    }

    /// Passes a client's input on.
    fn feed(&mut self, id: u64) {
        let Some(client) = self.clients.iter_mut().find(|client| client.id == id) else { return };
        let (Some(stdin), Some(input)) = (&client.stdin, &mut self.input) else { return };
        match input.feed(stdin.as_fd()) {
            Fed::More => {}
            Fed::ProgramEnded => self.input = None,
            Fed::ClientEnded => {
                client.stdin = None;
                // Nothing is pending: this client is only read when that is so.
                self.end_input();
            }
        }
    }
}

/// What came of an attempt to move output within the kernel.
enum Moved {
    Some,
    Full,
    NotPossible,
}

#[cfg(test)]
mod tests;
