use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// How a container reaches the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "mode")]
pub(crate) enum NetworkMode {
    /// Loopback only.
    None,
    /// The host's own network namespace.
    Host,
    /// slirp4netns.
    Slirp4netns,
    /// pasta.
    Pasta,
}

impl NetworkMode {
    /// The word, as `--network` takes it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Host => "host",
            Self::Slirp4netns => "slirp4netns",
            Self::Pasta => "pasta",
        }
    }

    /// Whether ports can be published: the container has a network of its own, with a way out.
    pub(crate) fn forwards_ports(&self) -> bool {
        matches!(self, Self::Slirp4netns | Self::Pasta)
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NetworkMode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = |reason: &str| Err(Invalid::new("network mode", text, reason));
        match text {
            "none" => Ok(Self::None),
            "host" => Ok(Self::Host),
            "slirp4netns" => Ok(Self::Slirp4netns),
            "pasta" => Ok(Self::Pasta),
            "bridge" | "default" | "private" => {
                refused("there are no bridge networks; use slirp4netns, pasta, host or none")
            }
            _ if text.starts_with("container:") => refused("the network of another container cannot be joined"),
            _ if text.starts_with("ns:") => refused("a network namespace cannot be joined by path"),
            _ if text.starts_with("slirp4netns:") || text.starts_with("pasta:") => {
                refused("the mode takes no options; `rc.toml` has the settings of the network")
            }
            _ => refused("neither none, host, slirp4netns nor pasta; there are no named networks"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_modes_and_a_reason_for_each_other() {
        for text in ["none", "host", "slirp4netns", "pasta"] {
            assert_eq!(text.parse::<NetworkMode>().map(|mode| mode.to_string()), Ok(text.to_owned()));
        }
        for (text, reason) in [
            ("bridge", "there are no bridge networks; use slirp4netns, pasta, host or none"),
            ("container:web", "the network of another container cannot be joined"),
            ("ns:/run/x", "a network namespace cannot be joined by path"),
            ("pasta:-4", "the mode takes no options; `rc.toml` has the settings of the network"),
            ("backend", "neither none, host, slirp4netns nor pasta; there are no named networks"),
            ("", "neither none, host, slirp4netns nor pasta; there are no named networks"),
        ] {
            assert_eq!(text.parse::<NetworkMode>().map_err(|e| e.reason), Err(reason.to_owned()), "{text}");
        }
    }
}
