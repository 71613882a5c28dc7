//! The user's IDs: `/etc/subuid`, `/etc/subgid`, getsubids.

use super::accounts::{asks_nss, user_name};
use super::grant::grant;
use super::{Error, helper};
use crate::sys::packages::Package;
use crate::sys::{fs, programs};
use crate::types::{IdMaps, IdRange};

/// Why there is only one ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Single {
    /// `/etc/subuid` or `/etc/subgid` has no line for the user.
    NoRange {
        /// Which of the two.
        file: &'static str,
        /// The user's name.
        user: String,
    },
    /// newuidmap or newgidmap is not installed.
    NoHelper {
        /// Which of the two.
        program: &'static str,
    },
    /// `RC_SINGLE_ID=1` asked for it.
    Chosen,
}

impl Single {
    /// Why containers have only one ID.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::NoRange { file, user } => {
                format!("`{file}` has no line for `{user}`, so containers have only one ID")
            }
            Self::NoHelper { program } => format!("`{program}` is not installed, so containers have only one ID"),
            Self::Chosen => "`RC_SINGLE_ID=1` is set".to_owned(),
        }
    }

    /// What an administrator must add; `None` if the user asked for one ID.
    pub(crate) fn fix(&self) -> Option<String> {
        match self {
            Self::NoRange { .. } => Some(grant()),
            Self::NoHelper { .. } => Some(Package::Uidmap.install()),
            Self::Chosen => None,
        }
    }

    /// The reason and the fix in one sentence.
    pub(crate) fn sentence(&self) -> String {
        let reason = self.reason();
        self.fix().map_or_else(|| reason.clone(), |fix| format!("{reason}: {fix}"))
    }
}

/// The map of the user's root namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdMap {
    /// User IDs.
    pub(crate) uids: Vec<IdRange>,
    /// Group IDs.
    pub(crate) gids: Vec<IdRange>,
    /// Why there is only one ID, if so.
    pub(crate) single: Option<Single>,
}

/// The first ID of root's range if `/etc/subuid` has no line for root: above the ranges of systemd (524288…) and
/// useradd (100000…).
const ROOT_RANGE: u32 = 0x4000_0000;

impl IdMap {
    /// The map of the calling user: 0 is the user, 1 and up are the subordinate IDs; one ID if the user has none.
    ///
    /// `RC_SINGLE_ID=1` in the environment asks for one ID. Fails only if a file that exists cannot be read.
    /// Source: subuid(5), subgid(5), newuidmap(1).
    pub(crate) fn detect() -> Result<Self, Error> {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        if std::env::var_os("RC_SINGLE_ID").is_some_and(|v| v == "1") {
            return Ok(Self::one(uid, gid, Single::Chosen));
        }
        let user = user_name(uid);
        let names = [user.as_str(), &uid.to_string()];
        let by_nss = asks_nss(&fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default()).is_some();
        let mut uids = ranges("/etc/subuid", &names, by_nss.then_some((user.as_str(), None)))?;
        let mut gids = ranges("/etc/subgid", &names, by_nss.then_some((user.as_str(), Some("-g"))))?;
        if uid == 0 {
            // Root needs no line: it may map any ID.
            for ranges in [&mut uids, &mut gids] {
                if ranges.is_empty() {
                    ranges.push((ROOT_RANGE, 65536));
                }
            }
        }
        for (ranges, file) in [(&uids, "/etc/subuid"), (&gids, "/etc/subgid")] {
            if ranges.is_empty() {
                return Ok(Self::one(uid, gid, Single::NoRange { file, user }));
            }
        }
        if uid != 0 {
            for program in ["newuidmap", "newgidmap"] {
                if programs::find(program).is_none() {
                    return Ok(Self::one(uid, gid, Single::NoHelper { program }));
                }
            }
        }
        Ok(Self { uids: extents(uid, &uids), gids: extents(gid, &gids), single: None })
    }

    /// The map of the user namespace that this process is in; `None` in that of the host, which maps every ID.
    pub(crate) fn of_process() -> Result<Option<Self>, Error> {
        let read = |path: &str| -> Result<Vec<IdRange>, Error> {
            let text = fs::read_to_string(path)?;
            Ok(text.lines().filter_map(extent).collect())
        };
        let (uids, gids) = (read("/proc/self/uid_map")?, read("/proc/self/gid_map")?);
        if uids.iter().chain(&gids).any(|extent| extent.count == u32::MAX) {
            return Ok(None);
        }
        let single = uids.iter().all(|extent| extent.count == 1).then_some(Single::Chosen);
        Ok(Some(Self { uids, gids, single }))
    }

    fn one(uid: u32, gid: u32, why: Single) -> Self {
        Self { uids: extents(uid, &[]), gids: extents(gid, &[]), single: Some(why) }
    }

    /// Whether there is only one ID.
    pub(crate) fn is_single(&self) -> bool {
        self.single.is_some()
    }

