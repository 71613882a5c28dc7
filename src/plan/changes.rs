//! `update`: what can be changed of a container that is there already, and what becomes of it.

use serde::{Deserialize, Serialize};

use super::{BlockDevices, ContainerConfig, Error, LimitChanges, LimitRequest, Limits, RestartPolicy};

/// What is to change, read. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// Limits.
    pub(crate) limits: LimitChanges,
    /// What happens when the program ends by itself.
    pub(crate) restart: Option<RestartPolicy>,
}

/// What counts instead of the same fields of the container's configuration, which is written once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Updated {
    /// Limits by cgroup.
    pub(crate) limits: Limits,
    /// What happens when the program ends by itself.
    pub(crate) restart: RestartPolicy,
}

impl Changes {
    /// Reads what was typed: limits as [`LimitChanges::read`] does, and `--restart`.
    pub(crate) fn read(
        limits: &LimitRequest,
        restart: Option<&str>,
        block_devices: &BlockDevices,
    ) -> Result<Self, Error> {
        let limits = LimitChanges::read(limits, block_devices)?;
        let restart = restart.map(str::parse).transpose().map_err(Error::option("--restart"))?;
        Ok(Self { limits, restart })
    }

    /// Whether nothing is to change.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ContainerConfig {
    /// What a change makes of this container. Fails if it does not go together then.
    pub(crate) fn changed_by(&self, changes: &Changes) -> Result<Updated, Error> {
        let limits = self.limits.changed_by(&changes.limits)?;
        let restart = changes.restart.unwrap_or(self.restart);
        if self.auto_remove && restart != RestartPolicy::No {
            return Err(Error::RestartAndRemove);
        }
        Ok(Updated { limits, restart })
    }

    /// Takes over what changes have made of it.
    pub(crate) fn update(&mut self, Updated { limits, restart }: Updated) {
        self.limits = limits;
        self.restart = restart;
    }
}
