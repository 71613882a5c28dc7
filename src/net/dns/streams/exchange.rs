//! One query that is sent to a server by TCP, and its answer.

use std::time::{Duration, Instant};

use super::framed::{Reader, Taken, Writer};
use crate::net::dns::forwards::{Order, PATIENCE};
use crate::net::dns::outlets::{Outlet, Outlets, Target};
use crate::net::dns::poller::Token;
use crate::net::dns::query::{Verdict, judge};
use crate::net::dns::upstream::Upstream;
use rustix::event::epoll::EventFlags;

/// How long a server may take for its answer, once it has accepted the connection. Another one would not be faster.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest message.
const LONGEST: usize = 65_535;

/// The query and where it is now.
#[derive(Debug)]
pub(super) struct Exchange {
    order: Order,
    next: usize,
    connection: Option<Connection>,
    deadline: Instant,
    second_best: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Connection {
    outlet: Outlet,
    target: Target,
    writer: Option<Writer>,
    reader: Reader,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// Something is awaited.
    Wait,
    /// This is the answer.
    Done(Vec<u8>),
}

impl Exchange {
    /// Nothing has happened yet. `None` if the query is longer than it may be.
    pub(super) fn new(order: Order) -> Option<Self> {
        Writer::new(&order.query)?;
        Some(Self { order, next: 0, connection: None, deadline: Instant::now(), second_best: None })
    }

    /// When the server has taken too long.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Connects to the first server.
    pub(super) fn begin(&mut self, id: u64, outlets: &mut Outlets) -> Step {
        self.ask_next(id, outlets)
    }

    /// The connection is ready: it is established, or an answer is there, or it has failed.
    pub(super) fn ready(&mut self, id: u64, upstream: &mut Upstream, outlets: &mut Outlets) -> Step {
        let Some(connection) = &mut self.connection else { return Step::Wait };
        if let Some(writer) = &mut connection.writer {
            return match writer.write(&connection.outlet) {
                Ok(true) if outlets.poller.change(&connection.outlet, Token::Exchange(id), EventFlags::IN).is_ok() => {
                    connection.writer = None;
                    self.deadline = Instant::now() + ANSWER;
                    outlets.poller.wake_at(self.deadline);
                    Step::Wait
                }
                Ok(false) => Step::Wait,
                Ok(true) | Err(_) => self.ask_next(id, outlets),
            };
        }
        match connection.reader.take(&connection.outlet) {
            Ok(Taken::Part) => Step::Wait,
            Ok(Taken::Message(message)) => match judge(&self.order.query, &message) {
                Verdict::Answer => {
                    upstream.answers(connection.target.server);
                    self.hang_up(outlets);
                    Step::Done(message)
                }
                Verdict::Failure => {
                    self.second_best.get_or_insert(message);
                    self.ask_next(id, outlets)
                }
                Verdict::Foreign => self.ask_next(id, outlets),
            },
            Ok(Taken::End) | Err(_) => self.ask_next(id, outlets),
        }
    }

    /// The server has taken too long.
    pub(super) fn expire(&mut self, id: u64, upstream: &mut Upstream, outlets: &mut Outlets) -> Step {
        if let Some(connection) = &self.connection {
            upstream.was_slow(connection.target.server);
        }
        self.ask_next(id, outlets)
    }

    /// Nobody waits for the answer any more.
    pub(super) fn end(mut self, outlets: &mut Outlets) {
        self.hang_up(outlets);
    }

    fn ask_next(&mut self, id: u64, outlets: &mut Outlets) -> Step {
        self.hang_up(outlets);
        while let Some(target) = self.order.targets.get(self.next).copied() {
            self.next += 1;
            self.connection = self.connect(target, id, outlets);
            if self.connection.is_some() {
                self.deadline = Instant::now() + PATIENCE;
                outlets.poller.wake_at(self.deadline);
                return Step::Wait;
            }
        }
        Step::Done(self.second_best.take().unwrap_or_else(|| self.order.failure.clone()))
    }

    fn connect(&self, target: Target, id: u64, outlets: &mut Outlets) -> Option<Connection> {
        let writer = Writer::new(&self.order.query)?;
        let outlet = outlets.stream(target, Token::Exchange(id)).ok()?;
        Some(Connection { outlet, target, writer: Some(writer), reader: Reader::new(LONGEST) })
    }

    fn hang_up(&mut self, outlets: &mut Outlets) {
        if let Some(Connection { outlet, .. }) = self.connection.take() {
            outlets.close(outlet);
        }
    }
}
