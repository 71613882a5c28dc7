//! Queries and answers by UDP.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;

use super::store::{Running, Store, ask, receive};
use super::{ip, query};
use crate::net::test_name_server::{By, NameServer, answer};

const A: RecordType = RecordType::A;

/// The code and the addresses of an answer.
fn read(bytes: &[u8]) -> (ResponseCode, Vec<IpAddr>) {
    let message = Message::from_vec(bytes).expect("a message");
    let addresses = message.answers.iter().map(|record| record.data.ip_addr().expect("an address")).collect();
    (message.metadata.response_code, addresses)
}

fn addresses(server: &Running, from: &str, text: &str) -> Vec<String> {
    let (code, addresses) = read(&server.ask(from, &query(text, A, None)));
    if code == ResponseCode::NoError {
        addresses.iter().map(IpAddr::to_string).collect()
    } else {
        vec![code.to_string()]
    }
}

fn server_at(address: &str, port: u16, last: u8) -> NameServer {
    NameServer::start(ip(address), port, move |_, query| vec![answer(query, 0, &[[192, 0, 2, last]])]).expect("server")
}

const FAILED: &str = "Server Failure";

#[test]
fn names_follow_their_leases_at_once() {
    let store = Store::new();
    let server = store.serve(store.resolv_conf(&[]), 1);
    let asker = store.member(1, "asker", &[("app", "127.1.0.2")]);
    for round in 0..200u32 {
        let address = format!("127.1.{}.{}", 1 + round / 100, 1 + round % 100);
        let web = store.member(2, "web", &[("app", &address)]);
        assert_eq!(addresses(&server, "127.1.0.2", "web."), [address.as_str()]);
        assert_eq!(addresses(&server, &address, "asker."), ["127.1.0.2"]);
        store.release(web);
        assert_eq!(addresses(&server, "127.1.0.2", "web.dns.podman."), ["Non-Existent Domain"]);
    }
    store.release(asker);
}

#[test]
fn a_member_whose_monitor_was_killed_is_found_no_more_and_still_answered() {
    let store = Store::new();
    let server = store.serve(store.resolv_conf(&[]), 1);
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    let db = store.member(2, "db", &[("app", "127.1.0.3")]);
    assert_eq!(addresses(&server, "127.1.0.2", "db."), ["127.1.0.3"]);
    // Its lease stays.
    drop(db);
    assert_eq!(addresses(&server, "127.1.0.2", "db.dns.podman."), ["Non-Existent Domain"]);
    assert_eq!(addresses(&server, "127.1.0.3", "web."), ["127.1.0.2"]);
}

#[test]
fn a_member_of_two_networks_knows_the_names_of_both() {
    let store = Store::new();
    let server = store.serve(store.resolv_conf(&[]), 1);
    let _both = store.member(1, "both", &[("app", "127.1.0.2"), ("other", "127.2.0.2")]);
    let _web = store.member(2, "web", &[("app", "127.1.0.3")]);
    let _db = store.member(3, "db", &[("other", "127.2.0.3")]);
    assert_eq!(addresses(&server, "127.1.0.2", "db."), ["127.2.0.3"]);
    assert_eq!(addresses(&server, "127.1.0.2", "both.other."), ["127.2.0.2"]);
    assert_eq!(addresses(&server, "127.1.0.3", "db.dns.podman."), ["Non-Existent Domain"]);
    store.change("other", |record| record.dns_enabled = false);
    assert_eq!(addresses(&server, "127.1.0.2", "db.dns.podman."), ["Non-Existent Domain"]);
}

#[test]
fn other_names_are_forwarded_and_answered_with_the_bytes_as_they_are() {
    let store = Store::new();
    // A truncated answer, with records that no library would write, and an EDNS record with an option.
    let odd = |query: &[u8]| {
        let mut bytes = answer(query, 0, &[[192, 0, 2, 1]]);
        bytes[2] |= 0x02;
        bytes[11] = 1;
        bytes.extend_from_slice(b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x07\xff\xfe\x00\x03abc");
        bytes.extend_from_slice(b"trailing");
        bytes
    };
    let upstream = NameServer::start(ip("127.0.0.1"), 0, move |_, query| vec![odd(query)]).expect("server");
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1")]), upstream.address().port());
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    let mut sent = query("ExAmPle.com.", RecordType::HTTPS, Some(4000));
    // A cookie, "checking disabled", and a record after the EDNS record.
    sent[3] |= 0x10;
    let length = sent.len();
    sent[length - 1] = 12;
    sent.extend_from_slice(b"\x00\x0a\x00\x08cookie!!");
    assert_eq!(server.ask("127.1.0.2", &sent), odd(&sent));
    let asked = upstream.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].0, &asked[0].2), (By::Udp, &sent));
    // Each query has a port of its own.
    let mut ports = vec![asked[0].1.port()];
    for _ in 0..20 {
        server.ask("127.1.0.2", &sent);
    }
    ports.extend(upstream.asked().iter().skip(1).map(|(_, peer, _)| peer.port()));
    ports.sort_unstable();
    ports.dedup();
    assert!(ports.len() > 15, "{ports:?}");
}

