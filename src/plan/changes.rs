//! `update`: what can be changed in an existing container, and the result.

use serde::{Deserialize, Serialize};

use super::{BlockDevices, ContainerConfig, Error, LimitChanges, LimitRequest, Limits, RestartPolicy};

/// Changes, parsed. Absent ones leave things as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// Limits.
    pub(crate) limits: LimitChanges,
    /// What happens when the program ends by itself.
    pub(crate) restart: Option<RestartPolicy>,
}

/// Overrides the same fields of the container's configuration, which is written only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Updated {
    /// Cgroup limits.
    pub(crate) limits: Limits,
    /// What happens when the program ends by itself.
    pub(crate) restart: RestartPolicy,
}

impl Changes {
    /// Reads the options: limits as [`LimitChanges::read`] does, and `--restart`.
    pub(crate) fn read(
        limits: &LimitRequest,
        restart: Option<&str>,
        block_devices: &BlockDevices,
    ) -> Result<Self, Error> {
        let limits = LimitChanges::read(limits, block_devices)?;
        let restart = restart.map(str::parse).transpose().map_err(Error::option("--restart"))?;
        Ok(Self { limits, restart })
    }

    /// Whether there is no change.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ContainerConfig {
    /// The container's changed values. Fails if they contradict each other.
    pub(crate) fn changed_by(&self, changes: &Changes) -> Result<Updated, Error> {
        let limits = self.limits.changed_by(&changes.limits)?;
        let restart = changes.restart.unwrap_or(self.restart);
        if self.auto_remove && restart != RestartPolicy::No {
            return Err(Error::RestartAndRemove);
        }
        Ok(Updated { limits, restart })
    }

    /// Applies earlier changes to the configuration.
    pub(crate) fn update(&mut self, Updated { limits, restart }: Updated) {
        self.limits = limits;
        self.restart = restart;
    }
}
