//! `rc.toml`: what applies where the command line says nothing, each value with its origin.
//!
//! `/etc/rc/rc.toml` is read first, then the user's file, key by key over rc's own values; `RC_CONFIG` names one file
//! to read instead of both (`dirs`). Without any file nothing is parsed. A key that rc does not know is an error: a
//! misspelt one would be silently without effect.

mod value;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::dirs::{ConfigFiles, Dirs};
use crate::sys::fs::{self, PathError};
use crate::types::{DetachKeys, Network as ContainerNetwork, NetworkDriver, Report, ReportKind, StorageDriver};

use value::Value as _;
pub(crate) use value::{Program, Size};

const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

/// No `rc.toml` is longer, in bytes.
const FILE_LIMIT: u64 = 1 << 20;

/// Why the settings cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The file is no TOML, or a key or value in it is wrong.
    #[error("`{}` line {line}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, with the key's name.
        reason: String,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::File { .. } => ReportKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// rc itself.
    Default,
    /// This file.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// One setting for a reader, as `rc info` lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The key, as `network.driver`.
    pub(crate) key: &'static str,
    /// The value, as `rc.toml` would have it.
    pub(crate) value: String,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// Declares the keys once: the settings, their defaults, the file's shape and the list for a reader are made from it.
macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])*
        $section:ident: $Section:ident {
            $( $(#[doc = $doc:literal])* $key:ident: $type:ty = $default:expr; )*
        }
    )*) => {
        /// All settings.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct Settings {
            $( $(#[doc = $section_doc])* pub(crate) $section: $Section, )*
        }

        $(
            $(#[doc = $section_doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub(crate) struct $Section {
                $( $(#[doc = $doc])* pub(crate) $key: Setting<$type>, )*
            }
        )*

        impl Default for Settings {
            /// rc's own values.
            fn default() -> Self {
                Self {
                    $( $section: $Section { $( $key: Setting { value: $default, origin: Origin::Default }, )* }, )*
                }
            }
        }

        impl Settings {
            /// Puts the values of a file over these.
            fn apply(&mut self, file: file::File, origin: &Origin) {
                $( $(
                    if let Some(value) = file.$section.$key {
                        self.$section.$key = Setting { value, origin: origin.clone() };
                    }
                )* )*
            }

            /// Every setting, in the file's order.
            pub(crate) fn entries(&self) -> Vec<Entry> {
                vec![ $( $( Entry {
                    key: concat!(stringify!($section), ".", stringify!($key)),
                    value: self.$section.$key.value.show(),
                    origin: self.$section.$key.origin.clone(),
                }, )* )* ]
            }
        }

        /// The shape of `rc.toml`: every section and key may be missing, none may be unknown.
        mod file {
            use super::*;

            #[derive(Debug, Default, serde::Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub(super) struct File {
                $( pub(super) $section: $Section, )*
            }

            $(
                #[derive(Debug, Default, serde::Deserialize)]
                #[serde(default, deny_unknown_fields)]
                pub(super) struct $Section {
                    $( #[serde(deserialize_with = "super::value::read")] pub(super) $key: Option<$type>, )*
                }
            )*
        }
    };
}

settings! {
    /// What every container begins with.
    container: Container {
        /// The key sequence that leaves a terminal.
        detach_keys: DetachKeys = DetachKeys::default();
        /// `no_new_privs` for every container.
        no_new_privileges: bool = false;
        /// The limit of processes, set if a cgroup is available; 0 is none.
        pids_limit: u32 = 2048;
        /// The size of `/dev/shm`.
        shm_size: Size = Size(64 << 20);
        /// Seconds between the stop signal and SIGKILL.
        stop_timeout: u32 = 10;
    }
    /// How containers reach the world.
    network: Network {
        /// The network of a container that names none.
        driver: ContainerNetwork = NetworkDriver::Slirp4netns.into();
        /// Where published ports listen when no address is given.
        publish_address: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        /// Name servers; empty: the host's.
        dns: Vec<IpAddr> = Vec::new();
    }
    /// What is kept of a container's output.
    log: Log {
        /// The size of one file, after which the next is begun.
        max_size: Size = Size(10 << 20);
        /// How many files are kept, at least one.
        max_files: NonZeroU32 = THREE;
    }
    /// How root file systems are made.
    storage: Storage {
        /// The driver.
        driver: StorageDriver = StorageDriver::Auto;
    }
    /// Programs of the host that rc starts; empty is looked for in a fixed list of directories, never in PATH.
    helpers: Helpers {
        /// slirp4netns(1).
        slirp4netns: Program = Program(None);
        /// pasta(1).
        pasta: Program = Program(None);
        /// fuse-overlayfs(1).
        fuse_overlayfs: Program = Program(None);
    }
}

impl Settings {
    /// Reads the configuration files; a usual one that is missing says nothing.
    pub(crate) fn load(dirs: &Dirs) -> Result<Self, Error> {
        let mut settings = Self::default();
        match dirs.config() {
            ConfigFiles::Only(path) => settings.read(path.clone())?,
            ConfigFiles::Usual(paths) => {
                for path in paths {
                    match settings.read(path.clone()) {
                        Err(Error::Path(error)) if error.is_not_found() => {}
                        other => other?,
                    }
                }
            }
        }
        Ok(settings)
    }

    fn read(&mut self, path: PathBuf) -> Result<(), Error> {
        let bytes = fs::read_limited(&path, FILE_LIMIT)?;
        let text = String::from_utf8_lossy(&bytes);
        self.read_text(&text, path)
    }

    fn read_text(&mut self, text: &str, path: PathBuf) -> Result<(), Error> {
        match toml::from_str::<file::File>(text) {
            Ok(file) => {
                self.apply(file, &Origin::File(path));
                Ok(())
            }
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start).min(text.len());
                let line = 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
                Err(Error::File { path, line, reason: reason(&error, text.lines().nth(line - 1).unwrap_or_default()) })
            }
        }
    }
}

