//! One query, as it comes from a container.

use hickory_proto::op::{Edns, Header, HeaderCounts, Message, MessageType, OpCode, Query as Question, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};

/// The length of the header of every message. Source: RFC 1035, section 4.1.1.
const HEADER: usize = 12;
/// The length of type and class after the name in a question. Source: RFC 1035, section 4.1.2.
const TYPE_AND_CLASS: usize = 4;
/// The longest query, in bytes: cookies and padding fit, and a crowd of askers takes little memory.
pub(super) const LONGEST: usize = 4096;

/// A query with exactly one question.
#[derive(Debug)]
pub(super) struct Query<'a> {
    /// The message as it came.
    pub(super) bytes: &'a [u8],
    /// Its header.
    pub(super) header: Header,
    /// What is asked.
    pub(super) question: Question,
    /// The asker's EDNS record. Source: RFC 6891.
    pub(super) edns: Option<Edns>,
}

/// Why a message is not answered as a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// It is not a query: no answer.
    Silently,
    /// It is a query that this server does not understand: this answer.
    With(Vec<u8>),
}

impl<'a> Query<'a> {
    /// Reads a message.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Rejected> {
        let header = Header::read(&mut BinDecoder::new(bytes)).map_err(|_| Rejected::Silently)?;
        if header.metadata.message_type != MessageType::Query {
            return Err(Rejected::Silently);
        }
        let rejected = |code| Rejected::With(header_alone(&header, code));
        if header.metadata.op_code != OpCode::Query {
            return Err(rejected(ResponseCode::NotImp));
        }
        let HeaderCounts { queries, answers, authorities, .. } = header.counts;
        // The counts are checked before anything is allocated for what they promise.
        if (queries, answers, authorities) != (1, 0, 0) || question_end(bytes).is_none() {
            return Err(rejected(ResponseCode::FormErr));
        }
        let mut message = Message::from_vec(bytes).map_err(|_| rejected(ResponseCode::FormErr))?;
        let question = message.queries.pop().ok_or_else(|| rejected(ResponseCode::FormErr))?;
        Ok(Self { bytes, header, question, edns: message.edns })
    }
}

/// An answer of a header alone, for a question that could not be read.
fn header_alone(query: &Header, code: ResponseCode) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..2].copy_from_slice(&query.metadata.id.to_be_bytes());
    // Response, the opcode and "recursion desired" as they were; then "recursion available".
    bytes[2] = 0x80 | u8::from(query.metadata.op_code) << 3 | u8::from(query.metadata.recursion_desired);
    bytes[3] = 0x80 | code.low();
    bytes
}

/// Where the only question of a message ends. `None` if its name is not complete, or compressed: there is nothing
/// before it that it could repeat.
fn question_end(bytes: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        match length {
            0 => break,
            1..=63 => {}
            _ => return None,
        }
    }
    (at + TYPE_AND_CLASS <= bytes.len()).then_some(at + TYPE_AND_CLASS)
}

/// How a server's message answers a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is an answer.
    Answer,
    /// The server did not or could not answer: another one may.
    Failure,
    /// It belongs to another query, or to none.
    Foreign,
}

/// Whether `message` answers `query`, a message that [`Query::read`] has accepted: id and question must be the same. A
/// server may change the case of letters, and repeat no question in an error.
pub(super) fn judge(query: &[u8], message: &[u8]) -> Verdict {
    let (Some(end), Some(header)) = (question_end(query), message.get(..HEADER)) else { return Verdict::Foreign };
    let is_response = header[2] & 0x80 != 0 && header[2] & 0x78 == query[2] & 0x78;
    if header[..2] != query[..2] || !is_response {
        return Verdict::Foreign;
    }
    let code = header[3] & 0x0f;
    let has_question = match header[4..6] {
        [0, 0] => code != 0,
        [0, 1] => {
            let name_end = end - TYPE_AND_CLASS;
            message.get(HEADER..name_end).is_some_and(|name| name.eq_ignore_ascii_case(&query[HEADER..name_end]))
                && message.get(name_end..end) == query.get(name_end..end)
        }
        _ => false,
    };
    match ResponseCode::from_low(code) {
        _ if !has_question => Verdict::Foreign,
        ResponseCode::ServFail | ResponseCode::NotImp | ResponseCode::Refused => Verdict::Failure,
        _ => Verdict::Answer,
    }
}
