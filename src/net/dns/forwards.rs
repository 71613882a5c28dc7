//! Queries that came by UDP and are answered by a server elsewhere.
//!
//! ```text
//! query ─→ first server ── no answer within PATIENCE, or refused, or failed ─→ next server … ─→ first one again …
//!            └─ answer ─→ asker                                                  all of them may still answer
//! ```
//!
//! Each server gets the bytes from a socket of their own, with a port that nobody can guess, and an answer counts only
//! if it comes from that server to that port with the query's id and question. The asker gets its bytes unchanged.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::outlets::{Outlet, Outlets, Target};
use super::poller::Token;
use super::query::{Verdict, judge};
use super::upstream::Upstream;

/// How long a server may think before the next one is asked, too.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How often servers are asked at least, all together: a datagram may be lost. The last time is before the C library
/// asks another name server, after 5 s.
const TIMES: usize = 3;
/// The longest message, in bytes.
const MESSAGE: usize = 1 << 16;
/// How many queries may be under way.
const MOST: usize = 512;

/// What a query is forwarded with.
#[derive(Debug)]
pub(super) struct Order {
    /// The query as it came.
    pub(super) query: Vec<u8>,
    /// The servers to ask, in this order.
    pub(super) targets: Vec<Target>,
    /// The answer if none of them answers.
    pub(super) failure: Vec<u8>,
}

/// Where an answer goes: the index of the socket by which the query came, and who has sent it.
pub(super) type Origin = (usize, SocketAddr);

/// The queries under way.
#[derive(Debug, Default)]
pub(super) struct Forwards {
    pending: HashMap<u64, Forward>,
    last: u64,
}

#[derive(Debug)]
struct Forward {
    origin: Origin,
    order: Order,
    attempts: Vec<Attempt>,
    asked: usize,
    deadline: Instant,
    /// A server's own words that it has failed, if no other one answers.
    second_best: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Attempt {
    NotYet,
    Waiting(Outlet),
    Failed,
}

/// An answer to send.
pub(super) type Reply = (Origin, Vec<u8>);

impl Forwards {
    /// Begins to ask. If too many queries are under way, or nothing can be asked, the answer is at once the failure.
    pub(super) fn begin(&mut self, origin: Origin, order: Order, outlets: &mut Outlets) -> Option<Reply> {
        if self.pending.len() >= MOST {
            return Some((origin, order.failure));
        }
        self.last += 1;
        let attempts = order.targets.iter().map(|_| Attempt::NotYet).collect();
        let deadline = Instant::now();
        let forward = Forward { origin, order, attempts, asked: 0, deadline, second_best: None };
        self.pending.insert(self.last, forward);
        self.go_on(self.last, outlets)
    }

    /// The socket to a server is ready.
    pub(super) fn ready(
        &mut self,
        (id, index): (u64, u8),
        upstream: &mut Upstream,
        outlets: &mut Outlets,
    ) -> Option<Reply> {
        let forward = self.pending.get_mut(&id)?;
        let attempt = forward.attempts.get_mut(usize::from(index))?;
        let target = *forward.order.targets.get(usize::from(index))?;
        let Attempt::Waiting(outlet) = attempt else { return None };
        // Room for every datagram, for this moment alone: it would be a fifth of what the process has.
        let mut message = Vec::with_capacity(MESSAGE);
        let failed = match recv(&*outlet, spare_capacity(&mut message), RecvFlags::DONTWAIT) {
            Ok(_) => match judge(&forward.order.query, &message) {
                Verdict::Foreign => return None,
                Verdict::Answer => {
                    upstream.answers(target.server);
                    return self.finish(id, Some(message), outlets);
                }
                Verdict::Failure => {
                    message.shrink_to_fit();
                    Some(message)
                }
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock || error.kind() == ErrorKind::Interrupted => {
                return None;
            }
            // Nobody listens there, or no route leads there (any more).
            Err(_) => None,
        };
        if let Attempt::Waiting(outlet) = std::mem::replace(attempt, Attempt::Failed) {
            outlets.close(outlet);
        }
        forward.second_best = forward.second_best.take().or(failed);
        let is_last = forward.attempts.iter().all(|attempt| matches!(attempt, Attempt::Failed));
        let has_next = forward.attempts.iter().any(|attempt| matches!(attempt, Attempt::NotYet));
        match (is_last, has_next) {
            (true, _) => self.finish(id, None, outlets),
            (false, true) => self.go_on(id, outlets),
            // Others that were asked before may answer still.
            (false, false) => None,
        }
    }

    /// Goes on with every query whose time is over.
    pub(super) fn expire(&mut self, now: Instant, upstream: &mut Upstream, outlets: &mut Outlets) -> Vec<Reply> {
        let due = self.pending.iter().filter(|(_, forward)| forward.deadline <= now).map(|(id, _)| *id);
        let due: Vec<u64> = due.collect();
        let mut replies = Vec::new();
        for id in due {
            if let Some(forward) = self.pending.get(&id) {
                let late = forward.attempts.iter().zip(&forward.order.targets);
                for (_, target) in late.filter(|(attempt, _)| matches!(attempt, Attempt::Waiting(_))) {
                    upstream.was_slow(target.server);
                }
            }
            replies.extend(self.go_on(id, outlets));
        }
        replies
    }

    /// When the next query's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.values().map(|forward| forward.deadline).min()
    }

    /// Asks the next server that may answer; the end if there is none, or all have been asked often enough.
    fn go_on(&mut self, id: u64, outlets: &mut Outlets) -> Option<Reply> {
        let forward = self.pending.get_mut(&id)?;
        let count = forward.order.targets.len();
        while forward.asked < count.max(TIMES) && count > 0 {
            let index = forward.asked % count;
            forward.asked += 1;
            let Ok(number) = u8::try_from(index) else { continue };
            let attempt = &mut forward.attempts[index];
            if matches!(attempt, Attempt::NotYet) {
                let outlet = outlets.datagrams(forward.order.targets[index], Token::Forward(id, number));
                *attempt = outlet.map_or(Attempt::Failed, Attempt::Waiting);
            }
            if let Attempt::Waiting(outlet) = attempt
                && send(&*outlet, &forward.order.query, SendFlags::NOSIGNAL).is_ok()
            {
                forward.deadline = Instant::now() + PATIENCE;
                outlets.poller.wake_at(forward.deadline);
                return None;
            }
        }
        self.finish(id, None, outlets)
    }

    fn finish(&mut self, id: u64, answer: Option<Vec<u8>>, outlets: &mut Outlets) -> Option<Reply> {
        let Forward { origin, order, attempts, second_best, .. } = self.pending.remove(&id)?;
        for attempt in attempts {
            if let Attempt::Waiting(outlet) = attempt {
                outlets.close(outlet);
            }
        }
        Some((origin, answer.or(second_best).unwrap_or(order.failure)))
    }
}
