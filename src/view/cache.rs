//! A row of `builder du`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::Listed;
use super::filter::CacheFacts;
use super::human::{self, exact_size};

/// The columns of `builder du` without `--format`.
pub(crate) const CACHE_COLUMNS: [&str; 5] = ["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED", "DESCRIPTION"];

/// How many digits of an ID are shown.
const SHORT: usize = 12;

/// How many characters of an instruction are shown.
const WIDTH: usize = 60;

/// A row of `builder du`: what a step of a build has made, or what is mounted for steps.
#[derive(Debug, Clone)]
pub(crate) struct CacheRow {
    /// The digits that it is known by.
    pub(crate) id: String,
    /// The type, in BuildKit's words.
    pub(crate) kind: &'static str,
    /// The instruction, or what is mounted.
    pub(crate) shown: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Its layer is in an image, or a step uses it.
    pub(crate) is_in_use: bool,
    /// When it was used last.
    pub(crate) used: Timestamp,
    /// When it was made, if that is known, RFC 3339.
    pub(crate) created: Option<String>,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
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
    /// What filters ask.
    pub(crate) fn facts(&self) -> CacheFacts<'_> {
        CacheFacts {
            id: &self.id,
            kind: self.kind,
            description: &self.shown,
            in_use: self.is_in_use,
            used: self.used,
            labels: &self.labels,
        }
    }

    /// All of it, a line each. Source: buildx, `printVerbose`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let labels: Vec<String> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        // What a mount keeps changes, and no layer is another's part.
        let is_mutable = self.kind == "exec.cachemount";
        let pairs = [
            ("ID", some(&self.id)),
            ("Created at", self.created.clone()),
            ("Mutable", Some(is_mutable.to_string())),
            ("Reclaimable", Some((!self.is_in_use).to_string())),
            ("Shared", Some(self.is_in_use.to_string())),
            ("Size", Some(exact_size(self.size))),
            ("Description", some(self.shown.lines().next().unwrap_or_default())),
            ("Labels", some(&labels.join(","))),
            ("Last used", Some(human::ago(&self.used.to_string(), self.now))),
            ("Type", some(self.kind)),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some(format!("{:<14}{}", format!("{name}:"), value?))).collect()
    }

    /// The cells under [`CACHE_COLUMNS`].
    pub(crate) fn cells(&self) -> [String; 5] {
        let Fields { id, size, last_used_since, description, .. } = self.shown_fields();
        [id, (!self.is_in_use).to_string(), size, last_used_since, description]
    }

    fn shown_fields(&self) -> Fields {
        let line = self.shown.lines().next().unwrap_or_default();
        let description = match line.char_indices().nth(WIDTH) {
            Some((end, _)) if !self.no_trunc => format!("{}...", &line[..end]),
            _ => line.to_owned(),
        };
        Fields {
            id: self.id.chars().take(if self.no_trunc { usize::MAX } else { SHORT }).collect(),
            reclaimable: !self.is_in_use,
            size: exact_size(self.size),
            last_used_since: human::ago(&self.used.to_string(), self.now),
            description,
            r#type: self.kind,
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
            "ID": self.id,
            "Reclaimable": !self.is_in_use,
            "Size": self.size,
            "LastUsedAt": self.used.to_string(),
            "Description": self.shown,
            "Type": self.kind,
            "Labels": self.labels,
        })
    }

    fn fields(&self) -> impl Serialize {
        self.shown_fields()
    }
}
