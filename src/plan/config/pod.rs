//! What a pod has beyond a container.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::{RestartPolicy, TextFile};
use crate::types::{ContainerId, Name, NamespaceKind};

/// The settings of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodSettings {
    /// The kinds of its namespaces that its members have.
    pub(crate) shared: BTreeSet<NamespaceKind>,
    /// A process keeps its namespaces (`--infra`); otherwise it only joins containers under a name.
    pub(crate) has_process: bool,
    /// What happens when its last member ends.
    #[serde(default)]
    pub(crate) exit_policy: ExitPolicy,
    /// The restart policy of members that have none of their own.
    pub(crate) restart: RestartPolicy,
    /// Security options of all members (`--security-opt`), before their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) security_opts: Vec<String>,
    /// The files that these name, read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) seccomp_profiles: Vec<TextFile>,
    /// A further name of the pod in its networks and in `/etc/hosts` (`--infra-name`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) infra_name: Option<Name>,
    /// Variables of all members: what the descriptions of its devices set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) device_env: Vec<String>,
    /// The cgroups of members are not in that of the pod (`--share-parent=false`).
    #[serde(default)]
    pub(crate) has_members_elsewhere: bool,
}

/// The pod of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Membership {
    /// Its ID.
    pub(crate) id: ContainerId,
    /// Its name, which never changes.
    pub(crate) name: Name,
    /// The container runs before the others, when the pod is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) init: Option<InitContainer>,
    /// Its cgroup is not in that of the pod.
    #[serde(default)]
    pub(crate) is_elsewhere: bool,
}

/// How often a container runs that prepares a pod (`--init-ctr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InitContainer {
    /// At each start of the pod.
    Always,
    /// At the next one, which removes it.
    Once,
}

/// What a pod does when its last member ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExitPolicy {
    /// It goes on.
    #[default]
    Continue,
    /// It stops.
    Stop,
}

impl ExitPolicy {
    /// The word of `--exit-policy`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Stop => "stop",
        }
    }
}
