//! `-o`, `--output`: what becomes of the result.
//!
//! ```text
//! -o out                        the files, in a directory
//! -o -                          the files, as an archive to standard output
//! -o type=oci,dest=app.tar      an image as an archive
//! ```
//!
//! Source: docker-buildx-build(1), `--output`; BuildKit's documentation, "Output".

use std::collections::BTreeMap;

use super::csv;
use crate::types::{Invalid, nearest};

/// What becomes of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// The files, in a directory, which is made if it is missing.
    Local {
        /// The directory.
        directory: String,
    },
    /// The files, as a tar archive.
    Tar(Destination),
    /// The image, as an OCI archive or directory.
    Oci(Destination, ImageOutput),
    /// The image, as an archive for `docker load`; without a destination it stays in the store.
    Docker(Option<Destination>, ImageOutput),
    /// The image in the store, and maybe in a registry.
    Image {
        /// It is pushed, too.
        push: bool,
        /// What it is like.
        image: ImageOutput,
    },
    /// Nothing but the cache.
    CacheOnly,
}

/// Where an archive goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Standard,
    /// A file.
    File(String),
    /// A directory: `tar=false`.
    Directory(String),
}

/// What an image is like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageOutput {
    /// Its names, beside those of `--tag`.
    pub(crate) names: Vec<String>,
    /// How its layers are compressed.
    pub(crate) compression: Option<Compression>,
    /// How much.
    pub(crate) level: Option<u8>,
    /// Layers that are compressed otherwise are compressed again.
    pub(crate) force: bool,
    /// Whether its media types are OCI's, or docker's.
    pub(crate) oci_types: Option<bool>,
    /// Files are no newer than SOURCE_DATE_EPOCH.
    pub(crate) rewrite_timestamp: Option<bool>,
    /// It is pushed without its name.
    pub(crate) push_by_digest: bool,
    /// The registry has no valid certificate.
    pub(crate) insecure: bool,
    /// Annotations, by their whole keys: `annotation.NAME`, `annotation-index.NAME`.
    pub(crate) annotations: BTreeMap<String, String>,
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

const TYPES: [&str; 7] = ["local", "tar", "oci", "docker", "image", "registry", "cacheonly"];

/// The keys of an image.
const IMAGE_KEYS: [&str; 8] = [
    "name",
    "compression",
    "compression-level",
    "force-compression",
    "oci-mediatypes",
    "rewrite-timestamp",
    "push-by-digest",
    "registry.insecure",
];

impl Output {
    /// Reads `--output`.
    pub(crate) fn new(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: String| Invalid::new("output", text, reason);
        if text == "-" {
            return Ok(Self::Tar(Destination::Standard));
        }
        if !text.contains('=') {
            let is_path = !text.is_empty() && !text.contains(',');
            let directory = is_path.then(|| Self::Local { directory: text.to_owned() });
            return directory.ok_or_else(|| invalid("must be a directory, or type=…,dest=…".to_owned()));
        }
        let fields = csv::pairs(text).map_err(|reason| invalid(reason.to_owned()))?;
        read(fields).map_err(invalid)
    }
}

fn read(fields: Vec<(String, Option<String>)>) -> Result<Output, String> {
    let mut kind = None;
    let mut destination = None;
    let mut is_archive = None;
    let mut push = None;
    let mut image = ImageOutput::default();
    let mut given = Vec::new();
    for (key, value) in fields {
        match key.as_str() {
            "type" => kind = value,
            "dest" => destination = value.clone().filter(|value| !value.is_empty()),
            "tar" => is_archive = Some(truth(&key, value.as_deref())?),
            "push" => push = Some(truth(&key, value.as_deref())?),
            _ => image.set(&key, value.as_deref())?,
        }
        if key != "type" {
            given.push(key);
        }
    }
    let kind = kind.ok_or("needs a type")?;
    let own: &[&str] = match kind.as_str() {
        "local" => &["dest"],
        "tar" => &["dest"],
        "oci" | "docker" => &["dest", "tar"],
        "image" | "registry" => &["push"],
        "cacheonly" => &[],
        other => {
            let near = nearest(other, TYPES).map_or_else(|| TYPES.join(", "), |near| format!("did you mean {near}?"));
            return Err(format!("there is no type `{}` ({near})", other.escape_debug()));
        }
    };
    let has_image = matches!(kind.as_str(), "oci" | "docker" | "image" | "registry");
    let is_known = |key: &str| own.contains(&key) || has_image && !matches!(key, "dest" | "tar" | "push");
    if let Some(key) = given.iter().find(|key| !is_known(key)) {
        return Err(format!("type {kind} has no `{key}`"));
    }
    let place = |destination: Option<String>| match destination.as_deref() {
        None | Some("-") => Destination::Standard,
        Some(path) if is_archive == Some(false) => Destination::Directory(path.to_owned()),
        Some(path) => Destination::File(path.to_owned()),
    };
    Ok(match kind.as_str() {
        "local" => Output::Local { directory: destination.ok_or("type local needs `dest`")? },
        "tar" => Output::Tar(place(destination)),
        "oci" => Output::Oci(place(destination), image),
        "docker" => Output::Docker(destination.is_some().then(|| place(destination)), image),
        "cacheonly" => Output::CacheOnly,
        "registry" => Output::Image { push: push.unwrap_or(true), image },
        _ => Output::Image { push: push.unwrap_or_default(), image },
    })
}

