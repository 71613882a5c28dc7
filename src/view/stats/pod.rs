//! A row of `pod stats`.

use serde::Serialize;
use serde_json::json;

use super::{NOTHING, StatsRow, pair, percent};
use crate::view::{Listed, human};

/// The columns of `pod stats` without `--format`.
pub(crate) const POD_STATS_COLUMNS: [&str; 9] =
    ["POD", "CID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET IO", "BLOCK IO", "PIDS"];

/// A row of `pod stats`: a container of a pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PodStatsRow<'a>(pub(crate) StatsRow<'a>);

impl PodStatsRow<'_> {
    /// The only row if no container runs. Source: podman.
    pub(crate) const EMPTY: [&'static str; 9] = [NOTHING; 9];

    /// The cells under [`POD_STATS_COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 9] {
        let Self(row) = self;
        [
            self.pod().to_owned(),
            row.id().to_owned(),
            row.config.name.to_string(),
            percent(row.cpu()),
            row.memory(human::size),
            percent(row.memory_share()),
            pair(row.network()),
            pair(row.devices()),
            row.tasks(),
        ]
    }

    fn pod(&self) -> &str {
        self.0.config.pod.as_ref().map_or("", |pod| pod.id.short())
    }
}

impl Listed for PodStatsRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("BlockIO", "BLOCK IO"),
        ("CID", "CID"),
        ("CPU", "CPU %"),
        ("Mem", "MEM %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemUsageBytes", "MEM USAGE / LIMIT"),
        ("Name", "NAME"),
        ("NetIO", "NET IO"),
        ("PIDS", "PIDS"),
        ("Pod", "POD"),
    ];

    // docker has no pods.
    const DOCKER: &'static [&'static str] = &[];

    fn json(&self) -> impl Serialize {
        self.fields()
    }

    fn fields(&self) -> impl Serialize {
        let [pod, id, name, cpu, memory, share, network, devices, tasks] = self.cells();
        json!({
            "BlockIO": devices,
            "CID": id,
            "CPU": cpu,
            "Mem": share,
            "MemUsage": memory,
            "MemUsageBytes": self.0.memory(human::binary_size),
            "Name": name,
            "NetIO": network,
            "PIDS": tasks,
            "Pod": pod,
        })
    }
}
