//! `version`.

use serde::Serialize;

/// One side of `version`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Side {
    #[serde(rename = "APIVersion")]
    api_version: &'static str,
    pub(super) version: &'static str,
    git_commit: &'static str,
    os: &'static str,
    os_arch: String,
    pub(super) arch: &'static str,
}

/// The object of `version`. rc has no server, but templates ask for one: dev containers decide by
/// `{{.Server.APIVersion}}` what they request. As with podman, they get the client.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Version {
    client: Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Side>,
}

/// The version of docker's API whose commands, options and field names rc follows. rc does not serve it.
const API_VERSION: &str = "1.41";

/// This program.
pub(crate) fn version() -> Version {
    Version { client: side(), server: None }
}

pub(super) fn side() -> Side {
    // Go's names of architectures, which tools compare.
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Side {
        api_version: API_VERSION,
        version: env!("CARGO_PKG_VERSION"),
        git_commit: option_env!("RC_GIT_COMMIT").unwrap_or(""),
        os: "linux",
        os_arch: format!("linux/{arch}"),
        arch,
    }
}

impl Version {
    /// The object for templates, in which the client is also the server.
    pub(crate) fn for_templates(mut self) -> Self {
        self.server = Some(self.client.clone());
        self
    }

    /// The lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            "Client:       rc".to_owned(),
            format!("Version:      {}", self.client.version),
            format!("API Version:  {}", self.client.api_version),
        ];
        if !self.client.git_commit.is_empty() {
            lines.push(format!("Git Commit:   {}", self.client.git_commit));
        }
        lines.push(format!("OS/Arch:      {}", self.client.os_arch));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_server_and_templates_do() -> anyhow::Result<()> {
        let json = serde_json::to_value(version())?;
        assert_eq!(json["Client"]["Version"], env!("CARGO_PKG_VERSION"));
        assert!(json.get("Server").is_none());
        let seen = serde_json::to_value(version().for_templates())?;
        assert_eq!(seen["Server"]["APIVersion"], "1.41");
        Ok(())
    }
}
