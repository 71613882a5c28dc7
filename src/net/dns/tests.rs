//! Tests of the whole server; those of a part are beside it.

mod answers;
mod hostile;
mod names;
mod serving;
mod store;
mod streams;

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query as Question};
use hickory_proto::rr::{Name as DnsName, RecordType};

pub(super) use store::locked;

use super::resolver::{Asker, Names};
use crate::types::Name;

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A query for `text`; with an EDNS record if `payload` is given.
fn query(text: &str, kind: RecordType, payload: Option<u16>) -> Vec<u8> {
    let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    let name = DnsName::from_ascii(text).or_else(|_| {
        // Other characters than names of hosts have.
        DnsName::from_labels(text.trim_end_matches('.').split('.').map(str::as_bytes))
    });
    message.add_query(Question::query(name.expect("a name"), kind));
    message.edns = payload.map(|payload| {
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        edns
    });
    message.to_vec().expect("a message")
}

/// Names and addresses of a member.
type Entry = (Vec<String>, Vec<IpAddr>);

/// Networks as a table: for each its members, each with names and addresses.
#[derive(Debug, Default)]
struct Table {
    own: Option<Name>,
    networks: BTreeMap<Name, Vec<Entry>>,
}

impl Table {
    fn with(mut self, network: &str, names: &[&str], addresses: &[&str]) -> Self {
        self.own.get_or_insert_with(|| name(network));
        let member =
            (names.iter().map(|&name| name.to_owned()).collect(), addresses.iter().map(|text| ip(text)).collect());
        self.networks.entry(name(network)).or_default().push(member);
        self
    }

    fn members(&self, network: &Name) -> impl Iterator<Item = &Entry> {
        self.networks.get(network).into_iter().flatten()
    }
}

impl Names for Table {
    fn asker(&mut self, address: IpAddr) -> Asker {
        let is_in = |network: &Name| self.members(network).any(|(_, addresses)| addresses.contains(&address));
        let networks = self.networks.keys().filter(|network| is_in(network)).cloned().collect();
        Asker { networks, dns: Vec::new(), links: Vec::new(), has_way_out: true }
    }

    fn addresses(&mut self, network: &Name, name: &str) -> Vec<IpAddr> {
        let named = self.members(network).filter(|(names, _)| names.iter().any(|own| own.eq_ignore_ascii_case(name)));
        named.flat_map(|(_, addresses)| addresses.clone()).collect()
    }

    fn names(&mut self, network: &Name, address: IpAddr) -> Vec<String> {
        let found = self.members(network).find(|(_, addresses)| addresses.contains(&address));
        found.map_or_else(Vec::new, |(names, _)| names.clone())
    }

    fn is_member(&mut self, network: &Name, address: IpAddr) -> bool {
        self.members(network).any(|(_, addresses)| addresses.contains(&address))
    }

    fn own(&self) -> &Name {
        self.own.as_ref().expect("a network")
    }
}
