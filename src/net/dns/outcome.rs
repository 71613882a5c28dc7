//! What becomes of a message that has arrived.

use std::net::SocketAddr;

use hickory_proto::op::ResponseCode;

use super::answer::{Answer, Transport};
use super::directory::Directory;
use super::forwards::Order;
use super::outlets::Target;
use super::owners::{Locks, Owners};
use super::query::{Query, Rejected};
use super::resolver::{Asker, Decision, Names, decide};
use super::settings::Settings;
use super::upstream::Upstream;
use crate::net::addresses;
use crate::types::Name;

/// Answers, or says whom to ask.
#[derive(Debug)]
pub(super) struct Resolver {
    directory: Directory,
    pub(super) upstream: Upstream,
    turn: usize,
}

/// What becomes of a message.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It gets no answer.
    Nothing,
    /// This is the answer.
    Answer(Vec<u8>),
    /// A server is asked.
    Forward(Order),
}

impl Resolver {
    /// As `settings` say.
    pub(super) fn new(settings: Settings, locks: Locks) -> Self {
        let Settings { root, network, resolv_conf, port } = settings;
        let directory = Directory::new(&root, network, Owners::new(locks));
        Self { directory, upstream: Upstream::new(resolv_conf, port), turn: 0 }
    }

    /// What becomes of a message from `peer`.
    pub(super) fn resolve(&mut self, bytes: &[u8], peer: SocketAddr, transport: Transport) -> Outcome {
        let query = match Query::read(bytes) {
            Ok(query) => query,
            Err(Rejected::Silently) => return Outcome::Nothing,
            Err(Rejected::With(answer)) => return Outcome::Answer(answer),
        };
        let asker = self.directory.asker(peer.ip().to_canonical());
        self.turn = self.turn.wrapping_add(1);
        match decide(&query, &asker, &mut self.directory, addresses::outward, self.turn) {
            Decision::Answer(answer) => Outcome::Answer(answer.encode(&query, transport)),
            Decision::Forward => {
                let failure = Answer::error(ResponseCode::ServFail).encode(&query, transport);
                Outcome::Forward(Order { query: query.bytes.to_vec(), targets: self.targets(&asker), failure })
            }
        }
    }

    /// The servers for `asker`. Another member of the network that is served is asked within it. One of its other
    /// networks cannot be reached from here: the asker hears that at once, and asks the server of that network.
    fn targets(&mut self, asker: &Asker) -> Vec<Target> {
        let own = self.directory.own().clone();
        let mut targets = Vec::new();
        for server in self.upstream.servers(&asker.dns) {
            let ip = server.ip();
            let is_member = self.directory.is_member(&own, ip);
            let is_elsewhere = |network: &Name| *network != own && self.directory.is_member(network, ip);
            if is_member || !asker.networks.iter().any(is_elsewhere) {
                targets.push(Target { server, is_member });
            }
        }
        targets
    }
}
