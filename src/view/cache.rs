//! A row of `builder du`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::Listed;
use super::human::{self, exact_size};
use crate::types::Digest;

/// The columns of `builder du` without `--format`.
pub(crate) const CACHE_COLUMNS: [&str; 5] = ["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED", "DESCRIPTION"];

/// How many characters of an instruction are shown.
const WIDTH: usize = 60;

/// A row of `builder du`: what a step of a build has made.
#[derive(Debug, Clone)]
pub(crate) struct CacheRow {
    /// Its key.
    pub(crate) key: Digest,
    /// The instruction.
    pub(crate) shown: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Its layer is in an image.
    pub(crate) is_in_image: bool,
    /// When it was used last.
    pub(crate) used: Timestamp,
    /// The time from which ages count back.
    pub(crate) now: Timestamp,
    /// Whether IDs and instructions are whole.
    pub(crate) no_trunc: bool,
}

/// The row for templates.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    #[serde(rename = "ID")]
    id: String,
    reclaimable: bool,
    size: String,
    last_used_since: String,
    description: String,
    r#type: &'static str,
}

impl CacheRow {
    /// The cells under [`CACHE_COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 5] {
        let Fields { id, size, last_used_since, description, .. } = self.shown_fields();
        [id, (!self.is_in_image).to_string(), size, last_used_since, description]
    }

    fn shown_fields(&self) -> Fields {
        let line = self.shown.lines().next().unwrap_or_default();
        let description = match line.char_indices().nth(WIDTH) {
            Some((end, _)) if !self.no_trunc => format!("{}...", &line[..end]),
            _ => line.to_owned(),
        };
        Fields {
            id: if self.no_trunc { self.key.hex() } else { self.key.short() }.to_owned(),
            reclaimable: !self.is_in_image,
            size: exact_size(self.size),
            last_used_since: human::ago(&self.used.to_string(), self.now),
            description,
            r#type: "regular",
        }
    }
}

impl Listed for CacheRow {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("ID", "ID"),
        ("Reclaimable", "RECLAIMABLE"),
        ("Size", "SIZE"),
        ("LastUsedSince", "LAST ACCESSED"),
        ("Description", "DESCRIPTION"),
        ("Type", "TYPE"),
    ];

    const DOCKER: &'static [&'static str] = &["Description", "ID", "LastUsedSince", "Reclaimable", "Size", "Type"];

    fn json(&self) -> impl Serialize {
        json!({
            "ID": self.key.hex(),
            "Reclaimable": !self.is_in_image,
            "Size": self.size,
            "LastUsedAt": self.used.to_string(),
            "Description": self.shown,
            "Type": "regular",
        })
    }

    fn fields(&self) -> impl Serialize {
        self.shown_fields()
    }
}
