//! The name under which rc was called, and whose answers tools expect from it.

use std::ffi::OsStr;
use std::path::Path;

/// The program whose words rc speaks where docker and podman differ in what tools parse: `--version`, `version`, `info`
/// and `--format json`. A symlink named `docker` or `podman` decides, since tools know no other names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// rc itself, which follows podman.
    #[default]
    Rc,
    /// docker.
    Docker,
    /// podman.
    Podman,
}

/// The version of docker whose command line rc follows; tools compare it.
pub(crate) const DOCKER_VERSION: &str = "28.5.2";

/// The version of podman whose command line rc follows; tools compare it.
pub(crate) const PODMAN_VERSION: &str = "5.8.6";

impl Dialect {
    /// That of the program's own name, the first word of the command line.
    pub(crate) fn of_program(program: &OsStr) -> Self {
        match Path::new(program).file_name().and_then(OsStr::to_str) {
            // As a plugin of docker's it answers docker.
            Some("docker" | "docker-buildx") => Self::Docker,
            Some("podman") => Self::Podman,
            _ => Self::Rc,
        }
    }

    /// The program's name.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Rc => "rc",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// The line of `--version`. Tools split it by words: podman's must have three, docker's begins with its version.
    pub(crate) fn version_line(self) -> String {
        let own = env!("CARGO_PKG_VERSION");
        match self {
            Self::Rc => format!("rc version {own} (podman {PODMAN_VERSION}, docker {DOCKER_VERSION} compatible)"),
            Self::Docker => format!("Docker version {DOCKER_VERSION}, build rc-{own}"),
            Self::Podman => format!("podman version {PODMAN_VERSION}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_decides() {
        for (program, expected) in [
            ("rc", Dialect::Rc),
            ("/home/a/.local/bin/docker", Dialect::Docker),
            ("podman", Dialect::Podman),
            ("docker-rc", Dialect::Rc),
            ("/opt/docker/rc", Dialect::Rc),
            ("", Dialect::Rc),
        ] {
            assert_eq!(Dialect::of_program(OsStr::new(program)), expected, "{program}");
        }
    }

    #[test]
    fn version_lines_are_what_tools_parse() {
        assert_eq!(Dialect::Podman.version_line(), "podman version 5.8.6");
        let line = Dialect::Docker.version_line();
        assert!(line.starts_with("Docker version 28.5.2, build rc-") && !line.contains("podman"), "{line}");
        assert!(Dialect::Rc.version_line().starts_with(concat!("rc version ", env!("CARGO_PKG_VERSION"), " (podman ")));
    }
}
