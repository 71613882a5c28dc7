//! Any bytes as a packet of a container, and as one of a server: no panic, no long work, and answers that are answers.
//! The unit tests change packets by chance; libFuzzer looks for bytes that reach new code (`fuzz/`).

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::{Message, MessageType, ResponseCode};

use super::answer::{Answer, Transport};
use super::query::{Query, Rejected, judge};
use super::resolver::{Asker, Decision, Names, decide};
use crate::types::Name;

/// The outward address of the host.
const OUTWARD: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
/// A query that was forwarded: `web.`, type A.
const FORWARDED: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x00\x00\x01\x00\x01";

/// What the name server does with a packet of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answers.
    Answered,
    /// It asks the host's servers.
    Forwarded,
    /// It says that it does not understand.
    Rejected,
    /// It says nothing.
    Ignored,
}

/// Takes a packet; panics if the answer is none.
pub(crate) fn take(bytes: &[u8], turn: usize) -> Outcome {
    // A server may be as hostile as a container.
    judge(FORWARDED, bytes);
    let query = match Query::read(bytes) {
        Ok(query) => query,
        Err(Rejected::With(answer)) => {
            let header = Message::from_vec(&answer).expect("a header");
            assert_eq!(header.metadata.message_type, MessageType::Response);
            assert_eq!(answer[..2], bytes[..2]);
            return Outcome::Rejected;
        }
        Err(Rejected::Silently) => {
            assert!(bytes.len() < 12 || bytes[2] & 0x80 != 0, "{bytes:x?}");
            return Outcome::Ignored;
        }
    };
    judge(bytes, bytes);
    let mut network = Network("app".parse().expect("a name"));
    let asker = network.asker(OUTWARD);
    let (answer, outcome) = match decide(&query, &asker, &mut network, || Some(OUTWARD), turn) {
        Decision::Answer(answer) => (answer, Outcome::Answered),
        // What the asker gets if no server answers.
        Decision::Forward => (Answer::error(ResponseCode::ServFail), Outcome::Forwarded),
    };
    check(bytes, &answer.encode(&query, Transport::Datagram));
    outcome
}

fn check(query: &[u8], answer: &[u8]) {
    assert!((12..=1232).contains(&answer.len()), "{query:x?}");
    let message = Message::from_vec(answer).unwrap_or_else(|error| panic!("{error}: {query:x?} {answer:x?}"));
    assert_eq!(message.metadata.message_type, MessageType::Response);
    assert_eq!(message.to_vec().expect("a message"), answer, "{query:x?}");
    assert_eq!(answer[..2], query[..2]);
    let question = &message.queries[0];
    assert!(message.answers.iter().all(|record| record.name == question.name && record.ttl == 0));
    assert!(message.authorities.is_empty() && message.additionals.is_empty());
    // The question comes back as it was, byte for byte.
    let length = 12 + question.name.iter().map(|label| label.len() + 1).sum::<usize>() + 1 + 4;
    assert_eq!(answer[12..length], query[12..length]);
}

/// A network of one member, `web`.
struct Network(Name);

impl Network {
    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 89, 1, 2));
}

impl Names for Network {
    fn asker(&mut self, _: IpAddr) -> Asker {
        Asker { networks: vec![self.0.clone()], dns: Vec::new(), links: Vec::new(), has_way_out: true }
    }

    fn addresses(&mut self, _: &Name, name: &str) -> Vec<IpAddr> {
        if name.eq_ignore_ascii_case("web") {
            vec![Self::ADDRESS, "fd00::2".parse().expect("an address")]
        } else {
            vec![]
        }
    }

    fn names(&mut self, _: &Name, address: IpAddr) -> Vec<String> {
        if address == Self::ADDRESS { vec!["web".to_owned()] } else { vec![] }
    }

    fn is_member(&mut self, _: &Name, address: IpAddr) -> bool {
        address == Self::ADDRESS
    }

    fn own(&self) -> &Name {
        &self.0
    }
}
