//! Volumes: the row of `volume ls`, the object of `volume inspect`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::Listed;
use crate::storage::volumes::Record;

/// The columns of `volume ls` without `--format`.
pub(crate) const VOLUME_COLUMNS: [&str; 2] = ["DRIVER", "VOLUME NAME"];

/// A volume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VolumeRow<'a> {
    /// Its record.
    pub(crate) record: &'a Record,
    /// Where its files are.
    pub(crate) mountpoint: &'a Path,
    /// How many running containers use it.
    pub(crate) running: usize,
    /// Whether the image's files will be copied into it.
    pub(crate) needs_copy_up: bool,
}

impl VolumeRow<'_> {
    /// The cells under [`VOLUME_COLUMNS`].
    pub(crate) fn cells(&self) -> [&str; 2] {
        ["local", self.record.name.as_str()]
    }

    /// The object of `volume inspect`: podman's keys, and `Status` of docker.
    pub(crate) fn object(&self) -> Value {
        let record = self.record;
        json!({
            "Name": record.name,
            "Driver": "local",
            "Mountpoint": self.mountpoint.display().to_string(),
            "CreatedAt": record.created,
            "Labels": record.labels,
            "Scope": "local",
            "Options": record.options,
            "Status": {},
            "Anonymous": record.is_anonymous,
            "MountCount": self.running,
            "NeedsCopyUp": self.needs_copy_up,
            "NeedsChown": false,
            "LockNumber": 0,
        })
    }
}

/// The row for templates: podman's fields, and docker's strings for what rc does not have.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Fields<'a> {
    anonymous: bool,
    availability: &'static str,
    created_at: &'a str,
    driver: &'static str,
    group: &'static str,
    labels: &'a BTreeMap<String, String>,
    links: &'static str,
    lock_number: u32,
    mount_count: usize,
    mountpoint: String,
    name: &'a str,
    needs_chown: bool,
    needs_copy_up: bool,
    options: &'a BTreeMap<String, String>,
    scope: &'static str,
    size: &'static str,
    status: &'static str,
}

impl Listed for VolumeRow<'_> {
    const HEADINGS: &'static [(&'static str, &'static str)] = &[
        ("Anonymous", "ANONYMOUS"),
        ("Availability", "AVAILABILITY"),
        ("CreatedAt", "CREATED AT"),
        ("Driver", "DRIVER"),
        ("Group", "GROUP"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("LockNumber", "LOCK NUMBER"),
        ("MountCount", "MOUNT COUNT"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Name", "VOLUME NAME"),
        ("NeedsChown", "NEEDS CHOWN"),
        ("NeedsCopyUp", "NEEDS COPY UP"),
        ("Options", "OPTIONS"),
        ("Scope", "SCOPE"),
        ("Size", "SIZE"),
        ("Status", "STATUS"),
    ];

    const DOCKER: &'static [&'static str] =
        &["Availability", "Driver", "Group", "Labels", "Links", "Mountpoint", "Name", "Scope", "Size", "Status"];

    fn json(&self) -> impl Serialize {
        self.object()
    }

    fn fields(&self) -> impl Serialize {
        let record = self.record;
        Fields {
            anonymous: record.is_anonymous,
            availability: "N/A",
            created_at: &record.created,
            driver: "local",
            group: "N/A",
            labels: &record.labels,
            links: "N/A",
            lock_number: 0,
            mount_count: self.running,
            mountpoint: self.mountpoint.display().to_string(),
            name: record.name.as_str(),
            needs_chown: false,
            needs_copy_up: self.needs_copy_up,
            options: &record.options,
            scope: "local",
            size: "N/A",
            status: "N/A",
        }
    }
}
