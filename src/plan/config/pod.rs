//! What a pod has beyond a container.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::RestartPolicy;
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
}

/// The pod of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Membership {
    /// Its ID.
    pub(crate) id: ContainerId,
    /// Its name, which never changes.
    pub(crate) name: Name,
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
