//! The defaults that an image gives its containers, in docker's JSON, which OCI images have, too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The defaults of an image's containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageSettings {
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
    /// docker's own: how to find out whether a container is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) healthcheck: Option<Healthcheck>,
    /// docker's own: instructions for images that are built on this one.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) on_build: Vec<String>,
    /// docker's own: the shell of further instructions.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) shell: Vec<String>,
    /// Fields that rc does not know.
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

impl ImageSettings {
    /// Takes what another one says: its values replace these, its variables, labels, ports and volumes are added. What
    /// it does not say stays. Source: buildah, `OverrideConfig`.
    pub(crate) fn merge(&mut self, other: Self) {
        fn replace<T: Default + PartialEq>(old: &mut T, new: T) {
            if new != T::default() {
                *old = new;
            }
        }
        let name = |line: &String| line.split('=').next().unwrap_or_default().to_owned();
        for line in other.env {
            match self.env.iter_mut().find(|old| name(old) == name(&line)) {
                Some(old) => *old = line,
                None => self.env.push(line),
            }
        }
        self.exposed_ports.extend(other.exposed_ports);
        self.volumes.extend(other.volumes);
        self.labels.extend(other.labels);
        replace(&mut self.user, other.user);
        replace(&mut self.entrypoint, other.entrypoint);
        replace(&mut self.cmd, other.cmd);
        replace(&mut self.working_dir, other.working_dir);
        replace(&mut self.stop_signal, other.stop_signal);
        replace(&mut self.healthcheck, other.healthcheck);
        replace(&mut self.on_build, other.on_build);
        replace(&mut self.shell, other.shell);
    }
}

/// How to find out whether a container is healthy. A duration or number that is zero is inherited, or the default.
///
/// Source: docker's image specification v1.2, "Healthcheck"; moby, `HealthcheckConfig`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Healthcheck {
    /// Empty: inherited. `["NONE"]`: none. `["CMD", …]`: a program with its arguments. `["CMD-SHELL", line]`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) test: Vec<String>,
    /// Between two checks, nanoseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub(crate) interval: i64,
    /// A check that takes longer has failed, nanoseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub(crate) timeout: i64,
    /// In which failures do not count, from the start of the container, nanoseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub(crate) start_period: i64,
    /// Between two checks during the start period, nanoseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub(crate) start_interval: i64,
    /// After how many failures in a row the container is unhealthy.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    pub(crate) retries: i64,
    /// Fields that rc does not know.
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A value that docker may write as `null`.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
