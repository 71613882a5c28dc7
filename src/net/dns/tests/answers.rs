//! Answers byte for byte.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{RData, RecordType};

use super::query;
use crate::net::dns::answer::{Answer, Transport};
use crate::net::dns::query::{Query, Rejected, Verdict, judge};

fn encode(bytes: &[u8], answer: Answer, transport: Transport) -> Vec<u8> {
    answer.encode(&Query::read(bytes).expect("a query"), transport)
}

fn addresses(count: u8) -> Answer {
    Answer::of((0..count).map(|last| RData::A(A::new(10, 89, 1, last))).collect())
}

const ID: [u8; 2] = [0x12, 0x34];
const QUESTION: &[u8] = b"\x03wEb\x00\x00\x01\x00\x01";

#[test]
fn an_address_is_answered_with_the_question_as_it_came() {
    let bytes = query("wEb.", RecordType::A, None);
    assert_eq!(bytes, [&ID, b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".as_slice(), QUESTION].concat());
    let answer = encode(&bytes, addresses(1), Transport::Datagram);
    // Authoritative, recursion desired and available; the name by a pointer, type A, class IN, TTL 0.
    let record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x0a\x59\x01\x00";
    let expected = [&ID, b"\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00".as_slice(), QUESTION, record].concat();
    assert_eq!(answer, expected);
    assert_eq!(judge(&bytes, &answer), Verdict::Answer);
}

#[test]
fn errors_have_the_question_and_no_records() {
    let bytes = query("wEb.", RecordType::A, None);
    for (code, flags) in [
        (ResponseCode::NXDomain, b"\x85\x83"),
        (ResponseCode::ServFail, b"\x81\x82"),
        (ResponseCode::NoError, b"\x85\x80"),
    ] {
        let answer = encode(&bytes, Answer::error(code), Transport::Datagram);
        let expected = [&ID, flags.as_slice(), b"\x00\x01\x00\x00\x00\x00\x00\x00", QUESTION].concat();
        assert_eq!(answer, expected, "{code}");
    }
}

#[test]
fn an_edns_record_is_answered_with_one() {
    let bytes = query("wEb.", RecordType::A, Some(4096));
    let answer = encode(
        &bytes,
        Answer::of(vec![RData::AAAA(AAAA("fd00::2".parse().expect("an address")))]),
        Transport::Datagram,
    );
    let record = b"\xc0\x0c\x00\x1c\x00\x01\x00\x00\x00\x00\x00\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02";
    // Root, type OPT, 1232 bytes, no error, version 0, no flags, no options.
    let own = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
    let header = b"\x85\x80\x00\x01\x00\x01\x00\x00\x00\x01";
    assert_eq!(answer, [&ID, header.as_slice(), QUESTION, record, own].concat());
    // "DNSSEC OK" comes back. Source: RFC 3225, section 3.
    let mut with_flag = bytes.clone();
    let flags = with_flag.len() - 4;
    with_flag[flags] = 0x80;
    let answer = encode(&with_flag, addresses(0), Transport::Datagram);
    assert!(answer.ends_with(b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"), "{answer:x?}");
}

#[test]
fn an_unknown_edns_version_is_answered_with_bad_version() {
    let mut bytes = query("wEb.", RecordType::A, Some(4096));
    let version = bytes.len() - 5;
    bytes[version] = 1;
    let answer = encode(&bytes, addresses(1), Transport::Datagram);
    let own = b"\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00";
    assert_eq!(answer, [&ID, b"\x81\x80\x00\x01\x00\x00\x00\x00\x00\x01".as_slice(), QUESTION, own].concat());
}

#[test]
fn what_does_not_fit_is_truncated_and_comes_whole_by_tcp() {
    for (payload, limit) in [(None, 512), (Some(100), 512), (Some(600), 600), (Some(1232), 1232), (Some(4096), 1232)] {
        let bytes = query("wEb.", RecordType::A, payload);
        let own = if payload.is_some() { 11 } else { 0 };
        let fitting = (limit - 12 - QUESTION.len() - own) / 16;
        let answer = encode(&bytes, addresses(200), Transport::Datagram);
        assert_eq!(answer.len(), 12 + QUESTION.len() + 16 * fitting + own, "{payload:?}");
        let message = Message::from_vec(&answer).expect("a message");
        assert!(message.metadata.truncation);
        assert_eq!(message.answers.len(), fitting);
        assert_eq!(message.edns.is_some(), payload.is_some());

        let whole = u8::try_from(fitting).expect("few");
        let answer = encode(&bytes, addresses(whole), Transport::Datagram);
        let message = Message::from_vec(&answer).expect("a message");
        assert_eq!((message.metadata.truncation, message.answers.len()), (false, fitting));

        let message = Message::from_vec(&encode(&bytes, addresses(200), Transport::Stream)).expect("a message");
        assert_eq!((message.metadata.truncation, message.answers.len()), (false, 200));
    }
}

#[test]
fn what_is_no_query_gets_no_answer_and_what_is_none_to_us_an_error() {
    let bytes = query("wEb.", RecordType::A, None);
    let change = |at: usize, byte: u8| {
        let mut changed = bytes.clone();
        changed[at] = byte;
        changed
    };
    let rejected = |bytes: &[u8]| Query::read(bytes).expect_err("no query");
    assert_eq!(rejected(&bytes[..11]), Rejected::Silently);
    assert_eq!(rejected(&[]), Rejected::Silently);
    assert_eq!(rejected(&change(2, 0x81)), Rejected::Silently, "a response");
    let error = |flags: [u8; 2]| Rejected::With([ID.as_slice(), &flags, &[0; 8]].concat());
    assert_eq!(rejected(&change(2, 0x29)), error([0xa9, 0x84]), "an update");
    let malformed = error([0x81, 0x81]);
    for (at, byte) in [(5, 0), (5, 2), (7, 1), (9, 1), (4, 255), (11, 1), (12, 0xc0), (12, 0x43), (12, 200)] {
        assert_eq!(rejected(&change(at, byte)), malformed, "byte {at}");
    }
    assert_eq!(rejected(&bytes[..bytes.len() - 1]), malformed, "half a question");
    let edns = query("wEb.", RecordType::A, Some(4096));
    let mut twice = [edns.as_slice(), &edns[bytes.len()..]].concat();
    twice[11] = 2;
    assert_eq!(rejected(&twice), malformed, "two EDNS records");
}

#[test]
fn an_answer_belongs_to_the_query_with_its_id_and_question() {
    let query = query("wEb.", RecordType::A, Some(1232));
    let header = |flags: &[u8], count: u8| [ID.as_slice(), flags, &[0, count, 0, 0, 0, 0, 0, 0]].concat();
    let whole = |flags: &[u8], question: &[u8]| [header(flags, 1).as_slice(), question].concat();
    for (message, expected) in [
        (whole(b"\x81\x80", QUESTION), Verdict::Answer),
        (whole(b"\x81\x80", b"\x03web\x00\x00\x01\x00\x01"), Verdict::Answer),
        (whole(b"\x81\x83", QUESTION), Verdict::Answer),
        (whole(b"\x83\x80", QUESTION), Verdict::Answer),
        (whole(b"\x81\x82", QUESTION), Verdict::Failure),
        (whole(b"\x81\x84", QUESTION), Verdict::Failure),
        (whole(b"\x81\x85", QUESTION), Verdict::Failure),
        (header(b"\x81\x81", 0), Verdict::Answer),
        (header(b"\x81\x80", 0), Verdict::Foreign),
        (whole(b"\x01\x00", QUESTION), Verdict::Foreign),
        (whole(b"\xa9\x80", QUESTION), Verdict::Foreign),
        (whole(b"\x81\x80", b"\x03wab\x00\x00\x01\x00\x01"), Verdict::Foreign),
        (whole(b"\x81\x80", b"\x03web\x00\x00\x1c\x00\x01"), Verdict::Foreign),
        (whole(b"\x81\x80", b"\x03web\x00\x00\x01"), Verdict::Foreign),
        (header(b"\x81\x80", 2), Verdict::Foreign),
        (Vec::new(), Verdict::Foreign),
        ([b"\x12\x35\x81\x80\0\x01\0\0\0\0\0\0".as_slice(), QUESTION].concat(), Verdict::Foreign),
    ] {
        assert_eq!(judge(&query, &message), expected, "{message:x?}");
    }
}
