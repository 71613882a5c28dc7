//! What is mounted for a volume of the driver `local`: its own directory, or what its options say. Source:
//! podman-volume-create(1), `--opt`; docker, "Driver-specific options".

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Mount, MountKind};
use crate::types::{Invalid, parse_size};

/// A volume, as its options describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LocalVolume {
    /// Its own directory.
    Directory {
        /// The user that it belongs to, as an ID of containers.
        uid: Option<u32>,
        /// The group.
        gid: Option<u32>,
        /// Whether the image's files are copied into it.
        copy: bool,
    },
    /// A directory or file of the host.
    Bind {
        /// Its path, absolute.
        device: PathBuf,
        /// Options of the mount.
        options: Vec<String>,
        /// Whether the image's files are copied into it.
        copy: bool,
    },
    /// A tmpfs: each container that starts gets a new one.
    Tmpfs {
        /// Options of the mount.
        options: Vec<String>,
        /// Whether the image's files are copied into it.
        copy: bool,
    },
}

/// The mount's option by which a new volume keeps its own owner, although the image's files are copied into it.
pub(super) const KEEPS_OWNER: &str = "keep-owner";

/// Options of any mount.
const FLAGS: [&str; 9] = ["ro", "rw", "exec", "noexec", "dev", "nodev", "suid", "nosuid", "relatime"];

impl LocalVolume {
    /// Reads the options of a volume.
    pub(crate) fn parse(options: &BTreeMap<String, String>) -> Result<Self, Invalid> {
        for name in options.keys() {
            if !matches!(name.as_str(), "type" | "device" | "o" | "copy" | "nocopy") {
                let known = "is unknown: the driver `local` has type, device, o, copy and nocopy";
                return Err(Invalid::new("volume option", name, known));
            }
        }
        let given = |name: &str| options.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let words: Vec<&str> = given("o").unwrap_or("").split(',').filter(|word| !word.is_empty()).collect();
        let copy = !options.contains_key("nocopy") && !words.contains(&"nocopy");
        let words: Vec<&str> =
            words.into_iter().filter(|word| !matches!(*word, "copy" | "nocopy" | "noquota")).collect();
        let is_bind = words.iter().any(|word| matches!(*word, "bind" | "rbind"));
        match (given("type"), given("device")) {
            (None, None) => Self::directory(&words, copy),
            (None | Some("none" | "bind"), Some(device)) if is_bind => Self::bind(device, &words, copy),
            (Some("bind"), Some(device)) => Self::bind(device, &words, copy),
            (Some("tmpfs"), _) => Self::tmpfs(&words, copy),
            (Some("none" | "bind"), None) => {
                Err(Invalid::new("volume option", "device", "is missing: the path to bind"))
            }
            (None, Some(_)) | (Some("none"), Some(_)) => {
                Err(Invalid::new("volume option", "device", "needs `type=tmpfs`, or `type=none` and `o=bind`"))
            }
            (Some(kind), _) => {
                let reason = "only root can mount it: rootless volumes are directories, binds and tmpfs";
                Err(Invalid::new("volume option", format!("type={kind}"), reason))
            }
        }
    }

    fn directory(words: &[&str], copy: bool) -> Result<Self, Invalid> {
        let (mut uid, mut gid) = (None, None);
        for word in words {
            match word.split_once('=') {
                Some(("uid", id)) => uid = Some(number(word, id)?),
                Some(("gid", id)) => gid = Some(number(word, id)?),
                Some(("size" | "inodes", _)) => {
                    let reason = "needs a quota, which only root can set; a tmpfs has a size: `type=tmpfs`";
                    return Err(refused(word, reason));
                }
                _ => return Err(refused(word, "needs a `type`")),
            }
        }
        Ok(Self::Directory { uid, gid, copy })
    }