#[test]
fn the_hosts_file_counts_as_it_is_now() {
    let store = Store::new();
    let first = server_at("127.0.0.1", 0, 1);
    let port = first.address().port();
    let second = server_at("127.0.0.53", port, 2);
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1")]), port);
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    for _ in 0..20 {
        assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.1"]);
        store.resolv_conf(&[ip("127.0.0.53")]);
        assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.2"]);
        store.resolv_conf(&[ip("127.0.0.1")]);
    }
    drop((first, second));
}

#[test]
fn a_server_that_is_not_there_is_passed_over_at_once() {
    let store = Store::new();
    let second = server_at("127.0.0.2", 0, 2);
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1"), ip("127.0.0.2")]), second.address().port());
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    let start = Instant::now();
    assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.2"]);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    drop(second);
    assert_eq!(addresses(&server, "127.1.0.2", "example.com."), [FAILED]);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn a_silent_server_is_asked_after_the_others_from_then_on() {
    let store = Store::new();
    let silent = NameServer::start(ip("127.0.0.1"), 0, |_, _| Vec::new()).expect("server");
    let second = server_at("127.0.0.2", silent.address().port(), 2);
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1"), ip("127.0.0.2")]), silent.address().port());
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    let start = Instant::now();
    assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.2"]);
    let first = start.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&first), "{first:?}");
    for _ in 0..5 {
        assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.2"]);
    }
    assert!(start.elapsed() - first < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(silent.asked().len(), 1);
    drop(second);
}

#[test]
fn a_late_answer_counts_and_a_lost_query_is_sent_again() {
    let store = Store::new();
    // The first datagram is lost.
    let count = std::sync::atomic::AtomicU32::new(0);
    let upstream = NameServer::start(ip("127.0.0.1"), 0, move |_, query| {
        let is_first = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        if is_first { Vec::new() } else { vec![answer(query, 0, &[[192, 0, 2, 7]])] }
    });
    let upstream = upstream.expect("server");
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1")]), upstream.address().port());
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.7"]);
    let peers: Vec<_> = upstream.asked().iter().map(|(_, peer, _)| *peer).collect();
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0], peers[1], "the same socket still waits for the first answer");
}

#[test]
fn a_server_that_fails_is_not_the_last_word() {
    let store = Store::new();
    let failing = NameServer::start(ip("127.0.0.1"), 0, |_, query| vec![answer(query, 5, &[])]).expect("server");
    let port = failing.address().port();
    let resolv_conf = store.resolv_conf(&[ip("127.0.0.1"), ip("127.0.0.2")]);
    let server = store.serve(resolv_conf, port);
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["Query Refused"]);
    let second = server_at("127.0.0.2", port, 2);
    assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.2"]);
    drop(second);
}

#[test]
fn what_answers_another_query_is_not_passed_on() {
    let store = Store::new();
    let upstream = NameServer::start(ip("127.0.0.1"), 0, |_, query| {
        let right = answer(query, 0, &[[192, 0, 2, 1]]);
        let mut other_id = right.clone();
        other_id[0] ^= 1;
        let mut other_name = right.clone();
        other_name[13] = b'x';
        let mut no_response = right.clone();
        no_response[2] &= 0x7f;
        vec![Vec::new(), b"short".to_vec(), query.to_vec(), other_id, other_name, no_response, right]
    });
    let upstream = upstream.expect("server");
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1")]), upstream.address().port());
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.1"]);
}

#[test]
fn servers_of_the_container_come_before_those_of_the_network_and_these_before_the_hosts() {
    let store = Store::new();
    let host = server_at("127.0.0.1", 0, 1);
    let port = host.address().port();
    let (of_network, own) = (server_at("127.0.0.2", port, 2), server_at("127.0.0.3", port, 3));
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1")]), port);
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    let _db = store.member_with(2, "db", &[("app", "127.1.0.3")], |lease| lease.dns = vec![ip("127.0.0.3")]);
    let both =
        |server| [addresses(server, "127.1.0.2", "example.com."), addresses(server, "127.1.0.3", "example.com.")];
    assert_eq!(both(&server), [["192.0.2.1"], ["192.0.2.3"]]);
    store.change("app", |record| record.network_dns_servers = vec![ip("127.0.0.2")]);
    assert_eq!(both(&server), [["192.0.2.2"], ["192.0.2.3"]]);
    drop((of_network, own));
}

