//! Queries that come by TCP.
//!
//! ```text
//! asker ── length, query ─→ client ─┬─ own answer ──────────────────────────→ asker
//!                                   └─ exchange: a connection to a server, then to the next ─→ asker
//! ```
//!
//! The queries of one connection are answered one after the other. Source: RFC 1035, section 4.2.2; RFC 7766.

mod exchange;
mod framed;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;

use super::answer::Transport;
use super::outcome::{Outcome, Resolver};
use super::outlets::Outlets;
use super::poller::{Poller, Token};
use super::query::LONGEST;
use crate::sys::rest::is_lasting;
use exchange::{Exchange, Step};
use framed::{Reader, Taken, Writer};

/// How many connections askers may have; the one that has been silent longest gives way to a new one.
const MOST: usize = 64;
/// How long an asker may be silent. Source: RFC 7766, section 6.2.3, "a few seconds".
const IDLE: Duration = Duration::from_secs(10);

/// The connections.
#[derive(Debug, Default)]
pub(super) struct Streams {
    clients: HashMap<u64, Client>,
    last: u64,
}

/// An asker's connection. Its number is also that of its exchange: it has one at a time.
#[derive(Debug)]
struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    reader: Reader,
    state: State,
    deadline: Instant,
}

#[derive(Debug)]
enum State {
    Reading,
    Waiting(Box<Exchange>),
    Writing(Writer),
}

impl Streams {
    /// Accepts a connection. Fails if that cannot be done now: the asker waits.
    pub(super) fn accept(&mut self, listener: &TcpListener, poller: &mut Poller) -> io::Result<()> {
        let accepted = listener.accept();
        let is_full = accepted.as_ref().is_err_and(is_lasting);
        if self.clients.len() >= MOST || is_full {
            let reading = self.clients.iter().filter(|(_, client)| matches!(client.state, State::Reading));
            match reading.min_by_key(|(_, client)| client.deadline).map(|(id, _)| *id) {
                Some(id) => {
                    self.clients.remove(&id).into_iter().for_each(|client| poller.remove(&client.stream));
                    if is_full {
                        return Ok(());
                    }
                }
                // All wait for answers: the new one is closed.
                None => return accepted.map(drop),
            }
        }
        let (stream, peer) = accepted?;
        self.last += 1;
        let is_watched = stream.set_nonblocking(true).is_ok()
            && poller.add(&stream, Token::Client(self.last), EventFlags::IN).is_ok();
        if is_watched {
            let deadline = Instant::now() + IDLE;
            poller.wake_at(deadline);
            let client = Client { stream, peer, reader: Reader::new(LONGEST), state: State::Reading, deadline };
            self.clients.insert(self.last, client);
        }
        Ok(())
    }

    /// An asker's connection is ready.
    pub(super) fn client_ready(&mut self, id: u64, flags: EventFlags, resolver: &mut Resolver, outlets: &mut Outlets) {
        let is_lost = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        self.with(id, outlets, |client, outlets| (!is_lost).then(|| client.go_on(id, resolver, outlets)).flatten());
    }

    /// The connection to a server is ready.
    pub(super) fn exchange_ready(&mut self, id: u64, resolver: &mut Resolver, outlets: &mut Outlets) {
        self.with(id, outlets, |client, outlets| {
            let State::Waiting(exchange) = &mut client.state else { return Some(()) };
            match exchange.ready(id, &mut resolver.upstream, outlets) {
                Step::Wait => Some(()),
                Step::Done(answer) => client.answer(id, &answer, resolver, outlets),
            }
        });
    }

    /// Ends what has taken too long.
    pub(super) fn expire(&mut self, now: Instant, resolver: &mut Resolver, outlets: &mut Outlets) {
        let due: Vec<u64> = self.clients.iter().filter(|(_, client)| client.due() <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.with(id, outlets, |client, outlets| {
                let State::Waiting(exchange) = &mut client.state else { return None };
                match exchange.expire(id, &mut resolver.upstream, outlets) {
                    Step::Wait => Some(()),
                    Step::Done(answer) => client.answer(id, &answer, resolver, outlets),
                }
            });
        }
    }

    /// The next time that something has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.clients.values().map(Client::due).min()
    }

    /// Does something with a connection, and closes it if the result is `None`.
    fn with(&mut self, id: u64, outlets: &mut Outlets, act: impl FnOnce(&mut Client, &mut Outlets) -> Option<()>) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if act(client, outlets).is_none()
            && let Some(client) = self.clients.remove(&id)
        {
            outlets.poller.remove(&client.stream);
            if let State::Waiting(exchange) = client.state {
                exchange.end(outlets);
            }
        }
    }
}

impl Client {
    fn due(&self) -> Instant {
        match &self.state {
            State::Waiting(exchange) => exchange.deadline(),
            State::Reading | State::Writing(_) => self.deadline,
        }
    }

    /// Reads and answers while both are possible. `None` at the end of the connection.
    fn go_on(&mut self, id: u64, resolver: &mut Resolver, outlets: &mut Outlets) -> Option<()> {
        loop {
            match &mut self.state {
                State::Waiting(_) => return Some(()),
                State::Writing(writer) => {
                    match writer.write(&self.stream) {
                        Ok(true) => {}
                        Ok(false) => return self.watch(id, EventFlags::OUT, outlets),
                        Err(_) => return None,
                    }
                    self.state = State::Reading;
                }
                State::Reading => {
                    let query = match self.reader.take(&self.stream) {
                        Ok(Taken::Message(query)) => query,
                        Ok(Taken::Part) => return self.watch(id, EventFlags::IN, outlets),
                        Ok(Taken::End) => return None,
                        Err(_) => return None,
                    };
                    match resolver.resolve(&query, self.peer, Transport::Stream) {
                        // What sends this does not speak DNS.
                        Outcome::Nothing => return None,
                        Outcome::Answer(answer) => self.state = State::Writing(Writer::new(&answer)?),
                        Outcome::Forward(order) => {
                            let mut exchange = Box::new(Exchange::new(order)?);
                            match exchange.begin(id, outlets) {
                                Step::Done(answer) => self.state = State::Writing(Writer::new(&answer)?),
                                Step::Wait => {
                                    self.state = State::Waiting(exchange);
                                    return self.watch(id, EventFlags::empty(), outlets);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Sends an answer that has been waited for.
    fn answer(&mut self, id: u64, answer: &[u8], resolver: &mut Resolver, outlets: &mut Outlets) -> Option<()> {
        self.state = State::Writing(Writer::new(answer)?);
        self.go_on(id, resolver, outlets)
    }

    fn watch(&mut self, id: u64, flags: EventFlags, outlets: &mut Outlets) -> Option<()> {
        self.deadline = Instant::now() + IDLE;
        outlets.poller.wake_at(self.due());
        outlets.poller.change(&self.stream, Token::Client(id), flags).ok()
    }
}
