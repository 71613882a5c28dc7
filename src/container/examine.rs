//! Why a program cannot be run, as its file and its root show: nothing is executed. The root is hostile: paths are
//! resolved beneath it, only regular files are read, and little of each.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::plan::ContainerConfig;
use crate::sys::elf::{self, Elf};
use crate::sys::root::open_in;

/// Why something has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cause {
    /// For programs: `out-of-memory`, `missing-library`.
    pub(crate) kind: String,
    /// One sentence.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl Cause {
    /// A cause without a hint.
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The most bytes of a script's first line. Source: the kernel's BINPRM_BUF_SIZE.
const FIRST_LINE: usize = 256;

/// The most bytes that are read of a file with directories of libraries.
const LIST: usize = 64 << 10;

/// Where loaders look for libraries. Source: ld.so(8), musl, Debian's and Fedora's layouts.
const LIBRARIES: [&str; 10] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

/// What keeps the container's program from running; empty if nothing does. `root` is the container's root.
pub(crate) fn examine(root: BorrowedFd<'_>, config: &ContainerConfig) -> Vec<Cause> {
    let Some(name) = config.argv.first() else { return Vec::new() };
    let variable = |name: &str| config.env.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let place = Place { root, libraries: variable("LD_LIBRARY_PATH").unwrap_or_default() };
    if name.contains('/') {
        let path = if name.starts_with('/') { name.clone() } else { format!("{}/{name}", config.working_dir) };
        return place.program(&path, 0);
    }
    let path = variable("PATH").unwrap_or_default();
    let candidates = path.split(':').map(|directory| format!("{directory}/{name}"));
    match candidates.into_iter().find(|path| place.find(path).is_some()) {
        Some(path) => place.program(&path, 0),
        None => {
            let message = format!("no directory of the container's PATH (`{path}`) has a file `{name}`");
            vec![Cause::new("missing-program", message).with_hint("name another program, or its whole path")]
        }
    }
}

struct Place<'a> {
    root: BorrowedFd<'a>,
    /// `LD_LIBRARY_PATH`.
    libraries: &'a str,
}

