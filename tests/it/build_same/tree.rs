//! The files of an image, read from its archive, layer by layer, by the rules of OCI's image-spec (layer.md).

use std::collections::BTreeMap;
use std::io::Read as _;

use serde_json::Value;

use crate::support::image::{gunzip, hex};

/// The files and the configuration of an image.
pub(super) struct Found {
    files: BTreeMap<String, Node>,
    config: Value,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    kind: String,
    mode: u32,
    owner: (u64, u64),
    /// The target of a link, or the digest of the content.
    content: String,
    attributes: BTreeMap<String, Vec<u8>>,
    time: u64,
}

/// What is later than this was made by a build, at no defined time.
const NEW: u64 = 1_750_000_000;

impl Found {
    /// Reads an `oci-archive`.
    pub(super) fn read(archive: &[u8]) -> Self {
        let blobs = members(archive);
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().expect("a digest").replace(':', "/");
            blobs.get(&format!("blobs/{digest}")).unwrap_or_else(|| panic!("a blob {digest}"))
        };
        let manifest = json(blob(&json(&blobs["index.json"])["manifests"][0]));
        let config = json(blob(&manifest["config"]));
        let mut files = BTreeMap::new();
        for layer in manifest["layers"].as_array().expect("layers") {
            let bytes = blob(layer);
            let is_packed = layer["mediaType"].as_str().is_some_and(|kind| kind.ends_with("gzip"));
            apply(&mut files, &if is_packed { gunzip(bytes) } else { bytes.clone() });
        }
        Self { files, config: config["config"].clone() }
    }

    /// What differs: a path or a key of the configuration, and how.
    pub(super) fn differences(&self, other: &Self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for path in self.files.keys().chain(other.files.keys()) {
            let (own, others) = (self.files.get(path), other.files.get(path));
            let is_same = match (own, others) {
                (Some(own), Some(others)) => own.is_same(others),
                _ => false,
            };
            if !is_same {
                found.insert(format!("/{path}"), format!("rc {}, buildah {}", shown(own), shown(others)));
            }
        }
        let keys = |config: &Value| config.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
        for key in [keys(&self.config), keys(&other.config)].into_iter().flatten().flatten() {
            let (own, others) = (&self.config[&key], &other.config[&key]);
            if own != others && !(is_nothing(own) && is_nothing(others)) {
                found.insert(key, format!("rc {own}, buildah {others}"));
            }
        }
        found
    }
}

/// An empty value says the same as none.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

impl Node {
    /// Times that a build has made are not compared.
    fn is_same(&self, other: &Self) -> bool {
        let is_new = |node: &Self| node.time > NEW;
        let times = if is_new(self) && is_new(other) { other.time } else { self.time };
        let same = Self { time: times, ..self.clone() };
        same == *other
    }
}

fn shown(node: Option<&Node>) -> String {
    let Some(node) = node else { return "nothing".to_owned() };
    let Node { kind, mode, owner, content, attributes, time } = node;
    let content = content.get(..8).unwrap_or(content);
    format!("{kind} {mode:o} {}:{} {content} {attributes:?} {time}", owner.0, owner.1)
}

/// The members of an archive.
fn members(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("reads");
        found.insert(name, bytes);
    }
    found
}

/// Applies a layer.
fn apply(files: &mut BTreeMap<String, Node>, layer: &[u8]) {
    // What a layer hides is of the layers below, wherever it says so.
    let mut own: BTreeMap<String, Node> = BTreeMap::new();
    let mut hide = |prefix: &str, with_itself: bool| {
        let inside = format!("{prefix}/");
        files.retain(|path, _| !(path.starts_with(&inside) || prefix.is_empty() || with_itself && path == prefix));
    };
    for entry in tar::Archive::new(layer).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_matches('/').to_owned();
        let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name == ".wh..wh..opq" {
            hide(parent, false);
            continue;
        }
        if let Some(hidden) = name.strip_prefix(".wh.") {
            let hidden = if parent.is_empty() { hidden.to_owned() } else { format!("{parent}/{hidden}") };
            hide(&hidden, true);
            continue;
        }
        if path == "." || path.is_empty() {
            continue;
        }
        let node = node(&mut entry, &own);
        if node.kind != "Directory" {
            hide(&path, true);
        }
        own.insert(path, node);
    }
    files.extend(own);
}

/// One entry. A hard link is the file that it leads to.
fn node(entry: &mut tar::Entry<'_, &[u8]>, own: &BTreeMap<String, Node>) -> Node {
    let attributes = attributes(entry);
    let target = entry.link_name_bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let header = entry.header();
    let kind = header.entry_type();
    if kind.is_hard_link() {
        let target = target.unwrap_or_default();
        let found = own.get(target.trim_start_matches("./").trim_matches('/'));
        return found.unwrap_or_else(|| panic!("a hard link to `{target}`, which comes later")).clone();
    }
    let (mode, time) = (header.mode().expect("a mode") & 0o7777, header.mtime().expect("a time"));
    let owner = (header.uid().expect("a user"), header.gid().expect("a group"));
    let content = match kind {
        tar::EntryType::Regular | tar::EntryType::Continuous => {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("reads");
            hex(&bytes)
        }
        _ => target.unwrap_or_default(),
    };
    Node { kind: format!("{kind:?}"), mode, owner, content, attributes, time }
}

impl Found {
    /// Without the attributes by which overlay remembers what it has copied: buildah packs them, too.
    pub(super) fn without_marks(mut self) -> Self {
        let is_mark = |name: &str| name.starts_with("user.overlay.");
        self.files.values_mut().for_each(|node| node.attributes.retain(|name, _| !is_mark(name)));
        self
    }
}

fn attributes(entry: &mut tar::Entry<'_, &[u8]>) -> BTreeMap<String, Vec<u8>> {
    let extensions = entry.pax_extensions().expect("extensions").into_iter().flatten().flatten();
    let named = extensions.filter_map(|one| {
        let name = one.key().ok()?.strip_prefix("SCHILY.xattr.")?.to_owned();
        Some((name, one.value_bytes().to_vec()))
    });
    named.collect()
}
