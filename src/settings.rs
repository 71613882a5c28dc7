//! `rc.toml`: the defaults of the command line, each value with its origin.
//!
//! rc reads `/etc/rc/rc.toml` first, then the user's file; each key replaces the earlier value. `RC_CONFIG` names one
//! file to read instead of both (`dirs`). Without any file, nothing is parsed. An unknown key is an error: a misspelt
//! one would silently have no effect.

mod value;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use crate::dirs::{ConfigFiles, Dirs};
use crate::sys::fs::{self, PathError};
use crate::sys::programs;
use crate::types::{DetachKeys, Network as ContainerNetwork, NetworkDriver, Report, ReportKind, StorageDriver};

use value::Value as _;
pub(crate) use value::{EventLogger, Program, Size};

const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

/// The maximum size of an `rc.toml`, in bytes.
const FILE_LIMIT: u64 = 1 << 20;

/// Why the settings cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The file is not TOML, or has an invalid key or value.
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

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The default.
    Default,
    /// This file.
    File(PathBuf),
    /// This option of the command line.
    Option(&'static str),
    /// The default needs this program, which is not installed.
    Without(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Option(name) => f.write_str(name),
            Self::Without(program) => write!(f, "default, since {program} is not installed"),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Its origin.
    pub(crate) origin: Origin,
}

/// One setting in the list of `rc info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The key, such as `network.driver`.
    pub(crate) key: &'static str,
    /// The value, as in `rc.toml`.
    pub(crate) value: String,
    /// Its origin.
    pub(crate) origin: Origin,
}

/// Declares the keys once: the settings, their defaults, the file's format and the list are generated from it.
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
            /// The defaults.
            fn default() -> Self {
                Self {
                    $( $section: $Section { $( $key: Setting { value: $default, origin: Origin::Default }, )* }, )*
                }
            }
        }

        impl Settings {
            /// Replaces these values by those of a file.
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

        /// The format of `rc.toml`: every section and key may be missing, none may be unknown.
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
    /// Defaults of every container.
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
    /// The network of containers.
    network: Network {
        /// The network of a container that names none.
        driver: ContainerNetwork = NetworkDriver::Slirp4netns.into();
        /// The address for published ports without one.
        publish_address: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        /// Name servers; empty: the host's.
        dns: Vec<IpAddr> = Vec::new();
    }
    /// The log of a container's output.
    log: Log {
        /// The maximum size of a log file before the next one is started.
        max_size: Size = Size(10 << 20);
        /// The maximum number of log files, at least one.
        max_files: NonZeroU32 = THREE;
    }
    /// What happens, for `rc events`.
    events: Events {
        /// Where it is written.
        logger: EventLogger = EventLogger::File;
    }
    /// How root filesystems are created.
    storage: Storage {
        /// The driver.
        driver: StorageDriver = StorageDriver::Auto;
    }
    /// Programs of the host that rc starts; if a path is empty, rc looks in a fixed list of directories, never in PATH.
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
    /// Reads the configuration files; one of the usual files may be missing.
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
        settings.choose_network(|program| programs::find(program).is_some());
        Ok(settings)
    }

    /// Uses this driver (`--storage-driver`).
    pub(crate) fn choose_storage(&mut self, driver: StorageDriver) {
        self.storage.driver = Setting { value: driver, origin: Origin::Option("--storage-driver") };
    }

    /// Uses the other helper by default if only that is installed. What a file names is used or is an error.
    fn choose_network(&mut self, is_installed: impl Fn(&str) -> bool) {
        let (usual, other) = (NetworkDriver::Slirp4netns, NetworkDriver::Pasta);
        let driver = &mut self.network.driver;
        let chosen = driver.origin != Origin::Default || self.helpers.slirp4netns.origin != Origin::Default;
        if !chosen && !is_installed(usual.as_str()) && is_installed(other.as_str()) {
            *driver = Setting { value: other.into(), origin: Origin::Without(usual.as_str()) };
        }
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

/// The parser's error in our words, with the key on `line`.
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
    fn the_default_network_is_the_helper_that_is_installed() {
        let file = |text: &str| {
            let mut settings = Settings::default();
            settings.read_text(text, PathBuf::from("/c/rc.toml")).expect("a valid file");
            settings
        };
        for (text, installed, expected) in [
            ("", &["slirp4netns", "pasta"][..], "slirp4netns (default)"),
            ("", &["slirp4netns"], "slirp4netns (default)"),
            ("", &["pasta"], "pasta (default, since slirp4netns is not installed)"),
            // The error names the usual one.
            ("", &[], "slirp4netns (default)"),
            ("[network]\ndriver = \"slirp4netns\"", &["pasta"], "slirp4netns (/c/rc.toml)"),
            ("[network]\ndriver = \"none\"", &["pasta"], "none (/c/rc.toml)"),
            ("[helpers]\nslirp4netns = \"/opt/slirp4netns\"", &["pasta"], "slirp4netns (default)"),
        ] {
            let mut settings = file(text);
            settings.choose_network(|program| installed.contains(&program));
            let Setting { value, origin } = &settings.network.driver;
            assert_eq!(format!("{value} ({origin})"), expected, "{text} {installed:?}");
        }
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
                "`/c/rc.toml` line 2: `driver`: network `bridge` must be slirp4netns, pasta, host or none",
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