impl Place<'_> {
    fn find(&self, path: &str) -> Option<OwnedFd> {
        open_in(self.root, path, OFlags::PATH, Mode::empty()).ok()
    }

    /// Reads the beginning of a regular file.
    fn beginning(&self, path: &str, length: usize) -> Option<Vec<u8>> {
        let file = self.open(path)?;
        let mut bytes = vec![0; length];
        let length = rustix::io::pread(&file, &mut bytes[..], 0).ok()?;
        bytes.truncate(length);
        Some(bytes)
    }

    fn open(&self, path: &str) -> Option<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = open_in(self.root, path, flags, Mode::empty()).ok()?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file).ok()?.st_mode);
        (kind == FileType::RegularFile).then_some(file)
    }

    /// What keeps the file at `path` from being executed; `depth` is how many scripts lead to it.
    fn program(&self, path: &str, depth: u32) -> Vec<Cause> {
        let Some(found) = self.find(path) else {
            return vec![Cause::new("missing-program", format!("the container has no file `{path}`"))];
        };
        let Ok(stat) = rustix::fs::fstat(&found) else { return Vec::new() };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return vec![Cause::new("no-program", format!("`{path}` is a directory"))],
            _ => return vec![Cause::new("no-program", format!("`{path}` is no regular file"))],
        }
        let is_executable = stat.st_mode & 0o111 != 0
            && rustix::fs::accessat(&found, c"", Access::EXEC_OK, AtFlags::EMPTY_PATH)
                != Err(rustix::io::Errno::ACCESS);
        if !is_executable {
            let hint = format!("give it permission in the image: `RUN chmod +x {path}`");
            return vec![Cause::new("not-executable", format!("`{path}` may not be executed")).with_hint(hint)];
        }
        let bytes = self.beginning(path, FIRST_LINE).unwrap_or_default();
        match bytes.as_slice() {
            [] => vec![Cause::new("no-program", format!("`{path}` is empty"))],
            [0x7f, b'E', b'L', b'F', ..] => self.elf(path),
            [b'#', b'!', line @ ..] => self.script(path, line, depth),
            _ => {
                let message = format!("`{path}` is neither a program for Linux nor a script that begins with `#!`");
                vec![Cause::new("no-program", message).with_hint("begin the script with `#!/bin/sh`")]
            }
        }
    }

    fn script(&self, path: &str, line: &[u8], depth: u32) -> Vec<Cause> {
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        let line = String::from_utf8_lossy(&line[..end]).into_owned();
        if line.ends_with('\r') {
            let message = format!("the first line of `{path}` ends with a carriage return, as on Windows");
            let hint = format!("convert its lines: `sed -i 's/\\r$//' {}`", path.rsplit('/').next().unwrap_or(path));
            return vec![Cause::new("carriage-return", message).with_hint(hint)];
        }
        let Some(interpreter) = line.split_ascii_whitespace().next() else {
            return vec![Cause::new("missing-interpreter", format!("the first line of `{path}` names no interpreter"))];
        };
        if self.find(interpreter).is_none() {
            let message = format!("`{path}` needs the interpreter `{interpreter}`, which the container does not have");
            let hint = format!("install it in the image, or change the first line of `{path}`");
            return vec![Cause::new("missing-interpreter", message).with_hint(hint)];
        }
        if depth < 4 { self.program(interpreter, depth + 1) } else { Vec::new() }
    }

    fn elf(&self, path: &str) -> Vec<Cause> {
        let Some(file) = self.open(path) else { return Vec::new() };
        let Some(elf) = Elf::of_file(&file) else {
            return vec![Cause::new("no-program", format!("`{path}` is damaged: its header cannot be read"))];
        };
        if !elf.fits_host() {
            let message = format!("`{path}` is for {}, and this host is {}", elf.machine_name(), elf::host_name());
            let hint = "pull the image for this host: `rc pull --platform linux/ARCH IMAGE`";
            return vec![Cause::new("wrong-architecture", message).with_hint(hint)];
        }
        if let Some(interpreter) = &elf.interpreter
            && self.find(interpreter).is_none()
        {
            let message = format!("`{path}` needs the loader `{interpreter}`, which the container does not have");
            let hint = if interpreter.contains("musl") {
                "it was built for Alpine (musl): build it for this image, or link it statically"
            } else {
                "it was built for a glibc: build it for this image, or link it statically"
            };
            return vec![Cause::new("missing-interpreter", message).with_hint(hint)];
        }
        let missing = self.missing_libraries(path, &elf);
        let cause = |name: &String| {
            let message = format!("`{path}` needs the library `{name}`, which the container does not have");
            Cause::new("missing-library", message).with_hint("install the package that has it in the image")
        };
        missing.iter().map(cause).collect()
    }

    /// The libraries that are in none of the places where the loader looks.
    fn missing_libraries(&self, path: &str, elf: &Elf) -> Vec<String> {
        if elf.interpreter.is_none() {
            return Vec::new();
        }
        let origin = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let own = elf.search_path.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
        let listed = self.listed_directories();
        let directories: Vec<&str> = LIBRARIES
            .into_iter()
            .chain(own.split(':'))
            .chain(self.libraries.split(':'))
            .chain(listed.iter().map(String::as_str))
            .filter(|directory| !directory.is_empty())
            .collect();
        let is_missing = |name: &&String| {
            let places = directories.iter().map(|directory| format!("{directory}/{name}"));
            if name.contains('/') {
                self.find(name).is_none()
            } else {
                places.into_iter().all(|at| self.find(&at).is_none())
            }
        };
        elf.needed.iter().filter(is_missing).cloned().collect()
    }

    /// The directories in `/etc/ld.so.conf`, `/etc/ld.so.conf.d/` and musl's file.
    fn listed_directories(&self) -> Vec<String> {
        let mut files = vec!["/etc/ld.so.conf".to_owned(), "/etc/ld-musl-x86_64.path".to_owned()];
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        if let Ok(directory) = open_in(self.root, "/etc/ld.so.conf.d", flags, Mode::empty())
            && let Ok(entries) = Dir::read_from(directory.as_fd())
        {
            let names = entries.flatten().take(256).map(|entry| entry.file_name().to_bytes().to_vec());
            let names = names.filter_map(|name| OsStr::from_bytes(&name).to_str().map(str::to_owned));
            files.extend(names.map(|name| format!("/etc/ld.so.conf.d/{name}")));
        }
        let texts = files.iter().filter_map(|file| self.beginning(file, LIST));
        let texts: Vec<String> = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        let lines = texts.iter().flat_map(|text| text.split(['\n', ':']));
        lines.map(str::trim).filter(|line| line.starts_with('/')).map(str::to_owned).collect()
    }
}