#[test]
fn a_member_that_is_a_server_is_asked_within_the_network() {
    let store = Store::new();
    let member = server_at("127.1.0.9", 0, 9);
    let port = member.address().port();
    let server = store.serve(store.resolv_conf(&[]), port);
    let elsewhere = server_at("127.2.0.9", port, 8);
    let _dns = store.member(1, "dns", &[("app", "127.1.0.9")]);
    let _dns2 = store.member(2, "dns2", &[("other", "127.2.0.9")]);
    let asks = |server: &'static str| move |lease: &mut crate::net::lease::NewLease| lease.dns = vec![ip(server)];
    let _web = store.member_with(3, "web", &[("app", "127.1.0.2")], asks("127.1.0.9"));
    let both = [("app", "127.1.0.3"), ("other", "127.2.0.3")];
    let _db = store.member_with(4, "db", &both, asks("127.2.0.9"));
    // More often than there are sockets.
    for _ in 0..40 {
        assert_eq!(addresses(&server, "127.1.0.2", "example.com."), ["192.0.2.9"]);
    }
    assert_eq!(addresses(&server, "127.1.0.3", "example.com."), [FAILED]);
    assert_eq!(elsewhere.asked(), []);
}

#[test]
fn n5_no_query_leaves_from_internal_networks() {
    let store = Store::new();
    store.change("app", |record| record.internal = true);
    let upstream = server_at("127.0.0.1", 0, 1);
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1")]), upstream.address().port());
    let _inner = store.member_with(1, "inner", &[("app", "127.1.0.2")], |lease| lease.dns = vec![ip("127.0.0.1")]);
    let both = [("app", "127.1.0.3"), ("other", "127.2.0.3")];
    let _both = store.member(2, "both", &both);
    for text in ["example.com.", "nas.", "both.example.", "host.docker.internal."] {
        assert_eq!(addresses(&server, "127.1.0.2", text), ["Non-Existent Domain"], "{text}");
        // An address that nobody has been given.
        assert_eq!(addresses(&server, "127.1.0.77", text), ["Non-Existent Domain"], "{text}");
    }
    assert_eq!(upstream.asked(), []);
    assert_eq!(addresses(&server, "127.1.0.3", "example.com."), ["192.0.2.1"]);
    store.change("other", |record| record.internal = true);
    assert_eq!(addresses(&server, "127.1.0.3", "example.com."), ["Non-Existent Domain"]);
    assert_eq!(upstream.asked().len(), 1);
    // A member of internal networks alone that reaches the outside by a helper of its own finds names there.
    let _own = store.member_with(3, "own", &[("app", "127.1.0.4")], |lease| lease.has_helper = true);
    assert_eq!(addresses(&server, "127.1.0.4", "example.com."), ["192.0.2.1"]);
    assert_eq!(addresses(&server, "127.1.0.4", "inner."), ["127.1.0.2"]);
}

#[test]
fn beyond_512_queries_under_way_the_answer_is_failure_and_own_names_go_on() {
    let store = Store::new();
    let silent = NameServer::start(ip("127.0.0.1"), 0, |_, _| Vec::new()).expect("server");
    let server = store.serve(store.resolv_conf(&[ip("127.0.0.1")]), silent.address().port());
    let _web = store.member(1, "web", &[("app", "127.1.0.2")]);
    let asker = server.asker("127.1.0.2");
    for _ in 0..512 {
        asker.send(&query("example.com.", A, None)).expect("send");
        // Own names are answered in between: nothing is lost in a full queue.
        assert_eq!(addresses(&server, "127.1.0.2", "web."), ["127.1.0.2"]);
    }
    assert_eq!(read(&ask(&asker, &query("example.com.", A, None))).0, ResponseCode::ServFail);
    assert_eq!(addresses(&server, "127.1.0.2", "web."), ["127.1.0.2"]);
    // After three times the patience, all 512 have their answers.
    for _ in 0..512 {
        assert_eq!(read(&receive(&asker)).0, ResponseCode::ServFail);
    }
}

#[test]
fn nothing_is_lost_and_nothing_wrong_while_members_come_and_go() {
    let queries = std::env::var("RC_TEST_QUERIES").ok().and_then(|count| count.parse().ok()).unwrap_or(1000u32);
    let store = Store::new();
    let server = store.serve(store.resolv_conf(&[]), 1);
    let _asker = store.member(1, "asker", &[("app", "127.1.0.2")]);
    let _stays = store.member(2, "stays", &[("app", "127.1.0.3")]);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut others = std::collections::VecDeque::new();
            for number in 3.. {
                if is_over.load(std::sync::atomic::Ordering::SeqCst) {
                    break;
                }
                let text = format!("c{number}");
                others.push_back(store.member(number, &text, &[("app", "")]));
                if others.len() > 50 {
                    store.release(others.pop_front().expect("one"));
                }
            }
        });
        let asker = server.asker("127.1.0.2");
        for _ in 0..queries {
            let (code, found) = read(&ask(&asker, &query("stays.", A, None)));
            assert_eq!((code, found), (ResponseCode::NoError, vec![ip("127.1.0.3")]));
            let (code, _) = read(&ask(&asker, &query("nobody.dns.podman.", A, None)));
            assert_eq!(code, ResponseCode::NXDomain);
        }
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}
