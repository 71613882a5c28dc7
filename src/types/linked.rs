use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Invalid, Name};

/// A name by which one container alone finds another (`--link`), written `NAME:ALIAS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Linked {
    /// The other container.
    pub(crate) to: Name,
    /// The name.
    pub(crate) alias: Name,
}

impl fmt::Display for Linked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.to, self.alias)
    }
}

impl FromStr for Linked {
    type Err = Invalid;

    /// Reads `NAME[:ALIAS]`; a container is its own alias, and may have the slash that docker shows. Source:
    /// docker-run(1), `--link`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (to, alias) = text.split_once(':').unwrap_or((text, text));
        let name = |part: &str| {
            let bare = part.strip_prefix('/').unwrap_or(part);
            bare.parse().map_err(|_| Invalid::new("link", text, "must be CONTAINER or CONTAINER:ALIAS"))
        };
        Ok(Self { to: name(to)?, alias: name(alias)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_its_own_alias() {
        let read = |text: &str| text.parse::<Linked>().map(|linked| linked.to_string()).ok();
        assert_eq!(read("db").as_deref(), Some("db:db"));
        assert_eq!(read("/db:sql").as_deref(), Some("db:sql"));
        for bad in ["", ":", "db:", ":sql", "a b", "db:a:b", "//db"] {
            let error = bad.parse::<Linked>().expect_err(bad).to_string();
            assert_eq!(error, format!("link `{bad}` must be CONTAINER or CONTAINER:ALIAS"));
        }
    }
}
