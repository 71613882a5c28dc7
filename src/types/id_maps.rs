//! Maps of IDs: which IDs of one user namespace are which of the namespace above it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// A range of IDs: `count` IDs from `inside` on are those from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdRange {
    /// The first ID in the namespace.
    pub(crate) inside: u32,
    /// The first ID in the namespace above.
    pub(crate) outside: u32,
    /// How many.
    pub(crate) count: u32,
}

/// The maps of a container that does not have the IDs of the user's root namespace as they are; empty if it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct IdMaps {
    /// User IDs of the container, and of the root namespace.
    pub(crate) uids: Vec<IdRange>,
    /// Group IDs.
    pub(crate) gids: Vec<IdRange>,
}

impl IdRange {
    /// The ID above that `id` is, if a range has it.
    pub(crate) fn outside_of(ranges: &[Self], id: u32) -> Option<u32> {
        ranges.iter().find_map(|range| {
            let offset = id.checked_sub(range.inside)?;
            (offset < range.count).then(|| range.outside + offset)
        })
    }

    /// The ID inside that `id` of the namespace above is, if a range has it.
    pub(crate) fn inside_of(ranges: &[Self], id: u32) -> Option<u32> {
        ranges.iter().find_map(|range| {
            let offset = id.checked_sub(range.outside)?;
            (offset < range.count).then(|| range.inside + offset)
        })
    }

    /// The same ranges, none of which goes beyond one of `extents`, the ranges of the namespace above: the kernel
    /// accepts no line of a map that does. IDs that are in none of them are left out. Source: user_namespaces(7).
    pub(crate) fn split(ranges: &[Self], extents: &[Self]) -> Vec<Self> {
        let parts = |range: Self| {
            extents.iter().filter_map(move |extent| {
                let first = range.outside.max(extent.inside);
                let end = range.outside.saturating_add(range.count).min(extent.inside.saturating_add(extent.count));
                let count = end.checked_sub(first).filter(|count| *count > 0)?;
                Some(Self { inside: range.inside + (first - range.outside), outside: first, count })
            })
        };
        ranges.iter().copied().flat_map(parts).collect()
    }

    /// The first ID inside that no range has.
    pub(crate) fn first_unmapped(ranges: &[Self]) -> u32 {
        let mut ranges = ranges.to_vec();
        ranges.sort_by_key(|range| range.inside);
        ranges.iter().fold(0, |next, range| if range.inside <= next { range.inside + range.count } else { next })
    }

    /// Lines of `/proc/PID/uid_map`.
    pub(crate) fn lines(ranges: &[Self]) -> String {
        ranges.iter().fold(String::new(), |mut text, range| {
            writeln!(text, "{} {} {}", range.inside, range.outside, range.count).unwrap_or_default();
            text
        })
    }
}

impl IdMaps {
    /// Whether the container has the IDs of the root namespace as they are.
    pub(crate) fn is_identity(&self) -> bool {
        self.uids.is_empty()
    }

    /// Whether the user, who is ID 0 of the root namespace, has an ID in the container.
    pub(crate) fn have_user(&self) -> bool {
        let has = |ranges: &[IdRange]| IdRange::inside_of(ranges, 0).is_some();
        self.is_identity() || has(&self.uids) && has(&self.gids)
    }

    /// A word without slashes that no other maps have.
    pub(crate) fn key(&self) -> String {
        let text = |ranges: &[IdRange]| {
            let words = ranges.iter().map(|range| format!("{}.{}.{}", range.inside, range.outside, range.count));
            words.collect::<Vec<_>>().join("_")
        };
        let (uids, gids) = (text(&self.uids), text(&self.gids));
        if uids == gids { uids } else { format!("{uids}-{gids}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(inside: u32, outside: u32, count: u32) -> IdRange {
        IdRange { inside, outside, count }
    }

    #[test]
    fn ids_are_found_from_both_sides() {
        let keep = [range(0, 1, 1000), range(1000, 0, 1), range(1001, 1001, 64536)];
        for (inside, outside) in [(0, 1), (999, 1000), (1000, 0), (1001, 1001), (65536, 65536)] {
            assert_eq!(IdRange::outside_of(&keep, inside), Some(outside), "{inside}");
            assert_eq!(IdRange::inside_of(&keep, outside), Some(inside), "{outside}");
        }
        assert_eq!(IdRange::outside_of(&keep, 65537), None);
        assert_eq!(IdRange::inside_of(&keep[..1], 0), None);
        assert_eq!((IdRange::first_unmapped(&keep), IdRange::first_unmapped(&keep[1..])), (65537, 0));
    }

    #[test]
    fn no_line_spans_two_extents() {
        let extents = [range(0, 1000, 1), range(1, 100_000, 10), range(11, 200_000, 5)];
        assert_eq!(
            IdRange::lines(&IdRange::split(&[range(0, 1, 5), range(5, 0, 1), range(6, 6, 10)], &extents)),
            "0 1 5\n5 0 1\n6 6 5\n11 11 5\n"
        );
        assert_eq!(IdRange::split(&[range(0, 14, 9)], &extents), [range(0, 14, 2)]);
    }

    #[test]
    fn other_maps_have_another_key() {
        let maps = |uids: &[IdRange], gids: &[IdRange]| IdMaps { uids: uids.to_vec(), gids: gids.to_vec() };
        let (one, other) = (range(0, 1, 5), range(5, 0, 1));
        assert_eq!(maps(&[one, other], &[one, other]).key(), "0.1.5_5.0.1");
        assert_eq!(maps(&[one], &[other]).key(), "0.1.5-5.0.1");
        assert!(maps(&[one, other], &[one, other]).have_user() && !maps(&[one], &[other]).have_user());
        assert!(IdMaps::default().is_identity() && IdMaps::default().have_user());
    }
}
