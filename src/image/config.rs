use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::types::{Digest, ImageSettings, or_default};

/// An image's configuration: what rc uses, and everything else as it is. Docker writes `null` for an empty list.
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
    pub(crate) config: ImageSettings,
    /// The layers.
    pub(crate) rootfs: RootFs,
    /// The history of the layers.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) history: Vec<History>,
    /// Fields that rc does not know.
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
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

    #[test]
    fn what_rc_does_not_know_is_kept() {
        let text = concat!(
            r#"{"architecture":"amd64","os":"linux","config":{"Cmd":["sh"],"#,
            r#""Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":30000000000,"Retries":3,"Later":1},"#,
            r#""OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],"MacAddress":"","Domainname":"d"},"#,
            r#""rootfs":{"type":"layers","diff_ids":[]},"history":[],"os.features":["f"],"later":{"a":[1]}}"#
        );
        let config: Config = crate::types::json::from_str(text).expect("parses");
        let check = config.config.healthcheck.as_ref().expect("a health check");
        assert_eq!((check.interval, check.timeout, check.retries), (30_000_000_000, 0, 3));
        assert_eq!(serde_json::to_string(&config).expect("writes"), text);
    }
}
