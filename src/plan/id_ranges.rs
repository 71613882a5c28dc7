//! Ranges of IDs in the grammar of `--uidmap` and `--gidmap`: `[FLAGS]CONTAINER:FROM[:AMOUNT]`.
//!
//! `FROM` is an ID of the user's root namespace, where 0 is the user and 1 the first subordinate ID; with `@` before
//! it, it is an ID of the host. The flags `u` and `g` restrict a range to user or group IDs. Source: podman-run(1),
//! `--uidmap`.

use crate::types::{IdRange, Invalid};

/// Reads ranges of one kind of ID, `u` or `g`, for a whole container. Fails if the container would not have ID 0, as
/// which rc prepares it.
pub(super) fn read(texts: &[String], kind: char, extents: &[IdRange]) -> Result<Vec<IdRange>, Invalid> {
    let ranges = read_some(texts, kind, extents)?;
    if IdRange::outside_of(&ranges, 0).is_none() {
        let reason = "must have ID 0, as which rc prepares the container: add a range that begins with `0:`";
        return Err(Invalid::new("ID map", texts.join(","), reason));
    }
    Ok(ranges)
}

/// Reads ranges that need not be all of the container.
pub(super) fn read_some(texts: &[String], kind: char, extents: &[IdRange]) -> Result<Vec<IdRange>, Invalid> {
    let mut ranges: Vec<IdRange> = Vec::new();
    for text in texts.iter().flat_map(|text| text.split(',')) {
        let Some(range) = one(text, kind, extents)? else { continue };
        let overlaps = |other: &&IdRange| {
            let meets = |a: u32, b: u32| a < b.saturating_add(other.count) && b < a.saturating_add(range.count);
            meets(range.inside, other.inside) || meets(range.outside, other.outside)
        };
        if let Some(other) = ranges.iter().find(overlaps) {
            let reason = format!("has IDs of another one, `{}:{}:{}`", other.inside, other.outside, other.count);
            return Err(Invalid::new("ID map", text, reason));
        }
        ranges.push(range);
    }
    ranges.sort_by_key(|range| range.inside);
    Ok(ranges)
}

/// One range; `None` if it is for the other kind of ID.
fn one(text: &str, kind: char, extents: &[IdRange]) -> Result<Option<IdRange>, Invalid> {
    let invalid = |reason: &str| Invalid::new("ID map", text, reason);
    let bare = text.trim_start_matches(['u', 'g', '+']);
    let flags = &text[..text.len() - bare.len()];
    if flags.contains('+') {
        return Err(invalid("the flag `+` is not supported: name all ranges of the container"));
    }
    if !flags.is_empty() && !flags.contains(kind) {
        return Ok(None);
    }
    let number = |word: &str| word.parse::<u32>().ok();
    let words: Vec<&str> = bare.split(':').collect();
    let (inside, from, count) = match words[..] {
        [inside, from] => (number(inside), from, Some(1)),
        [inside, from, count] => (number(inside), from, number(count)),
        _ => return Err(invalid("must be CONTAINER:FROM[:AMOUNT]")),
    };
    let is_of_host = from.starts_with('@');
    let from = number(from.trim_start_matches('@'));
    let (Some(inside), Some(from), Some(count)) = (inside, from, count.filter(|count| *count > 0)) else {
        return Err(invalid("must be CONTAINER:FROM[:AMOUNT], each a number"));
    };
    let outside = if is_of_host {
        let extent = extents.iter().find(|extent| {
            let end = extent.outside.saturating_add(extent.count);
            from >= extent.outside && from.saturating_add(count) <= end
        });
        let extent =
            extent.ok_or_else(|| invalid("the host's IDs after `@` must be the user's own or subordinate IDs"))?;
        extent.inside + (from - extent.outside)
    } else {
        from
    };
    let total = extents.iter().map(|extent| extent.count).fold(0, u32::saturating_add);
    if outside.checked_add(count).is_none_or(|end| end > total) {
        let reason = format!("containers have {total} IDs on this host: FROM plus AMOUNT can be at most that");
        return Err(Invalid::new("ID map", text, reason));
    }
    if inside.checked_add(count).is_none() {
        return Err(invalid("an ID is at most 4294967294"));
    }
    Ok(Some(IdRange { inside, outside, count }))
}

