//! Random names for containers: an adjective and the name of a person to whom computing owes something.

use crate::types::Name;

const ADJECTIVES: [&str; 48] = [
    "able", "apt", "bold", "brave", "bright", "brisk", "calm", "clear", "clever", "deft", "eager", "early", "fair",
    "fine", "firm", "fond", "frank", "free", "fresh", "gentle", "glad", "good", "grand", "happy", "hardy", "honest",
    "humble", "jolly", "keen", "kind", "light", "lively", "lucid", "mild", "neat", "nimble", "noble", "patient",
    "proud", "quick", "quiet", "ready", "sharp", "steady", "sunny", "swift", "warm", "wise",
];

const PEOPLE: [&str; 48] = [
    "allen",
    "babbage",
    "backus",
    "bartik",
    "boole",
    "cerf",
    "church",
    "clarke",
    "cray",
    "dijkstra",
    "easley",
    "engelbart",
    "feinler",
    "floyd",
    "goldberg",
    "hamilton",
    "hamming",
    "hoare",
    "holberton",
    "hopper",
    "johnson",
    "kay",
    "keller",
    "kernighan",
    "knuth",
    "lamarr",
    "lamport",
    "liskov",
    "lovelace",
    "mccarthy",
    "mcilroy",
    "meitner",
    "milner",
    "moore",
    "naur",
    "neumann",
    "noether",
    "perlman",
    "ritchie",
    "shannon",
    "sinclair",
    "spence",
    "tarjan",
    "thompson",
    "turing",
    "wilkes",
    "wirth",
    "zuse",
];

/// A random name; it may be taken.
pub(in crate::container) fn random(bytes: [u8; 3]) -> Result<Name, crate::types::Invalid> {
    let pick = |list: &[&'static str; 48], n: u8| list[usize::from(n) % list.len()];
    let (first, second) = (pick(&ADJECTIVES, bytes[0]), pick(&PEOPLE, bytes[1]));
    // The number makes a hundred times as many names, so that the first is rarely taken.
    format!("{first}_{second}{}", bytes[2] % 100).parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_random_name_is_a_name() {
        for n in 0..=255u8 {
            assert!(random([n, n.wrapping_mul(7), n]).is_ok());
        }
    }
}