impl ImageOutput {
    fn set(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        let needed = || value.filter(|value| !value.is_empty()).ok_or_else(|| format!("`{key}` needs a value"));
        match key {
            "name" => self.names.extend(needed()?.split(',').map(|name| name.trim().to_owned())),
            "compression" => {
                self.compression = Some(match needed()? {
                    "uncompressed" => Compression::None,
                    "gzip" => Compression::Gzip,
                    "zstd" => Compression::Zstd,
                    other => return Err(format!("rc compresses with gzip or zstd, not `{}`", other.escape_debug())),
                });
            }
            "compression-level" => {
                let level = needed()?.parse().ok().filter(|level| (0..=22).contains(level));
                self.level = Some(level.ok_or("`compression-level` must be 0 to 22")?);
            }
            "force-compression" => self.force = truth(key, value)?,
            "oci-mediatypes" => self.oci_types = Some(truth(key, value)?),
            "rewrite-timestamp" => self.rewrite_timestamp = Some(truth(key, value)?),
            "push-by-digest" => self.push_by_digest = truth(key, value)?,
            "registry.insecure" => self.insecure = truth(key, value)?,
            _ if key.starts_with("annotation.") || key.starts_with("annotation-") && key.contains('.') => {
                self.annotations.insert(key.to_owned(), value.unwrap_or_default().to_owned());
            }
            other => {
                let known = IMAGE_KEYS.into_iter().chain(["type", "dest", "tar", "push"]);
                let near = nearest(other, known).map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                return Err(format!("`{}` is unknown{near}", other.escape_debug()));
            }
        }
        Ok(())
    }
}

fn truth(key: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(format!("`{key}` must be true or false, not `{}`", other.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Output, String> {
        Output::new(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_is_a_directory_and_a_dash_an_archive() {
        let file = |path: &str| Destination::File(path.to_owned());
        for (text, expected) in [
            ("out", Output::Local { directory: "out".to_owned() }),
            ("-", Output::Tar(Destination::Standard)),
            ("type=local,dest=out", Output::Local { directory: "out".to_owned() }),
            ("type=tar,dest=x.tar", Output::Tar(file("x.tar"))),
            ("type=tar", Output::Tar(Destination::Standard)),
            ("type=oci,dest=-", Output::Oci(Destination::Standard, ImageOutput::default())),
            ("dest=x,type=oci,tar=false", Output::Oci(Destination::Directory("x".to_owned()), ImageOutput::default())),
            ("type=docker", Output::Docker(None, ImageOutput::default())),
            ("type=docker,dest=x", Output::Docker(Some(file("x")), ImageOutput::default())),
            ("type=cacheonly", Output::CacheOnly),
            ("type=registry", Output::Image { push: true, image: ImageOutput::default() }),
            ("type=image", Output::Image { push: false, image: ImageOutput::default() }),
            ("\"dest=a,b\",type=local", Output::Local { directory: "a,b".to_owned() }),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_image_has_settings() {
        let text = "type=image,\"name=a:1,b:2\",push=true,compression=zstd,compression-level=9,force-compression=true,\
                    oci-mediatypes=false,annotation.org.X=y,rewrite-timestamp=true";
        let image = ImageOutput {
            names: vec!["a:1".to_owned(), "b:2".to_owned()],
            compression: Some(Compression::Zstd),
            level: Some(9),
            force: true,
            oci_types: Some(false),
            rewrite_timestamp: Some(true),
            annotations: [("annotation.org.X".to_owned(), "y".to_owned())].into(),
            ..ImageOutput::default()
        };
        assert_eq!(read(text), Ok(Output::Image { push: true, image }));
    }

    #[test]
    fn what_is_unknown_or_out_of_place_is_refused() {
        for (text, expected) in [
            ("", "output `` must be a directory, or type=…,dest=…"),
            ("dest=x", "output `dest=x` needs a type"),
            ("type=loacl,dest=x", "invalid output `type=loacl,dest=x`: there is no type `loacl` (did you mean local?)"),
            ("type=local", "invalid output `type=local`: type local needs `dest`"),
            ("type=local,dest=x,push=true", "invalid output `type=local,dest=x,push=true`: type local has no `push`"),
            ("type=tar,name=x", "invalid output `type=tar,name=x`: type tar has no `name`"),
            ("type=image,psuh=true", "invalid output `type=image,psuh=true`: `psuh` is unknown (did you mean push?)"),
            (
                "type=image,push=maybe",
                "invalid output `type=image,push=maybe`: `push` must be true or false, not `maybe`",
            ),
            (
                "type=oci,compression=estargz",
                "invalid output `type=oci,compression=estargz`: rc compresses with gzip or zstd, not `estargz`",
            ),
            (
                "type=oci,compression-level=30",
                "invalid output `type=oci,compression-level=30`: `compression-level` must be 0 to 22",
            ),
        ] {
            assert_eq!(read(text), Err(expected.to_owned()), "{text}");
        }
    }
}
