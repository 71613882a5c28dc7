//! The version of a helper program.

use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::attempt::{Trouble, attempt};
use crate::sys::spawn::{Program, spawn};

/// A program with the version that it prints: `/usr/bin/slirp4netns, version 1.2.0`.
pub(super) fn described(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // In a child: if the program hangs, rc kills both.
    let printed = attempt(|| read(path)).unwrap_or_default();
    let version = version(&printed, &name).unwrap_or_else(|| "unknown version".to_owned());
    format!("{}, {version}", path.display())
}

/// The output of `path --version`.
fn read(path: &Path) -> Result<String, Trouble> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Trouble::new)?;
    let name = CString::new(path.as_os_str().as_bytes()).map_err(Trouble::new)?;
    let argv = [name.clone(), c"--version".to_owned()];
    let descriptors = [(write.as_fd(), 1)];
    let program = Program { path: &name, argv: &argv, env: &[], descriptors: &descriptors, own_mounts: false };
    let helper = spawn(&program).map_err(Trouble::new)?;
    drop(write);
    let mut bytes = Vec::new();
    File::from(read).take(4096).read_to_end(&mut bytes).map_err(Trouble::new)?;
    drop(helper);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The rest of the line that begins with the program's name, cut to a sane length: fuse-overlayfs prints the version of
/// another program first.
fn version(printed: &str, name: &str) -> Option<String> {
    let rest = printed.lines().find_map(|line| line.trim().strip_prefix(name))?;
    let version: String = rest.trim_start_matches(':').trim().chars().take(60).collect();
    Some(version).filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_with_the_name_says_the_version() {
        for (name, printed, expected) in [
            ("slirp4netns", "slirp4netns version 1.2.0\ncommit: 656041d\n", Some("version 1.2.0")),
            ("pasta", "pasta 0.0~git20230309\nCopyright Red Hat\n", Some("0.0~git20230309")),
            ("fuse-overlayfs", "fusermount3 version: 3.14.0\nfuse-overlayfs: version 1.10\n", Some("version 1.10")),
            ("pasta", "pasta\n", None),
            ("pasta", "", None),
        ] {
            assert_eq!(version(printed, name).as_deref(), expected, "{printed}");
        }
        assert_eq!(version(&format!("x {}", "y".repeat(200)), "x").map(|text| text.len()), Some(60));
    }
}
