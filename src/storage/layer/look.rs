//! A file of an image as its containers see it, without a mount: the topmost layer that says something of a name
//! decides, and links lead through all layers, never out of them.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;

use super::is_whiteout;
use crate::storage::pack::is_opaque;
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::types::Layers;

/// How many links a path may lead through. Source: path_resolution(7).
const LINKS: u32 = 40;

/// The first `limit` bytes of the regular file at `path`; `None` if there is none.
///
/// This process must be able to read the directories on the way, as root of the container is.
pub(crate) fn read_in_layers(layers: &Layers, path: &str, limit: u64) -> Result<Option<Vec<u8>>, PathError> {
    // If files of the only layer have no content, it is in these.
    let topmost_first = match &layers.data[..] {
        [] => layers.lowers.iter().rev().collect::<Vec<_>>(),
        data => data.iter().collect(),
    };
    let mut roots = Vec::new();
    for layer in topmost_first {
        let root = OwnedFd::from(fs::open_directory(layer)?);
        let hides = is_opaque(&root);
        roots.push(root);
        if hides {
            break;
        }
    }
    let read = || {
        let Some(file) = find(roots, Path::new(path))? else { return Ok(None) };
        let file = File::from(file);
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(Some(bytes))
    };
    read().at("read in the image", path)
}

/// What has a name in directories on top of each other.
enum Found {
    Nothing,
    /// What each layer has of the directory, the topmost first.
    Directory(Vec<OwnedFd>),
    Link(OsString),
    File(OwnedFd),
}

fn find(roots: Vec<OwnedFd>, path: &Path) -> Result<Option<OwnedFd>, Errno> {
    let mut rest = components(path);
    let mut way = vec![roots];
    let mut links = 0;
    while let Some(name) = rest.pop() {
        let Some(here) = way.last() else { return Ok(None) };
        if name == ".." {
            way.truncate(way.len().saturating_sub(1).max(1));
            continue;
        }
        match look(here, &name)? {
            Found::Nothing => return Ok(None),
            Found::Directory(layers) => way.push(layers),
            Found::File(file) => return Ok(Some(file).filter(|_| rest.is_empty())),
            Found::Link(target) => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP);
                }
                let target = Path::new(&target);
                if target.is_absolute() {
                    way.truncate(1);
                }
                rest.extend(components(target));
            }
        }
    }
    Ok(None)
}

/// The names in a path, the last one first.
fn components(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

fn look(here: &[OwnedFd], name: &OsStr) -> Result<Found, Errno> {
    let mut layers = Vec::new();
    for directory in here {
        let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error),
        };
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let found = openat(directory, name, flags | OFlags::DIRECTORY, Mode::empty())?;
                let hides = is_opaque(&found);
                layers.push(found);
                if hides {
                    break;
                }
            }
            _ if is_whiteout(&stat) || !layers.is_empty() => break,
            FileType::Symlink => {
                let target = readlinkat(directory, name, Vec::new())?;
                return Ok(Found::Link(OsString::from_vec(target.into_bytes())));
            }
            FileType::RegularFile => return Ok(Found::File(openat(directory, name, flags, Mode::empty())?)),
            _ => return Ok(Found::Nothing),
        }
    }
    Ok(if layers.is_empty() { Found::Nothing } else { Found::Directory(layers) })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rustix::fs::{CWD, mknodat};

    use super::*;

    /// Layers, lowest first: files with their content, links `NAME -> TARGET`, directories `NAME/`.
    fn layers(home: &Path, of: &[&[(&str, &str)]]) -> Layers {
        let layer = |(number, entries): (usize, &&[(&str, &str)])| {
            let root = home.join(number.to_string());
            fs::create_dir_all(&root).expect("a layer");
            for (name, content) in *entries {
                let path = root.join(name);
                fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
                match content.strip_prefix("-> ") {
                    Some(target) => fs::symlink(target, &path).expect("a link"),
                    None if name.ends_with('/') => fs::create_dir_all(&path).expect("a directory"),
                    None => fs::write(&path, content).expect("a file"),
                }
            }
            root
        };
        of.iter().enumerate().map(layer).collect::<Vec<PathBuf>>().into()
    }

    fn read(layers: &Layers) -> Option<String> {
        let found = read_in_layers(layers, "/etc/hosts", 100).expect("reads");
        found.map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn the_topmost_layer_decides_and_links_stay_in_the_image() {
        for (of, expected) in [
            (&[&[("etc/hosts", "a")][..], &[("etc/x", "")]][..], Some("a")),
            (&[&[("etc/hosts", "a")], &[("etc/hosts", "b")]], Some("b")),
            (&[&[("bin/x", "")]], None),
            // A file in place of a directory, and the other way round.
            (&[&[("etc/hosts", "a")], &[("etc", "")]], None),
            (&[&[("etc/hosts", "a")], &[("etc/hosts/", "")]], None),
            // A link of one layer leads to a file of another.
            (&[&[("run/h", "c")], &[("etc/hosts", "-> ../../../run/h")]], Some("c")),
            (&[&[("etc", "-> /usr/etc")], &[("usr/etc/hosts", "d")]], Some("d")),
            (&[&[("etc/hosts", "-> /etc/passwd")]], None),
            (&[&[("etc/hosts", "-> nowhere")]], None),
        ] {
            let home = tempfile::tempdir().expect("a directory");
            assert_eq!(read(&layers(home.path(), of)).as_deref(), expected, "{of:?}");
        }
        let home = tempfile::tempdir().expect("a directory");
        let circle = layers(home.path(), &[&[("etc/hosts", "-> hosts")]]);
        assert!(read_in_layers(&circle, "etc/hosts", 100).is_err());
    }

    #[test]
    fn content_elsewhere_is_found_there_and_an_opaque_directory_hides_what_is_below() {
        let home = tempfile::tempdir().expect("a directory");
        let mut all = layers(home.path(), &[&[("etc/hosts", "a")], &[("etc/x", "")]]);
        let etc = all.lowers[1].join("etc");
        let data = all.lowers.iter().rev().cloned().collect();
        assert_eq!(read(&Layers { lowers: Vec::new(), data, is_root: false }).as_deref(), Some("a"));
        rustix::fs::setxattr(&etc, super::super::OPAQUE, b"y", rustix::fs::XattrFlags::empty()).expect("an attribute");
        assert_eq!(read(&all), None);
        all.lowers.truncate(1);
        assert_eq!(read(&all).as_deref(), Some("a"));
        // A whiteout, of the file and of its directory.
        for removed in ["etc/hosts", "etc"] {
            let home = tempfile::tempdir().expect("a directory");
            let all = layers(home.path(), &[&[("etc/hosts", "a")], &[("etc/x", "")], &[("x", "")]]);
            let path = all.lowers[2].join(removed);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            mknodat(CWD, &path, FileType::CharacterDevice, Mode::empty(), 0).expect("a whiteout");
            assert_eq!(read(&all), None, "{removed}");
        }
    }
}
