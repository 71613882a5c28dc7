//! Lists a tree of files so completely that two trees with the same list are the same.
//!
//! ```text
//! ./srv/data/a f 0644 33:33 time 1700000000.123456789 size 4 sha256 … as ./srv/data/a user.note=…
//! ```
//! For a hard link, `as` names the first link in the list. The list has no sizes of directories and no link counts,
//! which belong to the filesystem and not to the tree (overlayfs counts the links of the layer), no time of the top
//! directory, and no times of directories above paths that were left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use sha2::{Digest, Sha256};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Prints the tree below `root` without the paths `left_out` (`etc/hosts`) and everything below them.
pub(crate) fn print(root: &str, left_out: &[&str]) -> Outcome<()> {
    let mut lister = Lister { left_out: left_out.iter().copied().collect(), names: BTreeMap::new() };
    let mut entries = Vec::new();
    lister.list(Path::new(root), "", &mut entries)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for Entry { line, inode, attributes } in entries {
        write!(out, "{line}")?;
        if let Some([first, _, ..]) = inode.and_then(|inode| lister.names.get(&inode)).map(Vec::as_slice) {
            write!(out, " as ./{}", first.escape_debug())?;
        }
        writeln!(out, "{attributes}")?;
    }
    out.flush()?;
    Ok(())
}

/// Descends from `path` by up to `count` directories, and creates those that are missing. Returns their number.
pub(crate) fn make_deep(path: &str, count: u32) -> Outcome<u32> {
    use rustix::fs::{Mode, mkdirat};
    descend(path, count, |directory| match mkdirat(directory, c"d", Mode::RWXU) {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        other => other,
    })
}

/// The number of nested directories `d` below `path`.
pub(crate) fn depth(path: &str) -> Outcome<u32> {
    descend(path, u32::MAX, |_| Ok(()))
}

fn descend(path: &str, most: u32, before: impl Fn(&rustix::fd::OwnedFd) -> rustix::io::Result<()>) -> Outcome<u32> {
    use rustix::fs::{Mode, OFlags, open, openat};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = open(path, flags, Mode::empty())?;
    for depth in 0..most {
        before(&directory)?;
        directory = match openat(&directory, c"d", flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(depth),
            other => other?,
        };
    }
    Ok(most)
}

struct Lister<'a> {
    left_out: BTreeSet<&'a str>,
    /// The paths of each inode that has several links.
    names: BTreeMap<(u64, u64), Vec<String>>,
}

struct Entry {
    line: String,
    /// Device and number, if it has several links.
    inode: Option<(u64, u64)>,
    attributes: String,
}

impl Lister<'_> {
    /// Adds the entries of the file `name` (relative, empty for the top) and of everything below it.
    fn list(&mut self, root: &Path, name: &str, entries: &mut Vec<Entry>) -> Outcome<()> {
        let path = if name.is_empty() { root.to_path_buf() } else { root.join(name) };
        let metadata = path.symlink_metadata().map_err(|error| format!("{}: {error}", path.display()))?;
        let inode = (!metadata.is_dir() && metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino()));
        if let Some(inode) = inode {
            self.names.entry(inode).or_default().push(name.to_owned());
        }
        let mut shown = String::new();
        for (name, value) in attributes(&path)? {
            write!(shown, " {name}={}", value.escape_ascii())?;
        }
        entries.push(Entry { line: self.line(&path, name, &metadata)?, inode, attributes: shown });
        if !metadata.is_dir() {
            return Ok(());
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))? {
            let entry = entry?.file_name();
            let entry = entry.to_str().ok_or("a name that is not UTF-8")?;
            names.push(if name.is_empty() { entry.to_owned() } else { format!("{name}/{entry}") });
        }
        names.sort();
        for name in names {
            if !self.left_out.contains(name.as_str()) {
                self.list(root, &name, entries)?;
            }
        }
        Ok(())
    }

    fn line(&self, path: &Path, name: &str, metadata: &std::fs::Metadata) -> Outcome<String> {
        let kind = metadata.file_type();
        let letter = match () {
            () if kind.is_dir() => 'd',
            () if kind.is_symlink() => 'l',
            () if kind.is_fifo() => 'p',
            () if kind.is_char_device() => 'c',
            () if kind.is_block_device() => 'b',
            () if kind.is_socket() => 's',
            () => 'f',
        };
        let mut line = format!("./{} {letter} {:04o}", name.escape_debug(), metadata.mode() & 0o7777);
        write!(line, " {}:{}", metadata.uid(), metadata.gid())?;
        let above = format!("{name}/");
        if !kind.is_dir() || !(name.is_empty() || self.left_out.iter().any(|path| path.starts_with(&above))) {
            write!(line, " time {}.{:09}", metadata.mtime(), metadata.mtime_nsec())?;
        }
        if kind.is_file() {
            write!(line, " size {} sha256 {}", metadata.size(), sha256(path)?)?;
        }
        if kind.is_symlink() {
            write!(line, " to {:?}", std::fs::read_link(path)?)?;
        }
        Ok(line)
    }
}

fn sha256(path: &Path) -> Outcome<String> {
    let mut file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block)? {
            0 => break,
            length => hash.update(&block[..length]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The extended attributes, without those that a filesystem or the host's policy adds.
fn attributes(path: &Path) -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut names = vec![0; 1 << 16];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    };
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 1 << 16];
        let name = std::ffi::OsStr::from_bytes(name);
        let length = rustix::fs::lgetxattr(path, name, &mut value[..])?;
        value.truncate(length);
        let name = name.to_string_lossy().into_owned();
        if name != "security.selinux" && name != "user.rootlesscontainers" {
            found.push((name, value));
        }
    }
    found.sort();
    Ok(found)
}
