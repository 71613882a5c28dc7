//! `rc.toml`: the defaults of the command line, each value with its origin.
//!
//! rc reads the user's containers.conf first, then `/etc/rc/rc.toml`, then the user's file, each with its drop-ins,
//! then the environment; each key replaces the earlier value. `RC_CONFIG` names one file to read instead of all of them
//! (`dirs`). Without any file, nothing is parsed. An unknown key of an rc.toml is an error: a misspelt one would
//! silently have no effect.

mod containers_conf;
mod value;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use crate::dirs::{ConfigFiles, Dirs};
use crate::sys::fs::{self, PathError};
use crate::sys::programs;
use crate::types::{DetachKeys, Network as ContainerNetwork, NetworkDriver, Report, ReportKind, StorageDriver};

use value::Value as _;
pub(crate) use value::{Bound, CacheMounts, EventLogger, Program, Size, Text, Texts};

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
    /// A variable of the environment has an invalid value.
    #[error("`{name}`: {reason}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::File { .. } | Error::Variable { .. } => ReportKind::Invalid,
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
    /// This variable of the environment.
    Variable(String),
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
            Self::Variable(name) => f.write_str(name),
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

            /// The keys, as section and name.
            const NAMES: &[(&str, &str)] = &[ $( $( (stringify!($section), stringify!($key)), )* )* ];

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
        /// Annotations: `NAME=VALUE`.
        annotations: Texts = Texts::default();
        /// What `/etc/hosts` begins with, as for `--hosts-file`.
        base_hosts_file: Text = Text::default();
        /// The capabilities of programs, instead of rc's own list.
        capabilities: Texts = Texts::default();
        /// Directories of files that describe devices; empty: `/etc/cdi`, `/var/run/cdi` and the user's own.
        cdi_spec_dirs: Texts = Texts::default();
        /// `private` or `host`.
        cgroupns: Text = Text::default();
        /// `enabled`, `disabled`, `no-conmon` or `split`.
        cgroups: Text = Text::default();
        /// The key sequence that leaves a terminal.
        detach_keys: DetachKeys = DetachKeys::default();
        /// Devices, as for `--device`.
        devices: Texts = Texts::default();
        /// Variables, which those of an image replace.
        env: Texts = Texts::default();
        /// Whether all variables of the caller are passed on.
        env_host: bool = false;
        /// Whether the caller's proxy variables are passed on.
        http_proxy: bool = true;
        /// Whether containers have an init.
        init: bool = false;
        /// `private`, `shareable`, `none` or `host`.
        ipc: Text = Text::default();
        /// `no_new_privs` for every container.
        no_new_privileges: bool = false;
        /// The limit of processes, set if a cgroup is available; 0 is none.
        pids_limit: u32 = 2048;
        /// When images are pulled.
        pull: Text = Text::default();
        /// Whether containers have the image's `/etc/hosts`.
        no_hosts: bool = false;
        /// Whether root filesystems are read-only.
        read_only: bool = false;
        /// The size of `/dev/shm`.
        shm_size: Size = Size(64 << 20);
        /// Seconds between the stop signal and SIGKILL.
        stop_timeout: u32 = 10;
        /// Kernel parameters: `NAME=VALUE`.
        sysctls: Texts = Texts::default();
        /// Limits, as for `--ulimit`.
        ulimits: Texts = Texts::default();
        /// The umask of programs, octal.
        umask: Text = Text::default();
        /// `private` or `host`.
        uts: Text = Text::default();
        /// Volumes, as for `--volume`.
        volumes: Texts = Texts::default();
    }
    /// The network of containers.
    network: Network {
        /// The network of a container that names none.
        driver: ContainerNetwork = NetworkDriver::Slirp4netns.into();
        /// The address for published ports without one.
        publish_address: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        /// Name servers; empty: the host's.
        dns: Vec<IpAddr> = Vec::new();
        /// Search domains; empty: the host's.
        dns_searches: Texts = Texts::default();
        /// Options of the resolver; empty: the host's.
        dns_options: Texts = Texts::default();
    }
    /// The log of a container's output.
    log: Log {
        /// Where the output goes.
        driver: Text = Text::default();
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
    /// Builds.
    build: Build {
        /// Which builds share caches that are mounted: `shared` or `per-context`.
        cache_mounts: CacheMounts = CacheMounts::Shared;
        /// The most bytes of the build cache that are in no image.
        cache_size: Bound = Bound(None);
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
            ConfigFiles::Only(path) => settings.read(path.clone(), Self::read_text)?,
            ConfigFiles::Usual { podman, own } => {
                settings.read_usual(podman, "conf", Self::read_containers_conf)?;
                for path in own {
                    settings.read_usual(path, "toml", Self::read_text)?;
                }
            }
        }
        settings.read_variables(|name| std::env::var(name).ok())?;
        settings.choose_network(|program| programs::find(program).is_some());
        Ok(settings)
    }

    /// The files of podman's from which a value comes.
    pub(crate) fn borrowed(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in self.entries() {
            if let Origin::File(path) = entry.origin
                && path.extension().is_some_and(|extension| extension == "conf")
                && !files.contains(&path)
            {
                files.push(path);
            }
        }
        files
    }

    /// Uses this driver (`--storage-driver`).
    pub(crate) fn choose_storage(&mut self, driver: StorageDriver) {
        self.storage.driver = Setting { value: driver, origin: Origin::Option("--storage-driver") };
    }

    /// Looks for descriptions of devices in these directories (`--cdi-spec-dir`).
    pub(crate) fn choose_devices(&mut self, directories: Vec<String>) {
        let origin = Origin::Option("--cdi-spec-dir");
        self.container.cdi_spec_dirs = Setting { value: Texts(directories), origin };
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

    /// Reads a file and its drop-ins, the files of `FILE.d` with this extension, in the order of their names. All of
    /// them may be missing: usually not even the directory exists, and one look tells.
    fn read_usual(&mut self, path: &Path, extension: &str, parse: Parse) -> Result<(), Error> {
        let parent = path.parent().map(fs::metadata);
        if parent.is_some_and(|found| found.is_err_and(|error| error.is_not_found())) {
            return Ok(());
        }
        let mut directory = path.as_os_str().to_owned();
        directory.push(".d");
        let mut paths = match fs::paths_in(Path::new(&directory)) {
            Err(error) if error.is_not_found() => Vec::new(),
            other => other?,
        };
        paths.retain(|path| path.extension().is_some_and(|found| found == extension));
        paths.sort();
        paths.insert(0, path.to_owned());
        for path in paths {
            match self.read(path, parse) {
                Err(Error::Path(error)) if error.is_not_found() => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn read(&mut self, path: PathBuf, parse: Parse) -> Result<(), Error> {
        let bytes = fs::read_limited(&path, FILE_LIMIT)?;
        let text = String::from_utf8_lossy(&bytes);
        parse(self, &text, path)
    }

    fn read_containers_conf(&mut self, text: &str, path: PathBuf) -> Result<(), Error> {
        match containers_conf::read(text) {
            Ok(file) => {
                self.apply(file, &Origin::File(path));
                Ok(())
            }
            Err(error) => Err(wrong(&error, text, path)),
        }
    }

    /// Reads `RC_SECTION_KEY` for every key: a value as in the file, with or without its quotes, and of a list also
    /// the members with commas between them.
    fn read_variables(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), Error> {
        for (section, key) in Self::NAMES {
            let name = format!("RC_{section}_{key}").to_ascii_uppercase();
            let Some(value) = variable(&name).filter(|value| !value.is_empty()) else { continue };
            let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
            let list: Vec<String> = value.split(',').map(|member| quoted(member.trim())).collect();
            let forms = [value.clone(), quoted(&value), format!("[{}]", list.join(", "))];
            let read = |form: &String| toml::from_str::<file::File>(&format!("[{section}]\n{key} = {form}\n"));
            let mut results = forms.iter().map(read);
            match results.find_map(Result::ok) {
                Some(file) => self.apply(file, &Origin::Variable(name)),
                None => {
                    let reason = read(&forms[1]).err().map(|error| error.message().to_owned()).unwrap_or_default();
                    return Err(Error::Variable { name, reason });
                }
            }
        }
        Ok(())
    }

    fn read_text(&mut self, text: &str, path: PathBuf) -> Result<(), Error> {
        match toml::from_str::<file::File>(text) {
            Ok(file) => {
                self.apply(file, &Origin::File(path));
                Ok(())
            }
            Err(error) => Err(wrong(&error, text, path)),
        }
    }
}

/// Applies the text of a file.
type Parse = fn(&mut Settings, &str, PathBuf) -> Result<(), Error>;

/// The parser's error with its line.
fn wrong(error: &toml::de::Error, text: &str, path: PathBuf) -> Error {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let line = 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
    Error::File { path, line, reason: reason(error, text.lines().nth(line - 1).unwrap_or_default()) }
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
mod tests;
