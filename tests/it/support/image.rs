//! Images that the tests build: layers as tar archives, in an OCI or a docker archive for `rc load`.
//!
//! ```text
//! let layer = Layer::new().directory("bin", 0o755).file("bin/sh", 0o755, bytes).whiteout("old");
//! let archive = Image::new().layer(layer.bytes()).config(json!({ "Env": ["A=1"] })).oci_archive("name:tag");
//! ```
//! Nothing is checked, so that tests can build hostile images as well as sound ones.

use std::fs;
use std::io::{Read, Write};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Lab;

/// The compression of a layer's blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Nothing.
    None,
    /// gzip, level 6.
    Gzip,
    /// zstd, level 3.
    Zstd,
}

/// The tar archive of a layer. All times are 1 January 2024, so that the bytes are the same in each run.
pub(crate) struct Layer {
    archive: tar::Builder<Vec<u8>>,
    owner: (u64, u64),
}

impl Layer {
    /// An empty archive.
    pub(crate) fn new() -> Self {
        Self { archive: tar::Builder::new(Vec::new()), owner: (0, 0) }
    }

    /// Sets the owner of the entries that follow.
    pub(crate) fn owner(mut self, user: u64, group: u64) -> Self {
        self.owner = (user, group);
        self
    }

    /// A directory.
    pub(crate) fn directory(self, path: &str, mode: u32) -> Self {
        self.entry(path, mode, tar::EntryType::Directory, None, &[])
    }

    /// A regular file.
    pub(crate) fn file(self, path: &str, mode: u32, bytes: &[u8]) -> Self {
        self.entry(path, mode, tar::EntryType::Regular, None, bytes)
    }

    /// A symbolic link.
    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(path, 0o777, tar::EntryType::Symlink, Some(target), &[])
    }

    /// A hard link to `target`, a path in the archive.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, 0o644, tar::EntryType::Link, Some(target), &[])
    }

    /// The mark that removes `path` of the layers below.
    pub(crate) fn whiteout(self, path: &str) -> Self {
        let (directory, name) = path.rsplit_once('/').map_or(("", path), |(directory, name)| (directory, name));
        let mark = if directory.is_empty() { format!(".wh.{name}") } else { format!("{directory}/.wh.{name}") };
        self.file(&mark, 0o644, &[])
    }

    /// The mark that hides everything the layers below have in `directory`.
    pub(crate) fn opaque(self, directory: &str) -> Self {
        self.file(&format!("{directory}/.wh..wh..opq"), 0o644, &[])
    }

    /// An entry of any type, its name and link written as given, `..` and all.
    pub(crate) fn entry(
        mut self,
        path: &str,
        mode: u32,
        kind: tar::EntryType,
        link: Option<&str>,
        bytes: &[u8],
    ) -> Self {
        let mut header = tar::Header::new_gnu();
        // `set_path` refuses the names of a hostile archive.
        write_field(&mut header.as_old_mut().name, path);
        if let Some(link) = link {
            write_field(&mut header.as_old_mut().linkname, link);
        }
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(self.owner.0);
        header.set_gid(self.owner.1);
        header.set_mtime(1_704_067_200);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        self.archive.append(&header, bytes).expect("a tar archive in memory");
        self
    }

    /// Extended headers for the next entry: `SCHILY.xattr.user.x`, `path`, `size`, …
    pub(crate) fn extended<'a>(mut self, records: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        self.archive.append_pax_extensions(records).expect("a tar archive in memory");
        self
    }

    /// The whole archive.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.archive.into_inner().expect("a tar archive in memory")
    }
}

/// Writes a name into a field of fixed size; longer names are for `Layer::extended`.
fn write_field(field: &mut [u8; 100], text: &str) {
    field[..text.len()].copy_from_slice(text.as_bytes());
}

/// The layer that `Lab::payload` imports.
pub(crate) fn payload_layer() -> Vec<u8> {
    let program = fs::read(Lab::payload_path()).expect("the payload can be read");
    Layer::new()
        .directory("etc", 0o755)
        .file(
            "etc/passwd",
            0o644,
            b"root:x:0:0:root:/root:/payload\nuser:x:1000:1000::/home/user:/payload\n\
              nobody:x:65534:65534::/:/payload\n",
        )
        .file("etc/group", 0o644, b"root:x:0:\nuser:x:1000:\nextra:x:2000:user\nnogroup:x:65534:\n")
        .directory("root", 0o700)
        .directory("tmp", 0o1777)
        .directory("work", 0o755)
        .file("payload", 0o755, &program)
        .bytes()
}

/// An image in the making.
pub(crate) struct Image {
    layers: Vec<(Vec<u8>, Compression)>,
    config: Value,
    history: Value,
    architecture: &'static str,
}

