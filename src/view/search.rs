//! Rows of `search`.

use serde::Serialize;
use serde_json::json;

use super::Listed;

/// The longest description in a table, as with podman.
const LONGEST: usize = 44;

/// A row of `search`: a repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SearchRow<'a> {
    /// The registry.
    pub(crate) index: &'a str,
    /// The whole name.
    pub(crate) name: &'a str,
    /// What it has, in its owner's words.
    pub(crate) description: &'a str,
    /// How many users like it.
    pub(crate) stars: u64,
    /// Whether the registry vouches for it.
    pub(crate) is_official: bool,
    /// Whether it is built from a public source.
    pub(crate) is_automated: bool,
    /// Whether descriptions are whole (`--no-trunc`).
    pub(crate) no_trunc: bool,
}

impl SearchRow<'_> {
    /// Name, description, stars, official, automated.
    pub(crate) fn cells(&self) -> Vec<String> {
        let stars = self.stars.to_string();
        let marks = [self.is_official, self.is_automated].map(mark);
        [self.name.to_owned(), self.description(), stars].into_iter().chain(marks.map(str::to_owned)).collect()
    }

    fn description(&self) -> String {
        let text = self.description.replace('\n', " ");
        if self.no_trunc || text.chars().count() <= LONGEST {
            return text;
        }
        text.chars().take(LONGEST).chain("...".chars()).collect()
    }
}

fn mark(is_set: bool) -> &'static str {
    if is_set { "[OK]" } else { "" }
}

impl Listed for SearchRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Automated", "AUTOMATED"),
        ("Description", "DESCRIPTION"),
        ("Index", "INDEX"),
        ("IsAutomated", "AUTOMATED"),
        ("IsOfficial", "OFFICIAL"),
        ("Name", "NAME"),
        ("Official", "OFFICIAL"),
        ("StarCount", "STARS"),
        ("Stars", "STARS"),
    ];

    const DOCKER: &'static [&'static str] = &["Description", "IsAutomated", "IsOfficial", "Name", "StarCount"];

    fn json(&self) -> impl Serialize {
        json!({
            "Index": self.index,
            "Name": self.name,
            "Description": self.description(),
            "Stars": self.stars,
            "Official": mark(self.is_official),
            "Automated": mark(self.is_automated),
            "Tag": "",
        })
    }

    fn fields(&self) -> impl Serialize {
        let (official, automated) = (mark(self.is_official), mark(self.is_automated));
        json!({
            "Automated": automated,
            "Description": self.description(),
            "Index": self.index,
            "IsAutomated": automated,
            "IsOfficial": official,
            "Name": self.name,
            "Official": official,
            "StarCount": self.stars,
            "Stars": self.stars,
        })
    }
}

/// A row of `search --list-tags`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TagRow<'a> {
    /// The repository.
    pub(crate) name: &'a str,
    /// The tag.
    pub(crate) tag: &'a str,
}

impl Listed for TagRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[("Name", "NAME"), ("Tag", "TAG")];

    const DOCKER: &'static [&'static str] = &["Name", "Tag"];

    fn json(&self) -> impl Serialize {
        self.fields()
    }

    fn fields(&self) -> impl Serialize {
        json!({ "Name": self.name, "Tag": self.tag })
    }
}

/// The one object of `search --list-tags --format json`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TagList<'a> {
    /// The repository.
    pub(crate) name: &'a str,
    /// Its tags.
    pub(crate) tags: &'a [String],
}

impl Listed for TagList<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[("Name", "NAME"), ("Tags", "TAGS")];

    const DOCKER: &'static [&'static str] = &["Name", "Tags"];

    fn json(&self) -> impl Serialize {
        self.fields()
    }

    fn fields(&self) -> impl Serialize {
        json!({ "Name": self.name, "Tags": self.tags })
    }
}
