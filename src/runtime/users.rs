//! Which user and groups `--user`, `--group-add` and the image's USER mean inside a root filesystem.
//!
//! ```text
//! USER[:GROUP]     digits are that ID and never looked up as a name, whatever the files say (CVE-2016-3697);
//!                  their line in passwd, if there is one, still has name, group and home
//!                  a name must have a line
//! without GROUP    the group of the line, else 0, and all groups that list the user
//! with GROUP       that group alone
//! home             that of the line, else /
//! ```
//! The primary group is among the supplementary ones; otherwise a program could drop it to reach files that are closed
//! to that group (CVE-2022-2989). The two files come from an image, so they are hostile: they are opened inside the
//! root, must be regular and short, and lines without a valid entry are skipped.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, Mode, OFlags};

use crate::sys::filesystem::of_kernel;
use crate::sys::fs::{self, plain};
use crate::sys::root::open_in;
use crate::types::{Report, ReportKind};

/// Longest file that is read, in bytes.
const LIMIT: u64 = 1 << 20;
/// The largest ID: the kernel uses 4294967295 for "no ID" (-1).
const MAX_ID: u32 = u32::MAX - 1;

/// Where users are listed, in a root.
pub(crate) const PASSWD: &str = "etc/passwd";
/// Where groups are listed, in a root.
pub(crate) const GROUP: &str = "etc/group";

/// Why a user or group could not be resolved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No line of the container's `/etc/passwd` has the name.
    #[error("user `{}` not found in the container's `/etc/passwd`", .name.escape_debug())]
    UnknownUser {
        /// The name asked for.
        name: String,
    },
    /// No line of the container's `/etc/group` has the name.
    #[error("group `{}` not found in the container's `/etc/group`", .name.escape_debug())]
    UnknownGroup {
        /// The name asked for.
        name: String,
    },
    /// A number that is not a valid ID.
    #[error("invalid ID `{}`: an ID is at most {MAX_ID}", .text.escape_debug())]
    BadId {
        /// What was given.
        text: String,
    },
    /// The file is a directory, FIFO, device or socket, or one of the kernel's own (`/proc`).
    #[error("the container's `/{path}` is not a regular file")]
    NotRegular {
        /// Relative to the root.
        path: &'static str,
    },
    /// The file is longer than any sensible one.
    #[error("the container's `/{path}` is larger than {} MiB", LIMIT >> 20)]
    TooLarge {
        /// Relative to the root.
        path: &'static str,
    },
    /// The file exists and cannot be read.
    #[error("cannot read the container's `/{path}`: {}", plain(.source))]
    Unreadable {
        /// Relative to the root.
        path: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::UnknownUser { .. }
            | Error::UnknownGroup { .. }
            | Error::BadId { .. }
            | Error::NotRegular { .. }
            | Error::TooLarge { .. } => ReportKind::Invalid,
            Error::Unreadable { ref source, .. } => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// How to fix it: a sentence with the option to give.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownGroup { .. } => Some("give the group by number".to_owned()),
            Self::BadId { .. } => None,
            _ => Some("give the user and group by number: `--user UID:GID`".to_owned()),
        }
    }
}

/// A user of the container; all IDs are the container's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolvedUser {
    /// User ID.
    pub(crate) uid: u32,
    /// Primary group ID.
    pub(crate) gid: u32,
    /// The groups for setgroups(2): the primary group first, none twice.
    pub(crate) additional_gids: Vec<u32>,
    /// Home directory as a path inside the container; `/` by default.
    pub(crate) home: String,
    /// The name, if the ID has a line in passwd.
    pub(crate) name: Option<String>,
}

/// Finds `user` (`USER[:GROUP]`, empty is root) and the `groups` of `--group-add` in the files below `root`.
///
/// A missing file counts as empty. A file that cannot be used is an error only if a name must be looked up in it, so
/// that numbers work in any image. Never blocks, whatever is in the file's place.
pub(crate) fn look_up(root: BorrowedFd<'_>, user: &str, groups: &[String]) -> Result<ResolvedUser, Error> {
    let (user_word, group_word) = split(user);
    let needs_group = group_word.into_iter().chain(groups.iter().map(String::as_str)).any(|word| !is_number(word));
    let passwd = read_etc(root, PASSWD).or_else(|error| if is_number(user_word) { Ok(None) } else { Err(error) })?;
    let group = read_etc(root, GROUP).or_else(|error| if needs_group { Err(error) } else { Ok(None) })?;
    resolve(user, groups, passwd.as_deref().unwrap_or_default(), group.as_deref().unwrap_or_default())
}

