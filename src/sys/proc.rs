//! What `/proc/PID` shows of another process. None of it is trusted to be valid text: the process itself chooses its
//! name and its arguments.
//!
//! Source: proc_pid_stat(5), proc_pid_status(5), proc_pid_io(5).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};

use super::fs::{AtPath as _, PathError};

/// The most bytes that are read of a file of `/proc/PID`; a longer command line is cut.
const LIMIT: usize = 256 << 10;

/// A process, by its directory in `/proc`: when it has ended, its files cannot be read, and never become those of
/// another process.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The pid as this process sees it.
    pub(crate) pid: i32,
    directory: OwnedFd,
}

/// The fields of `stat`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The name of the program, at most 15 bytes.
    pub(crate) name: String,
    /// `R`, `S`, `D`, `Z`, `T` …
    pub(crate) state: char,
    /// The parent's pid as this process sees it; 0 for none.
    pub(crate) parent: i32,
    /// It is exiting, and may have closed its descriptors.
    pub(crate) is_exiting: bool,
    /// The device number of the controlling terminal; 0 for none.
    pub(crate) terminal: u32,
    /// Clock ticks of CPU time: its own, then that of children that it has waited for; user and kernel together.
    pub(crate) ticks: [u64; 2],
    /// The kernel's part of that.
    pub(crate) kernel_ticks: [u64; 2],
    /// The nice value.
    pub(crate) nice: i32,
    /// Threads.
    pub(crate) threads: u64,
    /// Clock ticks between boot and its start.
    pub(crate) started: u64,
    /// Bytes of address space.
    pub(crate) virtual_size: u64,
    /// Pages in memory.
    pub(crate) resident_pages: u64,
}

/// The fields of `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Real and effective user ID on the host.
    pub(crate) uids: [u32; 2],
    /// Real and effective group ID on the host.
    pub(crate) gids: [u32; 2],
    /// Supplementary groups, IDs on the host.
    pub(crate) groups: Vec<u32>,
    /// The pid in each namespace, from ours to its own.
    pub(crate) pids: Vec<i32>,
    /// The process group in each of them.
    pub(crate) process_groups: Vec<i32>,
    /// Inheritable, permitted, effective, bounding and ambient capabilities.
    pub(crate) capabilities: [u64; 5],
    /// 0: no seccomp filter; 1: strict; 2: a filter.
    pub(crate) seccomp: u8,
}

impl Entry {
    /// Opens the process; `None` if it does not exist.
    pub(crate) fn open(pid: i32) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(format!("/proc/{pid}"), flags, Mode::empty()).ok()?;
        Some(Self { pid, directory })
    }

    /// Its `stat`; `None` if it has ended.
    pub(crate) fn stat(&self) -> Option<Stat> {
        stat(&self.read("stat").ok()?)
    }

    /// Its `status`; `None` if it has ended.
    pub(crate) fn status(&self) -> Option<Status> {
        Some(status(&self.read("status").ok()?))
    }

    /// Its arguments; empty for a process without any, such as a zombie.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let text = self.read("cmdline").unwrap_or_default();
        // A program may write anything there, even without the NUL at the end.
        let text = text.strip_suffix('\0').unwrap_or(&text);
        if text.is_empty() { Vec::new() } else { text.split('\0').map(str::to_owned).collect() }
    }

    /// Bytes read from and written to devices by it and by children that it has waited for. Fails for a process with
    /// another ID.
    pub(crate) fn device_bytes(&self) -> io::Result<(u64, u64)> {
        let text = self.read("io")?;
        let value = |name: &str| line(&text, name).and_then(|value| value.parse().ok()).unwrap_or(0);
        Ok((value("read_bytes"), value("write_bytes")))
    }

    /// Bytes of memory; of shared memory, its proportional share.
    pub(crate) fn memory(&self) -> Option<u64> {
        let text = self.read("smaps_rollup").ok()?;
        line(&text, "Pss")?.strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }

    /// Another of its files, with short text.
    pub(crate) fn read(&self, name: &str) -> io::Result<String> {
        let file = openat(&self.directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::with_capacity(4096);
        while bytes.len() < LIMIT && rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes))? > 0 {
            bytes.reserve(4096);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// One of its links, such as `ns/pid`: the kernel's text.
    pub(crate) fn link(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.directory, name, Vec::new())?.into_bytes())
    }

    /// Its root directory, to resolve paths beneath.
    pub(crate) fn root(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(&self.directory, "root", flags, Mode::empty())?)
    }
}

