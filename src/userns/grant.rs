//! The command that gives a user subordinate IDs, for an administrator to paste.
//!
//! IDs that two users share let each of them read and change the files of the other's containers. So the range is free
//! in `/etc/subuid` and in `/etc/subgid`, of no user or group of the host, and within the limits of login.defs(5), as
//! useradd(8) chooses it. If rc cannot know that, it says why and prints no command.

use std::path::Path;

use super::accounts::{asks_nss, user_name};
use crate::sys::fs;
use crate::types::shell;

/// So many IDs are enough for the files of nearly every image; useradd(8) gives as many.
const COUNT: u64 = 65536;

/// The two files.
pub(super) const SUBUID: &str = "/etc/subuid";
pub(super) const SUBGID: &str = "/etc/subgid";

/// How an administrator gives the calling user a range of IDs: a command in backticks, or why rc proposes none.
pub(crate) fn grant() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let user = user_name(uid);
    Host::read(Path::new("/")).and_then(|host| host.command(&user, uid, gid)).unwrap_or_else(|why| why)
}

/// First ID and the one after the last.
pub(super) type Range = (u64, u64);

/// The files of the host that decide which IDs are free; `None` if a file does not exist.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) subuid: Option<String>,
    pub(super) subgid: Option<String>,
    pub(super) passwd: String,
    pub(super) group: String,
    pub(super) login_defs: String,
    /// Where IDs come from instead of the two files.
    pub(super) nss: Option<String>,
}

impl Host {
    /// Reads the files. Fails with a sentence if one of them exists and cannot be read.
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let read = |path: &str| match fs::read_to_string(root.join(path.trim_start_matches('/'))) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(format!("rc proposes no range, because it {error}")),
        };
        let text = |path| read(path).map(Option::unwrap_or_default);
        Ok(Self {
            subuid: read(SUBUID)?,
            subgid: read(SUBGID)?,
            passwd: text("/etc/passwd")?,
            group: text("/etc/group")?,
            login_defs: text("/etc/login.defs")?,
            nss: asks_nss(&text("/etc/nsswitch.conf")?),
        })
    }

    /// The command that gives the user a range; in one file, if the other has one.
    fn command(&self, user: &str, uid: u32, gid: u32) -> Result<String, String> {
        if let Some(source) = &self.nss {
            return Err(format!(
                "`/etc/nsswitch.conf` names `{source}` as the source of subordinate IDs: add a range there; lines in \
                 {SUBUID} have no effect"
            ));
        }
        let users = lines(SUBUID, self.subuid.as_deref())?;
        let groups = lines(SUBGID, self.subgid.as_deref())?;
        let number = uid.to_string();
        let own =
            |lines: &[(&str, Range)]| lines.iter().find(|(name, _)| [user, &number].contains(name)).map(|at| at.1);
        let (users_own, groups_own) = (own(&users), own(&groups));
        let everywhere = users_own.is_some() == groups_own.is_some();
        let (for_users, for_groups) = (everywhere || users_own.is_none(), everywhere || groups_own.is_none());

        let mut taken: Vec<Range> = numbers(&self.passwd).chain(numbers(&self.group)).collect();
        taken.extend([uid, gid].map(|id| (u64::from(id), u64::from(id) + 1)));
        // The same numbers for users and groups are easier to read, so the user's range in one file is the best one
        // for the other.
        let preferred = if everywhere { None } else { users_own.or(groups_own).map(|range| range.0) };
        let foreign = |lines: &[(&str, Range)]| -> Vec<Range> {
            lines.iter().filter(|(name, _)| everywhere || ![user, &number].contains(name)).map(|at| at.1).collect()
        };
        taken.extend(foreign(&users).into_iter().chain(foreign(&groups)));
        taken.sort_unstable();
        let (least, most) = limits(&self.login_defs);
        let first = preferred.filter(|first| is_free(&taken, *first)).or_else(|| {
            // What the user has already is not to be given to him twice.
            taken.extend(users_own.into_iter().chain(groups_own));
            taken.sort_unstable();
            first_gap(&taken, least, most)
        });
        let first = first.ok_or_else(|| {
            format!("between {least} and {most}, no {COUNT} IDs are free in both {SUBUID} and {SUBGID}")
        })?;
        Ok(format!("`{}`", self.words(user, uid, first, (for_users, for_groups))))
    }

    /// The command for the range from `first` on.
    fn words(&self, user: &str, uid: u32, first: u64, (for_users, for_groups): (bool, bool)) -> String {
        let files =
            [(for_users, SUBUID, "--add-subuids", &self.subuid), (for_groups, SUBGID, "--add-subgids", &self.subgid)];
        let files: Vec<_> = files.into_iter().filter(|file| file.0).collect();
        if user == uid.to_string() {
            // Without a name in the password database: usermod does not find the user.
            let paths: Vec<_> = files.iter().map(|file| file.1).collect();
            return format!("echo {uid}:{first}:{COUNT} | sudo tee -a {}", paths.join(" "));
        }
        // usermod(8) refuses the options if the file does not exist.
        let absent: Vec<_> = files.iter().filter(|file| file.3.is_none()).map(|file| file.1).collect();
        let touch = if absent.is_empty() { String::new() } else { format!("sudo touch {} && ", absent.join(" ")) };
        let options: Vec<_> = files.iter().map(|file| format!("{} {first}-{}", file.2, first + COUNT - 1)).collect();
        format!("{touch}sudo usermod {} {}", options.join(" "), shell::quoted(user))
    }
}

