//! Where a copy goes. Source: docker cp, "Description"; docker `archive.PrepareArchiveCopy`; podman-cp(1).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::storage::unpack::Top;
use crate::sys::locate::Located;

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// A directory, not a file or a link.
    pub(super) is_directory: bool,
    /// A link.
    pub(super) is_link: bool,
    /// Only what is in the directory: its path ends in `/.`.
    pub(super) contents: bool,
}

/// What is at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    File,
    Directory,
}

/// What a copy becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A file or directory with the name of the source in the destination.
    Inside,
    /// The contents of the source are added to the destination.
    Merged,
    /// The destination itself.
    Itself,
}

/// Whether a path says that it is a directory.
pub(super) fn ends_in_slash(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let path = path.as_os_str().as_bytes();
    path.ends_with(b"/") || ends_in_dot(path)
}

fn ends_in_dot(path: &[u8]) -> bool {
    path.ends_with(b"/.") || path == b"."
}

impl Source {
    /// The source at `path`, which was found at `located`.
    pub(super) fn new(path: &Path, located: &Located) -> Self {
        use std::os::unix::ffi::OsStrExt as _;
        let contents = located.is_directory() && (ends_in_dot(path.as_os_str().as_bytes()) || located.name == ".");
        Self {
            name: located.name.as_bytes().to_vec(),
            is_directory: located.is_directory(),
            is_link: located.is_link(),
            contents,
        }
    }
}

impl Source {
    /// What it is in an archive.
    pub(super) fn top(&self) -> Top {
        match self {
            Self { is_directory: true, .. } => Top::Directory,
            Self { is_link: true, .. } => Top::Link,
            _ => Top::Other,
        }
    }

    /// Its name in an archive.
    pub(super) fn archived(&self) -> &[u8] {
        if self.contents { b"." } else { &self.name }
    }
}

impl There {
    /// What was found.
    pub(super) fn new(located: &Located) -> Self {
        match located.stat {
            None => Self::Nothing,
            Some(_) if located.is_directory() => Self::Directory,
            Some(_) => Self::File,
        }
    }
}

/// What becomes of `source` at a destination, whose path ends in a slash or not; or why that cannot be.
pub(super) fn target(source: &Source, there: There, slash: bool) -> Result<Target, &'static str> {
    match (there, source.is_directory) {
        (There::Directory, true) if source.contents => Ok(Target::Merged),
        (There::Directory, _) => Ok(Target::Inside),
        (There::File, true) => Err("a directory cannot be copied to a file"),
        (There::File, false) if slash => Err("it is not a directory"),
        (There::Nothing, false) if slash => Err("the directory does not exist"),
        (There::File | There::Nothing, _) => Ok(Target::Itself),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_goes_where_docker_and_podman_put_it() {
        let source = |is_directory, contents| Source { name: b"n".to_vec(), is_directory, is_link: false, contents };
        let (file, directory, contents) = (source(false, false), source(true, false), source(true, true));
        for (source, there, slash, expected) in [
            (&file, There::Nothing, false, Ok(Target::Itself)),
            (&file, There::Nothing, true, Err("the directory does not exist")),
            (&file, There::File, false, Ok(Target::Itself)),
            (&file, There::File, true, Err("it is not a directory")),
            (&file, There::Directory, false, Ok(Target::Inside)),
            (&directory, There::Nothing, false, Ok(Target::Itself)),
            (&directory, There::Nothing, true, Ok(Target::Itself)),
            (&directory, There::File, false, Err("a directory cannot be copied to a file")),
            (&directory, There::Directory, false, Ok(Target::Inside)),
            (&contents, There::Nothing, false, Ok(Target::Itself)),
            (&contents, There::Directory, true, Ok(Target::Merged)),
        ] {
            assert_eq!(target(source, there, slash), expected, "{source:?} {there:?} {slash}");
        }
    }
}
