//! Why the kernel refuses a user namespace, as far as its sysctls show.

use std::path::Path;

use crate::sys::fs;

/// The sysctls that usually cause a refusal, under `/proc/sys`: rc names the first one that has the value. The second
/// is from Debian's kernels, the third from Ubuntu's since 23.10: a kernel has at most one of them.
const SWITCHES: [(&str, &str, &str); 3] = [
    ("user/max_user_namespaces", "0", "user namespaces are disabled: `sudo sysctl user.max_user_namespaces=15000`"),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "user namespaces are disabled for users: `sudo sysctl kernel.unprivileged_userns_clone=1`",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor denies user namespaces to unprivileged programs: give rc a profile with `userns,`, or \
         allow them to every program: `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
    ),
];

/// Names the sysctl to change; `switches` is `/proc/sys`.
pub(super) fn reason(switches: &Path) -> String {
    let stands = |&&(name, value, _): &&(&str, &str, &str)| {
        fs::read_to_string(switches.join(name)).is_ok_and(|text| text.trim() == value)
    };
    let found = SWITCHES.iter().find(stands).map(|(.., sentence)| *sentence);
    found.unwrap_or("a seccomp filter or a container around rc forbids user namespaces").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message if these sysctls have these values.
    fn said(switches: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, value) in switches {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            fs::write(path, format!("{value}\n")).expect("a switch");
        }
        reason(directory.path())
    }

    #[test]
    fn the_switch_that_forbids_user_namespaces_is_named_with_what_turns_it() {
        let (limit, debian, apparmor) = (SWITCHES[0].0, SWITCHES[1].0, SWITCHES[2].0);
        for (switches, named) in [
            (&[(limit, "0"), (debian, "0")][..], "`sudo sysctl user.max_user_namespaces=15000`"),
            (&[(limit, "7"), (debian, "0"), (apparmor, "1")], "`sudo sysctl kernel.unprivileged_userns_clone=1`"),
            (&[(limit, "7"), (apparmor, "1")], "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"),
            (&[(limit, "7"), (debian, "1"), (apparmor, "0")], "a seccomp filter or a container around rc"),
            (&[], "a seccomp filter or a container around rc"),
        ] {
            let said = said(switches);
            assert!(said.contains(named), "{switches:?}: {said}");
        }
    }
}