impl AsFd for Entry {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// The pids of all processes visible to this one.
pub(crate) fn all() -> Result<Vec<i32>, PathError> {
    let entries = super::fs::read_dir("/proc")?;
    let mut pids = Vec::new();
    for entry in entries {
        let entry = entry.at("list", "/proc")?;
        pids.extend(entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(pids)
}

/// Clock ticks per second: the unit of times in `stat`.
pub(crate) fn ticks_a_second() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

/// `PF_EXITING` of the kernel's include/linux/sched.h: set before the process's files are closed (kernel/exit.c,
/// `do_exit`).
const EXITING: u64 = 0x4;

fn stat(text: &str) -> Option<Stat> {
    // The second field is the name in parentheses and may contain anything, even `)`.
    let (head, rest) = text.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The numbers of the manual page; `fields` starts with the third.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |index: usize| field(index)?.parse::<u64>().ok();
    let signed = |index: usize| field(index)?.parse::<i64>().ok();
    // The times of children are signed.
    let ticks = |index: usize| signed(index).and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(0);
    Some(Stat {
        name: name.to_owned(),
        state: field(3)?.chars().next()?,
        parent: i32::try_from(signed(4)?).ok()?,
        is_exiting: number(9)? & EXITING != 0,
        terminal: u32::try_from(signed(7)? & 0xffff_ffff).ok()?,
        ticks: [ticks(14) + ticks(15), ticks(16) + ticks(17)],
        kernel_ticks: [ticks(15), ticks(17)],
        nice: i32::try_from(signed(19)?).ok()?,
        threads: number(20)?,
        started: number(22)?,
        virtual_size: number(23)?,
        resident_pages: ticks(24),
    })
}

fn status(text: &str) -> Status {
    fn numbers<T: std::str::FromStr>(text: Option<&str>) -> Vec<T> {
        text.unwrap_or_default().split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
    }
    fn two(text: Option<&str>) -> [u32; 2] {
        let numbers = numbers(text);
        [numbers.first().copied().unwrap_or(u32::MAX), numbers.get(1).copied().unwrap_or(u32::MAX)]
    }
    let set = |name| line(text, name).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0);
    Status {
        uids: two(line(text, "Uid")),
        gids: two(line(text, "Gid")),
        groups: numbers(line(text, "Groups")),
        pids: numbers(line(text, "NSpid")),
        process_groups: numbers(line(text, "NSpgid")),
        capabilities: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(set),
        seccomp: line(text, "Seccomp").and_then(|text| text.parse().ok()).unwrap_or(0),
    }
}

/// The value of a line `NAME: value`.
fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let text =
            "42 (a) S 1 (b) R 7 42 42 34817 42 4194304 1 2 3 4 10 20 30 -1 20 -5 3 0 999 8192 2 18446744073709551615\n";
        let found = stat(text).expect("a process");
        let expected = Stat {
            name: "a) S 1 (b".to_owned(),
            state: 'R',
            parent: 7,
            is_exiting: false,
            terminal: 34817,
            ticks: [30, 30],
            kernel_ticks: [20, 0],
            nice: -5,
            threads: 3,
            started: 999,
            virtual_size: 8192,
            resident_pages: 2,
        };
        assert_eq!(found, expected);
        for bad in ["", "42", "42 (a)", "42 (a) S", "42 (a S 1"] {
            assert_eq!(stat(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ids_capabilities_and_pids_come_from_status() {
        let text = "Name:\tx\nUid:\t0\t5\t0\t0\nGid:\t1\t6\t1\t1\nGroups:\t7 8 \nNSpid:\t42\t3\nNSpgid:\t42\t1\n\
                    CapInh:\t0000000000000000\nCapEff:\t00000000800405fb\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        let found = status(text);
        assert_eq!((found.uids, found.gids, found.groups), ([0, 5], [1, 6], vec![7, 8]));
        assert_eq!((found.pids, found.process_groups), (vec![42, 3], vec![42, 1]));
        assert_eq!((found.capabilities, found.seccomp), ([0, 0, 0x8004_05fb, 0, 0], 2));
    }

    #[test]
    fn this_process_is_found_and_one_that_is_not_is_not() {
        let me = i32::try_from(std::process::id()).expect("a pid");
        let entry = Entry::open(me).expect("this process");
        assert_eq!(entry.status().expect("alive").pids.first(), Some(&me));
        assert_eq!(Some(entry.stat().expect("alive").started), crate::sys::process::start_time(me));
        assert!(!entry.arguments().is_empty() && entry.memory().is_some_and(|bytes| bytes > 0));
        assert!(all().expect("/proc").contains(&me));
        assert!(Entry::open(i32::MAX).is_none());
    }
}
