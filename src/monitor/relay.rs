//! The program's streams: from it to the log and to every client, from the clients to it.
//!
//! A client that reads slowly slows the program down, as a pipe would; one that goes away does not. Where one client's pipe
//! takes standard output, the kernel duplicates it there by tee(2), and only the log is copied.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, tee};

use super::log::Stream;
use super::sink::Log;
use crate::sys::tty;

/// How much is moved at once.
const CHUNK: usize = 256 * 1024;

/// How often that is done before commands are heard again: a pipe holds no more (pipe(7), `pipe-max-size`).
const TURN: u32 = 64;

/// One of the program's outputs.
#[derive(Debug)]
struct Source {
    fd: OwnedFd,
    stream: Stream,
    is_terminal: bool,
}

/// Where a client takes one stream.
#[derive(Debug)]
struct Sink {
    fd: OwnedFd,
    stream: Stream,
    /// Bytes that it has not taken yet.
    pending: Vec<u8>,
    /// The kernel said that it is full.
    full: bool,
}

/// A client that has joined the streams.
#[derive(Debug)]
struct Client {
    id: u64,
    stdin: Option<OwnedFd>,
    sinks: Vec<Sink>,
}

/// What a client has brought along.
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
    input: Option<OwnedFd>,
    input_pending: Vec<u8>,
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
    Source(usize),
    Sink(usize, usize),
    ClientInput(usize),
    Input,
}

impl Relay {
    pub(super) fn new(log: Option<Log>) -> Self {
        Self {
            sources: Vec::new(),
            clients: Vec::new(),
            input: None,
            input_pending: Vec::new(),
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
        self.sources.push(Source { fd, stream, is_terminal: false });
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
            self.input = Some(rustix::io::fcntl_dupfd_cloexec(&master, 0)?);
        }
        self.sources.push(Source { fd: master, stream: Stream::Stdout, is_terminal: true });
        Ok(())
    }

