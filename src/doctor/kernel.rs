//! The kernel's version, and what a start needs beside namespaces: executable memory files, a system call filter.

use super::attempt::{Trouble, attempt};
use super::{Finding, Home, NOT_TRIED, Status};
use crate::runtime::caps::CapSet;
use crate::runtime::{seccomp, stub};
use crate::sys::keyring::{self, Keyrings};
use crate::sys::{fs, prctl};
use crate::types::capability;

/// What older kernels lack, newest first: the first version that has it, how bad the lack is, and what it disables.
const FEATURES: [((u32, u32), Status, &str); 3] = [
    ((5, 14), Status::Limited, "killing a container in one step (cgroup.kill): rc kills its processes one by one"),
    ((5, 12), Status::Missing, "read-only paths in containers (mount_setattr)"),
    ((5, 11), Status::Missing, "containers without fuse-overlayfs (overlay in a user namespace)"),
];

/// The kernel's version.
pub(super) fn version() -> Vec<Finding> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    vec![judge(&release)]
}

fn judge(release: &str) -> Finding {
    const CHECK: &str = "kernel";
    let Some(found) = parse(release) else { return Finding::ok(CHECK, release) };
    let lost: Vec<_> = FEATURES.iter().filter(|(since, ..)| found < *since).collect();
    let Some((_, status, _)) = lost.last() else { return Finding::ok(CHECK, release) };
    let what: Vec<&str> = lost.iter().map(|(_, _, what)| *what).collect();
    let fix = format!("install and boot a kernel of version {}.{} or later", FEATURES[0].0.0, FEATURES[0].0.1);
    Finding::bad(CHECK, *status, release).disables(what.join("; ")).fix(fix)
}

/// `6.1.0-18-amd64` as 6 and 1.
fn parse(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The checks inside the user's namespace.
pub(super) fn in_namespace(home: Home<'_>) -> Vec<Finding> {
    vec![memory_files(home), filter(home), keyrings()]
}

/// Whether each container gets a session keyring of its own, by the check that a start makes.
fn keyrings() -> Finding {
    const CHECK: &str = "keyrings";
    match keyring::look() {
        Keyrings::Open => {
            let users = fs::read_to_string("/proc/key-users").unwrap_or_default();
            let this = format!("{}:", rustix::process::getuid().as_raw());
            let line = users.lines().find_map(|line| line.trim_start().strip_prefix(&this));
            // Source: proc_key_users(5).
            let counted = line.and_then(|line| line.split_whitespace().nth(2)?.split_once('/'));
            Finding::ok(CHECK, counted.map_or_else(String::new, |(used, most)| format!("{used} of {most} keys in use")))
        }
        Keyrings::Absent => Finding::ok(CHECK, "the kernel has no keyrings"),
        Keyrings::Filtered => {
            Finding::bad(CHECK, Status::Limited, "refused by a system call filter that rc runs under")
                .disables("keyrings in containers")
        }
    }
}

fn memory_files(home: Home<'_>) -> Finding {
    const CHECK: &str = "memory files";
    const DISABLES: &str = "every container: rc starts the program from a memory file";
    let Some(home) = home else { return Finding::bad(CHECK, Status::Missing, NOT_TRIED).disables(DISABLES) };
    let made = attempt(|| {
        home.enter().map_err(Trouble::new)?;
        crate::sys::namespace::unshare(nix::sched::CloneFlags::CLONE_NEWNS).map_err(Trouble::new)?;
        stub::executable().map(drop).map_err(Trouble::new)
    });
    let forbids = fs::read_to_string("/proc/sys/vm/memfd_noexec").is_ok_and(|text| text.trim() == "2");
    match made {
        Ok(()) if forbids => {
            Finding::ok(CHECK, "cannot be executed (vm.memfd_noexec is 2): rc uses a tmpfs of its own")
        }
        Ok(()) => Finding::ok(CHECK, "sealed, can be executed"),
        Err(trouble) => Finding::bad(CHECK, Status::Missing, trouble.report.message)
            .disables(DISABLES)
            .fix("`sudo sysctl vm.memfd_noexec=0`".to_owned()),
    }
}

fn filter(home: Home<'_>) -> Finding {
    const CHECK: &str = "seccomp";
    const DISABLES: &str = "every container without `--security-opt seccomp=unconfined`";
    let Some(home) = home else { return Finding::bad(CHECK, Status::Missing, NOT_TRIED).disables(DISABLES) };
    let installed = attempt(|| {
        home.enter().map_err(Trouble::new)?;
        let capabilities = CapSet::from_names(capability::DEFAULT).map_err(Trouble::new)?;
        // The default filter allows this child to answer through a pipe and to exit.
        seccomp::install(&seccomp::filter(capabilities)).map_err(Trouble::new)?;
        prctl::set_name("rc: filtered").map_err(Trouble::new)
    });
    match installed {
        Ok(()) => Finding::ok(CHECK, "the default filter works"),
        Err(trouble) => Finding::bad(CHECK, Status::Missing, trouble.report.message)
            .disables(DISABLES)
            .fix("boot a kernel with CONFIG_SECCOMP_FILTER".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_turn_things_off() {
        for (release, status, lost) in [
            ("6.18.3", Status::Ok, 0),
            ("5.14.0-70.el9.x86_64", Status::Ok, 0),
            ("5.13.19-2-pve", Status::Limited, 1),
            ("5.10.0-28-amd64", Status::Missing, 3),
            ("4.18.0-553.el8", Status::Missing, 3),
            ("odd", Status::Ok, 0),
        ] {
            let finding = judge(release);
            assert_eq!(finding.status, status, "{release}");
            assert_eq!(finding.disables.map_or(0, |text| text.split("; ").count()), lost, "{release}");
        }
    }
}
