//! Where an image comes from or goes to, as skopeo's and podman's transports name it.

use std::path::PathBuf;

use crate::types::{ImageReference, Invalid};

/// A source or a destination. Source: containers-transports(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// `[docker://]REFERENCE`: a registry.
    Registry(ImageReference),
    /// `oci:DIRECTORY[:NAME]`.
    OciLayout {
        /// The directory.
        path: PathBuf,
        /// The image's name in it.
        name: Option<String>,
    },
    /// `oci-archive:FILE[:NAME]`.
    OciArchive {
        /// The file.
        path: PathBuf,
        /// The image's name in it.
        name: Option<String>,
    },
    /// `docker-archive:FILE[:REFERENCE]`.
    DockerArchive {
        /// The file.
        path: PathBuf,
        /// The image's name in it.
        name: Option<ImageReference>,
    },
    /// `dir:DIRECTORY`.
    Directory {
        /// The directory.
        path: PathBuf,
    },
}

/// Transports of podman's that rc does not have, and what does the same.
const OTHERS: [(&str, &str); 6] = [
    ("atomic", "use `docker://`"),
    ("containers-storage", "export it from there with `podman save`, and load it here with `rc load`"),
    ("docker-daemon", "pipe it: `docker save IMAGE | rc load`, or `rc save IMAGE | docker load`"),
    ("ostree", "use an `oci:` directory"),
    ("sif", "use an `oci-archive:`"),
    ("tarball", "use `rc import`"),
];

impl Location {
    /// Parses what the user typed; without a transport it is a name in a registry.
    pub(crate) fn parse(typed: &str) -> Result<Self, Invalid> {
        let Some((transport, rest)) = typed.split_once(':') else { return Ok(Self::Registry(typed.parse()?)) };
        let invalid = |reason: &str| Invalid::new("image", typed, reason);
        let path = |path: &str| match path {
            "" => Err(invalid(&format!("needs a path after `{transport}:`"))),
            path => Ok(PathBuf::from(path)),
        };
        if let Some((_, instead)) = OTHERS.iter().find(|(name, _)| *name == transport) {
            return Err(invalid(&format!("rc has no transport `{transport}:`: {instead}")));
        }
        // A path with a colon cannot be told from a path with a name, as with podman.
        let (first, name) = match rest.split_once(':') {
            Some((first, name)) => (first, Some(name).filter(|name| !name.is_empty())),
            None => (rest, None),
        };
        Ok(match transport {
            "docker" => match rest.strip_prefix("//") {
                Some(name) => Self::Registry(name.parse()?),
                None => return Err(invalid("must begin with `docker://`")),
            },
            "oci" => Self::OciLayout { path: path(first)?, name: name.map(str::to_owned) },
            "oci-archive" => Self::OciArchive { path: path(first)?, name: name.map(str::to_owned) },
            "docker-archive" => Self::DockerArchive { path: path(first)?, name: name.map(str::parse).transpose()? },
            "dir" => Self::Directory { path: path(rest)? },
            _ => Self::Registry(typed.parse()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_those_of_podman() {
        let name = |text: &str| text.parse::<ImageReference>().expect("a reference");
        let path = PathBuf::from;
        for (typed, expected) in [
            ("app", Location::Registry(name("docker.io/library/app:latest"))),
            ("localhost:5000/app", Location::Registry(name("localhost:5000/app:latest"))),
            ("docker://h.io/app:1", Location::Registry(name("h.io/app:1"))),
            ("oci:/a/b", Location::OciLayout { path: path("/a/b"), name: None }),
            ("oci:a:x/y:1", Location::OciLayout { path: path("a"), name: Some("x/y:1".to_owned()) }),
            ("oci-archive:a.tar:1", Location::OciArchive { path: path("a.tar"), name: Some("1".to_owned()) }),
            ("docker-archive:a.tar", Location::DockerArchive { path: path("a.tar"), name: None }),
            (
                "docker-archive:a.tar:h.io/app:1",
                Location::DockerArchive { path: path("a.tar"), name: Some(name("h.io/app:1")) },
            ),
            ("dir:a:b", Location::Directory { path: path("a:b") }),
        ] {
            assert_eq!(Location::parse(typed), Ok(expected), "{typed}");
        }
        for (bad, reason) in [
            ("docker:app", "docker://"),
            ("docker://", "must have 1 to 512"),
            ("oci:", "needs a path"),
            ("dir:", "needs a path"),
            ("containers-storage:app", "podman save"),
            ("docker-daemon:app:1", "docker save"),
            ("oci-archive::1", "needs a path"),
            ("docker-archive:a:A", "lower case"),
        ] {
            let text = Location::parse(bad).map(drop).expect_err("refused").to_string();
            assert!(text.contains(reason), "{bad}: {text}");
        }
    }
}
