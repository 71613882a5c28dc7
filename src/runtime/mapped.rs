//! Checks that the IDs of a program exist in its user namespace. The kernel would only say EINVAL, and would say it
//! about a descriptor's owner first.

use super::Failure;
use super::users::ResolvedUser;
use crate::sys::fs;
use crate::types::ReportKind;

/// Refuses a user whose IDs are not in the maps of this process' user namespace, and names the ID.
///
/// If the maps cannot be read, the kernel decides.
pub(super) fn check(user: &ResolvedUser, asked: &[String], single_id: bool) -> Result<(), Failure> {
    if single_id && let Some(group) = asked.first() {
        let message = format!("group `{}` cannot be added: only one group ID is mapped", group.escape_debug());
        return Err(Failure::reason(ReportKind::Unsupported, message).with_hint(ONE_ID));
    }
    if user.uid == 0 && user.gid == 0 && user.additional_gids == [0] {
        return Ok(());
    }
    let map = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
    let (Some(uids), Some(gids)) = (map("uid_map"), map("gid_map")) else { return Ok(()) };
    // With one ID, groups cannot be set, so rc does not set them.
    let groups = if single_id { &[][..] } else { &user.additional_gids };
    let unmapped = find(&uids, &[user.uid])
        .map(|id| ("user", id))
        .or_else(|| find(&gids, &[&[user.gid], groups].concat()).map(|id| ("group", id)));
    let Some((what, id)) = unmapped else { return Ok(()) };
    let hint = if single_id {
        ONE_ID.to_owned()
    } else {
        format!("give yourself a range of more than {id} IDs in `/etc/subuid` and `/etc/subgid`")
    };
    let message = format!(
        "{what} {id} does not exist in the container: its {what} IDs are {}",
        shown(match what {
            "user" => &uids,
            _ => &gids,
        })
    );
    Err(Failure::reason(ReportKind::Unsupported, message).with_hint(hint))
}

const ONE_ID: &str =
    "containers have only one ID on this host: `rc info` names the line that an administrator must add";

/// The first and the last ID of each line of a map (user_namespaces(7)).
fn ranges(map: &str) -> impl Iterator<Item = (u32, u32)> + use<'_> {
    map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (first, _outside, count) = (numbers.next()?.ok()?, numbers.next()?, numbers.next()?.ok()?);
        Some((first, first.saturating_add(count.checked_sub(1)?)))
    })
}

/// The first of `ids` that no line contains.
fn find(map: &str, ids: &[u32]) -> Option<u32> {
    ids.iter().copied().find(|id| !ranges(map).any(|(first, last)| (first..=last).contains(id)))
}

/// `0 to 65536`, with adjoining lines merged.
fn shown(map: &str) -> String {
    let mut all: Vec<(u32, u32)> = ranges(map).collect();
    all.sort_unstable();
    all.dedup_by(|next, before| {
        let adjoins = before.1.checked_add(1) == Some(next.0);
        if adjoins {
            before.1 = next.1;
        }
        adjoins
    });
    let text =
        |&(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first} to {last}") };
    all.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_LINES: &str = "         0       1000          1\n         1     100000      65536\n";

    #[test]
    fn ids_beyond_the_map_are_found_and_the_map_is_shown() {
        assert_eq!(find(TWO_LINES, &[0, 1, 65536]), None);
        assert_eq!(find(TWO_LINES, &[0, 65537, 70000]), Some(65537));
        assert_eq!(find("1000 0 1\n", &[0]), Some(0));
        assert_eq!(find("0 0 4294967295\n", &[u32::MAX - 1]), None);
        assert_eq!(shown(TWO_LINES), "0 to 65536");
        assert_eq!(shown("1000 0 1\n"), "1000");
        assert_eq!(shown("5 0 2\n0 9 1\n"), "0, 5 to 6");
        assert_eq!(shown("no map"), "");
    }
}