/// The lines of a file: owner and range. Fails with a sentence if a line has another form, since rc cannot know what it
/// reserves. Source: subuid(5).
pub(super) fn lines<'a>(path: &str, text: Option<&'a str>) -> Result<Vec<(&'a str, Range)>, String> {
    let mut all = Vec::new();
    for (index, line) in text.unwrap_or_default().lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<_> = line.split(':').collect();
        let range = match fields[..] {
            [owner, first, count] => first.parse::<u32>().ok().zip(count.parse::<u32>().ok()).map(|at| (owner, at)),
            _ => None,
        };
        let Some((owner, (first, count))) = range else {
            return Err(format!(
                "rc proposes no range, because line {} of {path} is not NAME:FIRST:COUNT: fix that line first",
                index + 1
            ));
        };
        all.push((owner, (u64::from(first), u64::from(first) + u64::from(count))));
    }
    Ok(all)
}

/// The IDs in the third field of passwd(5) and group(5).
fn numbers(text: &str) -> impl Iterator<Item = Range> {
    text.lines().filter_map(|line| line.split(':').nth(2)?.parse::<u32>().ok()).map(|id| (id.into(), u64::from(id) + 1))
}

/// The limits for subordinate IDs that hold for users and groups. Source: login.defs(5), "SUB_UID_MIN".
fn limits(login_defs: &str) -> (u64, u64) {
    let value = |key: &str, usual: u64| {
        let mut words = login_defs.lines().map(str::split_ascii_whitespace);
        words.find_map(|mut words| (words.next()? == key).then(|| words.next()?.parse().ok())?).unwrap_or(usual)
    };
    let least = value("SUB_UID_MIN", 100_000).max(value("SUB_GID_MIN", 100_000));
    let most = value("SUB_UID_MAX", 600_100_000).min(value("SUB_GID_MAX", 600_100_000));
    // The highest ID means "none" to the kernel.
    (least, most.min(u64::from(u32::MAX) - 1))
}

fn is_free(taken: &[Range], first: u64) -> bool {
    taken.iter().all(|(from, to)| *to <= first || first + COUNT <= *from)
}