    /// The directory below `layers/` for what is unpacked with this map: `one`, or the host IDs in order, so that
    /// another range gets another directory.
    pub(crate) fn key(&self) -> String {
        if self.is_single() {
            return "one".to_owned();
        }
        let text = |extents: &[IdRange]| {
            extents.iter().map(|e| format!("{}+{}", e.outside, e.count)).collect::<Vec<_>>().join("_")
        };
        let (uids, gids) = (text(&self.uids), text(&self.gids));
        let tail = |ids: &str| ids.split_once('_').map_or(String::new(), |(_, tail)| tail.to_owned());
        if tail(&uids) == tail(&gids) { format!("u{uids}") } else { format!("u{uids}-g{gids}") }
    }

    /// The content of `/proc/PID/uid_map` for the root namespace.
    pub(crate) fn uid_lines(&self) -> String {
        IdRange::lines(&self.uids)
    }

    /// The content of `/proc/PID/gid_map` for the root namespace.
    pub(crate) fn gid_lines(&self) -> String {
        IdRange::lines(&self.gids)
    }

    /// The maps of a container beneath the root namespace. By default every ID is unchanged. No line spans two extents
    /// of the root namespace. With one ID, `user` and `group` are the IDs that the container shows it as.
    pub(crate) fn nested(&self, maps: &IdMaps, user: u32, group: u32) -> (String, String) {
        if self.is_single() {
            return (format!("{user} 0 1\n"), format!("{group} 0 1\n"));
        }
        let identity =
            |extents: &[IdRange]| extents.iter().map(|e| IdRange { outside: e.inside, ..*e }).collect::<Vec<_>>();
        let (uids, gids) = if maps.is_identity() {
            (identity(&self.uids), identity(&self.gids))
        } else {
            (IdRange::split(&maps.uids, &self.uids), IdRange::split(&maps.gids, &self.gids))
        };
        (IdRange::lines(&uids), IdRange::lines(&gids))
    }

    /// How many user IDs containers have; IDs from 0 to one less are mapped.
    pub(crate) fn users(&self) -> u32 {
        self.uids.iter().map(|e| e.count).fold(0, u32::saturating_add)
    }

    /// How many group IDs containers have; IDs from 0 to one less are mapped.
    pub(crate) fn groups(&self) -> u32 {
        self.gids.iter().map(|e| e.count).fold(0, u32::saturating_add)
    }
}

/// A line of `/proc/PID/uid_map`.
fn extent(line: &str) -> Option<IdRange> {
    let mut numbers = line.split_whitespace().map(str::parse);
    let [inside, outside, count] = std::array::from_fn(|_| numbers.next()?.ok());
    Some(IdRange { inside: inside?, outside: outside?, count: count? })
}

fn extents(own: u32, ranges: &[(u32, u32)]) -> Vec<IdRange> {
    let mut all = vec![IdRange { inside: 0, outside: own, count: 1 }];
    let mut next = 1u32;
    for &(outside, count) in ranges {
        all.push(IdRange { inside: next, outside, count });
        next = next.saturating_add(count);
    }
    // A map has at most 340 lines (user_namespaces(7)).
    all.truncate(340);
    all
}

/// The ranges of the user in one file, `name:start:count` by name or number.
fn ranges(file: &'static str, names: &[&str], nss: Option<(&str, Option<&str>)>) -> Result<Vec<(u32, u32)>, Error> {
    if let Some((user, flag)) = nss
        && let Some(said) = helper::output("getsubids", &[flag.unwrap_or(user), if flag.is_some() { user } else { "" }])
    {
        return Ok(parse_getsubids(&said));
    }
    match fs::read_to_string(file) {
        Ok(text) => Ok(parse_ranges(&text, names)),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn parse_ranges(text: &str, names: &[&str]) -> Vec<(u32, u32)> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let owner = fields.next()?;
            let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (names.contains(&owner) && range.1 > 0).then_some(range)
        })
        .collect()
}

/// getsubids(1) prints `N: user start count`.
fn parse_getsubids(text: &str) -> Vec<(u32, u32)> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_go_by_name_or_number_and_nothing_else() {
        let text = "ann:100000:65536\n# x\nbob:1:2\n1000:300000:10\nann:x:1\nann:5:0\n";
        assert_eq!(parse_ranges(text, &["ann", "1000"]), [(100_000, 65536), (300_000, 10)]);
    }

    #[test]
    fn a_nested_line_never_spans_two_extents_of_h() {
        let map = IdMap { uids: extents(1000, &[(100_000, 10), (200_000, 5)]), gids: extents(1000, &[]), single: None };
        assert_eq!(map.uid_lines(), "0 1000 1\n1 100000 10\n11 200000 5\n");
        assert_eq!(map.nested(&IdMaps::default(), 0, 0).0, "0 0 1\n1 1 10\n11 11 5\n");
        assert_eq!(map.users(), 16);
    }

    #[test]
    fn another_range_has_another_key() {
        let map =
            |start| IdMap { uids: extents(1000, &[(start, 10)]), gids: extents(1000, &[(start, 10)]), single: None };
        assert_eq!(map(100_000).key(), "u1000+1_100000+10");
        assert_ne!(map(100_000).key(), map(200_000).key());
    }

    #[test]
    fn getsubids_output_is_read() {
        assert_eq!(parse_getsubids("0: ann 100000 65536\n"), [(100_000, 65536)]);
    }
}