    /// Feeds clients' input to this pipe, which is closed when that ends; at once, if an earlier run of the program was given all that there was.
    pub(super) fn set_input(&mut self, fd: OwnedFd) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        self.input = Some(fd).filter(|_| !self.input_has_ended);
        self.close_input_with_client = true;
        Ok(())
    }

    pub(super) fn attach(&mut self, id: u64, streams: Streams) -> io::Result<()> {
        let mut sinks = Vec::new();
        for (fd, stream) in [(streams.stdout, Stream::Stdout), (streams.stderr, Stream::Stderr)] {
            if let Some(fd) = fd {
                rustix::io::ioctl_fionbio(&fd, true)?;
                sinks.push(Sink { fd, stream, pending: Vec::new(), full: false });
            }
        }
        self.clients.push(Client { id, stdin: streams.stdin, sinks });
        Ok(())
    }

    pub(super) fn detach(&mut self, id: u64) {
        self.clients.retain(|client| client.id != id);
    }

    /// Sets the size of the terminal, now or when there is one.
    pub(super) fn resize(&mut self, rows: u16, columns: u16) {
        self.size = Some((rows, columns));
        if let Some(terminal) = self.sources.iter().find(|source| source.is_terminal) {
            // The terminal may have hung up already.
            drop(tty::set_size(&terminal.fd, rows, columns));
        }
    }

    /// Whether everything that the program wrote has reached the log and every client that is still there.
    pub(super) fn is_drained(&self) -> bool {
        self.sources.is_empty() && self.clients.iter().all(|c| c.sinks.iter().all(|s| s.pending.is_empty()))
    }

    /// The program runs: from here on clients' input is read.
    pub(super) fn begin_run(&mut self) {
        self.is_between_runs = false;
    }

    /// The program has ended, or was never executed: what led to it and from it goes, the clients stay.
    pub(super) fn end_run(&mut self) {
        self.is_between_runs = true;
        self.sources.clear();
        self.input = None;
        self.input_pending = Vec::new();
    }

    /// Lets go of all clients: their pipes end here.
    pub(super) fn hang_up(&mut self) {
        self.clients.clear();
        self.input = None;
    }

    /// The descriptors to wait for.
    pub(super) fn poll_set<'a>(&'a self, set: &mut Vec<PollFd<'a>>, tokens: &mut Vec<super::serve::Token>) {
        let mut push = |fd: BorrowedFd<'a>, flags, token| {
            set.push(PollFd::from_borrowed_fd(fd, flags));
            tokens.push(super::serve::Token::Relay(token));
        };
        for (index, source) in self.sources.iter().enumerate() {
            if !self.is_blocked(source.stream) {
                push(source.fd.as_fd(), PollFlags::IN, Token::Source(index));
            }
        }
        for (c, client) in self.clients.iter().enumerate() {
            for (s, sink) in client.sinks.iter().enumerate() {
                let wanted = if sink.full || !sink.pending.is_empty() { PollFlags::OUT } else { PollFlags::empty() };
                push(sink.fd.as_fd(), wanted, Token::Sink(c, s));
            }
            if let Some(stdin) = &client.stdin
                && self.input_pending.is_empty()
                && !self.is_between_runs
            {
                push(stdin.as_fd(), PollFlags::IN, Token::ClientInput(c));
            }
        }
        if let Some(input) = &self.input {
            let wanted = if self.input_pending.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            // A terminal is watched as a source already.
            if !wanted.is_empty() || !self.sources.iter().any(|source| source.is_terminal) {
                push(input.as_fd(), wanted, Token::Input);
            }
        }
    }

    fn is_blocked(&self, stream: Stream) -> bool {
        self.clients
            .iter()
            .flat_map(|client| &client.sinks)
            .any(|sink| sink.stream == stream && (sink.full || !sink.pending.is_empty()))
    }

    /// Acts on one ready descriptor. Indices are those of the poll set, so what has ended is only marked until
    /// [`sweep`](Self::sweep).
    pub(super) fn ready(&mut self, token: Token, flags: PollFlags) {
        match token {
            Token::Source(index) => self.pump(index),
            Token::Sink(c, s) => {
                let Some(sink) = self.clients.get_mut(c).and_then(|client| client.sinks.get_mut(s)) else { return };
                if flags.contains(PollFlags::ERR) {
                    // The reader has gone: what it did not take is nobody's.
                    sink.pending = Vec::new();
                    sink.full = false;
                    self.clients[c].sinks.remove(s);
                } else if flags.contains(PollFlags::OUT) {
                    sink.full = false;
                    sink.flush();
                }
            }
            Token::ClientInput(c) => self.feed(c),
            Token::Input => {
                if flags.contains(PollFlags::ERR) {
                    // The program has closed its standard input.
                    self.input = None;
                    self.input_pending = Vec::new();
                } else {
                    self.flush_input();
                }
            }
        }
    }

    /// The program has ended, and with it all that ran in its pid namespace: what they wrote is there to be read. Somebody
    /// outside may have been given the other end (a descriptor can be sent to another container), so that no end would come.
    pub(super) fn finish(&mut self) {
        for index in (0..self.sources.len()).rev() {
            let (count, stream) = (self.sources.len(), self.sources[index].stream);
            self.pump(index);
            if self.sources.len() == count && !self.is_blocked(stream) {
                self.sources.remove(index);
            }
        }
    }

    /// Moves what the program has written until there is no more, a client is full, or it is time to look at others.
    fn pump(&mut self, index: usize) {
        let mut buffer = Vec::new();
        for _ in 0..TURN {
            let Some(source) = self.sources.get(index) else { return };
            let stream = source.stream;
            if self.is_blocked(stream) {
                return;
            }
            match self.duplicate(index, &mut buffer) {
                Duplicated::Moved => continue,
                Duplicated::Full => return,
                Duplicated::NotPossible => {}
            }
            buffer.resize(CHUNK, 0);
            match rustix::io::read(&self.sources[index].fd, &mut buffer[..]) {
                // A terminal whose program side is closed for good is EIO.
                Ok(0) | Err(Errno::IO) => {
                    self.sources.remove(index);
                    return;
                }
                Ok(length) => self.deliver(stream, &buffer[..length]),
                Err(Errno::INTR) => {}
                Err(_) => {
                    if let Some(log) = &mut self.log {
                        log.rest();
                    }
                    return;
                }
            }
        }
    }

    fn deliver(&mut self, stream: Stream, bytes: &[u8]) {
        for sink in self.clients.iter_mut().flat_map(|client| &mut client.sinks).filter(|sink| sink.stream == stream) {
            sink.pending.extend_from_slice(bytes);
            sink.flush();
        }
        if let Some(log) = &mut self.log {
            log.append(stream, bytes);
        }
    }

    /// With one client on this stream: tee(2) from pipe to pipe, then a read for the log of as much as went there.
    fn duplicate(&mut self, index: usize, buffer: &mut Vec<u8>) -> Duplicated {
        let source = &self.sources[index];
        let stream = source.stream;
        let mut sinks = self.clients.iter_mut().flat_map(|c| &mut c.sinks).filter(|sink| sink.stream == stream);
        let (Some(sink), None) = (sinks.next(), sinks.next()) else { return Duplicated::NotPossible };
        if source.is_terminal {
            return Duplicated::NotPossible;
        }
        let length = match tee(&source.fd, &sink.fd, CHUNK, SpliceFlags::NONBLOCK) {
            Ok(0) | Err(Errno::INVAL | Errno::INTR | Errno::PIPE) => return Duplicated::NotPossible,
            Ok(length) => length,
            Err(Errno::AGAIN) => {
                // Nothing to read, or no room to write: a read tells which.
                if rustix::io::ioctl_fionread(&source.fd).is_ok_and(|available| available > 0) {
                    sink.full = true;
                    return Duplicated::Full;
                }
                return Duplicated::NotPossible;
            }
            Err(_) => return Duplicated::NotPossible,
        };
        buffer.resize(CHUNK, 0);
        let mut rest = length;
        while rest > 0 {
            let wanted = rest.min(buffer.len());
            match rustix::io::read(&source.fd, &mut buffer[..wanted]) {
                Ok(0) => break,
                Ok(got) => {
                    rest -= got;
                    if let Some(log) = &mut self.log {
                        log.append(stream, &buffer[..got]);
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        Duplicated::Moved
    }

    /// Reads a client's input, and passes it on.
    fn feed(&mut self, c: usize) {
        let Some(client) = self.clients.get_mut(c) else { return };
        let Some(stdin) = &client.stdin else { return };
        let mut buffer = vec![0u8; 64 * 1024];
        match rustix::io::read(stdin, &mut buffer[..]) {
            Ok(0) => {
                client.stdin = None;
                if self.close_input_with_client {
                    // Nothing is pending: this client is only read when that is so.
                    self.input = None;
                    self.input_has_ended = true;
                }
            }
            Ok(length) => {
                if self.input.is_some() {
                    self.input_pending.extend_from_slice(&buffer[..length]);
                    self.flush_input();
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => client.stdin = None,
        }
    }

    fn flush_input(&mut self) {
        let Some(input) = &self.input else { return };
        while !self.input_pending.is_empty() {
            match rustix::io::write(input, &self.input_pending) {
                Ok(length) => drop(self.input_pending.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => {
                    self.input = None;
                    self.input_pending = Vec::new();
                    return;
                }
            }
        }
        self.input_pending = Vec::new();
    }
}

/// What came of an attempt to duplicate in the kernel.
enum Duplicated {
    Moved,
    Full,
    NotPossible,
}

impl Sink {
    fn flush(&mut self) {
        while !self.pending.is_empty() {
            match rustix::io::write(&self.fd, &self.pending) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // The reader has gone; poll will say so.
                Err(_) => self.pending.clear(),
            }
        }
        self.pending = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};

    use super::*;

    /// A relay of one output to one client: what writes to it, and what reads from it.
    fn relayed() -> (Relay, PipeWriter, PipeReader) {
        let (source, program) = pipe().expect("a pipe");
        let (client, sink) = pipe().expect("a pipe");
        let mut relay = Relay::new(None);
        relay.add_pipe(source.into(), Stream::Stdout).expect("the pipe is relayed");
        let streams = Streams { stdout: Some(sink.into()), ..Streams::default() };
        relay.attach(1, streams).expect("the client is attached");
        (relay, program, client)
    }

    #[test]
    fn output_ends_with_the_program_although_somebody_holds_its_other_end() {
        let (mut relay, mut program, mut client) = relayed();
        program.write_all(b"last words").expect("a pipe takes them");
        assert!(!relay.is_drained());
        relay.finish();
        assert!(relay.is_drained());
        relay.hang_up();
        let mut text = String::new();
        client.read_to_string(&mut text).expect("the client's pipe ends");
        assert_eq!(text, "last words");
        drop(program);
    }

    #[test]
    fn last_words_wait_for_a_client_that_reads_slowly() {
        let (mut relay, mut program, mut client) = relayed();
        rustix::io::ioctl_fionbio(&program, true).expect("it does not wait");
        let mut written = 0;
        let mut read = 0;
        // Both pipes are full then.
        loop {
            match program.write(&[b'x'; 4096]) {
                Ok(length) => written += length,
                Err(_) if relay.is_blocked(Stream::Stdout) => break,
                Err(_) => relay.pump(0),
            }
        }
        drop(program);
        let mut buffer = vec![0; 4096];
        loop {
            relay.finish();
            if relay.is_drained() {
                break;
            }
            read += client.read(&mut buffer).expect("the client reads");
            relay.ready(Token::Sink(0, 0), PollFlags::OUT);
        }
        relay.hang_up();
        read += client.read_to_end(&mut buffer).expect("the client's pipe ends");
        assert_eq!(read, written);
    }
}
