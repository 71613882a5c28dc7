//! `--restart`: what the monitor does when the program ends by itself.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::types::Invalid;

/// When the program is started again after it has ended, unless the user ended it. Source: podman-run(1), "--restart".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RestartPolicy {
    /// Never.
    No,
    /// Always, and after a boot.
    Always,
    /// Always, and after a boot unless the user had stopped it before.
    UnlessStopped,
    /// When its exit code is not 0.
    OnFailure {
        /// How often at most; `None` is no bound.
        retries: Option<u32>,
    },
}

impl RestartPolicy {
    /// The word that `--restart` takes, without the number.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
            Self::OnFailure { .. } => "on-failure",
        }
    }

    /// How often the program is started again at most; 0 is no bound.
    pub(crate) fn retries(self) -> u32 {
        match self {
            Self::OnFailure { retries: Some(retries) } => retries,
            _ => 0,
        }
    }
}

/// Reads `--restart`. A container that `--rm` removes at its end cannot be started again.
pub(super) fn policy(text: Option<&str>, auto_remove: bool) -> Result<RestartPolicy, Error> {
    match text.map_or(Ok(RestartPolicy::No), str::parse).map_err(Error::option("--restart"))? {
        RestartPolicy::No => Ok(RestartPolicy::No),
        _ if auto_remove => Err(Error::RestartAndRemove),
        policy => Ok(policy),
    }
}

impl FromStr for RestartPolicy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: &str| Invalid::new("restart policy", text, reason);
        let (word, retries) = match text.split_once(':') {
            Some((word, retries)) => (word, Some(retries)),
            None => (text, None),
        };
        match (word, retries) {
            ("" | "no", None) => Ok(Self::No),
            ("always", None) => Ok(Self::Always),
            ("unless-stopped", None) => Ok(Self::UnlessStopped),
            ("on-failure", None) => Ok(Self::OnFailure { retries: None }),
            ("on-failure", Some(retries)) => {
                let retries =
                    retries.parse::<u32>().map_err(|_| invalid("the number of retries must be a whole number"))?;
                Ok(Self::OnFailure { retries: Some(retries).filter(|retries| *retries > 0) })
            }
            ("no" | "always" | "unless-stopped", Some(_)) => Err(invalid("only on-failure takes a number of retries")),
            _ => Err(invalid("must be no, always, on-failure[:RETRIES] or unless-stopped")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_other_words_are_refused() {
        let failure = |retries| RestartPolicy::OnFailure { retries };
        for (text, expected) in [
            ("no", RestartPolicy::No),
            ("", RestartPolicy::No),
            ("always", RestartPolicy::Always),
            ("unless-stopped", RestartPolicy::UnlessStopped),
            ("on-failure", failure(None)),
            ("on-failure:3", failure(Some(3))),
            ("on-failure:0", failure(None)),
        ] {
            assert_eq!(text.parse::<RestartPolicy>().map_err(|error| error.to_string()), Ok(expected), "{text}");
            let json = serde_json::to_string(&expected).expect("json");
            assert_eq!(crate::types::json::from_str::<RestartPolicy>(&json).expect("read back"), expected);
        }
        for text in ["Always", "always:1", "no:1", "on-failure:", "on-failure:-1", "on-failure:x", ":3", "sometimes"] {
            assert!(text.parse::<RestartPolicy>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_container_that_removes_itself_is_not_started_again() {
        assert!(policy(Some("always"), false).is_ok());
        assert!(policy(Some("no"), true).is_ok());
        assert!(policy(None, true).is_ok());
        let refused = policy(Some("always"), true).expect_err("refused").to_string();
        assert_eq!(refused, "`--rm` and `--restart` cannot be used together");
    }
}
