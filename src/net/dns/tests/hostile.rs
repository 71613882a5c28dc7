//! Whatever a container sends: no panic, no long work, and answers that are answers.

use hickory_proto::rr::RecordType;

use super::query;
use crate::net::dns::hostile::{Outcome, take};
use crate::net::dns::query::{Query, Rejected, judge};
use crate::sys::cpus::time_of_thread;

/// xorshift64*.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).expect("31 bits") % end
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("a byte")
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let long = format!("{}.", ["abcdefghij".repeat(6).as_str(); 4].join("."));
    let mut seeds = Vec::new();
    for text in ["web.", "web.app.", "2.1.89.10.in-addr.arpa.", "nobody.dns.podman.", "example.com.", ".", &long] {
        for kind in [RecordType::A, RecordType::PTR, RecordType::ANY, RecordType::OPT] {
            seeds.push(query(text, kind, None));
            seeds.push(query(text, kind, Some(1232)));
        }
    }
    // With a cookie, a loop of pointers, a pointer into the header, and a record that says it is longer than it is.
    let header = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01";
    let cookie = b"\x03web\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08abcdefgh";
    seeds.push([header.as_slice(), cookie].concat());
    seeds.push([header.as_slice(), b"\x03web\xc0\x0c\x00\x01\x00\x01"].concat());
    seeds.push([header.as_slice(), b"\xc0\x00\x00\x01\x00\x01"].concat());
    seeds
        .push([header.as_slice(), b"\x03web\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\xff\xff"].concat());
    seeds
}

fn mutated(seed: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=chance.below(6) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, chance.byte()),
            2 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            3 if at < bytes.len() => bytes[at] = chance.byte(),
            _ => bytes.extend_from_within(at..),
        }
        bytes.truncate(4096);
    }
    bytes
}

#[test]
fn no_packet_makes_it_panic_or_answer_nonsense() {
    let seed = std::env::var("RC_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed);
    let count = std::env::var("RC_TEST_PACKETS").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let mut chance = Chance(seed);
    let seeds = seeds();
    let mut counts = [0; 4];
    for turn in 0..count {
        let bytes = mutated(&seeds[chance.below(seeds.len())], &mut chance);
        counts[take(&bytes, turn) as usize] += 1;
        // A server that knows the query.
        judge(&seeds[chance.below(seeds.len())], &bytes);
    }
    let least = count / 50;
    let is_often = |outcome: Outcome| counts[outcome as usize] > least;
    let all = [Outcome::Answered, Outcome::Forwarded, Outcome::Rejected];
    assert!(all.into_iter().all(is_often), "{counts:?}");
}

#[test]
fn promised_counts_cost_nothing() {
    let started = time_of_thread();
    for _ in 0..20_000 {
        let packet = b"\x12\x34\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\x03web\x00\x00\x01\x00\x01";
        assert!(matches!(Query::read(packet), Err(Rejected::With(_))));
        let packet = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\xff\xff\x03web\x00\x00\x01\x00\x01";
        assert!(matches!(Query::read(packet), Err(Rejected::With(_))));
    }
    let taken = time_of_thread() - started;
    assert!(taken.as_secs() < 20, "{taken:?}");
}
