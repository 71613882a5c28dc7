//! Queries and answers by TCP.

use std::io::Read as _;
use std::net::Shutdown;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;

use super::store::Store;
use super::{ip, query};
use crate::net::test_name_server::{By, NameServer, answer, receive, send};

fn code(bytes: &[u8]) -> ResponseCode {
    Message::from_vec(bytes).expect("a message").metadata.response_code
}

#[test]
fn what_is_truncated_by_udp_comes_whole_by_tcp() {
    let store = Store::new();
    let server = store.serve(store.resolv_conf(&[]), 1);
    let members: Vec<_> = (0..60u32)
        .map(|number| {
            let many = |lease: &mut crate::net::lease::NewLease| lease.names.push("many".to_owned());
            store.member_with(number, &format!("c{number}"), &[("app", "")], many)
        })
        .collect();
    let by_udp = Message::from_vec(&server.ask("127.1.0.1", &query("many.", RecordType::A, None))).expect("a message");
    assert!(by_udp.metadata.truncation && by_udp.answers.len() < 60);
    let mut stream = server.connect();
    send(&mut stream, &query("many.", RecordType::A, None)).expect("sent");
    let by_tcp = Message::from_vec(&receive(&mut stream).expect("an answer")).expect("a message");
    assert!(!by_tcp.metadata.truncation);
    assert_eq!(by_tcp.answers.len(), 60);
    members.into_iter().for_each(|member| store.release(member));
}

#[test]
fn queries_of_one_connection_are_answered_in_order_and_forwarded_by_tcp() {
    let store = Store::new();
    let long = |query: &[u8]| answer(query, 0, &[[192, 0, 2, 1]; 200]);
    let upstream = NameServer::start(ip("127.0.0.1"), 0, move |_, query| vec![long(query)]).expect("server");
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1")]), upstream.address().port());
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    let mut stream = server.connect();
    let queries =
        ["example.com.", "web.", "nobody.dns.podman.", "example.org."].map(|text| query(text, RecordType::A, None));
    for query in &queries {
        send(&mut stream, query).expect("sent");
    }
    stream.shutdown(Shutdown::Write).expect("shut down");
    assert_eq!(receive(&mut stream).expect("an answer"), long(&queries[0]));
    assert_eq!(Message::from_vec(&receive(&mut stream).expect("an answer")).expect("a message").answers.len(), 1);
    assert_eq!(code(&receive(&mut stream).expect("an answer")), ResponseCode::NXDomain);
    assert_eq!(receive(&mut stream).expect("an answer"), long(&queries[3]));
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    let asked: Vec<_> = upstream.asked().into_iter().map(|(by, _, bytes)| (by, bytes)).collect();
    assert_eq!(asked, [(By::Tcp, queries[0].clone()), (By::Tcp, queries[3].clone())]);
}

#[test]
fn the_next_server_is_asked_if_one_is_not_there_or_fails() {
    let store = Store::new();
    let failing = NameServer::start(ip("127.0.0.2"), 0, |_, query| vec![answer(query, 2, &[])]).expect("server");
    let port = failing.address().port();
    let good = NameServer::start(ip("127.0.0.3"), port, |_, query| vec![answer(query, 0, &[[192, 0, 2, 3]])]);
    let good = good.expect("server");
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1"), ip("127.0.0.2"), ip("127.0.0.3")]), port);
    let mut stream = server.connect();
    let query = query("example.com.", RecordType::A, None);
    send(&mut stream, &query).expect("sent");
    assert_eq!(receive(&mut stream).expect("an answer"), answer(&query, 0, &[[192, 0, 2, 3]]));
    drop(good);
    send(&mut stream, &query).expect("sent");
    assert_eq!(receive(&mut stream).expect("an answer"), answer(&query, 2, &[]), "the failure of the one that spoke");
    drop(failing);
    send(&mut stream, &query).expect("sent");
    assert_eq!(code(&receive(&mut stream).expect("an answer")), ResponseCode::ServFail);
}

#[test]
fn a_member_is_asked_within_the_network_again_and_again() {
    let store = Store::new();
    let member = NameServer::start(ip("127.1.0.9"), 0, |_, query| vec![answer(query, 0, &[[192, 0, 2, 9]])]);
    let member = member.expect("server");
    let server = store.serve(store.resolv_conf(&[]), member.address().port());
    let _dns = store.member(1, "dns", &[("app", "127.1.0.9")]);
    store.change("app", |record| record.network_dns_servers = vec![ip("127.1.0.9")]);
    let mut stream = server.connect();
    let query = query("example.com.", RecordType::A, None);
    for _ in 0..10 {
        send(&mut stream, &query).expect("sent");
        assert_eq!(receive(&mut stream).expect("an answer"), answer(&query, 0, &[[192, 0, 2, 9]]));
    }
}

#[test]
fn who_sends_no_query_is_cut_off_and_a_crowd_keeps_nobody_out() {
    let store = Store::new();
    let server = store.serve(store.resolv_conf(&[]), 1);
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    let question = query("web.", RecordType::A, None);
    let mut response = question.clone();
    response[2] |= 0x80;
    for nonsense in [response, vec![0; 5000], vec![0; 3]] {
        let mut stream = server.connect();
        send(&mut stream, &nonsense).expect("sent");
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
    // Twice as many as may be connected, all silent but for a part of a query.
    let crowd: Vec<_> = (0..128)
        .map(|_| {
            let mut stream = server.connect();
            std::io::Write::write_all(&mut stream, b"\x00").expect("sent");
            stream
        })
        .collect();
    let mut stream = server.connect();
    send(&mut stream, &question).expect("sent");
    assert_eq!(code(&receive(&mut stream).expect("an answer")), ResponseCode::NoError);
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("timeout");
    // Who says nothing for some seconds is cut off, too.
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    drop(crowd);
}
