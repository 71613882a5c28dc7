use serde::{Deserialize, Serialize};

/// The requested health check, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct HealthRequest {
    /// `--no-healthcheck`: not even the image's.
    pub(crate) disabled: bool,
    /// `--health-cmd`.
    pub(crate) cmd: Option<String>,
    /// `--health-interval`.
    pub(crate) interval: Option<String>,
    /// `--health-timeout`.
    pub(crate) timeout: Option<String>,
    /// `--health-retries`.
    pub(crate) retries: Option<u32>,
    /// `--health-start-period`.
    pub(crate) start_period: Option<String>,
    /// `--health-start-interval`.
    pub(crate) start_interval: Option<String>,
    /// `--health-on-failure`.
    pub(crate) on_failure: Option<String>,
    /// `--health-startup-cmd`.
    pub(crate) startup_cmd: Option<String>,
    /// `--health-startup-interval`.
    pub(crate) startup_interval: Option<String>,
    /// `--health-startup-timeout`.
    pub(crate) startup_timeout: Option<String>,
    /// `--health-startup-retries`.
    pub(crate) startup_retries: Option<u32>,
    /// `--health-startup-success`.
    pub(crate) startup_success: Option<u32>,
    /// `--health-log-destination`.
    pub(crate) log_destination: Option<String>,
    /// `--health-max-log-count`.
    pub(crate) max_log_count: Option<u32>,
    /// `--health-max-log-size`, bytes.
    pub(crate) max_log_size: Option<u32>,
}

impl HealthRequest {
    /// Whether it asks for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it asks for nothing, apart from `disabled`.
    pub(super) fn is_of_nothing_else(&self) -> bool {
        Self { disabled: false, ..self.clone() } == Self::default()
    }

    /// Whether it changes a health check, and names no command for one.
    pub(in crate::plan) fn asks_without_command(&self) -> bool {
        self.cmd.is_none() && !self.is_of_nothing_else()
    }

    /// The request in which an empty text counts as not given.
    pub(crate) fn without_empty_texts(&mut self) {
        let texts = [
            &mut self.cmd,
            &mut self.interval,
            &mut self.timeout,
            &mut self.start_period,
            &mut self.start_interval,
            &mut self.on_failure,
            &mut self.startup_cmd,
            &mut self.startup_interval,
            &mut self.startup_timeout,
            &mut self.log_destination,
        ];
        for text in texts {
            text.take_if(|text| text.is_empty());
        }
    }
}
