//! `update`: what can be changed in an existing container, and the result.

use oci_spec::runtime::Process;
use serde::{Deserialize, Serialize};

use super::{
    BlockDevices, ContainerConfig, Error, HealthRequest, Healthcheck, LimitChanges, LimitRequest, Limits,
    RestartPolicy, Rlimit, UpdatedHealth, env, health, rlimits, spec,
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
    /// Variables of the environment.
    #[serde(default)]
    pub(crate) env: EnvChanges,
    /// Limits of getrlimit(2): each replaces that of the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rlimits: Vec<Rlimit>,
}

/// Changes of the environment of what is started from then on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EnvChanges {
    /// `NAME=value`.
    set: Vec<String>,
    /// Names; one that is also set stays.
    unset: Vec<String>,
}

impl EnvChanges {
    /// Reads `--env`, a name alone being the caller's variable, and `--unsetenv`.
    pub(crate) fn read(env: &[String], unset: &[String], caller: &[(String, String)]) -> Result<Self, Error> {
        let mut set = env::Variables::default();
        env.iter().try_for_each(|text| set.add(text, caller)).map_err(Error::option("--env"))?;
        Ok(Self { set: set.0, unset: unset.to_vec() })
    }

    fn apply(&self, env: &[String]) -> Vec<String> {
        let mut changed = env::Variables(env.to_vec());
        self.unset.iter().for_each(|name| changed.unset(name));
        for (name, value) in self.set.iter().filter_map(|line| line.split_once('=')) {
            changed.set(name, value);
        }
        changed.0
    }
}

/// Gives a process whose container had the environment `old` the changes that made it `new`; what only the process has
/// stays.
pub(crate) fn adopt_env(process: &mut Process, old: &[String], new: &[String]) {
    if old == new {
        return;
    }
    let mut env = process.env().clone().unwrap_or_default();
    env.retain(|line| !old.contains(line));
    env.extend(new.iter().cloned());
    process.set_env(Some(env));
}

/// Gives a process whose container had the limits `old` those that replaced them.
pub(crate) fn adopt_rlimits(process: &mut Process, old: &[Rlimit], new: &[Rlimit]) {
    if old != new
        && let Ok(limits) = spec::rlimits(new)
    {
        process.set_rlimits(Some(limits));
    }
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
    /// The environment; absent: that of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) env: Option<Vec<String>>,
    /// The limits of getrlimit(2); absent: those of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rlimits: Option<Vec<Rlimit>>,
}

impl Changes {
    /// Reads the options: limits as [`LimitChanges::read`] does, and `--restart`. Those of the health check have a
    /// meaning only together with the container's own.
    pub(crate) fn read(
        limits: &LimitRequest,
        restart: Option<&str>,
        health: HealthRequest,
        env: EnvChanges,
        block_devices: &BlockDevices,
    ) -> Result<Self, Error> {
        let limits = LimitChanges::read(limits, block_devices)?;
        let restart = restart.map(str::parse).transpose().map_err(Error::option("--restart"))?;
        Ok(Self { limits, restart, health, env, rlimits: Vec::new() })
    }

    /// These and `--ulimit`.
    pub(crate) fn with_ulimits(self, texts: &[String]) -> Result<Self, Error> {
        Ok(Self { rlimits: rlimits::rlimits(texts)?, ..self })
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
        let env = Some(changes.env.apply(&self.env));
        let is_kept = |limit: &&Rlimit| !changes.rlimits.iter().any(|changed| changed.name == limit.name);
        let rlimits = self.rlimits.iter().filter(is_kept).chain(&changes.rlimits).cloned().collect();
        Ok(Updated { limits, restart, health, network: Some(self.network.clone()), env, rlimits: Some(rlimits) })
    }

    /// Applies earlier changes to the configuration.
    pub(crate) fn update(&mut self, Updated { limits, restart, health, network, env, rlimits }: Updated) {
        self.limits = limits;
        self.restart = restart;
        if let Some(updated) = &health {
            self.healthcheck.clone_from(&updated.check);
        }
        self.health_update = health;
        if let Some(network) = network {
            self.network = network;
        }
        if let Some(env) = env {
            self.env = env;
        }
        if let Some(rlimits) = rlimits {
            self.rlimits = rlimits;
        }
    }
}