/// Finds `user` (`USER[:GROUP]`, empty is root) and the `groups` of `--group-add` in the texts of passwd(5) and
/// group(5).
///
/// Fails with `UnknownUser`, `UnknownGroup` or `BadId`.
pub(crate) fn resolve(user: &str, groups: &[String], passwd: &str, group: &str) -> Result<ResolvedUser, Error> {
    let (user_word, group_word) = split(user);
    let line = if is_number(user_word) {
        let uid = id(user_word)?;
        passwd_lines(passwd).find(|line| line.uid == uid).unwrap_or(Passwd { name: "", uid, gid: 0, home: "" })
    } else {
        let unknown = || Error::UnknownUser { name: user_word.to_owned() };
        passwd_lines(passwd).find(|line| line.name == user_word).ok_or_else(unknown)?
    };
    let gid = group_word.map_or(Ok(line.gid), |word| group_id(word, group))?;
    let mut additional_gids = vec![gid];
    let mut add = |gid| {
        if !additional_gids.contains(&gid) {
            additional_gids.push(gid);
        }
    };
    if group_word.is_none() && !line.name.is_empty() {
        group_lines(group)
            .filter(|entry| entry.members().any(|name| name == line.name))
            .for_each(|entry| add(entry.gid));
    }
    for word in groups {
        add(group_id(word, group)?);
    }
    let home = if line.home.is_empty() { "/" } else { line.home };
    let name = (!line.name.is_empty()).then(|| line.name.to_owned());
    Ok(ResolvedUser { uid: line.uid, gid, additional_gids, home: home.to_owned(), name })
}

/// Reads a file of the container, `path` being relative to `root`; `None` if there is none.
///
/// Fails with `NotRegular`, `TooLarge` (over 1 MiB) or `Unreadable`, and never blocks: the image may have put a FIFO
/// without a writer there (safety.md, rule 6), or a link to what the kernel shows of this process. Bytes that are not
/// UTF-8 are replaced.
pub(crate) fn read_etc(root: BorrowedFd<'_>, path: &'static str) -> Result<Option<String>, Error> {
    let unreadable = |source| Error::Unreadable { path, source };
    let file = match open_in(root, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty()) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A socket, or a device without a driver.
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Err(Error::NotRegular { path }),
        Err(error) => return Err(unreadable(error)),
    };
    let stat = rustix::fs::fstat(&file).map_err(|errno| unreadable(errno.into()))?;
    let of_kernel = of_kernel(&file).map_err(unreadable)?.is_some();
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || of_kernel {
        return Err(Error::NotRegular { path });
    }
    let bytes = fs::read_up_to(std::fs::File::from(file), LIMIT + 1).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LIMIT) {
        return Err(Error::TooLarge { path });
    }
    Ok(Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())))
}

/// The users of a passwd(5), by their IDs; of several lines with one ID the first counts.
pub(crate) fn user_names(passwd: &str) -> BTreeMap<u32, String> {
    first_of_each(passwd_lines(passwd).map(|line| (line.uid, line.name)))
}

/// The groups of a group(5), by their IDs.
pub(crate) fn group_names(group: &str) -> BTreeMap<u32, String> {
    first_of_each(group_lines(group).map(|line| (line.gid, line.name)))
}

fn first_of_each<'a>(lines: impl Iterator<Item = (u32, &'a str)>) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for (id, name) in lines {
        names.entry(id).or_insert_with(|| name.to_owned());
    }
    names
}

/// Splits `USER[:GROUP]`; no user is root, and an empty group is none.
fn split(text: &str) -> (&str, Option<&str>) {
    let (user, group) = text.split_once(':').map_or((text, ""), |parts| parts);
    (if user.is_empty() { "0" } else { user }, (!group.is_empty()).then_some(group))
}

/// A line of passwd(5).
struct Passwd<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// A line of group(5).
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl<'a> Group<'a> {
    fn members(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.members.split(',').map(str::trim)
    }
}

/// The valid lines: a name, and IDs in range. The shell and even the home may be missing.
fn passwd_lines(text: &str) -> impl Iterator<Item = Passwd<'_>> {
    fields(text).filter_map(|mut fields| {
        let (name, _password) = (name(fields.next()?)?, fields.next()?);
        let (uid, gid) = (id(fields.next()?).ok()?, id(fields.next()?).ok()?);
        let _comment = fields.next();
        Some(Passwd { name, uid, gid, home: fields.next().unwrap_or_default() })
    })
}

/// The valid lines: a name, and an ID in range.
fn group_lines(text: &str) -> impl Iterator<Item = Group<'_>> {
    fields(text).filter_map(|mut fields| {
        let (name, _password) = (name(fields.next()?)?, fields.next()?);
        Some(Group { name, gid: id(fields.next()?).ok()?, members: fields.next().unwrap_or_default() })
    })
}

fn fields(text: &str) -> impl Iterator<Item = std::str::Split<'_, char>> {
    // A NUL could not be passed on in the environment (HOME).
    text.lines().filter(|line| !line.contains('\0')).map(|line| line.trim().split(':'))
}

/// A name. `+` and `-` start the lines of NIS; `#` starts no comment on any system, but people write it.
fn name(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.starts_with(['+', '-', '#'])).then_some(text)
}

fn group_id(word: &str, group: &str) -> Result<u32, Error> {
    if is_number(word) {
        return id(word);
    }
    let unknown = || Error::UnknownGroup { name: word.to_owned() };
    group_lines(group).find(|line| line.name == word).map(|line| line.gid).ok_or_else(unknown)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// An ID in decimal, without a sign.
fn id(text: &str) -> Result<u32, Error> {
    let bad = || Error::BadId { text: text.to_owned() };
    let number = if is_number(text) { text.parse().map_err(|_| bad())? } else { return Err(bad()) };
    if number > MAX_ID { Err(bad()) } else { Ok(number) }
}

#[cfg(test)]
mod tests;
