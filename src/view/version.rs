//! `version`.

use serde::Serialize;
use serde_json::{Value, json};

use crate::types::{DOCKER_VERSION, Dialect, PODMAN_VERSION};

/// One side of `version`, with podman's names.
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

/// What `version` shows.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    side: Side,
    dialect: Dialect,
    kernel: String,
}

/// The version of docker's API whose commands, options and field names rc follows. rc does not serve it.
const API_VERSION: &str = "1.41";

/// The same for tools that call rc by the name docker.
const DOCKER_API_VERSION: &str = "1.44";

/// rc's own version.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// This program, as it was called; `kernel` is the host's release.
pub(crate) fn version(dialect: Dialect, kernel: &str) -> Version {
    Version { side: side(dialect), dialect, kernel: kernel.to_owned() }
}

pub(super) fn side(dialect: Dialect) -> Side {
    // Go's names of architectures, which tools compare.
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let (version, api_version) = match dialect {
        Dialect::Rc => (OWN, API_VERSION),
        Dialect::Podman => (PODMAN_VERSION, PODMAN_VERSION),
        Dialect::Docker => (DOCKER_VERSION, DOCKER_API_VERSION),
    };
    Side {
        api_version,
        version,
        git_commit: option_env!("RC_GIT_COMMIT").unwrap_or(""),
        os: "linux",
        os_arch: format!("linux/{arch}"),
        arch,
    }
}

impl Version {
    /// The object for `--format json`: as with podman, without a server, which rc does not have; docker's has one,
    /// whose absence tools take for a daemon that does not run.
    pub(crate) fn json(&self) -> Value {
        if self.dialect == Dialect::Docker { self.docker() } else { json!({ "Client": self.side }) }
    }

    /// The object for templates. Dev containers decide by `{{.Server.APIVersion}}` what they request; as with podman,
    /// they get the client.
    pub(crate) fn for_templates(&self) -> Value {
        if self.dialect == Dialect::Docker {
            return self.docker();
        }
        json!({ "Client": self.side, "Server": self.side })
    }

    /// docker's object. Source: docker CLI `cli/command/system/version.go`. `ApiVersion` is the name in JSON,
    /// `APIVersion` that in templates.
    fn docker(&self) -> Value {
        let Side { api_version, version, arch, .. } = self.side;
        let commit = format!("rc-{OWN}");
        let details = json!({
            "ApiVersion": api_version, "Arch": arch, "BuildTime": "", "Experimental": "false", "GitCommit": commit,
            "GoVersion": "", "KernelVersion": self.kernel, "MinAPIVersion": "1.24", "Os": "linux",
        });
        json!({
            "Client": {
                "Platform": { "Name": "rc" }, "Version": version, "ApiVersion": api_version, "APIVersion": api_version,
                "DefaultAPIVersion": api_version, "GitCommit": commit, "GoVersion": "", "Os": "linux", "Arch": arch,
                "BuildTime": "", "Context": "default",
            },
            "Server": {
                "Platform": { "Name": "rc" },
                "Components": [{ "Name": "Engine", "Version": version, "Details": details }],
                "Version": version, "ApiVersion": api_version, "APIVersion": api_version, "MinAPIVersion": "1.24",
                "GitCommit": commit, "GoVersion": "", "Os": "linux", "Arch": arch, "KernelVersion": self.kernel,
                "BuildTime": "",
            },
        })
    }

    /// The lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Side { api_version, version, git_commit, os_arch, .. } = &self.side;
        if self.dialect == Dialect::Docker {
            let side = |name: &str, minimum: &str| {
                vec![
                    format!("{name}:"),
                    format!(" Version:           {version}"),
                    format!(" API version:       {api_version}{minimum}"),
                    format!(" Git commit:        rc-{OWN}"),
                    format!(" OS/Arch:           {os_arch}"),
                ]
            };
            let client =
                side("Client", "").into_iter().chain([" Context:           default".to_owned(), String::new()]);
            return client.chain(side("Server", " (minimum version 1.24)")).collect();
        }
        let client = if self.dialect == Dialect::Podman { "Podman Engine" } else { "rc" };
        let mut lines = vec![
            format!("Client:       {client}"),
            format!("Version:      {version}"),
            format!("API Version:  {api_version}"),
        ];
        if !git_commit.is_empty() {
            lines.push(format!("Git Commit:   {git_commit}"));
        }
        lines.push(format!("OS/Arch:      {os_arch}"));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_server_and_templates_do() {
        let rc = version(Dialect::Rc, "6.1.0");
        assert_eq!(rc.json()["Client"]["Version"], OWN);
        assert!(rc.json().get("Server").is_none());
        assert_eq!(rc.for_templates()["Server"]["APIVersion"], "1.41");
    }

    #[test]
    fn tools_find_the_versions_of_the_program_that_they_called() {
        let docker = version(Dialect::Docker, "6.1.0");
        for shown in [docker.json(), docker.for_templates()] {
            for path in ["/Client/ApiVersion", "/Client/APIVersion", "/Server/ApiVersion", "/Server/APIVersion"] {
                assert_eq!(shown.pointer(path), Some(&json!("1.44")), "{path}");
            }
            assert_eq!(shown["Server"]["Version"], "28.5.2");
            assert_eq!(shown["Server"]["Os"], "linux");
            assert_eq!(shown["Server"]["Components"][0]["Details"]["KernelVersion"], "6.1.0");
        }
        assert!(!docker.json().to_string().contains("podman") && !docker.lines().join("\n").contains("podman"));
        let podman = version(Dialect::Podman, "6.1.0");
        assert_eq!(podman.json()["Client"]["Version"], "5.8.6");
        assert_eq!(podman.lines()[..2], ["Client:       Podman Engine", "Version:      5.8.6"]);
    }
}
