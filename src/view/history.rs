//! A row of `history`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::Listed;
use super::human;
use crate::types::Digest;

/// The columns of `history` without `--format`.
pub(crate) const HISTORY_COLUMNS: [&str; 5] = ["ID", "CREATED", "CREATED BY", "SIZE", "COMMENT"];

/// What podman prints in place of the ID of an image that exists only as layers of another.
const MISSING: &str = "<missing>";

/// The longest instruction in a table, as with podman.
const LONGEST: usize = 45;

/// A row of `history`: a layer, or a change of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct HistoryRow<'a> {
    /// The image, for the topmost row.
    pub(crate) id: Option<&'a Digest>,
    /// The names of the image, for the topmost row.
    pub(crate) tags: Vec<String>,
    /// When it was built, RFC 3339.
    pub(crate) created: Option<&'a str>,
    /// The instruction.
    pub(crate) created_by: &'a str,
    /// A comment.
    pub(crate) comment: &'a str,
    /// Bytes of the layer; 0 without one.
    pub(crate) size: u64,
    /// The time from which ages count back.
    pub(crate) now: Timestamp,
    /// Whether IDs and instructions are whole (`--no-trunc`).
    pub(crate) no_trunc: bool,
    /// Whether sizes and times are for people (`--human`).
    pub(crate) is_human: bool,
}

impl HistoryRow<'_> {
    /// The cells under [`HISTORY_COLUMNS`].
    pub(crate) fn cells(&self) -> Vec<String> {
        vec![self.id(), self.created(), self.created_by(), self.size(), self.comment.to_owned()]
    }

    /// The ID: 12 digits, or the whole digest; [`MISSING`] for none.
    pub(crate) fn id(&self) -> String {
        match self.id {
            Some(id) if self.no_trunc => id.hex().to_owned(),
            Some(id) => id.short().to_owned(),
            None => MISSING.to_owned(),
        }
    }

    fn created(&self) -> String {
        match self.created {
            Some(created) if self.is_human => human::ago(created, self.now),
            other => other.unwrap_or(super::NEVER).to_owned(),
        }
    }

    fn created_by(&self) -> String {
        if self.no_trunc || self.created_by.chars().count() <= LONGEST {
            return self.created_by.to_owned();
        }
        self.created_by.chars().take(LONGEST - 3).chain("...".chars()).collect()
    }

    fn size(&self) -> String {
        if self.is_human { human::size(self.size) } else { self.size.to_string() }
    }
}

/// The row for templates.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields<'a> {
    comment: &'a str,
    created: String,
    created_at: &'a str,
    created_by: String,
    created_since: String,
    #[serde(rename = "ID")]
    id: String,
    size: String,
    tags: &'a [String],
}

impl Listed for HistoryRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Comment", "COMMENT"),
        ("Created", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("CreatedSince", "CREATED"),
        ("ID", "ID"),
        ("Size", "SIZE"),
        ("Tags", "TAGS"),
    ];

    const DOCKER: &'static [&'static str] = &["Comment", "CreatedAt", "CreatedBy", "CreatedSince", "ID", "Size"];

    fn json(&self) -> impl Serialize {
        json!({
            "id": self.id.map_or(MISSING, Digest::hex),
            "created": self.created.unwrap_or(super::NEVER),
            "CreatedBy": self.created_by,
            "tags": self.tags,
            "size": self.size,
            "comment": self.comment,
        })
    }

    fn fields(&self) -> impl Serialize {
        Fields {
            comment: self.comment,
            created: self.created(),
            created_at: self.created.unwrap_or(super::NEVER),
            created_by: self.created_by(),
            created_since: self.created.map_or_else(String::new, |created| human::ago(created, self.now)),
            id: self.id(),
            size: self.size(),
            tags: &self.tags,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_words_of_podman() {
        let id = Digest::sha256([1; 32]);
        let long = "x".repeat(46);
        let row = |is_human, no_trunc| HistoryRow {
            id: Some(&id),
            tags: Vec::new(),
            created: Some("2026-01-01T00:00:00Z"),
            created_by: &long,
            comment: "c",
            size: 1_500_000,
            now: "2026-01-03T00:00:00Z".parse().expect("a time"),
            no_trunc,
            is_human,
        };
        assert_eq!(
            row(true, false).cells(),
            ["010101010101", "2 days ago", &format!("{}...", "x".repeat(42)), "1.5 MB", "c"]
        );
        assert_eq!(row(false, true).cells(), [id.hex(), "2026-01-01T00:00:00Z", &long, "1500000", "c"]);
        assert_eq!(HistoryRow { id: None, ..row(true, true) }.id(), "<missing>");
    }
}
