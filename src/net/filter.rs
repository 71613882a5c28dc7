//! The packet filter of a network: one constant batch to nf_tables, when the network's namespace is made. Nothing
//! changes there for a container.
//!
//! ```text
//! table inet rc {
//!   chain postrouting { type nat hook postrouting priority 100;      oifname "tap0" masquerade }
//!   chain prerouting  { type filter hook prerouting priority -150;   iifname BRIDGE socket transparent 1 mark set 1 }
//! }
//! ```
//!
//! The first rule gives what leaves the address of the way out: pasta answers only one. The second one brings answers
//! to clients of published ports to the relay, which has connected by the client's own address ([`MARK`]).
//!
//! Source: the kernel's include/uapi/linux/netfilter/nf_tables.h; nft(8).

use netlink_packet_core::{DefaultNla, Emitable as _, NLA_F_NESTED, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST};

use super::agreed::{MARK, TAP};
use super::netlink::{Netlink, Refused};

/// `NFNL_SUBSYS_NFTABLES`, and the messages that begin and end a batch. Source: nfnetlink.h.
const NFTABLES: u8 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFPROTO_INET`: IPv4 and IPv6.
const INET: u8 = 1;
/// `NFT_REG_1`.
const REGISTER: u32 = 1;
const TABLE: &str = "rc";
/// `NFT_MSG_NEWTABLE`, `NFT_MSG_DELTABLE`.
const NEW_TABLE: u8 = 0;
const DELETE_TABLE: u8 = 2;

/// What the network namespace may have already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing: it has just been made.
    Nothing,
    /// The filter of a keeper that was killed, which is replaced. The end of the socket then waits until the kernel has
    /// freed that, 8 to 16 ms.
    Filter,
}

/// Sets up the filter in the network namespace of this process, for the bridge of this name. It is there as a whole, or
/// not at all.
///
/// Fails if the kernel has no nf_tables, or not these parts of it.
pub(super) fn install(bridge: &str, before: Before) -> Result<(), Refused> {
    let socket = Netlink::netfilter().map_err(|source| Refused { step: "talk to nf_tables", source })?;
    socket.batch("set up nf_tables", &batch(bridge, before))
}

/// The batch.
fn batch(bridge: &str, before: Before) -> Vec<Vec<u8>> {
    let masquerade = [meta_load(7), compare_name(TAP), expression("masq", &[])];
    let transparent = [
        meta_load(6),
        compare_name(bridge),
        expression("socket", &[number(1, 0), number(2, REGISTER)]),
        // One byte: the kernel loads no more.
        expression("cmp", &[number(1, REGISTER), number(2, 0), nested(3, &[DefaultNla::new(1, vec![1])])]),
        expression("immediate", &[number(1, REGISTER), nested(2, &[DefaultNla::new(1, MARK.to_ne_bytes().to_vec())])]),
        expression("meta", &[number(2, 3), number(3, REGISTER)]),
    ];
    // Together with the one below these replace a table that may be there.
    let replace = match before {
        Before::Nothing => Vec::new(),
        Before::Filter => vec![request(NEW_TABLE, &[string(1, TABLE)]), request(DELETE_TABLE, &[string(1, TABLE)])],
    };
    let new = [
        request(NEW_TABLE, &[string(1, TABLE)]),
        chain("postrouting", "nat", 4, 100),
        chain("prerouting", "filter", 0, -150),
        rule("postrouting", &masquerade),
        rule("prerouting", &transparent),
    ];
    let edge = |kind| std::iter::once(message(kind, 0, u16::from(NFTABLES).to_be(), &[]));
    edge(BATCH_BEGIN).chain(replace).chain(new).chain(edge(BATCH_END)).collect()
}

/// `NFT_MSG_NEWCHAIN`: a base chain, by default everything passes.
fn chain(name: &str, kind: &str, hook: u32, priority: i32) -> Vec<u8> {
    let hook = nested(4, &[number(1, hook), number(2, priority.cast_unsigned())]);
    request(3, &[string(1, TABLE), string(3, name), hook, string(7, kind)])
}

/// `NFT_MSG_NEWRULE`.
fn rule(chain: &str, expressions: &[DefaultNla]) -> Vec<u8> {
    request(6, &[string(1, TABLE), string(2, chain), nested(4, expressions)])
}

/// Loads what a packet's metadata has (`enum nft_meta_keys`).
fn meta_load(key: u32) -> DefaultNla {
    expression("meta", &[number(1, REGISTER), number(2, key)])
}

/// Continues if what was loaded is the name of this interface.
fn compare_name(interface: &str) -> DefaultNla {
    let mut name = interface.as_bytes().to_vec();
    // IFNAMSIZ.
    name.resize(16, 0);
    expression("cmp", &[number(1, REGISTER), number(2, 0), nested(3, &[DefaultNla::new(1, name)])])
}

/// An element of a rule's list (`NFTA_LIST_ELEM`).
fn expression(name: &str, data: &[DefaultNla]) -> DefaultNla {
    nested(1, &[string(1, name), nested(2, data)])
}

fn number(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

fn string(kind: u16, text: &str) -> DefaultNla {
    DefaultNla::new(kind, [text.as_bytes(), &[0]].concat())
}

fn nested(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NLA_F_NESTED, bytes(attributes))
}

fn bytes(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

/// A message that creates something, and is answered.
fn request(kind: u8, attributes: &[DefaultNla]) -> Vec<u8> {
    message(u16::from_be_bytes([NFTABLES, kind]), NLM_F_ACK | NLM_F_CREATE, 0, attributes)
}

/// `nlmsghdr`, `nfgenmsg`, attributes. The sequence number is set when the message is sent.
fn message(kind: u16, flags: u16, resource: u16, attributes: &[DefaultNla]) -> Vec<u8> {
    let attributes = bytes(attributes);
    let family = if resource == 0 { INET } else { 0 };
    // 16 and 4 bytes of headers; all messages here are short.
    let length = u32::try_from(20 + attributes.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend([family, 0]);
    message.extend(resource.to_ne_bytes());
    message.extend(attributes);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_its_length_and_a_multiple_of_four_bytes() {
        for message in batch("podman1", Before::Filter) {
            assert_eq!(message.len() % 4, 0);
            assert_eq!(message[..4], u32::try_from(message.len()).expect("short").to_ne_bytes());
        }
    }

    #[test]
    fn nothing_is_deleted_in_a_new_namespace_since_the_end_of_the_socket_would_wait_for_that() {
        let delete = u16::from_be_bytes([NFTABLES, DELETE_TABLE]).to_ne_bytes();
        let deletes = |before| batch("podman1", before).iter().filter(|message| message[4..6] == delete).count();
        assert_eq!([deletes(Before::Nothing), deletes(Before::Filter)], [0, 1]);
        assert_eq!(batch("podman1", Before::Nothing).len() + 2, batch("podman1", Before::Filter).len());
    }
}
