//! Answers of this server's own.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{RData, Record};

use super::query::Query;

/// The longest datagram that this server sends of its own, and says that it takes: it crosses every link whole. Source:
/// dnsflagday.net/2020.
const DATAGRAM: u16 = 1232;

/// How the answer travels, which bounds its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// 512 bytes, or what the asker's EDNS record allows.
    Datagram,
    /// 64 KiB.
    Stream,
}

/// What is answered to a question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// The response code.
    pub(super) code: ResponseCode,
    /// The records, all with the name that was asked.
    pub(super) data: Vec<RData>,
}

impl Answer {
    /// These records; none means that the name exists without data of that type.
    pub(super) fn of(data: Vec<RData>) -> Self {
        Self { code: ResponseCode::NoError, data }
    }

    /// No records.
    pub(super) fn error(code: ResponseCode) -> Self {
        Self { code, data: Vec::new() }
    }

    /// The message that answers `query`. If it does not fit, it has as many records as do, and says that it is
    /// truncated. With an EDNS version that nobody knows yet, it says that instead. Source: RFC 6891, section 6.1.3.
    ///
    /// TTL 0: an address may belong to another container a moment later.
    pub(super) fn encode(self, query: &Query<'_>, transport: Transport) -> Vec<u8> {
        let is_future = query.edns.as_ref().is_some_and(|edns| edns.version() != 0);
        let answer = if is_future { Self::error(ResponseCode::BADVERS) } else { self };
        let mut message = Message::new(query.header.metadata.id, MessageType::Response, OpCode::Query);
        message.metadata.authoritative = matches!(answer.code, ResponseCode::NoError | ResponseCode::NXDomain);
        message.metadata.recursion_desired = query.header.metadata.recursion_desired;
        message.metadata.recursion_available = true;
        message.metadata.checking_disabled = query.header.metadata.checking_disabled;
        message.metadata.response_code = answer.code;
        message.edns = query.edns.as_ref().map(|edns| {
            let mut own = Edns::new();
            own.set_max_payload(DATAGRAM).set_dnssec_ok(edns.flags().dnssec_ok);
            own
        });
        message.add_query(query.question.clone());
        let limit = usize::from(match (transport, &query.edns) {
            (Transport::Stream, _) => u16::MAX,
            (Transport::Datagram, None) => 512,
            (Transport::Datagram, Some(edns)) => edns.max_payload().clamp(512, DATAGRAM),
        });
        let name = &query.question.name;
        message.add_answers(answer.data.into_iter().map(|data| Record::from_rdata(name.clone(), 0, data)));
        // Names and records are well-formed, so they can be encoded; if not, no bytes mean no answer.
        let whole = message.to_vec().unwrap_or_default();
        if whole.len() <= limit {
            return whole;
        }
        message.metadata.truncation = true;
        let records = std::mem::take(&mut message.answers);
        let mut with = |count: usize| {
            message.answers = records[..count].to_vec();
            message.to_vec().unwrap_or_default()
        };
        // Between these is the number of records that fit.
        let (mut fits, mut is_too_many) = (0, records.len());
        while fits + 1 < is_too_many {
            let middle = usize::midpoint(fits, is_too_many);
            if with(middle).len() <= limit {
                fits = middle;
            } else {
                is_too_many = middle;
            }
        }
        with(fits)
    }
}
