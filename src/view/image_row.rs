//! A row of `images`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{listed, unix};
use crate::types::{Digest, ImageReference};
use crate::view::Listed;
use crate::view::human;

/// The columns of `images` without `--format`.
const IMAGE_COLUMNS: [&str; 5] = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];

/// A missing value, as docker and podman print it.
const NONE: &str = "<none>";

/// A row of `images`: an image under one of its names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageRow<'a> {
    /// The name, if the image has one.
    pub(crate) name: Option<&'a ImageReference>,
    /// All names.
    pub(crate) names: &'a [ImageReference],
    /// All names that it has had, the latest first.
    pub(crate) history: &'a [String],
    /// The digest of its configuration.
    pub(crate) id: &'a Digest,
    /// The digest of its manifest.
    pub(crate) manifest: &'a Digest,
    /// The names with digests.
    pub(crate) digests: &'a [String],
    /// When it was built, RFC 3339.
    pub(crate) created: Option<&'a str>,
    /// The architecture and the operating system.
    pub(crate) platform: (&'a str, &'a str),
    /// Labels.
    pub(crate) labels: &'a BTreeMap<String, String>,
    /// Bytes of its layers.
    pub(crate) size: u64,
    /// How many containers use it.
    pub(crate) containers: usize,
    /// The time from which ages count back.
    pub(crate) now: Timestamp,
    /// Whether IDs are whole (`--no-trunc`).
    pub(crate) no_trunc: bool,
}

impl ImageRow<'_> {
    /// The columns without `--format`. If requested, `DIGEST` is the third and `HISTORY` the last.
    pub(crate) fn columns(with_digest: bool, with_history: bool) -> Vec<&'static str> {
        let mut columns = IMAGE_COLUMNS.to_vec();
        if with_digest {
            columns.insert(2, "DIGEST");
        }
        columns.extend(with_history.then_some("HISTORY"));
        columns
    }

    /// The cells under these columns.
    pub(crate) fn cells(&self, with_digest: bool, with_history: bool) -> Vec<String> {
        let mut cells = vec![self.repository(), self.tag(), self.id(), self.age(), human::size(self.size)];
        if with_digest {
            cells.insert(2, self.manifest.to_string());
        }
        if with_history {
            cells.push(if self.history.is_empty() { NONE.to_owned() } else { self.history.join(", ") });
        }
        cells
    }

    /// The ID: 12 digits, or the whole digest.
    pub(crate) fn id(&self) -> String {
        if self.no_trunc { self.id.to_string() } else { self.id.short().to_owned() }
    }

    /// The name without its tag.
    pub(crate) fn repository(&self) -> String {
        self.name.map_or_else(|| NONE.to_owned(), ImageReference::name)
    }

    /// The tag.
    pub(crate) fn tag(&self) -> String {
        self.name.and_then(ImageReference::tag).unwrap_or(NONE).to_owned()
    }

    fn age(&self) -> String {
        self.created.map_or_else(|| NONE.to_owned(), |created| human::ago(created, self.now))
    }

    fn tags(&self) -> Vec<String> {
        self.names.iter().filter(|name| name.tag().is_some()).map(ToString::to_string).collect()
    }

    fn created_at(&self) -> String {
        match self.created.map(|created| (created, created.parse::<Timestamp>())) {
            Some((_, Ok(time))) => time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string(),
            Some((created, Err(_))) => created.to_owned(),
            None => super::NEVER.to_owned(),
        }
    }
}

/// The row for templates.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields<'a> {
    arch: &'a str,
    containers: usize,
    created: String,
    created_at: String,
    created_since: String,
    created_time: String,
    dangling: bool,
    digest: String,
    history: String,
    #[serde(rename = "ID")]
    id: String,
    labels: &'a BTreeMap<String, String>,
    is_manifest_list: bool,
    names: String,
    os: &'a str,
    #[serde(rename = "ParentId")]
    parent: &'static str,
    read_only: bool,
    repo_digests: &'a [String],
    repo_tags: Vec<String>,
    repository: String,
    shared_size: u64,
    size: String,
    tag: String,
    virtual_size: String,
}

impl Listed for ImageRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Arch", "ARCH"),
        ("Containers", "CONTAINERS"),
        ("Created", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedSince", "CREATED"),
        ("CreatedTime", "CREATED TIME"),
        ("Dangling", "DANGLING"),
        ("Digest", "DIGEST"),
        ("History", "HISTORY"),
        ("ID", "IMAGE ID"),
        ("IsManifestList", "IS MANIFEST LIST"),
        ("Labels", "LABELS"),
        ("Names", "NAMES"),
        ("Os", "OS"),
        ("ParentId", "PARENT ID"),
        ("ReadOnly", "R/O"),
        ("RepoDigests", "REPO DIGESTS"),
        ("RepoTags", "REPO TAGS"),
        ("Repository", "REPOSITORY"),
        ("SharedSize", "SHARED SIZE"),
        ("Size", "SIZE"),
        ("Tag", "TAG"),
        ("VirtualSize", "VIRTUAL SIZE"),
    ];

    const DOCKER: &'static [&'static str] = &[
        "Containers",
        "CreatedAt",
        "CreatedSince",
        "Digest",
        "ID",
        "Repository",
        "SharedSize",
        "Size",
        "Tag",
        "VirtualSize",
    ];

    fn json(&self) -> impl Serialize {
        json!({
            "Id": self.id.hex(),
            "ParentId": "",
            "RepoTags": self.tags(),
            "RepoDigests": self.digests,
            "Size": self.size,
            "SharedSize": 0,
            "VirtualSize": self.size,
            "Labels": self.labels,
            "Containers": self.containers,
            "Dangling": self.names.is_empty(),
            "Names": self.tags(),
            "Digest": self.manifest,
            "History": self.history,
            "Arch": self.platform.0,
            "Os": self.platform.1,
            "IsManifestList": false,
            "Created": unix(self.created),
            "CreatedAt": self.created.unwrap_or(super::NEVER),
        })
    }

    fn docker(&self) -> Map<String, Value> {
        let mut fields = listed::docker_fields(self);
        fields.insert("Repository".to_owned(), json!(listed::familiar(&self.repository())));
        fields
    }

    fn fields(&self) -> impl Serialize {
        let size = human::size(self.size);
        Fields {
            arch: self.platform.0,
            containers: self.containers,
            created: self.age(),
            created_at: self.created_at(),
            created_since: self.age(),
            created_time: self.created_at(),
            dangling: self.names.is_empty(),
            digest: self.manifest.to_string(),
            history: self.history.join(", "),
            id: self.id(),
            labels: self.labels,
            is_manifest_list: false,
            names: self.tags().join(", "),
            os: self.platform.1,
            parent: "",
            read_only: false,
            repo_digests: self.digests,
            repo_tags: self.tags(),
            repository: self.repository(),
            shared_size: 0,
            size: size.clone(),
            tag: self.tag(),
            virtual_size: size,
        }
    }
}
