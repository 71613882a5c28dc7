//! A row of `stats`.

mod pod;

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::container::Sample;
use crate::plan::ContainerConfig;
use crate::view::Listed;
use crate::view::human;

pub(crate) use pod::{POD_STATS_COLUMNS, PodStatsRow};

/// The columns of `stats` without `--format`.
pub(crate) const STATS_COLUMNS: [&str; 10] =
    ["ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET IO", "BLOCK IO", "PIDS", "CPU TIME", "AVG CPU %"];

/// A value that is unknown or does not exist.
const NOTHING: &str = "--";

/// A row of `stats`: a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatsRow<'a> {
    /// The container.
    pub(crate) config: &'a ContainerConfig,
    /// What it uses now; `None` if it does not run.
    pub(crate) now: Option<&'a Sample>,
    /// The last sample, from which the use since then is counted.
    pub(crate) before: Option<&'a Sample>,
    /// Whether IDs are whole (`--no-trunc`).
    pub(crate) no_trunc: bool,
}

impl StatsRow<'_> {
    /// The cells under [`STATS_COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 10] {
        [
            self.id().to_owned(),
            self.config.name.to_string(),
            percent(self.cpu()),
            self.memory(human::size),
            percent(self.memory_share()),
            pair(self.network()),
            pair(self.devices()),
            self.tasks(),
            self.cpu_time(),
            percent(self.average()),
        ]
    }

    fn id(&self) -> &str {
        if self.no_trunc { self.config.id.as_str() } else { self.config.id.short() }
    }

    /// Percent of one CPU since the last sample, or since the start if there is none.
    fn cpu(&self) -> Option<f64> {
        match (self.now, self.before) {
            (Some(now), Some(before)) if now.started == before.started => {
                share(now.cpu?.checked_sub(before.cpu?)?, now.at.checked_sub(before.at)?)
            }
            _ => self.average(),
        }
    }

    /// Percent of one CPU since its start.
    fn average(&self) -> Option<f64> {
        let now = self.now?;
        share(now.cpu?, now.at.checked_sub(now.started)?)
    }

    fn cpu_time(&self) -> String {
        self.now.and_then(|now| now.cpu).map_or_else(|| NOTHING.to_owned(), human::go_duration)
    }

    fn memory_share(&self) -> Option<f64> {
        let now = self.now?;
        let (used, limit) = (now.memory?, now.memory_limit.filter(|limit| *limit > 0)?);
        Some(100.0 * float(used) / float(limit))
    }

    fn memory(&self, shown: fn(u64) -> String) -> String {
        let one = |bytes: Option<u64>| bytes.map_or_else(|| NOTHING.to_owned(), |bytes| shown(bytes).replace(' ', ""));
        let now = self.now.filter(|now| now.memory.is_some());
        format!("{} / {}", one(now.and_then(|now| now.memory)), one(now.and_then(|now| now.memory_limit)))
    }

    fn network(&self) -> Option<(u64, u64)> {
        self.now?.network
    }

    fn devices(&self) -> Option<(u64, u64)> {
        self.now?.devices
    }

    fn tasks(&self) -> String {
        self.now.and_then(|now| now.tasks).map_or_else(|| NOTHING.to_owned(), |tasks| tasks.to_string())
    }
}

fn pair(bytes: Option<(u64, u64)>) -> String {
    let shown = |bytes: u64| human::size(bytes).replace(' ', "");
    match bytes {
        Some((first, second)) => format!("{} / {}", shown(first), shown(second)),
        None => format!("{NOTHING} / {NOTHING}"),
    }
}

/// `part` of `whole`, in percent.
fn share(part: Duration, whole: Duration) -> Option<f64> {
    (!whole.is_zero()).then(|| 100.0 * part.as_secs_f64() / whole.as_secs_f64())
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.2}%"))
}

#[expect(clippy::cast_precision_loss, reason = "the result is shown with four digits")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

/// The row for templates, with podman's names; unknown numbers are 0.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields<'a> {
    #[serde(rename = "AVGCPU")]
    average_percent: String,
    #[serde(rename = "AvgCPU")]
    average: f64,
    #[serde(rename = "BlockIO")]
    block_io: String,
    block_input: u64,
    block_output: u64,
    #[serde(rename = "CPU")]
    cpu: f64,
    #[serde(rename = "CPUNano")]
    cpu_nano: u64,
    #[serde(rename = "CPUPerc")]
    cpu_percent: String,
    #[serde(rename = "CPUSystemNano")]
    cpu_system_nano: u64,
    container: &'a str,
    #[serde(rename = "ContainerID")]
    container_id: &'a str,
    #[serde(rename = "ID")]
    id: &'a str,
    mem_limit: u64,
    mem_perc: String,
    mem_usage: String,
    mem_usage_bytes: String,
    name: &'a str,
    #[serde(rename = "NetIO")]
    net_io: String,
    net_input: u64,
    net_output: u64,
    #[serde(rename = "PIDS")]
    tasks: String,
    #[serde(rename = "PIDs")]
    tasks_number: u64,
    up: String,
    up_time: String,
}

