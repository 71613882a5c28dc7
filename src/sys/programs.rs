//! The programs of the host that rc runs: rc looks in a fixed list of directories, never in a `PATH` that came from
//! outside (safety.md, X17), and never in the working directory.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Directories that only root writes to, in the order in which distributions use them. NixOS has the programs with
/// privileges in `/run/wrappers/bin`; podman has helpers of its own in `podman`.
const DIRECTORIES: [&str; 9] = [
    "/usr/bin",
    "/run/wrappers/bin",
    "/usr/local/bin",
    "/bin",
    "/usr/sbin",
    "/usr/libexec/podman",
    "/usr/local/libexec/podman",
    "/usr/lib/podman",
    "/usr/local/lib/podman",
];

/// The absolute path of the program `name`; `None` if it is not installed.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    DIRECTORIES.iter().map(|directory| Path::new(directory).join(name)).find(|path| is_executable(path))
}

/// The path that the user has `configured`, else the program `name`. `None` if the configured path is relative or not
/// an executable file: rc does not run another program instead.
pub(crate) fn find_configured(configured: Option<&Path>, name: &str) -> Option<PathBuf> {
    match configured {
        Some(path) => Some(path).filter(|path| path.is_absolute() && is_executable(path)).map(Path::to_owned),
        None => find(name),
    }
}

fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok() && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_an_executable_file_of_a_fixed_directory() {
        let found = find("sh").expect("every host has a shell");
        assert!(found == Path::new("/usr/bin/sh") || found == Path::new("/bin/sh"), "{}", found.display());
        assert_eq!(find("podman"), find("podman").filter(|path| path.is_file()), "a directory is no program");
        assert_eq!(find("no-such-program"), None);
    }

    #[test]
    fn a_configured_path_is_taken_or_nothing() {
        let configured = |path| find_configured(Some(Path::new(path)), "sh");
        assert_eq!(configured("/bin/sh").as_deref(), Some(Path::new("/bin/sh")));
        for wrong in ["/nowhere/at/all", "bin/sh", "sh", "/usr/bin", "/etc/passwd"] {
            assert_eq!(configured(wrong), None, "{wrong}");
        }
        assert_eq!(find_configured(None, "sh"), find("sh"));
    }
}
