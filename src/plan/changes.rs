//! `update`: what can be changed in an existing container, and the result.

use serde::{Deserialize, Serialize};

use super::{
    BlockDevices, ContainerConfig, Error, HealthRequest, Healthcheck, LimitChanges, LimitRequest, Limits,
    RestartPolicy, UpdatedHealth, health,
};
use crate::types::Network;

/// Changes, parsed. Absent ones leave things as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// Limits.
    pub(crate) limits: LimitChanges,
    /// What happens when the program ends by itself.
    pub(crate) restart: Option<RestartPolicy>,
    /// The health check, as typed.
    #[serde(default)]
    pub(crate) health: HealthRequest,
}

/// Overrides the same fields of the container's configuration, which is written only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Updated {
    /// Cgroup limits.
    pub(crate) limits: Limits,
    /// What happens when the program ends by itself.
    pub(crate) restart: RestartPolicy,
    /// The health check, if it was changed.
    #[serde(default)]
    pub(crate) health: Option<UpdatedHealth>,
    /// The networks; absent: those of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<Network>,
}

impl Changes {
    /// Reads the options: limits as [`LimitChanges::read`] does, and `--restart`. Those of the health check have a
    /// meaning only together with the container's own.
    pub(crate) fn read(
        limits: &LimitRequest,
        restart: Option<&str>,
        health: HealthRequest,
        block_devices: &BlockDevices,
    ) -> Result<Self, Error> {
        let limits = LimitChanges::read(limits, block_devices)?;
        let restart = restart.map(str::parse).transpose().map_err(Error::option("--restart"))?;
        Ok(Self { limits, restart, health })
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
        let health = if changes.health.is_empty() {
            self.health_update.clone()
        } else {
            let check = health::changed(self.healthcheck.as_ref(), &changes.health)?;
            if self.log_driver.is_passthrough() && check.as_ref().is_some_and(Healthcheck::restarts) {
                return Err(Error::Exclusive { options: ["--log-driver passthrough", "a health check that restarts"] });
            }
            Some(UpdatedHealth { check })
        };
        Ok(Updated { limits, restart, health, network: Some(self.network.clone()) })
    }

    /// Applies earlier changes to the configuration.
    pub(crate) fn update(&mut self, Updated { limits, restart, health, network }: Updated) {
        self.limits = limits;
        self.restart = restart;
        if let Some(updated) = &health {
            self.healthcheck.clone_from(&updated.check);
        }
        self.health_update = health;
        if let Some(network) = network {
            self.network = network;
        }
    }
}