impl Listed for StatsRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("AVGCPU", "AVG CPU %"),
        ("AvgCPU", "AVG CPU"),
        ("BlockIO", "BLOCK IO"),
        ("BlockInput", "BLOCK INPUT"),
        ("BlockOutput", "BLOCK OUTPUT"),
        ("CPU", "CPU"),
        ("CPUNano", "CPU NANO"),
        ("CPUPerc", "CPU %"),
        ("CPUSystemNano", "CPU SYSTEM NANO"),
        ("Container", "CONTAINER"),
        ("ContainerID", "CONTAINER ID"),
        ("ID", "ID"),
        ("MemLimit", "MEM LIMIT"),
        ("MemPerc", "MEM %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemUsageBytes", "MEM USAGE / LIMIT"),
        ("Name", "NAME"),
        ("NetIO", "NET IO"),
        ("NetInput", "NET INPUT"),
        ("NetOutput", "NET OUTPUT"),
        ("PIDS", "PIDS"),
        ("PIDs", "PIDS"),
        ("Up", "UP"),
        ("UpTime", "CPU TIME"),
    ];

    const DOCKER: &'static [&'static str] =
        &["BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"];

    fn json(&self) -> impl Serialize {
        json!({
            "id": self.id(),
            "name": self.config.name,
            "cpu_time": self.cpu_time(),
            "cpu_percent": percent(self.cpu()),
            "avg_cpu": percent(self.average()),
            "mem_usage": self.memory(human::size),
            "mem_percent": percent(self.memory_share()),
            "net_io": pair(self.network()),
            "block_io": pair(self.devices()),
            "pids": self.tasks(),
        })
    }

    fn fields(&self) -> impl Serialize {
        let nanos = |time: Option<Duration>| time.and_then(|time| u64::try_from(time.as_nanos()).ok()).unwrap_or(0);
        let (input, output) = self.devices().unwrap_or_default();
        let (received, sent) = self.network().unwrap_or_default();
        Fields {
            average_percent: percent(self.average()),
            average: self.average().unwrap_or(0.0),
            block_io: pair(self.devices()),
            block_input: input,
            block_output: output,
            cpu: self.cpu().unwrap_or(0.0),
            cpu_nano: nanos(self.now.and_then(|now| now.cpu)),
            cpu_percent: percent(self.cpu()),
            cpu_system_nano: nanos(self.now.and_then(|now| now.kernel)),
            container: self.config.name.as_str(),
            container_id: self.config.id.as_str(),
            id: self.id(),
            mem_limit: self.now.and_then(|now| now.memory_limit).unwrap_or(0),
            mem_perc: percent(self.memory_share()),
            mem_usage: self.memory(human::size),
            mem_usage_bytes: self.memory(human::binary_size),
            name: self.config.name.as_str(),
            net_io: pair(self.network()),
            net_input: received,
            net_output: sent,
            tasks: self.tasks(),
            tasks_number: self.now.and_then(|now| now.tasks).unwrap_or(0),
            up: self.cpu_time(),
            up_time: self.cpu_time(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;

    fn used(seconds: u64, cpu: u64) -> Sample {
        Sample {
            at: Duration::from_secs(seconds),
            started: Duration::from_secs(100),
            cpu: Some(Duration::from_secs(cpu)),
            kernel: Some(Duration::from_secs(1)),
            memory: Some(3_092_000),
            memory_limit: Some(30_920_000),
            network: Some((1_500, 0)),
            devices: None,
            tasks: Some(3),
        }
    }

    #[test]
    fn the_cells_of_podman() {
        let (config, _) = sample();
        let (before, now) = (used(110, 1), used(120, 6));
        let row = |now, before| StatsRow { config: &config, now, before, no_trunc: false }.cells();
        let rest = ["3.09MB / 30.9MB", "10.00%", "1.5kB / 0B", "-- / --", "3", "6s", "30.00%"];
        assert_eq!(row(Some(&now), Some(&before))[..3], ["5eacc9e701a2", "web", "50.00%"]);
        assert_eq!(row(Some(&now), Some(&before))[3..], rest);
        // With the first sample, and after a restart, it is the average.
        assert_eq!(row(Some(&now), None)[2], "30.00%");
        let earlier = Sample { started: Duration::from_secs(50), ..before.clone() };
        assert_eq!(row(Some(&now), Some(&earlier))[2], "30.00%");
        let nothing = ["--", "-- / --", "--", "-- / --", "-- / --", "--", "--", "--"];
        assert_eq!(row(None, None)[2..], nothing);
        assert_eq!(row(Some(&Sample::default()), None)[2..], nothing);
    }

    #[test]
    fn json_and_templates_have_podman_s_names() {
        let (config, _) = sample();
        let now = used(120, 6);
        let row = StatsRow { config: &config, now: Some(&now), before: None, no_trunc: false };
        let json = serde_json::to_value(row.json()).expect("JSON");
        let expected = json!({
            "id": "5eacc9e701a2", "name": "web", "cpu_time": "6s", "cpu_percent": "30.00%", "avg_cpu": "30.00%",
            "mem_usage": "3.09MB / 30.9MB", "mem_percent": "10.00%", "net_io": "1.5kB / 0B", "block_io": "-- / --",
            "pids": "3",
        });
        assert_eq!(json, expected);
        let fields = serde_json::to_value(row.fields()).expect("fields");
        let names: Vec<&str> = fields.as_object().expect("a struct").keys().map(String::as_str).collect();
        let headings: Vec<&str> = StatsRow::HEADINGS.iter().map(|(field, _)| *field).collect();
        assert_eq!(names, headings);
        assert_eq!(
            (&fields["MemUsageBytes"], &fields["CPUNano"]),
            (&json!("2.95MiB / 29.5MiB"), &json!(6_000_000_000_u64))
        );
    }
}
