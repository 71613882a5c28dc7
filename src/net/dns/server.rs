//! The server: its sockets, and which part gets what comes from them.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::epoll::EventFlags;

use super::answer::Transport;
use super::forwards::{Forwards, Reply};
use super::outcome::{Outcome, Resolver};
use super::outlets::Outlets;
use super::owners::Locks;
use super::poller::{Poller, Token};
use super::query::LONGEST;
use super::settings::Settings;
use super::sockets::Sockets;
use super::streams::Streams;
use crate::sys::rest::Rest;

/// How many datagrams of one socket are answered before other descriptors have their turn.
const BURST: usize = 64;

/// The name server of a network. Its descriptor is readable when there is something to [`serve`](Self::serve).
#[derive(Debug)]
pub(crate) struct Server {
    datagrams: Vec<UdpSocket>,
    listeners: Vec<TcpListener>,
    forwards: Forwards,
    streams: Streams,
    resolver: Resolver,
    outlets: Outlets,
    /// No connection is accepted for a moment.
    rest: Rest,
    /// The query that was read last, one byte more than it may have.
    space: Box<[u8]>,
}

impl Server {
    /// Serves at `sockets`. Queries leave from the network namespace in which this is called; `locks` tell which
    /// members live.
    pub(crate) fn new(sockets: Sockets, settings: Settings, locks: Locks) -> io::Result<Self> {
        let poller = Poller::new()?;
        let Sockets { datagrams, listeners, inside } = sockets;
        for (index, socket) in (0..).zip(&datagrams) {
            poller.add(socket, Token::Datagrams(index), EventFlags::IN)?;
        }
        for (index, socket) in (0..).zip(&listeners) {
            poller.add(socket, Token::Listener(index), EventFlags::IN)?;
        }
        Ok(Self {
            datagrams,
            listeners,
            forwards: Forwards::default(),
            streams: Streams::default(),
            resolver: Resolver::new(settings, locks),
            outlets: Outlets::new(poller, inside),
            rest: Rest::default(),
            space: vec![0; LONGEST + 1].into(),
        })
    }

    /// Does what can be done now, without waiting. Fails only if the kernel says no more what is ready.
    pub(crate) fn serve(&mut self) -> io::Result<()> {
        for (token, flags) in self.outlets.poller.ready()? {
            match token {
                Token::Timer => self.expire(),
                Token::Datagrams(index) => self.datagrams_ready(index),
                Token::Forward(id, index) => {
                    let upstream = &mut self.resolver.upstream;
                    let reply = self.forwards.ready((id, index), upstream, &mut self.outlets);
                    self.reply(reply);
                }
                Token::Listener(index) => self.accept(index),
                Token::Client(id) => {
                    self.streams.client_ready(id, flags, &mut self.resolver, &mut self.outlets);
                }
                Token::Exchange(id) => {
                    self.streams.exchange_ready(id, &mut self.resolver, &mut self.outlets);
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, index: u64) {
        let Some(listener) = usize::try_from(index).ok().and_then(|index| self.listeners.get(index)) else { return };
        let accepted = self.streams.accept(listener, &mut self.outlets.poller);
        if accepted.is_err_and(|error| self.rest.after(&error)) {
            self.watch_listeners(EventFlags::empty());
            self.rest.deadline().into_iter().for_each(|end| self.outlets.poller.wake_at(end));
        }
    }

    fn watch_listeners(&self, flags: EventFlags) {
        for (index, listener) in (0..).zip(&self.listeners) {
            // They are watched already, so this does not fail.
            self.outlets.poller.change(listener, Token::Listener(index), flags).ok();
        }
    }

    fn datagrams_ready(&mut self, index: u64) {
        let Ok(index) = usize::try_from(index) else { return };
        for _ in 0..BURST {
            let Some(socket) = self.datagrams.get(index) else { return };
            let (length, peer) = match socket.recv_from(&mut self.space) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Nothing is left, or the error of an answer that could not be delivered, which is nobody's now.
                Err(_) => return,
            };
            // What fills the space was longer.
            if length > LONGEST {
                continue;
            }
            let reply = match self.resolver.resolve(&self.space[..length], peer, Transport::Datagram) {
                Outcome::Nothing => None,
                Outcome::Answer(answer) => Some(((index, peer), answer)),
                Outcome::Forward(order) => self.forwards.begin((index, peer), order, &mut self.outlets),
            };
            self.reply(reply);
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        let replies = self.forwards.expire(now, &mut self.resolver.upstream, &mut self.outlets);
        replies.into_iter().for_each(|reply| self.reply(Some(reply)));
        self.streams.expire(now, &mut self.resolver, &mut self.outlets);
        if self.rest.end(now) {
            self.watch_listeners(EventFlags::IN);
        }
        let deadlines = [self.forwards.deadline(), self.streams.deadline(), self.rest.deadline()];
        self.outlets.poller.expired(deadlines.into_iter().flatten().min());
    }

    /// Sends an answer. If it cannot be sent, the asker asks again, as after any lost datagram.
    fn reply(&self, reply: Option<Reply>) {
        if let Some(((index, peer), answer)) = reply
            && let Some(socket) = self.datagrams.get(index)
        {
            socket.send_to(&answer, peer).ok();
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.outlets.poller.as_fd()
    }
}
