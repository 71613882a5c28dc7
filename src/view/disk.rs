//! A row of `system df`.

use serde::Serialize;
use serde_json::json;

use super::Listed;
use super::human::exact_size;

/// The columns of `system df` without `--format`.
pub(crate) const DISK_COLUMNS: [&str; 5] = ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"];

/// A row of `system df`: all objects of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiskRow {
    /// `Images`, `Containers`, `Local Volumes`, `Build Cache`.
    pub(crate) kind: &'static str,
    /// How many there are.
    pub(crate) total: usize,
    /// How many are in use.
    pub(crate) active: usize,
    /// Bytes.
    pub(crate) size: u64,
    /// The bytes of those that are not in use.
    pub(crate) reclaimable: u64,
}

impl DiskRow {
    /// The cells under [`DISK_COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 5] {
        let (total, active) = (self.total.to_string(), self.active.to_string());
        [self.kind.to_owned(), total, active, exact_size(self.size), self.reclaimable()]
    }

    /// With a percentage, rounded to the nearest. Source: podman, `dfSummary.Reclaimable`.
    fn reclaimable(&self) -> String {
        let (part, whole) = (u128::from(self.reclaimable), u128::from(self.size));
        let percent = (part * 200 + whole).checked_div(whole * 2).unwrap_or(0);
        format!("{} ({percent}%)", exact_size(self.reclaimable))
    }
}

/// The row for templates: the names of docker (`TotalCount`) and of podman (`Total`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    r#type: &'static str,
    total: usize,
    total_count: usize,
    active: usize,
    size: String,
    reclaimable: String,
    raw_size: u64,
    raw_reclaimable: u64,
}

impl Listed for DiskRow {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Type", "TYPE"),
        ("Total", "TOTAL"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
        ("RawSize", "RAW SIZE"),
        ("RawReclaimable", "RAW RECLAIMABLE"),
    ];

    const DOCKER: &'static [&'static str] = &["Active", "Reclaimable", "Size", "TotalCount", "Type"];

    fn json(&self) -> impl Serialize {
        json!({
            "Type": self.kind,
            "Total": self.total,
            "TotalCount": self.total,
            "Active": self.active,
            "RawSize": self.size,
            "RawReclaimable": self.reclaimable,
            "Size": exact_size(self.size),
            "Reclaimable": self.reclaimable(),
        })
    }

    fn fields(&self) -> impl Serialize {
        Fields {
            r#type: self.kind,
            total: self.total,
            total_count: self.total,
            active: self.active,
            size: exact_size(self.size),
            reclaimable: self.reclaimable(),
            raw_size: self.size,
            raw_reclaimable: self.reclaimable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares_read_as_podman_s() {
        for (size, reclaimable, cells) in [
            (0, 0, ["0B", "0B (0%)"]),
            (4_261_000, 4_261_000, ["4.261MB", "4.261MB (100%)"]),
            (281_300_000, 168_000_000, ["281.3MB", "168MB (60%)"]),
            (200, 1, ["200B", "1B (1%)"]),
            (201, 1, ["201B", "1B (0%)"]),
            (1_234_567_890, 22, ["1.235GB", "22B (0%)"]),
            (u64::MAX, u64::MAX, ["18.45EB", "18.45EB (100%)"]),
        ] {
            let row = DiskRow { kind: "Images", total: 2, active: 1, size, reclaimable };
            assert_eq!(row.cells()[3..], cells, "{size} {reclaimable}");
        }
    }
}
