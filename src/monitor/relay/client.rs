//! The clients of the streams: commands that are attached, by the IDs of their connections.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;

use super::sink::Sink;
use crate::monitor::stream::Stream;
use crate::sys::pipe;

/// The client's ends of the streams: pipes, as [`Clients::attach`] checks.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Streams {
    pub(in crate::monitor) stdin: Option<OwnedFd>,
    pub(in crate::monitor) stdout: Option<OwnedFd>,
    pub(in crate::monitor) stderr: Option<OwnedFd>,
}

/// A client that is attached to the streams.
#[derive(Debug)]
pub(super) struct Client {
    id: u64,
    /// It has started the program.
    is_starter: bool,
    stdin: Option<OwnedFd>,
    sinks: Vec<Sink>,
}

impl Client {
    /// Whether it has started the program.
    pub(super) fn is_starter(&self) -> bool {
        self.is_starter
    }

    /// Whether it has input for the program.
    pub(super) fn has_stdin(&self) -> bool {
        self.stdin.is_some()
    }

    /// How many bytes it has missed without a note; with or without a note if it has started the program, because its
    /// caller may rely on the output being complete.
    fn missed(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.missed(self.is_starter)).sum()
    }
}

/// All clients.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: Vec<Client>,
}

impl Clients {
    /// Attaches a client. With `sets_pace` the program waits for it without a limit.
    ///
    /// Each pipe is opened once more, so that no other process can change its flags. Fails with EINVAL for a descriptor
    /// that is not a pipe: this process could block on it.
    pub(super) fn attach(&mut self, id: u64, streams: Streams, is_starter: bool, sets_pace: bool) -> io::Result<()> {
        let stdin = streams.stdin.map(|fd| pipe::open_anew(&fd, OFlags::RDONLY)).transpose()?;
        let mut sinks = Vec::new();
        for (fd, stream) in [(streams.stdout, Stream::Stdout), (streams.stderr, Stream::Stderr)] {
            if let Some(fd) = fd {
                sinks.push(Sink::new(pipe::open_anew(&fd, OFlags::WRONLY)?, stream, sets_pace));
            }
        }
        self.all.push(Client { id, is_starter, stdin, sinks });
        Ok(())
    }

    /// Removes a client.
    pub(super) fn remove(&mut self, id: u64) -> Option<Client> {
        let index = self.all.iter().position(|client| client.id == id)?;
        Some(self.all.remove(index))
    }

    /// Removes all clients. Returns how many bytes each of them has missed ([`Client::missed`]).
    pub(super) fn remove_all(&mut self) -> Vec<(u64, u64)> {
        self.all.drain(..).map(|client| (client.id, client.missed())).collect()
    }

    /// Whether this client is attached.
    pub(super) fn has(&self, id: u64) -> bool {
        self.all.iter().any(|client| client.id == id)
    }

    /// Whether any client has input for the program.
    pub(super) fn have_stdin(&self) -> bool {
        self.all.iter().any(Client::has_stdin)
    }

    /// The input of each client that has some.
    pub(super) fn stdins(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>)> {
        self.all.iter().filter_map(|client| Some((client.id, client.stdin.as_ref()?.as_fd())))
    }

    /// The input of this client.
    pub(super) fn stdin(&self, id: u64) -> Option<BorrowedFd<'_>> {
        self.stdins().find(|(client, _)| *client == id).map(|(_, stdin)| stdin)
    }

    /// Closes the input of this client.
    pub(super) fn close_stdin(&mut self, id: u64) {
        if let Some(client) = self.all.iter_mut().find(|client| client.id == id) {
            client.stdin = None;
        }
    }

    /// The sinks of all clients.
    pub(super) fn sinks(&self) -> impl Iterator<Item = &Sink> {
        self.all.iter().flat_map(|client| &client.sinks)
    }

    /// The same, to change them.
    pub(super) fn sinks_mut(&mut self) -> impl Iterator<Item = &mut Sink> {
        self.all.iter_mut().flat_map(|client| &mut client.sinks)
    }

    /// The sinks of all clients, each with its client's ID.
    pub(super) fn sinks_by_id(&self) -> impl Iterator<Item = (u64, &Sink)> {
        self.all.iter().flat_map(|client| client.sinks.iter().map(|sink| (client.id, sink)))
    }

    /// The sink of this client for this stream.
    pub(super) fn sink(&mut self, id: u64, stream: Stream) -> Option<&mut Sink> {
        let client = self.all.iter_mut().find(|client| client.id == id)?;
        client.sinks.iter_mut().find(|sink| sink.stream() == stream)
    }

    /// Removes the sink of this client for this stream.
    pub(super) fn remove_sink(&mut self, id: u64, stream: Stream) {
        if let Some(client) = self.all.iter_mut().find(|client| client.id == id) {
            client.sinks.retain(|sink| sink.stream() != stream);
        }
    }
}
