//! The rights by which newuidmap and newgidmap may map IDs, or what prevents it: read after they have failed, and by
//! `rc doctor`.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::sys::fs;
use crate::types::shell;

/// The right by which a program may map IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// It runs as root for every caller.
    Setuid,
    /// `cap_setuid` or `cap_setgid`, in an attribute of its file.
    Capabilities,
}

/// What prevents a program from mapping IDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// This process cannot gain rights by executing a program. Source: prctl(2), `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivileges,
    /// The filesystem is mounted nosuid.
    NoSuid {
        /// The mount point.
        mount: PathBuf,
    },
    /// It was installed, or copied, without either.
    Neither {
        /// The program.
        path: PathBuf,
    },
}

impl Privilege {
    /// Reads the rights in the program's own file; it may have others from elsewhere.
    pub(crate) fn of(path: &Path) -> Result<Self, Lack> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if status.lines().any(|line| line.strip_prefix("NoNewPrivs:").is_some_and(|value| value.trim() == "1")) {
            return Err(Lack::NoNewPrivileges);
        }
        if statvfs(path).is_ok_and(|at| at.f_flag.contains(StatVfsMountFlags::NOSUID)) {
            return Err(Lack::NoSuid { mount: mount_of(path) });
        }
        if fs::metadata(path).is_ok_and(|at| at.uid() == 0 && at.mode() & 0o4000 != 0) {
            return Ok(Self::Setuid);
        }
        match rustix::fs::getxattr(path, "security.capability", &mut [0u8; 64]) {
            Ok(length) if length > 0 => Ok(Self::Capabilities),
            _ => Err(Lack::Neither { path: path.to_owned() }),
        }
    }

    /// The text for a report.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Setuid => "setuid root",
            Self::Capabilities => "with file capabilities",
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoNewPrivileges => "no_new_privs is set for this process, so no program can gain rights",
            Self::NoSuid { .. } => "its filesystem is mounted nosuid",
            Self::Neither { .. } => "neither setuid root nor with file capabilities",
        })
    }
}

impl Lack {
    /// The fix.
    pub(crate) fn fix(&self) -> String {
        match self {
            Self::NoNewPrivileges => {
                "run rc where no_new_privs is not set; in a unit, set `NoNewPrivileges=no`".to_owned()
            }
            // No command: to remount it would let every program there run as root, and someone has forbidden that.
            Self::NoSuid { mount } => {
                format!("install it on a file system that is mounted without nosuid, which `{}` is", mount.display())
            }
            // Setuid is only for root's own file: another one would run as root for every user.
            Self::Neither { path } if !is_of_root(path) => {
                format!("reinstall the package that `{}` comes from: others than root can change it", path.display())
            }
            Self::Neither { path } => {
                format!("`sudo chmod u+s {}`, or reinstall its package", shell::quoted(&path.display().to_string()))
            }
        }
    }
}

/// Whether the file and its directory belong to root, and only root can write to them.
fn is_of_root(path: &Path) -> bool {
    let safe = |path: &Path| fs::metadata(path).is_ok_and(|at| at.uid() == 0 && at.mode() & 0o022 == 0);
    safe(path) && path.parent().is_some_and(safe)
}

/// The mount point above a path: the last directory on the way up that is on the same device.
fn mount_of(path: &Path) -> PathBuf {
    let device = |path: &Path| fs::metadata(path).ok().map(|at| at.dev());
    let own = device(path);
    path.ancestors().take_while(|at| device(at) == own).last().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_rights_is_told_from_one_that_has_them() {
        // Test binaries have neither; su is setuid root if it is installed.
        let own = std::env::current_exe().expect("our own path");
        let Err(lack) = Privilege::of(&own) else { panic!("{} has rights", own.display()) };
        if let Lack::Neither { path } = &lack {
            // It is the user's own file, which root must not make setuid.
            assert!(is_of_root(path) || !lack.fix().contains("chmod"), "{}", lack.fix());
            assert_eq!(lack.to_string(), "neither setuid root nor with file capabilities");
            let su = Path::new("/usr/bin/su");
            if su.exists() && mount_of(su) == mount_of(&own) {
                assert_eq!(Privilege::of(su), Ok(Privilege::Setuid));
            }
        }
    }

    #[test]
    fn fixes_give_no_rights_to_more_than_the_program() {
        let true_path = Path::new("/usr/bin/env");
        if is_of_root(true_path) {
            let lack = Lack::Neither { path: true_path.to_owned() };
            assert_eq!(lack.fix(), "`sudo chmod u+s /usr/bin/env`, or reinstall its package");
        }
        let directory = tempfile::tempdir().expect("a directory");
        let own = directory.path().join("newuidmap");
        fs::write(&own, "").expect("a file");
        rustix::fs::chmod(&own, rustix::fs::Mode::from_raw_mode(0o777)).expect("a mode");
        assert!(Lack::Neither { path: own }.fix().starts_with("reinstall the package"));
        let nosuid = Lack::NoSuid { mount: PathBuf::from("/usr") };
        assert!(!nosuid.fix().contains("sudo"), "{}", nosuid.fix());
    }

    #[test]
    fn a_mount_is_where_the_device_changes() {
        assert_eq!(mount_of(Path::new("/proc/self/status")), Path::new("/proc"));
    }
}