/// The first of `count` IDs from 1 to one less than `end` that are in none of the ranges.
pub(super) fn free(taken: &[IdRange], count: u32, end: u32) -> Option<u32> {
    let mut taken: Vec<(u32, u32)> =
        taken.iter().map(|range| (range.outside, range.outside.saturating_add(range.count))).collect();
    taken.sort_unstable();
    let mut first = 1u32;
    for (from, to) in taken {
        if from >= first.saturating_add(count) {
            break;
        }
        first = first.max(to);
    }
    (first.checked_add(count)? <= end).then_some(first)
}

/// The given ranges, and of `rest` those IDs of the container that they do not have.
pub(super) fn fill(given: &[IdRange], rest: IdRange) -> Vec<IdRange> {
    let mut all = given.to_vec();
    all.sort_by_key(|range| range.inside);
    let mut next = 0;
    let mut filled = Vec::new();
    for range in all.iter().copied().chain([IdRange { inside: rest.count, outside: 0, count: 0 }]) {
        let gap = range.inside.min(rest.count).saturating_sub(next);
        if gap > 0 {
            filled.push(IdRange { inside: next, outside: rest.outside + next, count: gap });
        }
        if range.count > 0 {
            filled.push(range);
        }
        next = next.max(range.inside.saturating_add(range.count));
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(inside: u32, outside: u32, count: u32) -> IdRange {
        IdRange { inside, outside, count }
    }

    #[test]
    fn the_grammar_of_podman() {
        let extents = [range(0, 1000, 1), range(1, 100_000, 65536)];
        let of = |texts: &[&str], kind| {
            let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
            read(&texts, kind, &extents).map_err(|error| error.to_string())
        };
        for (texts, expected) in [
            (&["0:1:10"][..], vec![range(0, 1, 10)]),
            (&["1000:0", "0:1:1000"], vec![range(0, 1, 1000), range(1000, 0, 1)]),
            (&["1000:0:1,0:1:1000"], vec![range(0, 1, 1000), range(1000, 0, 1)]),
            (&["0:@100004:2", "5:@1000"], vec![range(0, 5, 2), range(5, 0, 1)]),
            (&["u0:1:10", "g0:5:3"], vec![range(0, 1, 10)]),
        ] {
            assert_eq!(of(texts, 'u'), Ok(expected), "{texts:?}");
        }
        assert_eq!(of(&["u0:1:10", "g0:5:3"], 'g'), Ok(vec![range(0, 5, 3)]));
        for (texts, reason) in [
            (&["1:1:10"][..], "must have ID 0"),
            (&["+0:1:10"], "the flag `+`"),
            (&["0:1:10", "9:100:5"], "has IDs of another one, `0:1:10`"),
            (&["0:1:10", "20:10:5"], "has IDs of another one"),
            (&["0:1:0"], "each a number"),
            (&["0:x:1"], "each a number"),
            (&["0"], "must be CONTAINER:FROM[:AMOUNT]"),
            (&["0:1:2:3"], "must be CONTAINER:FROM[:AMOUNT]"),
            (&["0:65530:10"], "containers have 65537 IDs"),
            (&["0:@0:1"], "the host's IDs after `@`"),
        ] {
            let error = of(texts, 'u').unwrap_err();
            assert!(error.contains(reason), "{texts:?}: {error}");
        }
    }

    #[test]
    fn a_free_range_is_the_first_that_is_long_enough() {
        assert_eq!(free(&[], 10, 100), Some(1));
        assert_eq!(free(&[range(0, 5, 10), range(0, 1, 2)], 10, 100), Some(15));
        assert_eq!(free(&[range(0, 20, 10), range(0, 1, 2)], 10, 100), Some(3));
        assert_eq!((free(&[range(0, 1, 95)], 10, 100), free(&[], 100, 100)), (None, None));
    }

    #[test]
    fn ranges_that_are_given_are_filled_up() {
        assert_eq!(fill(&[], range(0, 50, 10)), [range(0, 50, 10)]);
        let given = [range(4, 7, 2)];
        assert_eq!(fill(&given, range(0, 50, 10)), [range(0, 50, 4), range(4, 7, 2), range(6, 56, 4)]);
        assert_eq!(fill(&[range(0, 7, 2)], range(0, 50, 2)), [range(0, 7, 2)]);
    }
}