/// The parser's sentence in our words, with the key that stands on `line`.
fn reason(error: &toml::de::Error, line: &str) -> String {
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    match (message.strip_prefix("unknown field"), line.split_once('=')) {
        (Some(rest), _) => format!("unknown key{rest}"),
        (None, Some((key, _))) => format!("`{}`: {message}", key.trim().escape_debug()),
        (None, None) => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let mut settings = Settings::default();
        settings.read_text(text, PathBuf::from("/c/rc.toml")).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn the_shipped_file_lists_every_key_at_its_default() {
        let shipped = read(include_str!("../config/rc.toml")).unwrap();
        let values = |settings: &Settings| -> Vec<(&str, String)> {
            settings.entries().into_iter().map(|entry| (entry.key, entry.value)).collect()
        };
        assert_eq!(values(&shipped), values(&Settings::default()));
        let missing: Vec<_> = shipped.entries().into_iter().filter(|entry| entry.origin == Origin::Default).collect();
        assert_eq!(missing, []);
    }

    #[test]
    fn a_value_knows_its_file() {
        let settings = read("[container]\nstop_timeout = 3\n[helpers]\npasta = \"/opt/pasta\"\n").unwrap();
        assert_eq!(settings.container.stop_timeout.value, 3);
        assert_eq!(settings.container.stop_timeout.origin, Origin::File(PathBuf::from("/c/rc.toml")));
        assert_eq!(settings.container.pids_limit.origin, Origin::Default);
        let entry = settings.entries().into_iter().find(|entry| entry.key == "helpers.pasta").unwrap();
        assert_eq!(entry.value, "\"/opt/pasta\"");
    }

    #[test]
    fn errors_name_line_and_key() {
        for (text, error) in [
            (
                "[network]\n\ndriverr = \"none\"\n",
                "`/c/rc.toml` line 3: unknown key `driverr`, expected one of `driver`, `publish_address`, `dns`",
            ),
            (
                "[network]\ndriver = \"bridge\"\n",
                "`/c/rc.toml` line 2: `driver`: invalid network `bridge`: the default network is slirp4netns, pasta, \
                 host or none",
            ),
            ("[log]\nmax_size = 5\n", "`/c/rc.toml` line 2: `max_size`: invalid type: integer `5`, expected a string"),
            (
                "[helpers]\npasta = \"pasta\"\n",
                "`/c/rc.toml` line 2: `pasta`: program `pasta` must be an absolute path",
            ),
        ] {
            assert_eq!(read(text).map(|_| ()), Err(error.to_owned()));
        }
        assert!(read("nonsense").is_err());
        assert!(read("[log]\nmax_size = \"0\"").is_err());
        assert!(read("[log]\nmax_files = 0").is_err());
    }
}
