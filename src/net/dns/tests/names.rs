//! Which names are whose.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{RData, RecordType};

use super::{Table, ip, name, query};
use crate::net::dns::query::Query;
use crate::net::dns::resolver::{Asker, Decision, decide};

/// What is decided, in words: addresses and names, `empty`, an error, or `forward`.
fn ask(table: &mut Table, networks: &[&str], text: &str, kind: RecordType) -> String {
    ask_as(table, &asker(networks), text, kind, 0)
}

fn asker(networks: &[&str]) -> Asker {
    Asker {
        networks: networks.iter().map(|text| name(text)).collect(),
        dns: Vec::new(),
        links: Vec::new(),
        has_way_out: true,
    }
}

fn ask_as(table: &mut Table, asker: &Asker, text: &str, kind: RecordType, turn: usize) -> String {
    let bytes = query(text, kind, None);
    let query = Query::read(&bytes).expect("a query");
    let answer = match decide(&query, asker, table, || Some(ip("192.0.2.9")), turn) {
        Decision::Forward => return "forward".to_owned(),
        Decision::Answer(answer) => answer,
    };
    if answer.code != ResponseCode::NoError {
        assert!(answer.data.is_empty());
        return answer.code.to_str().to_owned();
    }
    if answer.data.is_empty() {
        return "empty".to_owned();
    }
    let words = answer.data.iter().map(|data| match data {
        RData::A(address) => address.0.to_string(),
        RData::AAAA(address) => address.0.to_string(),
        RData::PTR(name) => name.0.to_ascii(),
        other => panic!("{other:?}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn app() -> Table {
    Table::default()
        .with("app", &["web", "www", "0123456789ab", "front.example"], &["10.89.1.2", "fd00::2"])
        .with("app", &["db", "data"], &["10.89.1.3"])
        .with("app", &["db2", "data"], &["10.89.1.4"])
        .with("app", &["db3", "data"], &["10.89.1.5"])
        .with("other", &["web"], &["10.89.2.2"])
        .with("other", &["secret"], &["10.89.2.3"])
}

#[test]
fn a_member_has_each_of_its_names_alone_and_below_its_domains_in_any_case() {
    let mut table = app();
    for text in [
        "web.",
        "WWW.",
        "wEb.aPp.",
        "0123456789ab.",
        "0123456789ab.app.",
        "web.dns.podman.",
        "Web.DNS.Podman.",
        "www.app.",
        "front.example.",
        "front.example.app.",
        "front.example.dns.podman.",
    ] {
        assert_eq!(ask(&mut table, &["app"], text, RecordType::A), "10.89.1.2", "{text}");
        assert_eq!(ask(&mut table, &["app"], text, RecordType::AAAA), "fd00::2", "{text}");
    }
    assert_eq!(ask(&mut table, &["app"], "web.", RecordType::ANY), "10.89.1.2 fd00::2");
}

#[test]
fn a_link_is_a_name_for_who_has_asked_for_it_alone() {
    let mut table = app();
    let links = ["db:sql", "web:db", "ghost:gone"].map(|text| text.parse().expect("a link")).to_vec();
    let asker = Asker { links, ..asker(&["app"]) };
    // As in docker, it hides who else has the name.
    for (text, expected) in [
        ("sql.", "10.89.1.3"),
        ("SQL.app.", "10.89.1.3"),
        ("db.", "10.89.1.2"),
        ("web.", "10.89.1.2"),
        ("gone.", "forward"),
    ] {
        assert_eq!(ask_as(&mut table, &asker, text, RecordType::A, 0), expected, "{text}");
    }
    assert_eq!(ask(&mut table, &["app"], "sql.", RecordType::A), "forward");
}

#[test]
fn a_name_without_such_a_record_is_there_and_empty() {
    let mut table = app();
    assert_eq!(ask(&mut table, &["app"], "db.", RecordType::AAAA), "empty");
    for kind in [RecordType::MX, RecordType::TXT, RecordType::HTTPS, RecordType::SOA, RecordType::AXFR] {
        assert_eq!(ask(&mut table, &["app"], "web.", kind), "empty", "{kind}");
    }
}

#[test]
fn an_alias_of_three_has_all_their_addresses_in_turn() {
    let mut table = app();
    let of = |table: &mut Table, turn| ask_as(table, &asker(&["app"]), "data.", RecordType::A, turn);
    assert_eq!(of(&mut table, 0), "10.89.1.3 10.89.1.4 10.89.1.5");
    assert_eq!(of(&mut table, 1), "10.89.1.4 10.89.1.5 10.89.1.3");
    assert_eq!(of(&mut table, 2), "10.89.1.5 10.89.1.3 10.89.1.4");
    assert_eq!(of(&mut table, usize::MAX), "10.89.1.3 10.89.1.4 10.89.1.5");
}

#[test]
fn names_are_known_in_shared_networks_alone() {
    let mut table = app();
    // aardvark-dns, test/200-two-networks.bats and 300-three-networks.bats.
    assert_eq!(ask(&mut table, &["app"], "secret.", RecordType::A), "forward");
    assert_eq!(ask(&mut table, &["app"], "secret.other.", RecordType::A), "forward");
    assert_eq!(ask(&mut table, &["app"], "secret.dns.podman.", RecordType::A), "Non-Existent Domain");
    assert_eq!(ask(&mut table, &["other"], "web.", RecordType::A), "10.89.2.2");
    assert_eq!(ask(&mut table, &["other"], "web.app.", RecordType::A), "forward");
    assert_eq!(ask(&mut table, &["app", "other"], "web.", RecordType::A), "10.89.1.2 10.89.2.2");
    assert_eq!(ask(&mut table, &["app", "other"], "web.app.", RecordType::A), "10.89.1.2");
    assert_eq!(ask(&mut table, &["app", "other"], "web.other.", RecordType::A), "10.89.2.2");
    assert_eq!(ask(&mut table, &["app", "other"], "secret.app.", RecordType::A), "forward");
    assert_eq!(ask(&mut table, &[], "web.", RecordType::A), "forward");
}

#[test]
fn addresses_of_members_lead_back_to_their_names() {
    let mut table = app();
    let all = "web. www. 0123456789ab. front.example.";
    assert_eq!(ask(&mut table, &["app"], "2.1.89.10.in-addr.arpa.", RecordType::PTR), all);
    let v6 = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.";
    assert_eq!(ask(&mut table, &["app"], v6, RecordType::PTR), all);
    assert_eq!(ask(&mut table, &["app"], &v6.to_uppercase(), RecordType::PTR), all);
    assert_eq!(ask(&mut table, &["app"], "2.1.89.10.in-addr.arpa.", RecordType::A), "empty");
    for text in ["2.2.89.10.in-addr.arpa.", "1.89.10.in-addr.arpa.", "0.d.f.ip6.arpa.", "300.1.89.10.in-addr.arpa."] {
        assert_eq!(ask(&mut table, &["app"], text, RecordType::PTR), "forward", "{text}");
    }
}

#[test]
fn the_host_has_its_outward_address() {
    let mut table = app().with("app", &["host.docker.internal"], &["10.89.1.66"]);
    for text in ["host.containers.internal.", "HOST.docker.internal."] {
        assert_eq!(ask(&mut table, &["app"], text, RecordType::A), "192.0.2.9");
        assert_eq!(ask(&mut table, &["app"], text, RecordType::AAAA), "empty");
    }
}

#[test]
fn n5_who_has_no_way_out_gets_no_answer_from_outside() {
    let mut table = app();
    let mut asker = asker(&["app"]);
    asker.has_way_out = false;
    for text in ["example.com.", "nas.", ".", "host.docker.internal.", "9.2.0.192.in-addr.arpa.", "a.b.example."] {
        assert_eq!(ask_as(&mut table, &asker, text, RecordType::A, 0), "Non-Existent Domain", "{text}");
    }
    assert_eq!(ask_as(&mut table, &asker, "web.", RecordType::A, 0), "10.89.1.2");
}

#[test]
fn names_below_the_own_domain_never_leave() {
    let mut table = app();
    let odd = ["no body.dns.podman.", "*.DNS.Podman.", "n@body.b.dns.podman."];
    for text in ["nobody.dns.podman.", "dns.podman.", "a.b.dns.podman.", "app.dns.podman."].into_iter().chain(odd) {
        assert_eq!(ask(&mut table, &["app"], text, RecordType::A), "Non-Existent Domain", "{text}");
    }
    for text in ["notdns.podman.", "podman.", "nas.", "app.", "web.app.example.", ".", "_tcp.web."] {
        assert_eq!(ask(&mut table, &["app"], text, RecordType::A), "forward", "{text}");
    }
}

#[test]
fn a_dot_within_a_label_is_not_two_labels() {
    let mut table = app();
    for text in ["front\\.example.", "web\\.app."] {
        assert_eq!(ask(&mut table, &["app"], text, RecordType::A), "forward", "{text}");
    }
}
