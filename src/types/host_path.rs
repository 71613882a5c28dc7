//! Paths of the host in rc's records: a string, or an array of bytes if the path is not UTF-8. Linux has no encoding of
//! names, and a working directory may be in Latin-1.
//!
//! For `#[serde(with = …)]`: serde's own form of a path fails then, and the record could not be written.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Stored> for PathBuf {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Text(text) => text.into(),
            Stored::Bytes(bytes) => OsString::from_vec(bytes).into(),
        }
    }
}

/// Writes a path.
pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    match path.to_str() {
        Some(text) => serializer.serialize_str(text),
        None => path.as_os_str().as_bytes().serialize(serializer),
    }
}

/// Reads a path.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    Stored::deserialize(deserializer).map(PathBuf::from)
}

/// The same for a path that may be absent.
pub(crate) mod optional {
    use super::{Deserialize as _, Deserializer, Path, PathBuf, Serialize, Serializer, Stored};

    /// A path that is there.
    struct Present<'a>(&'a Path);

    impl Serialize for Present<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            super::serialize(self.0, serializer)
        }
    }

    /// Writes a path, or null.
    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_deref().map(Present).serialize(serializer)
    }

    /// Reads a path, or null.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<Stored>::deserialize(deserializer)?.map(PathBuf::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        #[serde(with = "super")]
        one: PathBuf,
        #[serde(default, with = "super::optional")]
        maybe: Option<PathBuf>,
    }

    #[test]
    fn a_path_is_read_as_it_was_written_whatever_its_bytes() {
        let latin = || PathBuf::from(OsString::from_vec(b"/caf\xe9".to_vec()));
        for (one, maybe, expected) in [
            (PathBuf::from("/a"), None, r#"{"one":"/a","maybe":null}"#),
            ("/é\n".into(), Some("/b".into()), r#"{"one":"/é\n","maybe":"/b"}"#),
            (latin(), Some(latin()), r#"{"one":[47,99,97,102,233],"maybe":[47,99,97,102,233]}"#),
        ] {
            let record = Record { one, maybe };
            let written = serde_json::to_string(&record).expect("JSON");
            assert_eq!(written, expected);
            assert_eq!(json::from_str::<Record>(&written).expect("a record"), record);
        }
        let absent = json::from_str::<Record>(r#"{"one":"/a"}"#).expect("a record");
        assert_eq!(absent, Record { one: "/a".into(), maybe: None });
        for wrong in [r#"{"one":7}"#, r#"{"one":[256]}"#, r#"{"one":null}"#] {
            assert!(json::from_str::<Record>(wrong).is_err(), "{wrong}");
        }
    }
}
