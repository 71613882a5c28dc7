//! A row of `auto-update`.

use serde::Serialize;
use serde_json::json;

use super::Listed;
use crate::types::{ContainerId, Name};

/// The columns without `--format`.
pub(crate) const AUTO_UPDATE_COLUMNS: [&str; 5] = ["UNIT", "CONTAINER", "IMAGE", "POLICY", "UPDATED"];

/// What became of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has a newer image now.
    Updated,
    /// There is none.
    Current,
    /// There is one, which was only looked for.
    Pending,
    /// Something has failed.
    Failed,
    /// It has the old image again, since its unit did not start with the newer one.
    RolledBack,
}

impl Outcome {
    /// Podman's word.
    fn as_str(self) -> &'static str {
        match self {
            Self::Updated => "true",
            Self::Current => "false",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
        }
    }
}

/// A container, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct AutoUpdateRow {
    /// Its unit.
    pub(crate) unit: String,
    /// Its ID.
    pub(crate) id: ContainerId,
    /// Its name.
    pub(crate) name: Name,
    /// The name of its image.
    pub(crate) image: String,
    /// `registry` or `local`.
    pub(crate) policy: &'static str,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

impl AutoUpdateRow {
    /// The cells under [`AUTO_UPDATE_COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 5] {
        let outcome = self.outcome.as_str().to_owned();
        [self.unit.clone(), self.container(), self.image.clone(), self.policy.to_owned(), outcome]
    }

    fn container(&self) -> String {
        format!("{} ({})", self.id.short(), self.name)
    }
}

impl Listed for AutoUpdateRow {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Container", "CONTAINER"),
        ("ContainerID", "CONTAINER ID"),
        ("ContainerName", "CONTAINER NAME"),
        ("Image", "IMAGE"),
        ("Policy", "POLICY"),
        ("Unit", "UNIT"),
        ("Updated", "UPDATED"),
    ];

    const DOCKER: &'static [&'static str] = &[];

    fn json(&self) -> impl Serialize {
        json!({
            "Unit": self.unit,
            "Container": self.container(),
            "ContainerName": self.name,
            "ContainerID": self.id,
            "Image": self.image,
            "Policy": self.policy,
            "Updated": self.outcome.as_str(),
        })
    }

    fn fields(&self) -> impl Serialize {
        serde_json::to_value(self.json()).unwrap_or_default()
    }
}
