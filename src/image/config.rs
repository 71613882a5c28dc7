use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::Digest;

/// An image's configuration, the part that rc uses. Docker writes `null` for an empty list.
///
/// Source: image-spec config.md.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Config {
    /// When the image was created, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<String>,
    /// Its author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<String>,
    /// The version of docker that built it; podman's `Version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) docker_version: Option<String>,
    /// As in Go's GOARCH.
    #[serde(default)]
    pub(crate) architecture: String,
    /// Such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
    /// As in Go's GOOS.
    #[serde(default)]
    pub(crate) os: String,
    /// The version of the operating system, which Windows images have.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub(crate) os_version: Option<String>,
    /// The defaults of its containers.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) config: Settings,
    /// The layers.
    pub(crate) rootfs: RootFs,
    /// The history of the layers.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) history: Vec<History>,
}

/// The defaults of an image's containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Settings {
    /// `USER`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub(crate) user: String,
    /// The keys are `80/tcp`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) exposed_ports: BTreeMap<String, Value>,
    /// `NAME=value`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<String>,
    /// The entry point.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) entrypoint: Vec<String>,
    /// The command.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) cmd: Vec<String>,
    /// The keys are paths.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) volumes: BTreeMap<String, Value>,
    /// The working directory.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub(crate) working_dir: String,
    /// Labels.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// Such as `SIGTERM`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub(crate) stop_signal: String,
    /// docker's own: the command is already escaped, for Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) args_escaped: Option<bool>,
    /// docker's own: how to find out whether a container is healthy. Kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) healthcheck: Option<Value>,
    /// docker's own: instructions for images that are built on this one.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) on_build: Vec<String>,
    /// docker's own: the shell of further instructions.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) shell: Vec<String>,
}

/// The layers of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootFs {
    /// `layers`.
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    /// The digests of the uncompressed layers, lowest first.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) diff_ids: Vec<Digest>,
}

/// The history of a layer, or of a change of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    /// Its time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<String>,
    /// Its instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<String>,
    /// Its author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<String>,
    /// A comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comment: Option<String>,
    /// It has no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) empty_layer: bool,
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_empty_and_what_is_empty_is_left_out() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"Env":null,"Cmd":["sh"],"Labels":null},
            "rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let config: Config = crate::types::json::from_str(text).expect("parses");
        assert_eq!(config.config.cmd, ["sh"]);
        let text = serde_json::to_string(&config).expect("writes");
        assert_eq!(
            text,
            concat!(
                r#"{"architecture":"amd64","os":"linux","config":{"Cmd":["sh"]},"#,
                r#""rootfs":{"type":"layers","diff_ids":[]},"history":[]}"#
            )
        );
        assert!(crate::types::json::from_str::<Config>(r#"{"config":null,"rootfs":{}}"#).is_ok());
    }
}