    fn bind(device: &str, words: &[&str], copy: bool) -> Result<Self, Invalid> {
        if !device.starts_with('/') {
            return Err(Invalid::new("volume option", format!("device={device}"), "must be an absolute path"));
        }
        if device.contains('\0') {
            return Err(Invalid::new("volume option", "device", "contains a NUL byte"));
        }
        let mut options = Vec::new();
        for word in words {
            match *word {
                "bind" | "rbind" | "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" => {}
                word if FLAGS.contains(&word) => {}
                word => return Err(refused(word, "is unknown for a bind")),
            }
            options.push((*word).to_owned());
        }
        Ok(Self::Bind { device: PathBuf::from(device), options, copy })
    }

    fn tmpfs(words: &[&str], copy: bool) -> Result<Self, Invalid> {
        let mut options = Vec::new();
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match (name, value) {
                (flag, "") if FLAGS.contains(&flag) => options.push(flag.to_owned()),
                ("size", share) if share.strip_suffix('%').is_some_and(|n| n.parse::<u8>().is_ok_and(|n| n <= 100)) => {
                    options.push((*word).to_owned());
                }
                ("size" | "nr_inodes", value) => {
                    let bytes = parse_size(value).map_err(|error| refused(word, &error.reason))?;
                    options.push(format!("{name}={bytes}"));
                }
                ("mode", value) if u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o7777) => {
                    options.push((*word).to_owned());
                }
                ("uid" | "gid", id) => {
                    number(word, id)?;
                    options.push((*word).to_owned());
                }
                _ => return Err(refused(word, "is unknown for a tmpfs")),
            }
        }
        Ok(Self::Tmpfs { options, copy })
    }

    /// Whether it has files that stay when no container uses it.
    pub(crate) fn is_tmpfs(&self) -> bool {
        matches!(self, Self::Tmpfs { .. })
    }

    /// Whether the image's files are copied into it while it is empty.
    pub(crate) fn copies(&self) -> bool {
        match self {
            Self::Directory { copy, .. } | Self::Bind { copy, .. } | Self::Tmpfs { copy, .. } => *copy,
        }
    }

    /// The mount that a container gets for `mount`, which names the volume.
    pub(crate) fn mount(&self, mount: &Mount) -> Mount {
        let has = |option: &str| mount.options.iter().any(|own| own == option);
        let (kind, options) = match self {
            Self::Directory { uid: None, gid: None, .. } => return mount.clone(),
            Self::Directory { .. } => {
                let mut own = mount.clone();
                own.options.push(KEEPS_OWNER.to_owned());
                return own;
            }
            Self::Bind { device, options, .. } => (MountKind::Bind { source: device.clone() }, options),
            Self::Tmpfs { options, .. } => (MountKind::Tmpfs, options),
        };
        let read_only = mount.read_only || options.iter().any(|option| option == "ro");
        let mut own: Vec<String> = mount.options.clone();
        if self.is_tmpfs() {
            own.retain(|option| FLAGS.contains(&option.as_str()));
            if self.copies() && !has("nocopy") {
                own.push("tmpcopyup".to_owned());
            }
        }
        own.extend(options.iter().filter(|option| !matches!(option.as_str(), "ro" | "rw" | "relatime")).cloned());
        if matches!(self, Self::Bind { .. }) && !options.iter().any(|option| option == "rbind" || option == "bind") {
            own.push("bind".to_owned());
        }
        Mount { kind, destination: mount.destination.clone(), read_only, options: own }
    }
}

fn refused(word: &str, reason: &str) -> Invalid {
    Invalid::new("volume option", format!("o={word}"), reason)
}

fn number(word: &str, id: &str) -> Result<u32, Invalid> {
    let id = id.parse::<u32>().ok().filter(|id| *id < u32::MAX);
    id.ok_or_else(|| refused(word, "must be a number"))
}