impl Image {
    /// No layers, an empty configuration, the host's platform.
    pub(crate) fn new() -> Self {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        Self { layers: Vec::new(), config: json!({}), history: json!([]), architecture }
    }

    /// The payload's image, ready for more layers or a configuration.
    pub(crate) fn payload() -> Self {
        Self::new().layer(payload_layer())
    }

    /// Adds a layer, compressed with gzip.
    pub(crate) fn layer(self, archive: Vec<u8>) -> Self {
        self.packed_layer(archive, Compression::Gzip)
    }

    /// Adds a layer.
    pub(crate) fn packed_layer(mut self, archive: Vec<u8>, compression: Compression) -> Self {
        self.layers.push((archive, compression));
        self
    }

    /// Sets the architecture, in Go's words.
    pub(crate) fn architecture(mut self, name: &'static str) -> Self {
        self.architecture = name;
        self
    }

    /// Sets the part of the configuration that containers inherit: `Env`, `Cmd`, `User`, …
    pub(crate) fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Sets the history, lowest layer first.
    pub(crate) fn history(mut self, history: Value) -> Self {
        self.history = history;
        self
    }

    /// Blobs and manifest, as in an OCI layout.
    pub(crate) fn parts(&self) -> Parts {
        let mut blobs = Vec::new();
        let mut layers = Vec::new();
        let mut diff_ids = Vec::new();
        for (archive, compression) in &self.layers {
            diff_ids.push(digest(archive));
            let (blob, suffix) = match compression {
                Compression::None => (archive.clone(), ""),
                Compression::Gzip => (gzip(archive), "+gzip"),
                Compression::Zstd => (zstd::encode_all(&archive[..], 3).expect("zstd in memory"), "+zstd"),
            };
            let kind = format!("application/vnd.oci.image.layer.v1.tar{suffix}");
            layers.push(descriptor(&kind, &blob));
            blobs.push(blob);
        }
        let mut config = json!({
            "created": "2024-01-01T00:00:00Z",
            "architecture": self.architecture,
            "os": "linux",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        if self.history != json!([]) {
            config["history"] = self.history.clone();
        }
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers,
        });
        Parts { manifest, config, blobs }
    }

    /// The image as an `oci-archive`, under `name`.
    pub(crate) fn oci_archive(&self, name: &str) -> Vec<u8> {
        self.parts().oci_archive(name)
    }

    /// The image as a `docker-archive` (`docker save`), under `name`; layers uncompressed, as docker writes them.
    pub(crate) fn docker_archive(&self, name: &str) -> Vec<u8> {
        let parts = self.parts();
        let mut archive = Layer::new();
        let mut names = Vec::new();
        for (layer, _) in &self.layers {
            let name = format!("{}/layer.tar", hex(layer));
            archive = archive.file(&name, 0o644, layer);
            names.push(name);
        }
        let config = format!("{}.json", hex(&parts.config));
        let manifest = json!([{ "Config": config, "RepoTags": [name], "Layers": names }]).to_string();
        archive.file(&config, 0o644, &parts.config).file("manifest.json", 0o644, manifest.as_bytes()).bytes()
    }
}

/// An image's parts, which a test may change before they are packed.
pub(crate) struct Parts {
    /// The manifest.
    pub manifest: Value,
    /// The configuration's bytes.
    pub config: Vec<u8>,
    /// The layers' bytes.
    pub blobs: Vec<Vec<u8>>,
}

impl Parts {
    /// An `oci-archive` of them, each blob under its true digest.
    pub(crate) fn oci_archive(&self, name: &str) -> Vec<u8> {
        let manifest = self.manifest.to_string().into_bytes();
        let mut top = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
        top["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        let index = json!({ "schemaVersion": 2, "manifests": [top] }).to_string();
        let layout = json!({ "imageLayoutVersion": "1.0.0" }).to_string();
        let mut archive = Layer::new()
            .file("oci-layout", 0o644, layout.as_bytes())
            .file("index.json", 0o644, index.as_bytes())
            .directory("blobs", 0o755)
            .directory("blobs/sha256", 0o755);
        for blob in self.blobs.iter().chain([&self.config, &manifest]) {
            archive = archive.file(&format!("blobs/sha256/{}", hex(blob)), 0o644, blob);
        }
        archive.bytes()
    }
}

/// A descriptor of `bytes`.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

/// `sha256:…` of `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

/// The sha256 of `bytes` in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `bytes` compressed with gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packer.write_all(bytes).and_then(|()| packer.finish()).expect("gzip in memory")
}

/// `bytes`, decompressed with gzip.
pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut unpacked).expect("gzip in memory");
    unpacked
}