/// The lowest free range; `taken` is sorted.
fn first_gap(taken: &[Range], least: u64, most: u64) -> Option<u64> {
    let mut first = least;
    for (from, to) in taken {
        if *to > first && *from < first + COUNT {
            first = *to;
        }
    }
    Some(first).filter(|first| first + COUNT - 1 <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What rc prints for the user ann (1000) on a host with these two files.
    fn printed(subuid: &str, subgid: &str) -> String {
        said(&Host { subuid: Some(subuid.to_owned()), subgid: Some(subgid.to_owned()), ..Host::default() })
    }

    fn said(host: &Host) -> String {
        host.command("ann", 1000, 1000).unwrap_or_else(|why| why)
    }

    #[test]
    fn the_range_in_a_printed_command_belongs_to_no_other_user() {
        let both = |range: &str| format!("`sudo usermod --add-subuids {range} --add-subgids {range} ann`");
        for (subuid, subgid, range) in [
            ("", "", "100000-165535"),
            ("bob:100000:65536\n", "bob:100000:65536\n", "165536-231071"),
            ("bob:100000:65536\n", "", "165536-231071"),
            ("", "bob:100000:65536\n", "165536-231071"),
            // The two files disagree: what is free in both.
            ("bob:100000:65536\n", "eve:165536:65536\n", "231072-296607"),
            // A gap that is large enough is used, one that is too small is not.
            ("bob:300000:65536\neve:100000:10\n", "", "100010-165545"),
            ("bob:165000:65536\n", "bob:100000:1\n", "230536-296071"),
            // Ranges that overlap, in any order, and a small one within a large one.
            ("a:150000:100000\nb:100000:65536\nc:200000:10\n", "", "250000-315535"),
            ("# bob:100000:65536\n\n", "", "100000-165535"),
        ] {
            assert_eq!(printed(subuid, subgid), both(range), "{subuid:?} {subgid:?}");
        }
    }

    #[test]
    fn a_range_in_one_file_is_added_to_the_other_if_it_is_free_there() {
        for (subuid, subgid, command) in [
            ("ann:100000:65536\n", "", "sudo usermod --add-subgids 100000-165535 ann"),
            ("", "1000:300000:65536\n", "sudo usermod --add-subuids 300000-365535 ann"),
            ("ann:100000:65536\n", "bob:100000:65536\n", "sudo usermod --add-subgids 165536-231071 ann"),
            // Too few in both: one more range in both.
            (
                "ann:100000:10\n",
                "ann:100000:10\n",
                "sudo usermod --add-subuids 100010-165545 --add-subgids 100010-165545 ann",
            ),
        ] {
            assert_eq!(printed(subuid, subgid), format!("`{command}`"), "{subuid:?} {subgid:?}");
        }
    }

    #[test]
    fn ids_of_users_and_groups_and_the_limits_of_the_host_are_respected() {
        let host = |passwd: &str, group: &str, login_defs: &str| Host {
            subuid: Some(String::new()),
            subgid: Some(String::new()),
            passwd: passwd.to_owned(),
            group: group.to_owned(),
            login_defs: login_defs.to_owned(),
            nss: None,
        };
        let first = |host: &Host| {
            let said = said(host).strip_prefix('`')?.to_owned();
            said.split(['-', ' ']).find_map(|word| word.parse::<u64>().ok())
        };
        for (passwd, group, login_defs, expected) in [
            ("root:x:0:0::/:/bin/sh\n", "", "", Some(100_000)),
            ("far:x:120000:1::/:/bin/sh\n", "", "", Some(120_001)),
            ("", "far:x:130000:\n", "", Some(130_001)),
            ("", "", "SUB_UID_MIN 200000\n#SUB_GID_MIN 300000\n", Some(200_000)),
            ("", "", "SUB_UID_MIN 200000\nSUB_GID_MIN\t300000\n", Some(300_000)),
            ("", "", "SUB_GID_MAX 165534\n", None),
            ("", "", "SUB_GID_MAX 165535\n", Some(100_000)),
        ] {
            assert_eq!(first(&host(passwd, group, login_defs)), expected, "{passwd:?} {group:?} {login_defs:?}");
        }
        let full = host("", "", "SUB_UID_MAX 100100\n");
        assert_eq!(said(&full), "between 100000 and 100100, no 65536 IDs are free in both /etc/subuid and /etc/subgid");
        let far = host("", "", "").command("ann", 150_000, 1000);
        assert_eq!(far.as_deref(), Ok("`sudo usermod --add-subuids 150001-215536 --add-subgids 150001-215536 ann`"));
    }

    #[test]
    fn no_command_is_printed_if_the_owner_of_an_id_cannot_be_known() {
        for line in ["bob:x:65536", "bob:100000", "bob:100000:65536:1", "bob 100000 65536", "bob:-1:65536"] {
            let said = printed("", &format!("eve:200000:10\n{line}\n"));
            assert!(said.starts_with("rc proposes no range, because line 2 of /etc/subgid is not"), "{line}: {said}");
        }
        let nss = Host { nss: Some("sss".to_owned()), ..Host::default() };
        assert!(said(&nss).starts_with("`/etc/nsswitch.conf` names `sss`"), "{}", said(&nss));
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(root.path().join("etc/subgid")).expect("a directory that is not a file");
        let why = Host::read(root.path()).expect_err("cannot be read");
        assert!(why.starts_with("rc proposes no range, because it cannot read `"), "{why}");
        assert!(why.contains("/etc/subgid`: "), "{why}");
    }

    #[test]
    fn the_command_fits_the_user_and_the_files_that_exist() {
        let none = Host::default();
        let range = "--add-subuids 100000-165535 --add-subgids 100000-165535";
        let touch = "sudo touch /etc/subuid /etc/subgid && ";
        assert_eq!(said(&none), format!("`{touch}sudo usermod {range} ann`"));
        for (user, command) in [
            ("1000", "`echo 1000:100000:65536 | sudo tee -a /etc/subuid /etc/subgid`".to_owned()),
            ("CORP\\ann", format!("`{touch}sudo usermod {range} 'CORP\\ann'`")),
            ("a;reboot", format!("`{touch}sudo usermod {range} 'a;reboot'`")),
        ] {
            assert_eq!(none.command(user, 1000, 1000), Ok(command));
        }
    }
}