#[cfg(test)]
mod tests {
    use super::super::VolumeSettings;
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<LocalVolume, String> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        LocalVolume::parse(&options).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_volume_is_depends_on_its_options() {
        let texts = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let directory = |uid, gid, copy| Ok(LocalVolume::Directory { uid, gid, copy });
        let bind =
            |options: &[&str]| Ok(LocalVolume::Bind { device: "/srv/d".into(), options: texts(options), copy: true });
        let tmpfs = |options: &[&str]| Ok(LocalVolume::Tmpfs { options: texts(options), copy: true });
        for (options, expected) in [
            (&[][..], directory(None, None, true)),
            (&[("o", "uid=5,gid=6")], directory(Some(5), Some(6), true)),
            (&[("o", "noquota,nocopy")], directory(None, None, false)),
            (&[("nocopy", "")], directory(None, None, false)),
            (&[("type", "none"), ("o", "bind"), ("device", "/srv/d")], bind(&["bind"])),
            (&[("o", "rbind,ro"), ("device", "/srv/d")], bind(&["rbind", "ro"])),
            (&[("type", "bind"), ("device", "/srv/d")], bind(&[])),
            (&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m,noexec")], tmpfs(&["size=1048576", "noexec"])),
            (&[("type", "tmpfs"), ("o", "size=50%,uid=3,mode=700")], tmpfs(&["size=50%", "uid=3", "mode=700"])),
        ] {
            assert_eq!(parse(options), expected, "{options:?}");
        }
    }

    #[test]
    fn what_an_ordinary_user_cannot_mount_is_refused_by_name() {
        for (options, reason) in [
            (&[("color", "red")][..], "`color`: is unknown"),
            (&[("type", "nfs"), ("device", ":/x"), ("o", "addr=1.2.3.4")], "only root can mount it"),
            (&[("o", "size=10m")], "needs a quota"),
            (&[("o", "bind")], "needs a `type`"),
            (&[("type", "none"), ("o", "bind")], "`device`: is missing"),
            (&[("type", "none"), ("device", "/x")], "needs `type=tmpfs`"),
            (&[("device", "/x")], "needs `type=tmpfs`"),
            (&[("type", "none"), ("o", "bind"), ("device", "x")], "must be an absolute path"),
            (&[("type", "none"), ("o", "bind,size=1m"), ("device", "/x")], "is unknown for a bind"),
            (&[("type", "tmpfs"), ("o", "size=lots")], "o=size=lots"),
            (&[("type", "tmpfs"), ("o", "mode=9")], "is unknown for a tmpfs"),
            (&[("type", "tmpfs"), ("o", "uid=me")], "must be a number"),
        ] {
            let refused = parse(options).expect_err("refused");
            assert!(refused.contains(reason), "{options:?}: {refused}");
        }
    }

    #[test]
    fn a_container_gets_what_the_options_say_with_the_options_of_its_own_mount() {
        let own = |options: &[&str], read_only| Mount {
            kind: MountKind::Volume {
                name: "v".parse().expect("a name"),
                anonymous: false,
                settings: VolumeSettings::default(),
            },
            destination: "/data".to_owned(),
            read_only,
            options: options.iter().map(ToString::to_string).collect(),
        };
        let volume = |options: &[(&str, &str)]| parse(options).expect("a volume");
        let made = volume(&[]).mount(&own(&["noexec"], true));
        assert_eq!(made, own(&["noexec"], true));
        let made = volume(&[("type", "none"), ("o", "bind,ro"), ("device", "/srv/d")]).mount(&own(&["rslave"], false));
        assert_eq!((made.kind, made.read_only), (MountKind::Bind { source: "/srv/d".into() }, true));
        assert_eq!(made.options, ["rslave", "bind"]);
        let made = volume(&[("type", "tmpfs"), ("o", "size=4096")]).mount(&own(&["nocopy", "rslave", "noexec"], false));
        assert_eq!((made.kind, made.read_only), (MountKind::Tmpfs, false));
        assert_eq!(made.options, ["noexec", "size=4096"]);
        let made = volume(&[("type", "tmpfs")]).mount(&own(&[], false));
        assert_eq!(made.options, ["tmpcopyup"]);
    }
}
