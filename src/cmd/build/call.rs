//! `--call`: what is said about a Dockerfile. Source: docker-buildx-build(1).

use std::str::FromStr;

/// `--call`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// What is said.
    pub(super) method: Method,
    /// As JSON.
    pub(super) is_json: bool,
}

/// What is said about a Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// What the checks find.
    Check,
    /// What a build takes.
    Outline,
    /// Which stages there are.
    Targets,
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (method, format) = text.split_once(',').unwrap_or((text, "format=text"));
        let method = match method {
            "check" | "lint" => Method::Check,
            "outline" => Method::Outline,
            "targets" => Method::Targets,
            _ => return Err("it is one of check, outline, targets".to_owned()),
        };
        match format {
            "format=text" => Ok(Self { method, is_json: false }),
            "format=json" => Ok(Self { method, is_json: true }),
            _ => Err("its format is text or json".to_owned()),
        }
    }
}
