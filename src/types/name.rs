use std::fmt;
use std::str::FromStr;

use super::{Invalid, serde_as_string};

/// The name of a container, volume or network: `[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}`, so that it is one path component,
/// never an option and never a control sequence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    /// The name of the network that exists without having been created.
    pub(crate) fn default_network() -> Self {
        Self("podman".to_owned())
    }

    /// The network that has this name: `bridge` and `default` are other names of the default network, as in docker.
    pub(crate) fn of_network(self) -> Self {
        if matches!(self.as_str(), "bridge" | "default") { Self::default_network() } else { self }
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let rest_is_fine = || text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if text.len() > 128 {
            return Err(Invalid::new(
                "name",
                text.chars().take(128).collect::<String>(),
                "must have at most 128 characters",
            ));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || !rest_is_fine() {
            return Err(Invalid::new("name", text, "must match [a-zA-Z0-9][a-zA-Z0-9_.-]*"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_string!(Name);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_network_has_three_names() {
        for (typed, name) in [("bridge", "podman"), ("default", "podman"), ("podman", "podman"), ("app", "app")] {
            assert_eq!(typed.parse::<Name>().expect("a name").of_network().as_str(), name);
        }
    }

    #[test]
    fn a_name_is_one_harmless_component() {
        for good in ["a", "web-1", "A_b.c", &"x".repeat(128)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-rf", "_x", "a/b", "a\nb", "a\u{1b}[2J", "é", &"x".repeat(129)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
